"""One name in a folder, as a service tells of it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from storeroom.contracts.values import Stat

__all__ = ["Entry", "Kind", "ListFolder"]

Kind = Literal["file", "folder", "other"]
"""A link, a device and whatever else is neither a file nor a folder is "other"."""


class Entry(NamedTuple):
    """A name with what the listing tells of it; one that is no UTF-8 holds surrogates.

    Decode names with `errors="surrogateescape"`: then they can be written as they came.
    """

    name: str
    kind: Kind
    size: int | None = None
    modified: datetime | None = None
    etag: str | None = None

    def stat(self, path: str, /) -> Stat:
        """What is known of the file, under its whole path."""
        return Stat(path, self.size, self.modified, self.etag)


ListFolder = Callable[[str], Awaitable[Sequence[Entry] | None]]
"""All that is in a folder, None where there is no such folder; the connection is given back then.

Names come as the server sends them, in any order, `.` and `..` among them or not.
"""
