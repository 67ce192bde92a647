"""All that is in one folder: by MLSD, else by LIST, else by NLST and a question for each name."""

import logging
import re
from collections.abc import Iterator, Sequence
from typing import Final

from storeroom.contracts import threads
from storeroom.contracts.errors import Corrupted, InvalidPath, PermissionDenied
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.facts import entry_of, mode_of, moment, size_in
from storeroom.drivers._ftp.failures import check_shown, is_denial
from storeroom.drivers._ftp.lines import listed_as
from storeroom.drivers._ftp.replies import Refused, Reply
from storeroom.drivers._ftp.spelling import spelled
from storeroom.drivers._ftp.transfer import Transfer
from storeroom.drivers._tree.entry import Entry

__all__ = ["has_folder", "listed", "mode_in"]

_MANY: Final = 64 << 10  # bytes: taking more of them apart would hold up the loop
_MOST: Final = 32 << 20
_BATCH: Final = 64
_FEW: Final = 20
_EMPTY: Final = re.compile(r"\bno files?\b|\bempty\b", re.IGNORECASE)

_log = logging.getLogger("storeroom")


async def listed(control: Control, folder: str, /) -> list[Entry] | None:
    """The entries as the server names them, None where there is no such folder."""
    server = control.server
    if server.listing == "MLSD" and (server.has("MLSD") or server.has("MLST")):
        try:
            return await _by_mlsd(control, folder)
        except Refused as refused:
            if not refused.reply.is_unknown:
                raise
    if server.listing == "MLSD":
        server.listing = "LIST"
    # A folder's name as an argument would be a pattern or an option for some servers.
    entered = (await control.ask(f"CWD {control.at(folder)}"))[0]
    if not entered.is_good:
        check_shown(control.refusal(entered))
        return None
    if server.listing == "LIST":
        try:
            return await _by_list(control, folder)
        except Refused as refused:
            if not refused.reply.is_unknown:
                raise
            server.listing = "NLST"
    return await _by_nlst(control, folder)


async def has_folder(control: Control, folder: str, /) -> bool:
    """Whether there is a folder of this name; what the server does not show is not there."""
    path = control.at(folder)
    if not control.server.has("MLST"):
        entered = (await control.ask(f"CWD {path}"))[0]
        if entered.is_passing:
            raise control.refusal(entered)
        return entered.is_good
    answer = (await control.ask(f"MLST {path}"))[0]
    if not answer.is_good:
        check_shown(control.refusal(answer))
        return False
    found = entry_of(answer.lines[1] if len(answer.lines) > 1 else "")
    return found is not None and found.kind == "folder"


async def mode_in(control: Control, path: str, /) -> int | None:
    """The permission bits of a file by MLST, else by its line in LIST; None where neither tells."""
    if control.server.has("MLST"):
        answer = await control.do(f"MLST {control.at(path)}")
        return mode_of(answer.lines[1] if len(answer.lines) > 1 else "")
    folder, _, name = path.rpartition("/")
    await control.do(f"CWD {control.at(folder)}")
    if control.server.hidden is None:
        await _by_list(control, folder)  # finds out which form the server takes
    text = await _fetched(control, "LIST -a" if control.server.hidden else "LIST")
    for line in _lines(text, control):
        entry = listed_as(line)
        if entry is not None and entry.name == name and line[:1] in "-l":
            return _bits(line[1:10])
    return None


def _bits(letters: str) -> int:
    return sum(1 << (8 - at) for at, letter in enumerate(letters) if letter in "rwxst")


async def _by_mlsd(control: Control, folder: str) -> list[Entry] | None:
    try:
        text = await _fetched(control, f"MLSD {control.at(folder)}")
    except Refused as refused:
        if refused.reply.is_unknown or refused.reply.is_passing:
            raise
        if is_denial(refused.reply) or await has_folder(control, folder):
            raise PermissionDenied(f"the server does not list it ({refused})") from refused
        return None
    found = await _apart(text, control, "MLSD")
    await _resolve(control, folder, found)
    return found


async def _by_list(control: Control, folder: str) -> list[Entry]:
    """With `-a`, where the server takes it: else names that begin with a dot may be missing."""
    server = control.server
    if server.hidden is not False:
        try:
            found = await _apart(await _fetched(control, "LIST -a"), control, "LIST")
        except Refused as refused:
            is_empty = _says_empty(refused.reply)
            if not is_empty and (refused.reply.is_passing or server.hidden):
                raise
            server.hidden = server.hidden if is_empty else False
        else:
            server.hidden = any(entry.name == "." for entry in found)
            if server.hidden:
                await _resolve(control, folder, found)
                return found
    text = await _fetched_if_any(control, "LIST")
    if _is_foreign(text, control):
        return await _by_nlst(control, folder)
    found = await _apart(text, control, "LIST")
    await _resolve(control, folder, found)
    return found


