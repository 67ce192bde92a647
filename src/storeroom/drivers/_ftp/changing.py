"""Removing, moving, appending, and the facts that can be set."""

from datetime import UTC, datetime

from storeroom.contracts.errors import InvalidArgument, Obstructed, PermissionDenied, Unsupported
from storeroom.contracts.values import Stat
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.failures import why_not
from storeroom.drivers._ftp.listing import has_folder, mode_in
from storeroom.drivers._ftp.looking import file_at, looked_at
from storeroom.drivers._ftp.placing import ensure_folder, moved
from storeroom.drivers._ftp.replies import Refused
from storeroom.drivers._ftp.service import Service
from storeroom.drivers._ftp.uploading import check_moded
from storeroom.drivers._http.wire import Lost
from storeroom.drivers._tree.shielded import settled

__all__ = [
    "change_mode",
    "change_time",
    "check_beneath",
    "make_folder",
    "mode_of",
    "remove",
    "remove_empty",
    "rename",
    "unlinked",
]


async def remove(service: Service, path: str, /) -> bool | None:
    """Remove a file: whether one was there, None where the answer to a first try was lost."""
    attempts, is_sure = service.attempts(), True
    while True:
        try:
            was_there = await service.once(lambda control: settled(_removed(control, path)))
        except Lost as lost:
            is_sure = False
            await attempts.rest(lost)
        except Refused as refused:
            await attempts.rest(refused)
        else:
            return True if was_there else False if is_sure else None


async def rename(service: Service, path: str, to: str, /) -> Stat:
    """Move a file, never a folder."""
    before = await service.run(lambda control: file_at(control, path))
    if path != to:
        await moved(service, path, to, before.size)
    return before.at(to)


async def make_folder(service: Service, folder: str, mode: int | None, /) -> None:
    """Make a folder and its parents."""

    async def make(control: Control) -> None:
        await ensure_folder(control, folder)
        if mode is not None:
            command = f"SITE CHMOD {mode:04o} {control.at(folder)}"
            check_moded(control, (await control.ask(command))[0])

    await service.change(make)


async def remove_empty(service: Service, folder: str, /) -> None:
    """Remove a folder in which nothing is left; gone already is as good."""

    async def removed(control: Control) -> None:
        answer = (await control.ask(f"RMD {control.at(folder)}"))[0]
        if answer.is_good or not await has_folder(control, folder):
            return
        refused = control.refusal(answer)
        if answer.is_passing:
            raise refused
        raise PermissionDenied(
            f"the server does not remove the folder: something is in it that it does not show, or "
            f"it may not ({refused})",
            path=folder,
        ) from refused

    await service.change(removed)


async def unlinked(service: Service, path: str, /) -> bool:
    """Whether this was a link that the server calls a folder, and is gone; no server deletes a folder so."""

    async def tried(control: Control) -> bool:
        answer = (await control.ask(f"DELE {control.at(path)}"))[0]
        if answer.is_passing:
            raise control.refusal(answer)
        return answer.is_good

    return await service.change(tried)


async def check_beneath(service: Service, folder: str, /) -> None:
    """Refuse a folder that lies elsewhere, as far as the server tells: it was a link all the same."""
    above, _, name = folder.rpartition("/")

    async def look(control: Control) -> bool:
        commands = (f"CWD {control.at(above)}", "PWD", f"CWD {control.at(folder)}", "PWD")
        answers = await control.ask(*commands)
        if not all(answer.is_good for answer in answers):
            return True
        outer, inner = (control.parse_directory_response(answers[n].lines[-1]) for n in (1, 3))
        return str(inner).casefold() == str(outer / name).casefold()

    if not await service.run(look):
        raise Obstructed(
            "it is a link to a folder elsewhere, which the server does not remove; remove it by hand",
            path=folder,
        )


async def change_mode(service: Service, path: str, mode: int, /) -> None:
    """Set the permission bits of a file."""

    async def change(control: Control) -> None:
        await file_at(control, path)
        command = f"SITE CHMOD {mode:04o} {control.at(path)}"
        check_moded(control, (await control.ask(command))[0])

    await service.change(change)


async def mode_of(service: Service, path: str, /) -> int:
    """The permission bits of a file, where the server shows them."""

    async def look(control: Control) -> int | None:
        await file_at(control, path)
        return await mode_in(control, path)

    mode = await service.run(look)
    if mode is None:
        raise Unsupported("the server does not show permissions, so no visibility")
    return mode


async def change_time(service: Service, path: str, moment: datetime, /) -> None:
    """Set when a file was modified: by MFMT, or by the form of MDTM that some servers have instead."""
    stamp = _stamp(moment)

    async def change(control: Control) -> None:
        await file_at(control, path)
        has_it = control.server.has("MFMT")
        command = f"{'MFMT' if has_it else 'MDTM'} {stamp} {control.at(path)}"
        answer = (await control.ask(command))[0]
        if answer.is_unknown or not (answer.is_good or has_it):
            raise Unsupported(f"the server sets no times ({control.refusal(answer)})")
        if not answer.is_good:
            raise why_not(control.refusal(answer), "the server does not let its time be set")

    await service.change(change)


def _stamp(moment: datetime) -> str:
    try:
        found = moment.astimezone(UTC)
    except OverflowError:
        raise InvalidArgument(f"{moment} is before or after all years of UTC") from None
    return f"{found.year:04}{found:%m%d%H%M%S}"  # not every system's %Y has four digits


async def _removed(control: Control, path: str) -> bool:
    answer = (await control.ask(f"DELE {control.at(path)}"))[0]
    if answer.is_good:
        return True
    refused = control.refusal(answer)
    if answer.is_passing:
        raise refused
    found = await looked_at(control, path)
    if (found is not None and found.kind == "folder") or await has_folder(control, path):
        raise Obstructed("this is a folder; delete_directory removes one") from refused
    if found is None:
        return False
    raise PermissionDenied(f"the server does not let it be removed ({refused})") from refused
