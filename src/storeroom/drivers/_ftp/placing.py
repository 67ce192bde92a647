"""Renaming over a file, the folders that have to be there before, and what to think of a refusal."""

import logging
from collections.abc import Iterator
from typing import Literal

from storeroom.contracts.errors import (
    NotFound,
    Obstructed,
    PermissionDenied,
    StorageError,
    Unavailable,
)
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.failures import unknown_outcome, why_not
from storeroom.drivers._ftp.listing import has_folder
from storeroom.drivers._ftp.looking import looked_at
from storeroom.drivers._ftp.replies import Refused, Reply
from storeroom.drivers._ftp.service import Service
from storeroom.drivers._http.wire import Lost
from storeroom.drivers._tree.shielded import settled
from storeroom.drivers._tree.temporaries import aside_beside

__all__ = ["ensure_folder", "moved", "recovered", "replaced", "replaced_after", "why_not_made"]

_log = logging.getLogger("storeroom")

_Place = Literal["here", "there", "unknown"]


async def moved(service: Service, path: str, to: str, size: int | None, /) -> None:
    """Rename over whatever file is there, however often it takes; `size` tells the file."""
    try:
        await service.once(lambda control: settled(replaced(control, path, to)))
    except Lost as lost:
        await recovered(service, path, to, size, lost)


async def recovered(service: Service, path: str, to: str, size: int | None, lost: Lost, /) -> None:
    """The answer to a rename is lost: find out whether it happened, and do it if it did not."""
    attempts = service.attempts()
    while True:
        try:
            await attempts.rest(lost)
            try:
                place = await service.run(lambda control: _place(control, path, to, size))
            except Refused as refused:
                raise unknown_outcome("renaming", to) from refused
            if place == "unknown":
                raise unknown_outcome("renaming", to)
            if place == "here":
                await service.once(lambda control: settled(replaced(control, path, to)))
        except Lost as again:
            if again is lost:
                raise unknown_outcome("renaming", to) from lost
            lost = again
        else:
            return


async def replaced(control: Control, path: str, to: str, /) -> None:
    """Rename over whatever file is there."""
    if not control.server.replaces:
        if not control.server.hides_dots and await looked_at(control, path) is None:
            raise NotFound("there is no such file")
        await _swapped(control, path, to)
        return
    await _announced(control, path)
    answer = (await control.ask(f"RNTO {control.at(to)}"))[0]
    if not answer.is_good:
        await replaced_after(control, path, to, answer)


async def replaced_after(control: Control, path: str, to: str, answer: Reply, /) -> None:
    """The rename was refused: find out why, and do it otherwise if that is possible.

    Where a server refuses to replace, the old file is put aside first: for a moment there is none.
    """
    if await _is_in_the_way(control, path, to, answer):
        await _swapped(control, path, to)
        return
    await _announced(control, path)
    answer = (await control.ask(f"RNTO {control.at(to)}"))[0]
    await _check_renamed(control, path, answer)


async def ensure_folder(control: Control, folder: str, /) -> None:
    """Make the folder and those above it; `Obstructed` where a file stands in the way."""
    if (await control.ask(f"MKD {control.at(folder)}"))[0].is_good:
        return
    answers = await control.ask(*(f"MKD {above}" for above in _ways_to(control.at(folder))))
    if answers[-1].is_good or await has_folder(control, folder):
        return
    if answers[-1].is_full:
        raise control.refusal(answers[-1])
    raise await why_not_made(control, folder, answers[-1])


async def why_not_made(control: Control, path: str, answer: Reply, /) -> StorageError:
    """Why neither a folder nor a file could be made at a path."""
    for above in _ways_to(path):
        found = await looked_at(control, above)
        if found is not None and found.kind != "folder":
            what = repr(above) if above else "the root"
            return Obstructed(f"{what} is a file, so no folder can be there")
    return PermissionDenied(f"the server does not let it be made ({control.refusal(answer)})")


async def _announced(control: Control, path: str) -> None:
    answer = (await control.ask(f"RNFR {control.at(path)}"))[0]
    await _check_renamed(control, path, answer)


async def _check_renamed(control: Control, path: str, answer: Reply) -> None:
    if answer.is_good:
        return
    refused = control.refusal(answer)
    if not answer.is_passing and await looked_at(control, path) is None:
        raise NotFound("there is no such file") from refused
    raise why_not(refused, "the server does not let it be renamed")


async def _place(control: Control, path: str, to: str, size: int | None) -> _Place:
    if await looked_at(control, path) is not None:
        return "here"
    found = await looked_at(control, to)
    if found is not None and size is not None and found.size == size:
        return "there"
    return "unknown"


async def _is_in_the_way(control: Control, path: str, to: str, answer: Reply) -> bool:
    """Whether a file at the target is why the server refused; if it was the folder, it is there now.

    What the server may not do anyway is raised, and so is that there is nothing to rename.
    """
    refused = control.refusal(answer)
    if answer.is_full or answer.code in (530, 532):
        raise refused
    if await looked_at(control, path) is None:
        raise NotFound("there is no such file") from refused
    if await has_folder(control, to):
        raise Obstructed("a folder is there") from refused
    if answer.is_passing:
        raise refused
    if await looked_at(control, to) is not None:
        return True
    await ensure_folder(control, to.rpartition("/")[0])
    return False


async def _swapped(control: Control, path: str, to: str) -> None:
    aside = aside_beside(to)
    was_there = await looked_at(control, to) is not None
    if was_there:
        await _rename(control, to, aside)
    try:
        await _rename(control, path, to)
    except BaseException as error:
        if was_there:
            await _put_back(control, aside, to, error)
        raise
    control.server.replaces = False
    if was_there:
        await control.ask(f"DELE {control.at(aside)}")


async def _put_back(control: Control, aside: str, to: str, error: BaseException) -> None:
    """Undo the first half of a swap; where that fails, say where the old file is."""
    try:
        await control.settle()
        await _rename(control, aside, to)
    except BaseException as failure:
        _log.warning("%r could not be replaced; what it was before is at %r", to, aside)
        if not isinstance(failure, (Lost, Refused)):
            raise
        if isinstance(error, Refused):
            raise Unavailable(
                f"it could not be replaced ({error}), and what it was before is at {aside!r}; "
                "rename that by hand",
                retryable=False,
            ) from failure


async def _rename(control: Control, path: str, to: str) -> None:
    ready, done = await control.ask(f"RNFR {control.at(path)}", f"RNTO {control.at(to)}")
    control.checked(ready)
    control.checked(done)


def _ways_to(path: str) -> Iterator[str]:
    """Every folder on the way to a path, and the path itself."""
    at = path.find("/", 1)
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)
    yield path
