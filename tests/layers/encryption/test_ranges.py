"""Ranges: ten thousand at random are the slices, and only the chunks they touch are read."""

import random
from collections.abc import AsyncIterator

import pytest

from storeroom.contracts.errors import Corrupted
from storeroom.contracts.source import Source
from storeroom.contracts.values import WHOLE, ReadOptions
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Layer
from tests.layers.encryption.vaults import (
    CHUNK,
    HEADER,
    PRELUDE,
    plain,
    put_stored,
    stored,
    vault,
)


class Chunks(AsyncIterator[bytes]):
    """The data in chunks of 1,000 bytes."""

    def __init__(self, data: bytes) -> None:
        self._left = iter([data[start : start + 1000] for start in range(0, len(data), 1000)])

    async def __anext__(self) -> bytes:
        chunk = next(self._left, None)
        if chunk is None:
            raise StopAsyncIteration
        return chunk


SIZES = (0, 1, 15, 16, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 77, 20 * CHUNK)
EACH = 10_000 // len(SIZES) + 1


class Counting(Layer):
    """Notes what is asked of the stored bytes."""

    def __init__(self, inner: MemoryDriver) -> None:
        super().__init__(inner)
        self.asked: list[tuple[int, int | None]] = []
        self.given = 0

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        self.asked.append((how.start, how.stop))
        source = await self.inner.read(path, how)
        self.given += source.size or 0
        return source


def test_ten_thousand_ranges_are_tried() -> None:
    assert EACH * len(SIZES) >= 10_000


@pytest.mark.parametrize("size", SIZES)
async def test_a_range_is_the_slice(size: int) -> None:
    layer, data, rng = vault(), plain(size), random.Random(size)
    await layer.put("a", data)
    edges = [n * CHUNK + off for n in range(size // CHUNK + 2) for off in (-1, 0, 1)]
    places = [at for at in edges if at >= 0]
    for _ in range(EACH):
        start = rng.choice((rng.randrange(size + 10), rng.choice(places)))
        stop = rng.choice((None, start + rng.randrange(size + 10), rng.choice(places)))
        if stop is not None and stop < start:
            start, stop = stop, start
        async with await layer.read("a", ReadOptions(start, stop)) as source:
            wanted = data[start:stop]
            assert source.stat.size == size
            assert source.size == len(wanted)
            assert await source.read() == wanted, (start, stop)


async def test_only_the_chunks_touched_are_read() -> None:
    counting = Counting(MemoryDriver())
    layer, data = vault(counting), plain(40 * CHUNK)
    await layer.put("a", data)
    counting.asked.clear()
    assert (
        await layer.get("a", start=30 * CHUNK + 5, stop=31 * CHUNK + 5)
        == (data[30 * CHUNK + 5 : 31 * CHUNK + 5])
    )
    stored = CHUNK + 16
    assert counting.asked == [(0, PRELUDE), (PRELUDE + 30 * stored, PRELUDE + 32 * stored)]
    assert counting.given == PRELUDE + 2 * stored


async def test_a_range_near_the_beginning_takes_one_request() -> None:
    counting = Counting(MemoryDriver())
    layer, data = vault(counting), plain(40 * CHUNK)
    await layer.put("a", data)
    counting.asked.clear()
    assert await layer.get("a", start=50, stop=60) == data[50:60]
    assert await layer.get("a", start=2 * CHUNK, stop=3 * CHUNK) == data[2 * CHUNK : 3 * CHUNK]
    assert [start for start, _ in counting.asked] == [0, 0]
    assert counting.given <= 2 * PRELUDE + 4 * (CHUNK + 16) + 32


async def test_a_range_that_is_damaged_releases_what_it_opened() -> None:
    class Watched(MemoryDriver):
        opened = released = 0

        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            async with await super().read(path, how) as source:
                data, stat = await source.read(), source.stat
            self.opened += 1
            return Source(stat, Chunks(data), release=self.release)

        def release(self) -> None:
            self.released += 1

    memory = Watched()
    layer = vault(memory)
    await layer.put("a", plain(100 * CHUNK))
    data = bytearray(await stored(memory, "a"))
    data[PRELUDE - 1] ^= 1
    await put_stored(memory, "a", bytes(data))
    before = memory.opened
    with pytest.raises(Corrupted) as caught:
        await layer.read("a", ReadOptions(50 * CHUNK))
    assert memory.opened == before + 2
    assert memory.released == memory.opened
    assert caught.value.path == "a"


async def test_an_empty_range_reads_the_header_only() -> None:
    counting = Counting(MemoryDriver())
    layer = vault(counting)
    await layer.put("a", plain(40 * CHUNK))
    counting.asked.clear()
    assert await layer.get("a", start=10 * CHUNK, stop=10 * CHUNK) == b""
    assert counting.asked == [(0, PRELUDE)]


@pytest.mark.parametrize("chunk_size", [1, 1000, CHUNK, 100_000])
async def test_chunks_have_the_size_asked_for(chunk_size: int) -> None:
    layer, data = vault(), plain(3 * CHUNK + 5)
    await layer.put("a", data)
    for start in (7, 2 * CHUNK + 1):
        async with layer.read_stream("a", chunk_size=chunk_size, start=start) as source:
            chunks = [chunk async for chunk in source]
        assert b"".join(chunks) == data[start:]
        assert {len(chunk) for chunk in chunks[:-1]} <= {chunk_size}


async def test_sizes_are_told_without_a_request_for_the_content() -> None:
    counting = Counting(MemoryDriver())
    layer = vault(counting)
    sizes = {f"f{size}": size for size in SIZES}
    for path, size in sizes.items():
        await layer.put(path, iter([plain(size)]))  # a stream of unknown length
    counting.asked.clear()
    assert {stat.path: stat.size async for stat in layer.scan()} == sizes
    assert [(await layer.metadata(path)).size for path in sizes] == list(SIZES)
    assert counting.asked == []
    assert HEADER < PRELUDE