def _is_foreign(text: bytes, control: Control) -> bool:
    """Whether there are lines, and none of the first is of a form that is known: VMS, EPLF ..."""
    lines = [line for line in _lines(text[:_MANY], control)[:_FEW] if not _is_idle(line)]
    return bool(lines) and not any(listed_as(line) for line in lines)


async def _by_nlst(control: Control, folder: str) -> list[Entry]:
    text = await _fetched_if_any(control, "NLST")
    # Some servers put the folder before each name.
    above = (f"{control.at(folder)}/", "./", f"{folder}/")
    found = [Entry(_bare(line, above), "other") for line in _lines(text, control)]
    await _resolve(control, folder, found)
    return await _folders_among(control, folder, found)


async def _resolve(control: Control, folder: str, entries: list[Entry]) -> None:
    """Links and bare names whose size the server tells are files; nothing is followed further."""
    unsure = [
        position
        for position, entry in enumerate(entries)
        if entry.kind == "other" and _may_be_asked(control, entry.name)
    ]
    above = f"{folder}/" if folder else ""
    for start in range(0, len(unsure), _BATCH):
        batch = unsure[start : start + _BATCH]
        paths = [control.at(above + entries[position].name) for position in batch]
        answers = iter(
            await control.ask(*(f"{verb} {path}" for path in paths for verb in ("SIZE", "MDTM")))
        )
        for position, size, time in zip(batch, answers, answers, strict=True):
            if size.is_passing:
                raise control.refusal(size)
            if size.is_unknown:
                control.server.unlearn("SIZE")
            count = size_in(size.text.strip()) if size.is_good else None
            if count is not None:
                modified = moment(time.text) if time.is_good else None
                entries[position] = Entry(entries[position].name, "file", count, modified)


async def _folders_among(control: Control, folder: str, entries: list[Entry]) -> list[Entry]:
    above = f"{folder}/" if folder else ""
    found: list[Entry] = []
    for entry in entries:
        is_folder = (
            entry.kind == "other"
            and _may_be_asked(control, entry.name)
            and (await control.ask(f"CWD {control.at(above + entry.name)}"))[0].is_good
        )
        if is_folder:
            found.append(Entry(entry.name, "folder"))
        else:  # without SIZE there is no way to ask
            found.append(entry if control.server.sizes else entry._replace(kind="file"))
    return found


async def _fetched_if_any(control: Control, command: str) -> bytes:
    """Nothing also where a server calls it an error that a folder is empty."""
    try:
        return await _fetched(control, command)
    except Refused as refused:
        is_any = command == "NLST" and (refused.code == 550 or refused.reply.says_missing)
        if is_denial(refused.reply) or not (is_any or _says_empty(refused.reply)):
            raise
        return b""


def _says_empty(reply: Reply) -> bool:
    return reply.code in (450, 550) and _EMPTY.search(reply.words) is not None


async def _fetched(control: Control, command: str) -> bytes:
    """What comes over the data connection, once the server says that it was all of it."""
    transfer = Transfer(control, command)
    await transfer.begin()
    try:
        pieces: list[bytes] = []
        size = 0
        while piece := await transfer.data.chunk():
            pieces.append(piece)
            size += len(piece)
            if size > _MOST:
                raise Corrupted("the server's listing does not end")
        over = await transfer.end()
        if "failed to open" in over.words:  # vsftpd, of a folder that it may not read
            raise PermissionDenied(f"the server does not list it ({over.text})")
    finally:
        transfer.close()
    return b"".join(pieces)


async def _apart(text: bytes, control: Control, form: str) -> list[Entry]:
    if len(text) <= _MANY:
        return list(_entries(text, control, form))
    return await threads.run(lambda: list(_entries(text, control, form)))


def _entries(text: bytes, control: Control, form: str) -> Iterator[Entry]:
    parse = entry_of if form == "MLSD" else listed_as
    for line in _lines(text, control):
        entry = parse(line)
        if entry is not None:
            yield entry
        elif not (_is_idle(line) or control.server.warned):
            control.server.warned = True  # once is enough: a server writes all its lines alike
            _log.warning("%r in a listing of the server is not understood and left out", line[:200])


def _is_idle(line: str) -> bool:
    return not line.strip() or line.startswith("total ")


def _lines(text: bytes, control: Control) -> list[str]:
    """Names that are not of the encoding keep their bytes as surrogates; only LF ends a line."""
    decoded = text.decode(control.encoding, "surrogateescape")
    return [line.removesuffix("\r") for line in decoded.split("\n") if line]


def _bare(line: str, above: Sequence[str]) -> str:
    for prefix in above:
        if prefix != "/" and line.startswith(prefix):
            return line.removeprefix(prefix)
    return line


def _may_be_asked(control: Control, name: str) -> bool:
    if name in ("", ".", "..") or "/" in name:
        return False
    try:
        spelled(name, control.encoding)
    except InvalidPath:
        return False
    return True
