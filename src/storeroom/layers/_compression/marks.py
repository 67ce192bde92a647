"""What tells our files from a user's own .zst or .gz: a mark before the data and one behind it."""

import zlib
from dataclasses import dataclass
from struct import Struct
from typing import Final

from storeroom.contracts.errors import Corrupted

__all__ = [
    "ALIKE",
    "FOOT_SIZE",
    "LARGEST",
    "LEAST",
    "MAGIC",
    "MARK_SIZE",
    "MOST",
    "SMALLEST",
    "Foot",
    "Mark",
]

MAGIC: Final = bytes.fromhex("d3530f4b86d442618ee98b1d1b5a1c77")
"""Sixteen random bytes that no other file has."""

_FOOT_MAGIC: Final = bytes.fromhex("9b1f5d27c4e8a06a")
_VERSION: Final = 1
_ENCODED: Final = 1

_MARK: Final = Struct("<16sBBBxI")
_FOOT: Final = Struct("<8sBBBxIQII")
_SUM: Final = Struct("<I")

MARK_SIZE: Final = _MARK.size + _SUM.size
FOOT_SIZE: Final = _FOOT.size + _SUM.size

ALIKE: Final = 2
"""By how many of its four quarters a mark can be told that was damaged."""

LEAST: Final = 4 << 10
"""The smallest one, in bytes: of smaller ones a file could have so many that they fill the memory."""

LARGEST: Final = 16 << 20
"""The largest plain frame that is written or read, in bytes."""

SMALLEST: Final = 70
"""No file of ours is smaller, in bytes."""

MOST: Final = 1 << 22
"""The most frames of one file: their table has 48 MiB."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands before the data: the format's `code`, and how it was written.

    `encoded` says that the service sends the bytes with their Content-Encoding.
    """

    code: int
    frame_size: int
    encoded: bool = False

    def __bytes__(self) -> bytes:
        return _summed(_MARK.pack(MAGIC, _VERSION, self.code, self.encoded, self.frame_size))

    @classmethod
    def read(cls, data: bytes, /) -> "Mark":
        """The mark in these bytes; anything else is `Corrupted`."""
        magic, version, code, flags, frame_size = _MARK.unpack(_checked(data))
        if magic != MAGIC:
            raise Corrupted("the mark before the compressed data is damaged")
        return cls(code, _known(version, flags, frame_size), bool(flags & _ENCODED))


@dataclass(frozen=True, slots=True)
class Foot:
    """What stands behind the data: the mark again, what is in the table, and the table's CRC-32."""

    mark: Mark
    size: int
    count: int
    check: int

    def __bytes__(self) -> bytes:
        mark = self.mark
        fields = (_VERSION, mark.code, mark.encoded, mark.frame_size, self.size, self.count)
        return _summed(_FOOT.pack(_FOOT_MAGIC, *fields, self.check))

    @classmethod
    def read(cls, data: bytes, /) -> "Foot":
        """The foot in these bytes; anything else, or an unlikely one, is `Corrupted`."""
        magic, version, code, flags, frame_size, size, count, check = _FOOT.unpack(_checked(data))
        mark = Mark(code, _known(version, flags, frame_size), bool(flags & _ENCODED))
        if magic != _FOOT_MAGIC or count > MOST or count != -(-size // frame_size):
            raise Corrupted("the end of the compressed data is damaged")
        return cls(mark, size, count, check)


def _summed(fields: bytes) -> bytes:
    return fields + _SUM.pack(zlib.crc32(fields))


def _checked(data: bytes) -> bytes:
    """The fields, if their CRC-32 is right."""
    fields = data[: -_SUM.size]
    if data != _summed(fields) or len(data) not in (MARK_SIZE, FOOT_SIZE):
        raise Corrupted("the marks around the compressed data are damaged, or it is cut off")
    return fields


def _known(version: int, flags: int, frame_size: int) -> int:
    if version != _VERSION or flags & ~_ENCODED or not LEAST <= frame_size <= LARGEST:
        raise Corrupted("compressed by a newer version of storeroom, or damaged")
    return frame_size
