"""One gzip member that is flushed fully after each frame, so that a reader can begin at any of them.

The mark is in an extra field of its header (RFC 1952, section 2.3.1.1). Table and foot are in blocks
that decompress to nothing, and not in members behind the first one: browsers ignore those, and curl
takes them for an error. The check of a frame is its CRC-32.
"""

import zlib
from struct import Struct
from typing import ClassVar, Final

from storeroom.contracts.body import Piece
from storeroom.contracts.errors import Corrupted
from storeroom.layers._compression.account import Account
from storeroom.layers._compression.carrier import CARRIED, CARRIER, carrying, in_carriers
from storeroom.layers._compression.format import Opener
from storeroom.layers._compression.marks import FOOT_SIZE, MARK_SIZE, Foot, Mark
from storeroom.layers._compression.table import ENTRY

__all__ = ["Gzip"]

_HEADER: Final = Struct("<BBBBIBBH2sH")  # with one extra field
_LAST_BLOCK: Final = b"\x03\x00"  # deflate's, empty
_END: Final = Struct("<II")
_RAW: Final = -zlib.MAX_WBITS
_STEP: Final = 1 << 20


class Gzip:
    """gzip."""

    name: ClassVar[str] = "gzip"
    encoding: ClassVar[str] = "gzip"
    code: ClassVar[int] = 2
    levels: ClassVar[range] = range(1, 10)
    level: ClassVar[int] = 6
    brisk: ClassVar[int] = 6
    at_once: ClassVar[int] = 1
    apart: ClassVar[bool] = True
    mark_at: ClassVar[int] = _HEADER.size
    head_size: ClassVar[int] = _HEADER.size + MARK_SIZE
    closing: ClassVar[int] = len(_LAST_BLOCK) + _END.size

    def head(self, mark: Mark, /) -> bytes:
        extra = (4 + MARK_SIZE, b"SR", MARK_SIZE)
        return _HEADER.pack(0x1F, 0x8B, 8, 4, 0, 0, 255, *extra) + bytes(mark)

    def tail(self, foot: Foot, entries: bytes, /) -> bytes:
        return carrying(entries + bytes(foot))

    def tail_size(self, count: int, /) -> int:
        return -(-(count * ENTRY + FOOT_SIZE) // CARRIED) * CARRIER

    def count_in(self, last: bytes, /) -> int:
        return Foot.read(self.foot_in(last)).count

    def foot_in(self, tail: bytes, /) -> bytes:
        return in_carriers(tail[-self.tail_size(0) :])[-FOOT_SIZE:]

    def entries_in(self, tail: bytes, count: int, /) -> bytes:
        return in_carriers(tail)[-FOOT_SIZE - count * ENTRY : -FOOT_SIZE]

    def packer(self, level: int, /) -> "_Packer":
        return _Packer(level)

    def opener(self) -> Opener:
        return _opened

    def unpacker(self, mark: Mark, /) -> "_Unpacker":
        return _Unpacker(Account(self, mark))


class _Packer:
    __slots__ = ("_check", "_deflate", "_size")

    def __init__(self, level: int) -> None:
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, _RAW)
        self._check = 0
        self._size = 0

    def frame(self, block: Piece, /) -> tuple[bytes, int]:
        self._check = zlib.crc32(block, self._check)
        self._size += len(block)
        stored = self._deflate.compress(block) + self._deflate.flush(zlib.Z_FULL_FLUSH)
        return stored, zlib.crc32(block)

    def close(self) -> bytes:
        return _LAST_BLOCK + _END.pack(self._check, self._size & 0xFFFFFFFF)


def _opened(frame: bytes, most: int) -> tuple[bytes, int]:
    inflate = zlib.decompressobj(_RAW)
    try:
        plain = inflate.decompress(frame, most + 1)
    except zlib.error as error:
        raise Corrupted(f"not sound deflated data: {error}") from error
    if len(plain) > most or inflate.eof or inflate.unconsumed_tail:
        raise Corrupted("a frame does not end where the seek table says")
    return plain, zlib.crc32(plain)


class _Unpacker:
    """Inflates the one member, in steps of so many plain bytes."""

    __slots__ = ("_account", "_check", "_done", "_given", "_inflate", "pieces")

    def __init__(self, account: Account) -> None:
        self._account = account
        self._inflate = zlib.decompressobj(_RAW)
        self._given = b""
        self._check = 0
        self._done = 0
        self.pieces = account.pieces

    @property
    def hungry(self) -> bool:
        return not self._given

    def give(self, data: bytes, /) -> None:
        self._account.stored += len(data)
        if self._inflate.eof:
            self._account.trailing(data)
        else:
            self._given += data

    def work(self) -> None:
        data, self._given = self._given, b""
        try:
            piece = self._inflate.decompress(data, _STEP)
        except zlib.error as error:
            raise Corrupted(f"not sound deflated data: {error}") from error
        if not self._inflate.eof:  # else what is behind the end counts as not consumed
            self._given = self._inflate.unconsumed_tail
        self._check = zlib.crc32(piece, self._check)
        self._done += len(piece)
        self._account.came(piece)
        self._account.passed(data[: len(data) - len(self._given)])

    def finish(self) -> None:
        if not self._inflate.eof:
            raise Corrupted("the compressed data is cut off")
        closing = self._account.settle()
        if closing != _LAST_BLOCK + _END.pack(self._check, self._done & 0xFFFFFFFF):
            raise Corrupted("the content is not that of the CRC-32 at its end")
