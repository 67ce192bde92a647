"""Lines of LIST, which no standard describes: as `ls -l` writes them, and as `dir` does."""

import re
from typing import Final

from storeroom.drivers._tree.entry import Entry, Kind

__all__ = ["listed_as"]

_LONGEST: Final = 8 << 10

# drwxr-xr-x   2 owner group     4096 Jan  2 12:34 name
# The owner may hold spaces and the group be missing; what is sure is a size before a date.
_UNIX: Final = re.compile(
    r"([-bcdlpsD])[-rwxXsStTlL]{9}[.+@]?\s*"
    r"(?:\S.*?\s)?(\d{1,19})\s+"
    r"(?:[^\W\d]{3,5}\.?\s+\d{1,2}\.?\s+(?:\d{4}|\d{1,2}:\d{2})"
    r"|\d{1,2}\.?\s+[^\W\d]{3,5}\.?\s+(?:\d{4}|\d{1,2}:\d{2})"
    r"|\d{4}-\d{2}-\d{2}\s+\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s[-+]\d{4})?)"
    r" (.+)"
)
# 01-23-24  10:11PM       <DIR>          name
_DOS: Final = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}\s+\d{1,2}:\d{2}(?::\d{2})?(?:\s*[AaPp][Mm]?)?\s+"
    r"(?:(<[A-Z]+>)\s+|([\d.,]{1,25}) )(.+)"
)
_KINDS: Final[dict[str, Kind]] = {"-": "file", "d": "folder", "D": "folder"}


def listed_as(line: str, /) -> Entry | None:
    """The name in a line with what is sure of it, None where it is no line for a name.

    Times are left out: they have no zone, and often no seconds. A link is "other", under its own name.
    """
    if len(line) > _LONGEST:
        return None
    found = _UNIX.fullmatch(line)
    if found is not None:
        return _unix(found[1], int(found[2]), found[3])
    found = _DOS.fullmatch(line)
    if found is None:
        return None
    if found[1]:
        return Entry(found[3], "folder" if found[1] == "<DIR>" else "other")
    return Entry(found[3], "file", int(re.sub(r"\D", "", found[2])))


def _unix(letter: str, size: int, name: str) -> Entry:
    kind = _KINDS.get(letter, "other")
    if letter == "l":
        name = name.partition(" -> ")[0]
    return Entry(name, kind, size if kind == "file" else None)
