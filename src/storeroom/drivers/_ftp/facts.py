"""The facts of one file, by MLST (RFC 3659), else by SIZE and MDTM, else from its folder's listing."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.failures import check_shown
from storeroom.drivers._ftp.replies import Reply
from storeroom.drivers._tree.entry import Entry, Kind

__all__ = ["asking", "entry_of", "mode_of", "moment", "size_in", "told"]

_MOMENT: Final = re.compile(r"\d{14}(?:\.\d+)?")
_MODE: Final = re.compile(r"(?:0o)?([0-7]{3,7})")  # pyftpdlib writes Python's prefix
_DIGITS: Final = 19
_KINDS: Final[dict[str, Kind]] = {
    "file": "file",
    "dir": "folder",
    "cdir": "folder",
    "pdir": "folder",
}


def asking(control: Control, path: str, /) -> tuple[str, ...]:
    """The commands whose answers `told` understands; none where the server has none."""
    whole = control.at(path)
    if control.server.has("MLST"):
        return (f"MLST {whole}",)
    return (f"SIZE {whole}", f"MDTM {whole}") if control.server.sizes else ()


def told(control: Control, path: str, answers: Sequence[Reply], /) -> Entry | None:
    """The file or folder, None where there is none that the server shows; a denial is raised, and a passing refusal."""
    first = answers[0]
    if not first.is_good:
        check_shown(control.refusal(first))
        return None
    control.server.tells = True
    name = path.rpartition("/")[2]
    if control.server.has("MLST"):
        return entry_of(first.lines[1] if len(first.lines) > 1 else "", name)
    time = answers[1].lines[-1] if len(answers) > 1 and answers[1].is_good else ""
    return Entry(name, "file", size_in(first.lines[-1].strip()), moment(time))


def entry_of(line: str, name: str | None = None, /) -> Entry | None:
    """What a line of MLSD or MLST says, None where it is no such line.

    The etag of a folder is what identifies it, whatever its name is. A name given here stands for the line's own, which some servers give with the path before it.
    """
    facts, space, own = line.removeprefix(" ").partition(" ")
    if not space or "=" not in facts:
        return None
    found = dict(_pairs(facts))
    kind = _KINDS.get(found.get("type", "").lower(), "other")
    size = found.get("size", "") if kind == "file" else ""
    return Entry(
        own if name is None else name,
        kind,
        size_in(size),
        moment(found.get("modify", "")),
        found.get("unique") if kind == "folder" else None,
    )


def size_in(text: str, /) -> int | None:
    """A number of bytes, None where the text is none that a file can have."""
    return int(text) if len(text) <= _DIGITS and text.isdecimal() else None


def mode_of(line: str, /) -> int | None:
    """The permission bits in a line of MLST, None where the server does not tell them."""
    found = dict(_pairs(line.removeprefix(" ").partition(" ")[0]))
    mode = _MODE.fullmatch(found.get("unix.mode", ""))
    return int(mode[1], 8) & 0o777 if mode else None


def moment(text: str, /) -> datetime | None:
    """A time of the form YYYYMMDDHHMMSS with or without a fraction, which is UTC (RFC 3659)."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    whole, _, fraction = found[0].partition(".")
    try:
        return datetime(
            int(whole[:4]),
            int(whole[4:6]),
            int(whole[6:8]),
            int(whole[8:10]),
            int(whole[10:12]),
            min(int(whole[12:]), 59),
            int(fraction[:6].ljust(6, "0")) if fraction else 0,
            UTC,
        )
    except ValueError:
        return None


def _pairs(facts: str) -> Iterator[tuple[str, str]]:
    for fact in facts.split(";"):
        key, equals, value = fact.partition("=")
        if equals:
            yield key.lower(), value
