"""Deflate blocks that decompress to nothing and carry bytes all the same: RFC 1951, section 3.2.7.

An empty block with codes of its own lists a length for every literal. Two literals that follow each
other have here the lengths 8 and 9, or 9 and 8, which is a complete code either way: one bit. So a
block carries sixteen bytes, and every decoder reads over it. All of its parts are whole bytes.
"""

from typing import Final

from storeroom.contracts.errors import Corrupted

__all__ = ["CARRIED", "CARRIER", "carrying", "in_carriers"]

CARRIED: Final = 16
"""How many bytes a block carries."""


class _Bits:
    """Bits from the lowest up, as deflate packs them."""

    def __init__(self) -> None:
        self._value = 0
        self._count = 0

    def number(self, value: int, count: int) -> "_Bits":
        self._value |= value << self._count
        self._count += count
        return self

    def code(self, code: str) -> "_Bits":
        for bit in code:
            self.number(int(bit), 1)
        return self

    def __bytes__(self) -> bytes:
        return self._value.to_bytes(-(-self._count // 8), "little")


# The codes of the lengths 8, 4 and 9 have 1, 2 and 2 bits.
_EIGHT, _FOUR, _NINE = "0", "10", "11"
_ORDER: Final = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12)
_BITS: Final = {8: 1, 4: 2, 9: 2}


def _head() -> bytes:
    # Not the last, of type 2, with 260 literals and lengths, 16 distances, 13 lengths of codes.
    bits = _Bits().number(0, 1).number(2, 2).number(3, 5).number(15, 5).number(len(_ORDER) - 4, 4)
    for length in _ORDER:
        bits.number(_BITS.get(length, 0), 3)
    return bytes(bits)


def _foot() -> bytes:
    # The end of a block and three others have 4 bits, as have the distances; the end comes at once,
    # and a stored block of nothing fills up the byte.
    bits = _Bits().code(_FOUR * (4 + 16)).code("0000").number(0, 3)
    return bytes(bits) + b"\x00\x00\xff\xff"


def _byte(value: int) -> bytes:
    bits = _Bits()
    for place in range(8):
        bits.code(_NINE + _EIGHT if value >> place & 1 else _EIGHT + _NINE)
    return bytes(bits)


def _told(place: int) -> bytes:
    # The first bit of every three is the value's: a 9 begins with 1, and an 8 with 0.
    bits = [bit for bit in range(8) if bit * 3 // 8 == place]
    return bytes(sum((held >> bit * 3 % 8 & 1) << bit for bit in bits) for held in range(256))


_HEAD: Final = _head()
_FOOT: Final = _foot()
_CODES: Final = tuple(map(bytes, zip(*map(_byte, range(256)), strict=True)))
"""For `bytes.translate`: the first, second and third byte of what a value becomes."""
_WIDE: Final = len(_CODES)
_TOLD: Final = tuple(map(_told, range(_WIDE)))
"""For `bytes.translate`: the bits of the value that each of them tells."""

CARRIER: Final = len(_HEAD) + CARRIED * _WIDE + len(_FOOT)
"""How many bytes a block has."""


def carrying(data: bytes, /) -> bytes:
    """Blocks that carry the data, with zeros before it."""
    if not data:
        return b""
    filled = bytes(-len(data) % CARRIED) + data
    held = bytearray(len(filled) * _WIDE)
    for place, codes in enumerate(_CODES):
        held[place::_WIDE] = filled.translate(codes)
    size = CARRIED * _WIDE
    parts = [held[start : start + size] for start in range(0, len(held), size)]
    return _HEAD + (_FOOT + _HEAD).join(parts) + _FOOT


def in_carriers(blocks: bytes, /) -> bytes:
    """What the blocks carry, with the zeros before it; anything else is `Corrupted`."""
    starts = range(len(_HEAD), len(blocks), CARRIER)
    held = b"".join([blocks[start : start + CARRIED * _WIDE] for start in starts])
    values = 0
    for place, bits in enumerate(_TOLD):
        values |= int.from_bytes(held[place::_WIDE].translate(bits), "little")
    data = values.to_bytes(-(-len(held) // _WIDE), "little")
    if carrying(data) != blocks:
        raise Corrupted("the end of the compressed data is damaged")
    return data
