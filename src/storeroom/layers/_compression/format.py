"""What a format of compressed bytes is for the layer, and how the end of a file is read."""

from collections import deque
from collections.abc import Callable
from typing import ClassVar, Protocol, TypeAlias

from storeroom.contracts.body import Piece
from storeroom.contracts.errors import Corrupted
from storeroom.layers._compression.marks import MOST, Foot, Mark
from storeroom.layers._compression.table import Table

__all__ = ["Format", "Opener", "Packer", "Unpacker", "end_size", "table_in"]

Opener: TypeAlias = Callable[[bytes, int], tuple[bytes, int]]
"""The plain bytes of a frame, of which there may be so many, and their check."""


class Packer(Protocol):
    """Compresses the frames of one file, one after the other."""

    def frame(self, block: Piece, /) -> tuple[bytes, int]:
        """The stored bytes of a frame, and the check of its plain bytes."""
        ...

    def close(self) -> bytes:
        """What stands behind the table."""
        ...


class Unpacker(Protocol):
    """Decompresses a file from its beginning, in bounded steps and without waiting.

    `give` it stored bytes while it is `hungry`, else let it `work`, which adds to `pieces`.
    """

    pieces: deque[bytes]

    @property
    def hungry(self) -> bool:
        """Whether it needs more stored bytes to go on."""
        ...

    def give(self, data: bytes, /) -> None:
        """The next stored bytes."""
        ...

    def work(self) -> None:
        """Go on by a frame, or a piece of one."""
        ...

    def finish(self) -> None:
        """All stored bytes were given: `Corrupted` unless they are a whole file."""
        ...


class Format(Protocol):
    """One way to compress; all of them are files that the format's own tools read.

    A file is `head`, the frames, `tail`, and what `Packer.close` gives: `closing` bytes.
    """

    name: ClassVar[str]
    encoding: ClassVar[str]
    """Its name in Content-Encoding."""
    code: ClassVar[int]
    levels: ClassVar[range]
    level: ClassVar[int]
    """The level where none is told."""
    brisk: ClassVar[int]
    """The highest level at which a small block takes no time."""
    at_once: ClassVar[int]
    """How many frames a packer takes at the same time."""
    apart: ClassVar[bool]
    """Whether a frame can be read without those before it."""
    mark_at: ClassVar[int]
    head_size: ClassVar[int]
    closing: ClassVar[int]

    def head(self, mark: Mark, /) -> bytes:
        """The first bytes of a file, of which `mark_at` is where the mark stands."""
        ...

    def tail(self, foot: Foot, entries: bytes, /) -> bytes:
        """What stands behind the frames: the table and the foot."""
        ...

    def tail_size(self, count: int, /) -> int:
        """How many bytes the tail of so many frames has."""
        ...

    def count_in(self, last: bytes, /) -> int:
        """Of how many frames the last bytes of a tail tell."""
        ...

    def foot_in(self, tail: bytes, /) -> bytes:
        """The foot's bytes in a tail."""
        ...

    def entries_in(self, tail: bytes, count: int, /) -> bytes:
        """The table's entries in a tail."""
        ...

    def packer(self, level: int, /) -> Packer:
        """A packer for one file."""
        ...

    def opener(self) -> Opener:
        """Decompresses frames: any, or the first ones in their order where they are not `apart`."""
        ...

    def unpacker(self, mark: Mark, /) -> Unpacker:
        """An unpacker for one file; what it is given begins behind the head."""
        ...


def table_in(format_: Format, end: bytes, /) -> Table:
    """The table in exactly these last bytes of a file, tail and closing."""
    tail = end[: len(end) - format_.closing]
    foot = Foot.read(format_.foot_in(tail))
    entries = format_.entries_in(tail, foot.count)
    if foot.mark.code != format_.code or format_.tail(foot, entries) != tail:
        raise Corrupted("the end of the compressed data is damaged")
    return Table(foot, entries, format_.head_size)


def end_size(format_: Format, last: bytes, /) -> int:
    """How many bytes tail and closing of a file have that ends in these."""
    if len(last) < format_.tail_size(0) + format_.closing:
        raise Corrupted("the compressed data is cut off")
    count = format_.count_in(last[: len(last) - format_.closing])
    if not 0 <= count <= MOST:
        raise Corrupted("the end of the compressed data is damaged")
    return format_.tail_size(count) + format_.closing
