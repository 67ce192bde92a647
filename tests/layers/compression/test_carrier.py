"""Blocks that decompress to nothing carry bytes."""

import random
import zlib

import pytest

from storeroom.contracts.errors import Corrupted
from storeroom.layers._compression.carrier import CARRIED, CARRIER, carrying, in_carriers

EVERY = bytes(range(256))


@pytest.mark.parametrize("data", [EVERY, bytes(64), b"\xff" * 64, b"1", b"17 bytes are two", b""])
def test_what_is_carried_comes_back_behind_zeros(data: bytes) -> None:
    blocks = carrying(data)
    assert len(blocks) == -(-len(data) // CARRIED) * CARRIER
    assert in_carriers(blocks) == bytes(-len(data) % CARRIED) + data


def test_an_inflater_sees_nothing_of_it() -> None:
    """Wherever it stands: between blocks that are compressed, and at the end."""
    chance = random.Random(3)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = carrying(EVERY)
    for _ in range(20):
        stream += deflate.compress(b"some words " * 99) + deflate.flush(zlib.Z_FULL_FLUSH)
        stream += carrying(chance.randbytes(CARRIED * chance.randrange(4)))
    assert zlib.decompress(stream + b"\x03\x00", -15) == b"some words " * 99 * 20


def test_other_bytes_are_corrupted() -> None:
    blocks = bytearray(carrying(EVERY))
    blocks[CARRIER + 20] ^= 8
    for damaged in (bytes(blocks), carrying(EVERY)[:-30], b"\0" * CARRIER):
        with pytest.raises(Corrupted):
            in_carriers(damaged)
