"""The Zstandard Seekable Format: independent frames, and their table in a skippable frame at the end.

https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md.
The mark and the foot are skippable frames too, which the table counts as empty ones; every Zstandard
tool reads the file. The check of a frame is its own: 32 bits of its content's XXH64.
"""

import threading
from collections import deque
from itertools import count
from struct import Struct
from typing import ClassVar, Final

from storeroom.contracts.body import Piece
from storeroom.contracts.errors import Corrupted
from storeroom.contracts.extras import extra
from storeroom.layers._compression.account import Account
from storeroom.layers._compression.format import Opener
from storeroom.layers._compression.marks import FOOT_SIZE, MARK_SIZE, Foot, Mark
from storeroom.layers._compression.table import ENTRY, longest

with extra("compression", "zstandard"):
    import zstandard

__all__ = ["Zstd"]

_SKIPPABLE: Final = 0x184D2A50
_TABLE: Final = 0x184D2A5E
_SEEKABLE: Final = 0x8F92EAB1
_CHECKED: Final = 0x80
_EMPTY: Final = 0x51D8E999  # 32 bits of XXH64 of nothing

_HEADER: Final = Struct("<II")
_ENTRY: Final = Struct("<III")
_FOOTER: Final = Struct("<IBI")
_CHECK: Final = Struct("<I")
_BLOCK_HEADER: Final = 3
_RLE: Final = 1
_LONGEST_HEADER: Final = 18
_IDLE: Final = 4
_LIGHT: Final = 32 << 20
"""How many bytes an idle compressor may hold: high levels of large frames take hundreds of MiB."""
_WINDOW: Final = 23
"""HTTP clients take no larger one, 8 MiB: https://datatracker.ietf.org/doc/html/rfc9659#section-3."""
_NARROW: Final = 19
"""The highest level that takes no larger one by itself."""
_FEW: Final = 1000
"""How many blocks the event loop looks at: 1 ms. Nobody but an attacker writes more into a frame."""


class Zstd:
    """Zstandard."""

    name: ClassVar[str] = "zstd"
    encoding: ClassVar[str] = "zstd"
    code: ClassVar[int] = 1
    levels: ClassVar[range] = range(-50, 23)
    level: ClassVar[int] = 3
    brisk: ClassVar[int] = 6
    at_once: ClassVar[int] = 2
    apart: ClassVar[bool] = True
    mark_at: ClassVar[int] = _HEADER.size
    head_size: ClassVar[int] = _HEADER.size + MARK_SIZE
    closing: ClassVar[int] = 0

    def head(self, mark: Mark, /) -> bytes:
        return _HEADER.pack(_SKIPPABLE, MARK_SIZE) + bytes(mark)

    def tail(self, foot: Foot, entries: bytes, /) -> bytes:
        held = _HEADER.pack(_SKIPPABLE, FOOT_SIZE) + bytes(foot)
        first = _ENTRY.pack(self.head_size, 0, _EMPTY)
        last = _ENTRY.pack(len(held), 0, _EMPTY)
        footer = _FOOTER.pack(foot.count + 2, _CHECKED, _SEEKABLE)
        size = len(first) + len(entries) + len(last) + len(footer)
        return b"".join((held, _HEADER.pack(_TABLE, size), first, entries, last, footer))

    def tail_size(self, count: int, /) -> int:
        return 2 * _HEADER.size + FOOT_SIZE + (count + 2) * ENTRY + _FOOTER.size

    def count_in(self, last: bytes, /) -> int:
        count, _, magic = _FOOTER.unpack(last[-_FOOTER.size :])
        return int(count) - 2 if magic == _SEEKABLE else -1

    def foot_in(self, tail: bytes, /) -> bytes:
        return tail[_HEADER.size : _HEADER.size + FOOT_SIZE]

    def entries_in(self, tail: bytes, count: int, /) -> bytes:
        start = 2 * _HEADER.size + FOOT_SIZE + ENTRY
        return tail[start : start + count * ENTRY]

    def packer(self, level: int, /) -> "_Packer":
        return _Packer(level)

    def opener(self) -> Opener:
        return _opened

    def unpacker(self, mark: Mark, /) -> "_Unpacker":
        return _Unpacker(Account(self, mark), mark.frame_size)


class _Packer:
    """Its frames do not depend on each other, so two threads may make two of them."""

    __slots__ = ("_level",)

    def __init__(self, level: int) -> None:
        self._level = level

    def frame(self, block: Piece, /) -> tuple[bytes, int]:
        # A context is for one thread at a time, and dear to make.
        context = _contexts.take(self._level)
        stored = context.compress(block)
        _contexts.give(self._level, context)
        return stored, _CHECK.unpack(stored[-_CHECK.size :])[0]

    def close(self) -> bytes:
        return b""


