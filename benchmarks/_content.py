"""The bytes that go up and down."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass

from _stub import MIB, big, pattern

_BLOCK = pattern(MIB)


@dataclass(frozen=True, slots=True)
class Large:
    """One large file: its name, and its bytes for who writes it.

    Its chunks are the same MiB again and again, which costs nothing, or `anew` copies of it, as
    where memory is looked at.
    """

    mebibytes: int
    anew: bool = False

    @property
    def key(self) -> str:
        return big(self.mebibytes)

    @property
    def size(self) -> int:
        return self.mebibytes * MIB

    async def chunks(self) -> AsyncIterator[bytes]:
        """One MiB at a time; a stream of unknown length."""
        for _ in range(self.mebibytes):
            yield pattern(MIB) if self.anew else _BLOCK

    def blocks(self) -> "Blocks":
        """The same as a file to read from, for who cannot take a stream."""
        return Blocks(self.size)


class Blocks(io.RawIOBase):
    """A file of so many bytes to read from, wherever in it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, count: int | None = -1) -> bytes:
        left = self._size - self._at
        size = left if count is None or count < 0 else min(left, count)
        start = self._at % MIB
        self._at += size
        if start + size <= MIB:
            return _BLOCK[start : start + size]
        return (_BLOCK * (size // MIB + 2))[start : start + size]


class Counted:
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.count = 0

    def write(self, data: bytes) -> int:
        self.count += len(data)
        return len(data)

    def seek(self, offset: int) -> int:
        return offset
