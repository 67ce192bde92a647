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


_HEAD: Final = _head()
_FOOT: Final = _foot()
_BYTES: Final = tuple(map(_byte, range(256)))
_VALUES: Final = {held: value for value, held in enumerate(_BYTES)}
_WIDE: Final = len(_BYTES[0])

CARRIER: Final = len(_HEAD) + CARRIED * _WIDE + len(_FOOT)
"""How many bytes a block has."""


def carrying(data: bytes, /) -> bytes:
    """Blocks that carry the data, with zeros before it."""
    filled = bytes(-len(data) % CARRIED) + data
    blocks: list[bytes] = []
    for start in range(0, len(filled), CARRIED):
        blocks += (_HEAD, *(_BYTES[value] for value in filled[start : start + CARRIED]), _FOOT)
    return b"".join(blocks)


def in_carriers(blocks: bytes, /) -> bytes:
    """What the blocks carry, with the zeros before it; anything else is `Corrupted`."""
    values = bytearray()
    try:
        for start in range(0, len(blocks), CARRIER):
            held = blocks[start + len(_HEAD) : start + CARRIER - len(_FOOT)]
            values += bytes(_VALUES[held[at : at + _WIDE]] for at in range(0, len(held), _WIDE))
    except KeyError:
        raise Corrupted("the end of the compressed data is damaged") from None
    return bytes(values)
