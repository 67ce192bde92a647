"""Whatever is done to stored bytes is `Corrupted`, and no byte is given out that is not authentic."""

import random
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice, permutations

import pytest

from storeroom.contracts.errors import Closed, Corrupted, PermissionDenied, StorageError
from storeroom.contracts.source import Source
from storeroom.contracts.values import ReadOptions
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.encryption import Encryption
from tests.layers.encryption.vaults import (
    CHUNK,
    HEADER,
    KEY,
    OTHER,
    PRELUDE,
    given_out,
    plain,
    put_stored,
    stored,
    summed,
    vault,
)

STORED_CHUNK = CHUNK + 16
PLAIN = plain(4 * CHUNK + 1000)
SIZE = PRELUDE + 4 * STORED_CHUNK + 1016
BOUNDARIES = (HEADER, HEADER + 24, *(PRELUDE + n * STORED_CHUNK for n in range(5)), SIZE)
NEAR = sorted({at + off for at in BOUNDARIES for off in range(-20, 21) if 0 <= at + off < SIZE})
CUTS = sorted({*NEAR, *range(200), *range(SIZE - 200, SIZE)})


def flips_in_the_header(data: bytes, other: bytes) -> Iterator[bytes]:
    for bit in range(PRELUDE * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def flips_near_boundaries(data: bytes, other: bytes) -> Iterator[bytes]:
    for at in (*NEAR, *range(SIZE - 40, SIZE)):
        yield data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]


def flips_anywhere(data: bytes, other: bytes) -> Iterator[bytes]:
    rng = random.Random(4)
    for _ in range(300):
        at = rng.randrange(SIZE)
        yield data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]


def cuts(data: bytes, other: bytes) -> Iterator[bytes]:
    for length in CUTS:
        yield data[:length]


def cut_out_of_the_middle(data: bytes, other: bytes) -> Iterator[bytes]:
    rng = random.Random(5)
    for _ in range(100):
        at = rng.randrange(SIZE - 40)
        yield data[:at] + data[at + rng.randrange(1, 40) :]


def appended(data: bytes, other: bytes) -> Iterator[bytes]:
    for count in (*range(1, 60), STORED_CHUNK, STORED_CHUNK - 1016, CHUNK):
        yield data + other[-count:]
        yield data + bytes(count)
    yield data + data
    yield data + data[PRELUDE:]


def reordered(data: bytes, other: bytes) -> Iterator[bytes]:
    chunks = chunks_of(data)
    for order in islice(permutations(range(5)), 1, None):
        yield data[:PRELUDE] + b"".join(chunks[number] for number in order)


def chunks_dropped_doubled_replaced(data: bytes, other: bytes) -> Iterator[bytes]:
    chunks, others = chunks_of(data), chunks_of(other)
    for number in range(5):
        for put in ([], [chunks[number]] * 2, [others[number]], [bytes(len(chunks[number]))]):
            yield data[:PRELUDE] + b"".join([*chunks[:number], *put, *chunks[number + 1 :]])


def put_together(data: bytes, other: bytes) -> Iterator[bytes]:
    yield data[:HEADER] + other[HEADER:]
    yield other[:HEADER] + data[HEADER:]
    yield data[:PRELUDE] + other[PRELUDE:]
    yield other
    yield data[:HEADER]
    yield data[:PRELUDE]
    yield b""
    yield bytes(SIZE)
    yield PLAIN


FAMILIES = (
    flips_in_the_header,
    flips_near_boundaries,
    flips_anywhere,
    cuts,
    cut_out_of_the_middle,
    appended,
    reordered,
    chunks_dropped_doubled_replaced,
    put_together,
)


def chunks_of(data: bytes) -> list[bytes]:
    return [data[at : at + STORED_CHUNK] for at in range(PRELUDE, len(data), STORED_CHUNK)]


@pytest.fixture
async def pair() -> tuple[MemoryDriver, bytes, bytes]:
    """A memory disk, and two files of one size as they are stored on it."""
    memory = MemoryDriver()
    layer = vault(memory)
    await layer.put("a", PLAIN)
    await layer.put("b", plain(len(PLAIN), 2))
    return memory, await stored(memory, "a"), await stored(memory, "b")


async def test_there_are_more_than_five_thousand_cases(
    pair: tuple[MemoryDriver, bytes, bytes],
) -> None:
    _, data, other = pair
    assert len(data) == SIZE
    found = {sha256(case).digest() for family in FAMILIES for case in family(data, other)}
    assert sha256(data).digest() not in found
    assert len(found) >= 5_000


