"""A range is the slice, however it is read, and costs few reads of the driver inside."""

import random
from typing import Any

import pytest

from storeroom.contracts.errors import NotModified, PreconditionFailed, Unavailable
from storeroom.contracts.source import Source
from storeroom.contracts.values import PLAIN, WHOLE, ReadOptions, Stat, WriteOptions
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.compression import Compression
from tests.layers.compression.content import FORMATS, FRAME, noise, streamed, text
from tests.layers.compression.places import Eager, Forgetful

DATA = text(400_000) + bytes(150_000) + noise(90_123)


class Counting(MemoryDriver):
    """Notes what is read of it, and may be written to just before."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[int, int | None]] = []
        self.stats = 0
        self.meanwhile: list[bytes] = []

    async def stat(self, path: str, /) -> Stat:
        self.stats += 1
        return await super().stat(path)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        source = await super().read(path, how)
        self.reads.append((how.start, how.stop))
        if self.meanwhile:
            await self.write(path, streamed(self.meanwhile.pop()), PLAIN)
        return source

    def told(self) -> tuple[int, int]:
        """How many stats and reads there were since the last time."""
        found = self.stats, len(self.reads)
        self.stats = 0
        self.reads.clear()
        return found


def ranges(size: int, count: int) -> list[tuple[int, int | None]]:
    chance = random.Random(7)
    found: list[tuple[int, int | None]] = []
    for _ in range(count):
        start = chance.randrange(size + 10)
        length = chance.choice((0, 1, 7, 100, FRAME, FRAME + 1, 5 * FRAME, size))
        stop = start + chance.randrange(length + 1)
        found.append((start, chance.choice((stop, stop, stop, None))))
    edges = [edge + by for edge in range(0, size + FRAME, FRAME) for by in (-1, 0, 1)]
    found += [(start, start + 1) for start in edges if start >= 0]
    return found


@pytest.mark.parametrize(
    ("name", "count"), [("zstd", 2000), ("gzip", 2000), ("brotli", 100)], ids=FORMATS
)
async def test_random_ranges_are_slices(name: Any, count: int) -> None:
    layer = Compression(MemoryDriver(), algorithm=name, frame_size=FRAME)
    await layer.put("a", DATA)
    for start, stop in ranges(len(DATA), count):
        async with layer.read_stream("a", start=start, stop=stop) as source:
            wanted = DATA[start:stop]
            assert source.size == len(wanted)
            assert source.stat.size == len(DATA)
            assert await source.read() == wanted


@pytest.mark.parametrize("name", FORMATS)
async def test_without_metadata_and_etags_ranges_are_slices_too(name: Any) -> None:
    layer = Eager(Forgetful(MemoryDriver()), algorithm=name, frame_size=FRAME)
    for size in (0, 3, 5000, len(DATA)):
        await layer.write("a", streamed(DATA[:size]))
        for start, stop in ranges(size, 30):
            assert await layer.get("a", start=start, stop=stop) == DATA[:size][start:stop]


async def test_a_whole_file_is_one_read() -> None:
    inner = Counting()
    layer = Compression(inner, frame_size=FRAME)
    for size in (100, 5000, len(DATA)):
        await layer.put("a", DATA[:size])
        inner.told()
        assert await layer.get("a") == DATA[:size]
        assert inner.told() == (0, 1)


async def test_a_stat_of_known_size_is_one_request() -> None:
    inner = Counting()
    layer = Compression(inner)
    for data in (DATA, noise(5000)):
        await layer.put("a", data)
        inner.told()
        assert await layer.size("a") == len(data)
        assert inner.told() == (1, 0)


async def test_a_stat_of_unknown_size_reads_the_end_once() -> None:
    inner = Counting()
    layer = Compression(inner, frame_size=FRAME)
    await layer.write("a", streamed(DATA))
    inner.told()
    size = (await MemoryDriver.stat(inner, "a")).size or 0
    assert await layer.size("a") == len(DATA)
    assert inner.reads == [(size - (16 << 10), size)]
    inner.told()
    assert await layer.size("a") == len(DATA)
    assert inner.told() == (1, 0)


async def test_a_range_reads_the_table_once_and_then_only_its_frames() -> None:
    inner = Counting()
    layer = Compression(inner, frame_size=FRAME)
    await layer.put("a", DATA)
    inner.told()
    assert await layer.get("a", start=200_000, stop=200_010) == DATA[200_000:200_010]
    assert len(inner.reads) == 3  # what it is, the table, the frame
    inner.told()
    assert await layer.get("a", start=200_100, stop=200_110) == DATA[200_100:200_110]
    ((start, stop),) = inner.reads
    assert stop is not None
    assert 0 < stop - start < FRAME
    inner.told()
    await layer.put("b", noise(5000))
    inner.told()
    assert await layer.get("b", start=5, stop=10) == noise(5000)[5:10]
    assert inner.reads == [(5, 10)]


@pytest.mark.parametrize("name", FORMATS)
async def test_a_file_that_changes_under_way_is_read_as_one_or_the_other(name: Any) -> None:
    """Also where the old table is known: each read is of the file that the table is of."""
    inner = Counting()
    layer = Compression(inner, algorithm=name, frame_size=FRAME)
    fresh = Compression(other := MemoryDriver(), frame_size=FRAME)
    await fresh.put("a", newer := text(500_000, 9))
    for replaced in (newer, noise(300_000), b"tiny", b"", await other.get("a")):
        plain = newer if replaced == await other.get("a") else replaced
        for when in range(4):
            await layer.put("a", DATA)
            if when == 3:
                await layer.get("a", start=0, stop=10)
            inner.meanwhile = [replaced] if when < 3 else []
            for _ in range(when if when < 3 else 0):
                inner.meanwhile.insert(0, DATA)
            if when == 3:
                await inner.put("a", replaced)
            got = await layer.get("a", start=100_000, stop=220_000)
            assert got in (DATA[100_000:220_000], plain[100_000:220_000])
            inner.meanwhile.clear()
            assert await layer.size("a") == len(await layer.get("a"))


async def test_a_file_that_never_rests_is_given_up() -> None:
    inner = Counting()
    layer = Compression(inner)
    await layer.put("a", DATA)
    inner.meanwhile = [text(500_000, seed) for seed in range(50)]
    with pytest.raises(Unavailable, match="changes faster"):
        await layer.get("a", start=10, stop=20)


async def test_conditions_are_those_of_the_file() -> None:
    layer = Compression(MemoryDriver(), frame_size=FRAME)
    await layer.put("a", DATA)
    etag = (await layer.metadata("a")).etag
    for known in (False, True):
        for start in (0, 5):
            assert await layer.get("a", start=start, stop=9, if_match=etag) == DATA[start:9]
            with pytest.raises(NotModified):
                await layer.get("a", start=start, stop=9, if_none_match=etag)
            assert await layer.get("a", start=start, stop=9, if_none_match="x") == DATA[start:9]
            with pytest.raises(PreconditionFailed):
                await layer.get("a", start=start, stop=9, if_match="other")
        assert not known or await layer.get("a", start=7, stop=9) == DATA[7:9]
    await layer.put("a", text(900_000, 3))
    with pytest.raises(PreconditionFailed):
        await layer.get("a", start=5, stop=9, if_match=etag)
    assert await layer.get("a", start=5, stop=9, if_none_match=etag) == text(900_000, 3)[5:9]


async def test_a_copy_with_metadata_of_its_own_costs_one_look() -> None:
    inner = Counting()
    layer = Compression(inner)
    await layer.put("a", noise(5000))
    await layer.copy_within("a", "b", WriteOptions(metadata={"a": "b"}))
    inner.told()
    assert (await layer.size("b"), await layer.size("b")) == (5000, 5000)
    assert inner.reads == [(0, 64)]
