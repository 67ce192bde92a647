"""The format: as it is written down, and the same chunks as the library's own."""

import hashlib
import random
from base64 import b64decode
from collections.abc import AsyncIterator

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from storeroom.contracts.errors import Corrupted
from storeroom.contracts.values import ReadOptions
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers._encryption.lock import (
    Mark,
    bound_to,
    check_of,
    context_of,
    header_of,
    locked,
    read_header,
    unlocked,
)
from storeroom.layers._encryption.opening import Chunks
from storeroom.layers._encryption.secret import Secret
from storeroom.layers._encryption.sizes import plain_size, stored_size
from tests.layers.encryption.vaults import (
    CHUNK,
    HEADER,
    KEY,
    PRELUDE,
    plain,
    put_stored,
    stored,
    vault,
)

SIZES = (0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 77, (1 << 20) - 1, 1 << 20, 9_000_000)
NAME = b"storeroom/encryption/1"
CONTENT = b"written on the day the format was, and still read"
# The file "kept/a" with CONTENT under KEY, as version 1 of the format stored it.
KEPT = """
jlNSRQEBS25NoTMNqDJ0g25ForAm+bijca8EskHROyoTjWez0KQvVj4OGa+gECd3vi6mxAIXxSTwLreNvjUAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAQyMDI2AABNWXFNoL6RHjEvUVzhe5Sajq0JPFfx2pWBrniPJd2fD4TilT1dIewNI0hahtHD
XQBLTCYaPPIS4rUgaF0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADhe14R5odXD
RXAaJdgq2LkaqCVB/LdQnNXmFtPD5N76daLeyaoYK5fxeXsjXfelKoFtoXU7G1k9pzU+xUfJlLt6ROLF57eP+vbsI45qQovR
1VlNxrNpo/qPcC4cu+L8+YtWiUut3Jq7l1ucJbYSZu3Je0gHHsBOF+JZJCIBEVEFaibZExWg1pH2
"""


async def pieces(data: bytes, rng: random.Random) -> AsyncIterator[bytes]:
    at = 0
    while at < len(data):
        count = rng.choice((1, 100, CHUNK, CHUNK - 1, 100_000, 1 << 20))
        yield data[at : at + count]
        at += count


def test_a_file_stored_long_ago_is_read() -> None:
    assert len(b64decode(KEPT)) == stored_size(len(CONTENT))


async def test_a_file_of_version_one_is_read() -> None:
    memory = MemoryDriver()
    await put_stored(memory, "kept/a", b64decode(KEPT))
    assert await vault(memory).get("kept/a") == CONTENT


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_library_decrypts_what_is_stored(size: int, *, streamed: bool) -> None:
    memory, data = MemoryDriver(), plain(size)
    await vault(memory).put("a", pieces(data, random.Random(3)) if streamed else data)
    found = await stored(memory, "a")
    lock = read_header(found[:HEADER])
    decryptor = Cobblestone256Decryptor(unlocked(lock, Secret(KEY)).reveal(), NAME + lock.object_id)
    assert decryptor.update(found[HEADER:]) + decryptor.finalize() == data
    assert len(found) == stored_size(size)


@pytest.mark.parametrize("size", SIZES)
async def test_what_the_library_encrypts_is_read(size: int) -> None:
    memory, data, file_key, object_id = MemoryDriver(), plain(size), Secret(bytes(32)), bytes(16)
    mark = Mark("key", check_of(Secret(KEY)))
    header = header_of(locked(file_key, Secret(KEY), mark, object_id, bound_to("a")))
    encryptor = Cobblestone256Encryptor(file_key.reveal(), NAME + object_id)
    await put_stored(memory, "a", header + encryptor.update(data) + encryptor.finalize())
    layer = vault(memory)
    assert await layer.get("a") == data
    assert (await layer.metadata("a")).size == size
    for start in (0, 1, CHUNK, 3 * CHUNK + 5, size // 2):
        assert await layer.get("a", start=start, stop=start + CHUNK) == data[start : start + CHUNK]


def test_chunks_are_decrypted_from_anywhere_as_the_library_does_from_the_beginning() -> None:
    key, context, data = Secret(bytes(range(32))), b"context", plain(7 * CHUNK + 9)
    encryptor = Cobblestone256Encryptor(key.reveal(), context)
    found = encryptor.update(data) + encryptor.finalize()
    for first in range(8):
        chunks = Chunks(key, context, found[:56], first)
        rest = found[56 + first * (CHUNK + 16) :]
        parts = [chunks.update(rest[at : at + 5000]) for at in range(0, len(rest), 5000)]
        assert b"".join(parts) + chunks.finalize() == data[first * CHUNK :]


async def test_the_header_is_as_it_is_written_down() -> None:
    memory = MemoryDriver()
    await vault(memory, keys={"2026": KEY}).put("é/a", b"x")
    header = (await stored(memory, "é/a"))[:HEADER]
    check = HKDFExpand(SHA512(), 8, NAME + b" check").derive(KEY)
    assert header[:6] == b"\x8eSRE\x01\x01"
    object_id = header[6:22]
    assert header[22:54] == hashlib.sha256("é/a".encode()).digest()
    assert header[54:62] == check
    assert header[62:91] == bytes(29)
    assert header[91:98] == b"\x042026\x00\x00"
    nonce, sealed = header[98:110], header[110:158]
    assert header[158:496] == bytes(338)
    assert header[496:] == hashlib.sha256(header[:496]).digest()[:16]
    made = HKDFExpand(SHA512(), 32, NAME + b" lock" + object_id).derive(KEY)
    file_key = AESGCM(made).decrypt(nonce, sealed, header[:98])
    assert len(file_key) == 32
    decryptor = Cobblestone256Decryptor(file_key, NAME + object_id)
    found = (await stored(memory, "é/a"))[HEADER:]
    assert decryptor.update(found) + decryptor.finalize() == b"x"


def test_sizes_and_stored_sizes_are_each_others() -> None:
    for size in (*range(70), *range(CHUNK - 5, CHUNK + 5), *range(3 * CHUNK - 2, 3 * CHUNK + 2)):
        assert plain_size(stored_size(size)) == size
    possible = {stored_size(size) for size in range(2 * CHUNK + 100)}
    for found in range(stored_size(2 * CHUNK + 99) + 1):
        assert (plain_size(found) is None) == (found not in possible)


def test_a_header_that_is_no_header_is_refused() -> None:
    for data in (b"", bytes(511), bytes(512), b"\x8eSRE" + bytes(508), plain(512), plain(513)):
        with pytest.raises(Corrupted):
            read_header(data)


async def test_a_name_of_the_longest_kind_fits() -> None:
    memory = MemoryDriver()
    layer = vault(memory, keys={"k" * 64: KEY})
    await layer.put("a", b"x")
    assert await layer.get("a") == b"x"
    assert context_of(bytes(16)) == NAME + bytes(16)
    assert (await layer.read("a", ReadOptions(0, 1))).stat.size == 1
    assert PRELUDE == HEADER + 56