@pytest.mark.parametrize("family", FAMILIES)
async def test_no_case_is_taken_for_the_file(
    pair: tuple[MemoryDriver, bytes, bytes], family: object
) -> None:
    memory, data, other = pair
    layer, rng = vault(memory), random.Random(6)
    for number, case in enumerate(family(data, other)):  # type: ignore[operator]
        await put_stored(memory, "a", case)
        got, error = await given_out(layer, "a")
        assert isinstance(error, Corrupted), number
        assert error.path == "a"
        assert PLAIN.startswith(got)
        start = rng.randrange(len(PLAIN) + 50)
        stop = rng.choice((None, start + rng.randrange(2 * CHUNK)))
        got, error = await given_out(layer, "a", ReadOptions(start, stop))
        assert PLAIN[start:stop].startswith(got), number
        assert isinstance(error, Corrupted) or got == PLAIN[start:stop], number


async def test_a_cut_file_shows_what_is_left_and_never_an_end(
    pair: tuple[MemoryDriver, bytes, bytes],
) -> None:
    memory, data, _ = pair
    layer = vault(memory)
    await put_stored(memory, "a", data[: PRELUDE + 2 * STORED_CHUNK + 500])
    assert (await layer.stat("a")).size == 2 * CHUNK + 484  # told by the service, and not proved
    assert await given_out(layer, "a", ReadOptions(0, 2 * CHUNK)) == (PLAIN[: 2 * CHUNK], None)
    for start, stop in ((0, None), (2 * CHUNK, 2 * CHUNK + 1), (5 * CHUNK, None), (0, 9 * CHUNK)):
        got, error = await given_out(layer, "a", ReadOptions(start, stop))
        assert isinstance(error, Corrupted)
        assert PLAIN[start:stop].startswith(got)
    await put_stored(memory, "a", data[: PRELUDE + 2 * STORED_CHUNK])
    assert (await layer.stat("a")).size is None
    assert isinstance((await given_out(layer, "a", ReadOptions(0, 5)))[1], Corrupted)


@pytest.mark.parametrize("start", [0, 5 * CHUNK])
async def test_after_a_failure_nothing_comes_any_more(start: int) -> None:
    memory, data = MemoryDriver(), plain(200 * CHUNK)
    layer = vault(memory)
    await layer.put("a", data)
    found = bytearray(await stored(memory, "a"))
    for number in range(6, 150):
        found[PRELUDE + number * STORED_CHUNK + 3] ^= 1
    await put_stored(memory, "a", bytes(found))
    got = bytearray()

    async def drain(source: Source) -> None:
        while piece := await source.read(1000):
            got.extend(piece)

    async with await layer.read("a", ReadOptions(start)) as source:
        with pytest.raises(Corrupted):
            await drain(source)
        for _ in range(20):
            with pytest.raises(Closed):
                await source.read(1000)
    assert data[start : 6 * CHUNK].startswith(got)


async def test_a_range_behind_the_end_sees_that_it_is_the_end(
    pair: tuple[MemoryDriver, bytes, bytes],
) -> None:
    memory, data, _ = pair
    layer = vault(memory)
    assert await given_out(layer, "a", ReadOptions(len(PLAIN))) == (b"", None)
    assert await given_out(layer, "a", ReadOptions(10**9, 2 * 10**9)) == (b"", None)
    await put_stored(memory, "a", data[:-1] + bytes([data[-1] ^ 1]))
    for how in (ReadOptions(len(PLAIN)), ReadOptions(10**9, 2 * 10**9)):
        assert isinstance((await given_out(layer, "a", how))[1], Corrupted)


@pytest.mark.parametrize("count", [1, 4])
async def test_a_file_of_whole_chunks_cannot_lose_its_empty_last_one(count: int) -> None:
    memory = MemoryDriver()
    layer = vault(memory)
    await layer.put("a", bytes(count * CHUNK))
    data = await stored(memory, "a")
    for cut in range(1, 17):
        await put_stored(memory, "a", data[:-cut])
        for how in (ReadOptions(), ReadOptions(0, count * CHUNK), ReadOptions(5)):
            assert isinstance((await given_out(layer, "a", how))[1], Corrupted)
        assert (await layer.stat("a")).size is None
        assert [stat async for stat in layer.scan()] == [await layer.stat("a")]


async def test_whole_files_cannot_be_swapped(pair: tuple[MemoryDriver, bytes, bytes]) -> None:
    memory, data, other = pair
    await put_stored(memory, "a", other)
    await put_stored(memory, "b", data)
    for path in ("a", "b"):
        got, error = await given_out(vault(memory), path)
        assert got == b""
        assert isinstance(error, Corrupted)
        assert "another path" in str(error)
    assert await vault(memory, bind=None).get("b") == PLAIN
    assert await vault(memory, bind="none").get("b") == PLAIN


async def test_files_that_are_bound_to_no_path_can_be_moved_by_anything() -> None:
    memory = MemoryDriver()
    loose = vault(memory, bind=None)
    await loose.put("a", b"loose")
    await memory.move("a", "b")
    assert await loose.get("b") == await vault(memory).get("b") == b"loose"
    assert (await vault(memory).rotate("b", rewrite=True)).changed  # and is bound from now on
    await memory.move("b", "c")
    with pytest.raises(Corrupted, match="another path"):
        await vault(memory).get("c")


