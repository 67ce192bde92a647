"""What is held of a file, and which files a change is about."""

import re
import time
from dataclasses import dataclass, replace
from sys import getsizeof
from typing import Final

from storeroom.contracts.errors import NotModified, PreconditionFailed
from storeroom.contracts.paths import inside
from storeroom.contracts.source import Source
from storeroom.contracts.values import ReadOptions, Stat

__all__ = ["EVERYTHING", "Change", "Entry", "answer", "is_settled"]

_PIECE: Final = 1 << 20
_OVERHEAD: Final = 512
_COARSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Change:
    """The files at `paths`, and all under `folder`; the root `""` is everything."""

    paths: tuple[str, ...] = ()
    folder: str | None = None

    def touches(self, path: str, /) -> bool:
        """Whether the change is about this file."""
        if path in self.paths:
            return True
        return self.folder is not None and (path == self.folder or inside(self.folder, path))


EVERYTHING: Final = Change(folder="")


class Entry:
    """The facts of one file, None where there is no file, and its bytes where they are held.

    It may be believed without asking `until` this moment of `time.monotonic`. `weight` is in bytes;
    `at_once` are the bytes where one piece can hold them.
    """

    __slots__ = ("at_once", "content", "stat", "until", "weight")

    def __init__(self, stat: Stat | None, content: bytes | None, until: float, /) -> None:
        self.stat = stat
        self.content = content
        self.at_once = content if content is not None and len(content) <= _PIECE else None
        self.until = until
        self.weight = _OVERHEAD + len(content or b"") + (0 if stat is None else _texts(stat))

    @property
    def is_believed(self) -> bool:
        """Whether it may be used without asking."""
        return self.until > time.monotonic()

    def told(self) -> Stat:
        """The facts, which are the caller's own: nothing done to them comes back."""
        stat = self.stat
        if stat is None:
            raise LookupError("there is no file")
        return stat if stat.metadata is None else replace(stat, metadata=dict(stat.metadata))


def answer(entry: Entry, content: bytes, how: ReadOptions, /) -> Source:
    """What a reader gets of the held bytes, whose conditions are judged by the held etag."""
    etag = None if entry.stat is None else entry.stat.etag
    path = None if entry.stat is None else entry.stat.path
    if how.if_match is not None and how.if_match != etag:
        raise PreconditionFailed("the file is not the one that if_match names", path=path)
    if how.if_none_match is not None and how.if_none_match == etag:
        raise NotModified("the file is still the one that if_none_match names", path=path)
    start = min(how.start, len(content))
    stop = len(content) if how.stop is None else min(how.stop, len(content))
    if stop - start <= _PIECE:
        return Source(entry.told, content[start:stop], chunk_size=how.chunk_size)
    pieces = _Pieces(content, start, stop)
    return Source(entry.told, pieces, size=stop - start, chunk_size=how.chunk_size)


def is_settled(stat: Stat, /) -> bool:
    """Whether the same etag will mean the same bytes.

    An etag made of a time in whole seconds (SFTP, some web servers) does not tell two writes within
    one second apart, so a file of this very moment is not held by it; the server's clock may be off.
    """
    if stat.etag is None:
        return False
    if stat.modified is None:
        return True
    second = int(stat.modified.timestamp())
    if not re.search(rf"(?<![0-9a-f])({second:x}|{second})(?![0-9a-f])", stat.etag):
        return True
    return abs(time.time() - second) > _COARSE


class _Pieces:
    """A class, not a generator: dropping it needs no loop."""

    __slots__ = ("_at", "_content", "_stop")

    def __init__(self, content: bytes, start: int, stop: int) -> None:
        self._content = content
        self._at = start
        self._stop = stop

    def __aiter__(self) -> "_Pieces":
        return self

    async def __anext__(self) -> bytes:
        if self._at >= self._stop:
            raise StopAsyncIteration
        end = min(self._at + _PIECE, self._stop)
        piece = self._content[self._at : end]
        self._at = end
        return piece


def _texts(stat: Stat) -> int:
    pairs = [text for pair in (stat.metadata or {}).items() for text in pair]
    texts = [text for text in stat.values() if isinstance(text, str)]
    return sum(map(getsizeof, (*texts, *pairs)))
