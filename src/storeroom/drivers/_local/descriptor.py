"""One open file descriptor that is closed exactly once, and never under a call still using it."""

import os
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from storeroom.contracts.body import Piece
from storeroom.contracts.errors import Closed

T = TypeVar("T")


class Descriptor:
    """Reads at an offset; `close` never waits: a read under way closes it when it is done."""

    __slots__ = ("_busy", "_closing", "_fd", "_lock")

    def __init__(self) -> None:
        self._fd = -1
        self._busy = False
        self._closing = False
        self._lock = threading.Lock()

    def hold(self, fd: int) -> None:
        """Take a descriptor over, to be closed from here."""
        self._fd = fd

    def read_at(self, count: int, offset: int) -> bytes:
        """Exactly `count` bytes from `offset`, fewer only where the file ends."""
        return self.use(lambda fd: read_at(fd, count, offset))

    def use(self, work: Callable[[int], T]) -> T:
        """What `work` makes of the descriptor, which stays open that long."""
        with self._lock:
            if self._closing:
                raise Closed("this source was closed; open it again")
            self._busy = True
        try:
            return work(self._fd)
        finally:
            with self._lock:
                self._busy = False
                self._finish()

    def close(self) -> None:
        with self._lock:
            self._closing = True
            self._finish()

    def __del__(self) -> None:
        self.close()

    def _finish(self) -> None:
        if self._closing and not self._busy and self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def read_at(fd: int, count: int, offset: int) -> bytes:
    first = _read(fd, count, offset)
    if len(first) == count or not first:
        return first
    parts, got = [first], len(first)
    while got < count:
        part = _read(fd, count - got, offset + got)
        if not part:
            break
        parts.append(part)
        got += len(part)
    return b"".join(parts)


def write_all(fd: int, *pieces: Piece) -> int:
    """All of them, however little the system takes at once: how many bytes."""
    size = sum(map(len, pieces))
    done = _write_some(fd, pieces)
    if done < size:
        rest = memoryview(b"".join(pieces))[done:]
        while rest:
            rest = rest[os.write(fd, rest) :]
    return size


if hasattr(os, "writev"):

    def _write_some(fd: int, pieces: Sequence[Piece], /) -> int:
        return os.writev(fd, pieces) if len(pieces) > 1 else os.write(fd, pieces[0])
else:

    def _write_some(fd: int, pieces: Sequence[Piece], /) -> int:
        return 0


if hasattr(os, "pread"):
    _read = os.pread
else:

    def _read(fd: int, count: int, offset: int, /) -> bytes:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, count)
