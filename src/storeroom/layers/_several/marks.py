"""Marks: a copy's metadata says which file of another disk it is a copy of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote, unquote

from storeroom.contracts.values import Stat

__all__ = ["Mark", "mark_of", "marked", "unmarked"]

_KEY = "storeroom-copy-of"
_NONE = "-"
_FIELDS = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """What the file was when it was copied; two marks are equal while the file is the same."""

    etag: str | None
    modified: datetime | None
    size: int | None

    @classmethod
    def of(cls, stat: Stat, /) -> "Mark":
        """The mark of a file: its etag, or where there is none its time."""
        return cls(stat.etag, stat.modified, stat.size)

    def is_same(self, other: "Mark", /) -> bool:
        """Whether both are of one state of the file; unknown facts are never the same."""
        if self.size != other.size:
            return False
        if self.etag is not None or other.etag is not None:
            return self.etag == other.etag
        return self.modified is not None and self.modified == other.modified


def marked(metadata: Mapping[str, str] | None, mark: Mark, /) -> dict[str, str]:
    """The metadata of a copy: the file's own, and the mark as `etag modified size`, percent-encoded."""
    modified = None if mark.modified is None else mark.modified.isoformat()
    fields = (mark.etag, modified, None if mark.size is None else str(mark.size))
    text = " ".join(_NONE if field is None else f"={quote(field, safe='')}" for field in fields)
    return {**(metadata or {}), _KEY: text}


def mark_of(stat: Stat, /) -> Mark | None:
    """The mark of a copy, None of any other file."""
    fields = ((stat.metadata or {}).get(_KEY) or "").split(" ")
    if len(fields) != _FIELDS:
        return None
    etag, modified, size = (None if f == _NONE else unquote(f.removeprefix("=")) for f in fields)
    try:
        time = None if modified is None else datetime.fromisoformat(modified)
        return Mark(etag, time, None if size is None else int(size))
    except ValueError:  # written by nobody of ours
        return None


def unmarked(stat: Stat, mark: Mark, /) -> Stat:
    """The facts of the file that it is a copy of, as far as the copy has them."""
    metadata = {key: value for key, value in (stat.metadata or {}).items() if key != _KEY}
    return replace(
        stat, etag=mark.etag, modified=mark.modified, metadata=metadata, tier=None, version=None
    )