@pytest.mark.parametrize(
    ("at", "put"),
    [
        pytest.param(4, b"\x02", id="version"),
        pytest.param(5, b"\x00", id="bound no more"),
        pytest.param(5, b"\x83", id="unknown flags"),
        pytest.param(6, bytes(16), id="object id"),
        pytest.param(22, bytes(32), id="binding"),
        pytest.param(62, b"\x07", id="kdf unknown"),
        pytest.param(63, b"\x00\x00\x00\x01", id="cost of a key that costs nothing"),
        pytest.param(75, bytes(range(16)), id="salt"),
        pytest.param(91, b"\xff", id="length of the id"),
        pytest.param(91, b"\x00", id="no id"),
        pytest.param(92, b"\xff\xfe", id="id no text"),
        pytest.param(120, b"x" * 40, id="locked key"),
        pytest.param(400, b"x", id="padding"),
    ],
)
async def test_a_header_made_anew_with_its_sum_gives_nothing_out(
    pair: tuple[MemoryDriver, bytes, bytes], at: int, put: bytes
) -> None:
    memory, data, _ = pair
    header = summed(data[:at] + put + data[at + len(put) : HEADER])
    await put_stored(memory, "a", header + data[HEADER:])
    got, error = await given_out(vault(memory), "a")
    assert got == b""
    assert isinstance(error, Corrupted | PermissionDenied)


@pytest.mark.parametrize("kdf", [1, 2])
@pytest.mark.parametrize("cost", [0, 1, 3, 1 << 13, 99_999, 1 << 20, 1 << 30, 2**31, 2**32 - 1])
async def test_a_header_cannot_ask_for_much_work(
    pair: tuple[MemoryDriver, bytes, bytes], kdf: int, cost: int
) -> None:
    memory, data, _ = pair
    asked = bytes([kdf]) + b"".join(n.to_bytes(4, "big") for n in (cost, 8, 1))
    header = summed(data[:62] + asked + data[75:HEADER])
    await put_stored(memory, "a", header + data[HEADER:])
    layer = Encryption(memory, passphrase="correct horse", cost=1 << 14)
    got, error = await given_out(layer, "a")
    assert (got, type(error)) == (b"", Corrupted)


async def test_another_key_under_the_same_name_is_no_damage() -> None:
    memory = MemoryDriver()
    await vault(memory, keys={"2026": KEY}).put("a", b"x")
    with pytest.raises(PermissionDenied, match="'2026'") as caught:
        await vault(memory, keys={"2026": OTHER}).get("a")
    assert caught.value.path == "a"
    with pytest.raises(PermissionError):
        await vault(memory, key=OTHER).get("a")
    assert await vault(memory, key=OTHER, previous=[KEY]).get("a") == b"x"


async def test_every_change_of_a_lock_in_the_metadata_is_noticed() -> None:
    memory = MemoryDriver()
    await vault(memory, key=OTHER).put("a", b"content", metadata={"mine": "1"})
    layer = vault(memory, previous=OTHER)
    assert (await layer.rotate("a")).changed
    found = dict((await memory.stat("a")).metadata or {})
    data, text = await stored(memory, "a"), found["storeroomkey"]
    for at in range(len(text)):
        put = "A" if text[at] != "A" else "B"
        found["storeroomkey"] = text[:at] + put + text[at + 1 :]
        await put_stored(memory, "a", data, found)
        got, error = await given_out(layer, "a")
        assert (got, type(error)) == (b"", Corrupted), at
    for wrong in ("", ",", text + ",", text[:-4], text + text, "?" * 40, "ü"):
        await put_stored(memory, "a", data, {"storeroomkey": wrong})
        assert isinstance((await given_out(layer, "a"))[1], Corrupted), wrong


async def test_after_a_rotation_a_changed_header_is_noticed_all_the_same() -> None:
    memory = MemoryDriver()
    await vault(memory, key=OTHER).put("a", b"content")
    await vault(memory, previous=OTHER).rotate("a")
    data, metadata = await stored(memory, "a"), dict((await memory.stat("a")).metadata or {})
    for at in range(HEADER - 16):
        header = summed(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 : HEADER])
        for changed in (header, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 : HEADER]):
            await put_stored(memory, "a", changed + data[HEADER:], metadata)
            got, error = await given_out(vault(memory), "a")
            assert got == b""
            assert isinstance(error, StorageError)


async def test_what_this_layer_did_not_write_says_so() -> None:
    memory = MemoryDriver()
    await memory.put("a", b"x" * 5000)
    await memory.put("b", b"short")
    layer = vault(memory)
    for path in ("a", "b"):
        with pytest.raises(Corrupted, match="not written by this layer, or it was damaged"):
            await layer.get(path)
    assert (await layer.metadata("b")).size is None
    assert await layer.files() == ["a", "b"]