class _Contexts:
    """Compressors by level that nobody uses at the moment."""

    def __init__(self) -> None:
        self._idle: dict[int, deque[zstandard.ZstdCompressor]] = {}

    def take(self, level: int) -> zstandard.ZstdCompressor:
        try:
            return self._idle[level].pop()
        except (KeyError, IndexError):
            return zstandard.ZstdCompressor(compression_params=_parameters(level))

    def give(self, level: int, context: zstandard.ZstdCompressor) -> None:
        if context.memory_size() <= _LIGHT:
            self._idle.setdefault(level, deque(maxlen=_IDLE)).append(context)


def _parameters(level: int) -> zstandard.ZstdCompressionParameters:
    return zstandard.ZstdCompressionParameters(
        compression_level=level,
        window_log=_WINDOW if level > _NARROW else 0,
        write_checksum=True,
        write_content_size=True,
        write_dict_id=False,
    )


_contexts = _Contexts()
_here = threading.local()


def _decompressor() -> zstandard.ZstdDecompressor:
    found: zstandard.ZstdDecompressor | None = getattr(_here, "decompressor", None)
    if found is None:
        found = _here.decompressor = zstandard.ZstdDecompressor()
    return found


def _opened(frame: bytes, most: int) -> tuple[bytes, int]:
    """The content, for which no more memory is taken than `most`: the header must tell its size."""
    try:
        told = zstandard.get_frame_parameters(frame)
        if told.content_size > most or told.dict_id or not told.has_checksum:
            raise Corrupted(f"a frame tells of more than {most} bytes, or has no checksum")
        plain = _decompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Corrupted(f"not a sound Zstandard frame: {error}") from error
    return plain, _CHECK.unpack(frame[-_CHECK.size :])[0]


class _Unpacker:
    """Finds the frames by their headers, and opens each when all of it is here."""

    __slots__ = ("_account", "_buffer", "_ended", "_goes_on", "_length", "_next", "_size", "pieces")

    def __init__(self, account: Account, frame_size: int) -> None:
        self._account = account
        self._size = frame_size
        self._buffer = bytearray()
        self._next = 0  # where a block's header comes; 0 where a frame does
        self._length = 0  # of the frame, 0 while its last block was not seen
        self._ended = False
        self._goes_on = False  # there are more headers of blocks to look at
        self.pieces = account.pieces

    @property
    def hungry(self) -> bool:
        return not self._goes_on and not 0 < self._length <= len(self._buffer)

    def give(self, data: bytes, /) -> None:
        self._account.stored += len(data)
        self._buffer += data
        self._look(_FEW)

    def work(self) -> None:
        if self._goes_on:
            self._walk()
        if self.hungry:
            return
        frame = bytes(memoryview(self._buffer)[: self._length])
        plain, check = _opened(frame, self._size)
        self._account.frame(len(plain), check)
        self.pieces.append(plain)
        del self._buffer[: self._length]
        self._next = self._length = 0
        self._look(_FEW)

    def finish(self) -> None:
        if not self._ended:
            raise Corrupted("the compressed data is cut off")
        self._account.settle()

    def _look(self, most: int) -> None:
        if not self._ended and not self._next and len(self._buffer) >= _LONGEST_HEADER:
            self._begin()
        if self._ended:
            self._account.trailing(self._buffer)
            self._buffer.clear()
        elif self._next and not self._length:
            self._walk(most)

    def _begin(self) -> None:
        head = bytes(self._buffer[:_LONGEST_HEADER])
        if head.startswith(zstandard.FRAME_HEADER):
            self._next = zstandard.frame_header_size(head)
            return
        if _HEADER.unpack_from(head) != (_SKIPPABLE, FOOT_SIZE):
            raise Corrupted("there is no frame where one has to be")
        self._ended = True

    def _walk(self, most: int | None = None) -> None:
        """Go on by so many blocks: https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.1.2."""
        self._goes_on = False
        for number in count():
            if len(self._buffer) < self._next + _BLOCK_HEADER:
                return
            if number == most:
                self._goes_on = True
                return
            head = int.from_bytes(self._buffer[self._next : self._next + _BLOCK_HEADER], "little")
            is_last, kind, size = head & 1, head >> 1 & 3, head >> 3
            self._next += _BLOCK_HEADER + (1 if kind == _RLE else size)
            if self._next + _CHECK.size > longest(self._size):
                raise Corrupted("a frame is larger than it can be")
            if is_last:
                self._length = self._next + _CHECK.size
                return
