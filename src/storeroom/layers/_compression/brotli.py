"""One Brotli stream that is flushed after each frame: RFC 7932.

It has no frames that could be read without those before them, so a range is decompressed from the
beginning. Mark, table and foot are in metadata blocks, which every decoder skips (section 9.2). The
check of a frame is its CRC-32.
"""

import zlib
from importlib import import_module
from typing import Any, ClassVar, Final

from storeroom.contracts.body import Piece
from storeroom.contracts.errors import Corrupted
from storeroom.contracts.extras import extra
from storeroom.layers._compression.account import Account
from storeroom.layers._compression.format import Opener
from storeroom.layers._compression.marks import FOOT_SIZE, MARK_SIZE, Foot, Mark
from storeroom.layers._compression.table import ENTRY

with extra("compression", "brotli"):
    _brotli: Any = import_module("brotli")  # it has no types

__all__ = ["Brotli"]

_WINDOW: Final = 22
_START: Final = b"\x6b\x00"  # the header of a stream with that window, flushed
_END: Final = b"\x03"
_STEP: Final = 1 << 20
_FEW: Final = 64 << 10
_PART: Final = 5460 * ENTRY


def _block(held: bytes) -> bytes:
    """A metadata block: a header of as few bytes as tell its size, and what it holds."""
    return _block_header(len(held)) + held


def _block_header(size: int) -> bytes:
    length = 1 if size <= 1 << 8 else 2
    bits = 3 << 1 | length << 4 | (size - 1) << 6
    return bits.to_bytes(length + 1, "little")


def _parts(count: int) -> list[int]:
    """How many bytes the blocks of so many entries hold."""
    full, rest = divmod(count * ENTRY, _PART)
    return [_PART] * full + ([rest] if rest else [])


_FOOT: Final = len(_block_header(FOOT_SIZE)) + FOOT_SIZE


class Brotli:
    """Brotli."""

    name: ClassVar[str] = "brotli"
    encoding: ClassVar[str] = "br"
    code: ClassVar[int] = 3
    levels: ClassVar[range] = range(12)
    level: ClassVar[int] = 5
    brisk: ClassVar[int] = 5
    at_once: ClassVar[int] = 1
    apart: ClassVar[bool] = False
    mark_at: ClassVar[int] = len(_START) + len(_block_header(MARK_SIZE))
    head_size: ClassVar[int] = mark_at + MARK_SIZE
    closing: ClassVar[int] = 0

    def head(self, mark: Mark, /) -> bytes:
        return _START + _block(bytes(mark))

    def tail(self, foot: Foot, entries: bytes, /) -> bytes:
        starts = range(0, len(entries), _PART)
        blocks = [_block(entries[start : start + _PART]) for start in starts]
        return b"".join((*blocks, _block(bytes(foot)), _END))

    def tail_size(self, count: int, /) -> int:
        parts = sum(len(_block_header(size)) + size for size in _parts(count))
        return parts + _FOOT + len(_END)

    def count_in(self, last: bytes, /) -> int:
        return Foot.read(self.foot_in(last)).count

    def foot_in(self, tail: bytes, /) -> bytes:
        return tail[-len(_END) - FOOT_SIZE : -len(_END)]

    def entries_in(self, tail: bytes, count: int, /) -> bytes:
        parts: list[bytes] = []
        at = 0
        for size in _parts(count):
            at += len(_block_header(size))
            parts.append(tail[at : at + size])
            at += size
        return b"".join(parts)

    def packer(self, level: int, /) -> "_Packer":
        return _Packer(level)

    def opener(self) -> Opener:
        return _Inflating().opened

    def unpacker(self, mark: Mark, /) -> "_Unpacker":
        return _Unpacker(self, mark)


class _Packer:
    __slots__ = ("_stream",)

    def __init__(self, level: int) -> None:
        self._stream: Any = _brotli.Compressor(quality=level, lgwin=_WINDOW)
        if self._stream.flush() != _START:
            raise RuntimeError("this version of brotli begins a stream in another way")

    def frame(self, block: Piece, /) -> tuple[bytes, int]:
        stored: bytes = self._stream.process(bytes(block)) + self._stream.flush()
        return stored, zlib.crc32(block)

    def close(self) -> bytes:
        return b""


class _Inflating:
    """A stream under way; it is `idle` when it has no more to give before it is given more."""

    __slots__ = ("_stream", "idle")

    def __init__(self) -> None:
        self._stream: Any = _brotli.Decompressor()
        self._stream.process(_START)
        self.idle = True

    def opened(self, frame: bytes, most: int) -> tuple[bytes, int]:
        pieces, size = [self.step(frame, most + 1)], 0
        while (size := size + len(pieces[-1])) <= most and not self.idle:
            pieces.append(self.step(b"", most + 1 - size))
        if size > most or self.ended:
            raise Corrupted("a frame does not end where the seek table says")
        plain = b"".join(pieces)
        return plain, zlib.crc32(plain)

    @property
    def ended(self) -> bool:
        return bool(self._stream.is_finished())

    def step(self, data: bytes, most: int) -> bytes:
        """The next plain bytes, about `most` of them."""
        try:
            piece: bytes = self._stream.process(data, output_buffer_limit=most)
        except _brotli.error as error:
            raise Corrupted("not sound Brotli data") from error
        # That it can accept more does not say that it has nothing left to give.
        self.idle = not piece and bool(self._stream.can_accept_more_data())
        return piece


class _Unpacker:
    """Decompresses the one stream, in steps of so many plain bytes."""

    __slots__ = ("_account", "_given", "_stream", "pieces")

    def __init__(self, format_: Brotli, mark: Mark) -> None:
        self._account = Account(format_, mark)
        self._stream = _Inflating()
        self._given = bytearray()
        self.pieces = self._account.pieces

    @property
    def hungry(self) -> bool:
        return not self._given and self._stream.idle

    def give(self, data: bytes, /) -> None:
        self._account.stored += len(data)
        if self._stream.ended:
            raise Corrupted("there is something behind the end of the compressed data")
        self._given += data

    def work(self) -> None:
        data = b""
        if self._stream.idle:
            data = bytes(self._given[:_FEW])
            del self._given[:_FEW]
        piece = self._stream.step(data, _STEP)
        self._account.came(piece)
        self._account.passed(data, settled=self._stream.idle)
        if self._stream.ended and self._given:
            raise Corrupted("there is something behind the end of the compressed data")

    def finish(self) -> None:
        if not self._stream.ended:
            raise Corrupted("the compressed data is cut off")
        self._account.settle()
