"""Where each frame lies and what it holds: the seek table at the end of a file."""

import sys
import zlib
from array import array
from itertools import accumulate

from storeroom.contracts.errors import Corrupted
from storeroom.layers._compression.marks import Foot, Mark

__all__ = ["ENTRY", "Table", "Tabled", "longest"]

ENTRY = 12
"""Bytes of an entry: the frame's stored size, its plain size and its check, 32 bits each."""


def longest(frame_size: int, /) -> int:
    """The most bytes a frame takes where its content does not shrink."""
    return frame_size + frame_size // 128 + 1024


class Tabled:
    """A table being written."""

    __slots__ = ("_numbers", "size")

    def __init__(self) -> None:
        self._numbers = array("I")
        self.size = 0

    def add(self, stored: int, plain: int, check: int, /) -> None:
        """Note the next frame."""
        self._numbers.extend((stored, plain, check))
        self.size += plain

    def __len__(self) -> int:
        return len(self._numbers) // 3

    def foot(self, mark: Mark, /) -> tuple[Foot, bytes]:
        """The foot, and the entries it is about."""
        entries = _little(self._numbers).tobytes()
        return Foot(mark, self.size, len(self), zlib.crc32(entries)), entries


class Table:
    """A table that was read: `starts` are the frames' offsets, and last the end of the data."""

    __slots__ = ("checks", "mark", "size", "starts")

    def __init__(self, foot: Foot, entries: bytes, head: int, /) -> None:
        numbers = array("I")
        numbers.frombytes(entries)
        numbers = _little(numbers)
        plain, self.checks = numbers[1::3], numbers[2::3]
        self.mark = foot.mark
        self.size = foot.size
        self.starts = array("Q", accumulate(numbers[0::3], initial=head))
        if zlib.crc32(entries) != foot.check or not _is_even(plain, foot):
            raise Corrupted("the seek table is damaged")
        if numbers and max(numbers[0::3]) > longest(foot.mark.frame_size):
            raise Corrupted("the seek table tells of frames larger than they can be")

    def __len__(self) -> int:
        return len(self.checks)

    def plain(self, frame: int, /) -> int:
        """How many plain bytes a frame holds: all as many, but for the last."""
        full = self.mark.frame_size
        return full if frame < len(self) - 1 else self.size - full * (len(self) - 1)

    def stored(self, frame: int, /) -> int:
        """How many bytes a frame takes."""
        return self.starts[frame + 1] - self.starts[frame]


def _is_even(plain: "array[int]", foot: Foot) -> bool:
    """Whether all frames are full but for the last."""
    full, count = foot.mark.frame_size, len(plain)
    if not count:
        return foot.count == 0
    rest = foot.size - full * (count - 1)
    return count == foot.count and plain[-1] == rest and plain[:-1].count(full) == count - 1


def _little(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers
