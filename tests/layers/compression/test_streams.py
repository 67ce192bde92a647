"""Large bodies: bounded memory, work beside the loop, and nothing left behind however they end."""

import asyncio
import threading
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Closed
from storeroom.contracts.source import Source
from storeroom.contracts.values import PLAIN, WHOLE, ReadOptions, Stat, WriteOptions
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers._compression.gzip import Gzip
from storeroom.layers._compression.marks import Foot
from storeroom.layers._compression.zstd import _Contexts
from storeroom.layers.compression import Compression
from tests.layers.compression.content import FORMATS, FRAME, noise, streamed, text
from tests.layers.compression.places import Forgetful

BLOCK = text(1 << 20)


class Sink(MemoryDriver):
    """Counts what comes and keeps nothing of it."""

    def __init__(self) -> None:
        super().__init__()
        self.came = 0
        self.began = asyncio.Event()
        self.waits = asyncio.Event()

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        async with aclosing(body.__aiter__()) as chunks:
            async for chunk in chunks:
                self.came += len(chunk)
                self.began.set()
                await self.waits.wait()
        return Stat(path, self.came)


class Slow(AsyncIterator[bytes]):
    """Small chunks of a source, each after a turn of the loop; a cancellation loses none."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        chunk = await self._source.read(10_000)
        if not chunk:
            raise StopAsyncIteration
        return chunk


class Watched(MemoryDriver):
    """Knows which of its sources were released."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = 0
        self.released = 0

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        source = await super().read(path, how)
        self.opened += 1
        chunks = Slow(source)
        return Source(source.stat, chunks, size=source.size, release=self._release)

    def _release(self) -> None:
        self.released += 1


def blocks(count: int) -> Body:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield BLOCK

    return Body(chunks)


@pytest.mark.parametrize("name", FORMATS)
async def test_a_long_stream_goes_in_and_out_in_little_memory(name: Any) -> None:
    sink, inner = Sink(), Watched()
    sink.waits.set()
    count, size = 12, 0
    options: dict[str, Any] = {"algorithm": name, "level": 1, "frame_size": FRAME}
    await Compression(inner, **options).write("a", blocks(count))
    tracemalloc.start()
    try:
        await Compression(sink, **options).write("a", blocks(count))
        _, written = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        async with Compression(inner).read_stream("a") as source:
            async for piece in source:
                size += len(piece)
        _, read = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == count << 20
    assert max(written, read) < 4 << 20


async def test_a_slow_service_holds_the_body_back() -> None:
    """No more frames are under way than two, however long the last one takes."""
    sink, pulled = Sink(), 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal pulled
        for _ in range(40):
            pulled += 1
            yield BLOCK[:FRAME]

    layer = Compression(sink, frame_size=FRAME)
    writing = asyncio.create_task(layer.write("a", Body(chunks)))
    await sink.began.wait()
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert pulled <= 5
    sink.waits.set()
    stat = await writing
    assert (pulled, stat.size) == (40, 40 * FRAME)


async def test_a_cancelled_write_stops_the_body_and_leaves_no_task() -> None:
    sink, stopped = Sink(), False

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal stopped
        try:
            while True:
                yield BLOCK
        finally:
            stopped = True

    body = Body(chunks)
    before = asyncio.all_tasks()
    writing = asyncio.create_task(Compression(sink).write("a", body))
    await sink.began.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await body.aclose()
    assert stopped
    assert asyncio.all_tasks() == before


def test_a_heavy_compressor_is_not_kept() -> None:
    contexts = _Contexts()
    for level, size, kept in ((3, 1 << 20, True), (19, 16 << 20, False)):
        used = contexts.take(level)
        used.compress(bytes(size))
        contexts.give(level, used)
        assert (contexts.take(level) is used) is kept


async def test_a_driver_that_fails_early_stops_the_body() -> None:
    class Full(MemoryDriver):
        async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
            async for _ in body:
                raise OSError(28, "full")
            raise AssertionError

    stopped = False

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal stopped
        try:
            while True:
                yield BLOCK
        finally:
            stopped = True

    body = Body(chunks)
    with pytest.raises(OSError, match="full"):
        await Compression(Full()).write("a", body)
    await body.aclose()
    assert stopped


@pytest.mark.parametrize("start", [0, 100_000])
@pytest.mark.parametrize("name", FORMATS)
async def test_a_reader_that_is_cancelled_gets_no_bytes_behind_a_gap(name: Any, start: int) -> None:
    inner, data = Watched(), text(700_000)
    layer = Compression(inner, algorithm=name, level=1, frame_size=FRAME)
    await layer.put("a", data)
    refused = 0
    for turns in range(12):
        got, source = b"", await layer.read("a", ReadOptions(start))
        got += await source.read(10)
        reading = asyncio.ensure_future(source.read())
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        if reading.cancelled():
            try:
                while piece := await source.read(50_000):
                    got += piece
            except Closed:
                refused += 1
        assert data[start:].startswith(got)
        await source.aclose()
        assert inner.released == inner.opened
    assert refused > 5


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("how", ["left", "closed", "dropped", "read"])
async def test_every_source_is_released(name: Any, how: str) -> None:
    inner, data = Watched(), text(700_000)
    layer = Compression(inner, algorithm=name, level=1, frame_size=FRAME)
    await layer.put("a", data)
    await inner.write("as it is", streamed(data))
    for path in ("a", "as it is"):
        for start in (0, 5, 300_000):
            source = await layer.read(path, ReadOptions(start))
            if how == "read":
                assert await source.read() == data[start:]
            else:
                await source.read(10)
            if how == "left":
                async with source:
                    pass
            if how == "closed":
                await source.aclose()
            del source
            assert inner.released == inner.opened


@pytest.mark.parametrize("memo", [False, True])
@pytest.mark.parametrize("name", FORMATS)
async def test_a_range_holds_one_connection_at_a_time(name: Any, *, memo: bool) -> None:
    """Else many readers of one pool would wait for each other."""

    class Single(Watched):
        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            assert self.opened == self.released
            return await super().read(path, how)

    inner, data = Single(), text(700_000)
    layer = Compression(inner if memo else Forgetful(inner), algorithm=name, frame_size=FRAME)
    await layer.write("shrinks", streamed(data))
    await layer.write("stays", streamed(noise(700_000)))
    for path, content in (("shrinks", data), ("stays", noise(700_000))):
        for start, stop in ((5, 10), (5, None), (100_000, 300_000)):
            source = await layer.read(path, ReadOptions(start, stop))
            assert await source.read() == content[start:stop]
            assert inner.opened == inner.released


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("data", [text(100_000), noise(100_000)], ids=["shrinks", "stays"])
async def test_chunks_have_the_size_asked_for(data: bytes, start: int) -> None:
    layer = Compression(MemoryDriver(), frame_size=4096)
    await layer.put("a", data)
    async with await layer.read("a", ReadOptions(start, chunk_size=7000)) as source:
        sizes = [len(chunk) async for chunk in source]
    assert sizes[:-1] == [7000] * (len(sizes) - 1)
    assert sum(sizes) == len(data) - start


async def test_refused_reads_release_too() -> None:
    inner = Watched()
    layer = Compression(inner, frame_size=FRAME)
    await layer.put("a", text(700_000))
    stored = await inner.get("a")
    await inner.put("a", b"x" * 100 + stored[100:-1], metadata={"storeroom-compression": "zstd 7"})
    for start in (0, 5):
        with pytest.raises(Exception, match=r"compressed|metadata|damaged"):
            await layer.get("a", start=start)
    assert inner.released == inner.opened


async def test_the_loop_is_free_while_a_table_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """gzip's takes a microsecond for each byte: seconds for a large file."""
    here, made = threading.get_ident(), Gzip.tail
    makers: list[int] = []

    def noting(self: Gzip, foot: Foot, entries: bytes, /) -> bytes:
        makers.append(threading.get_ident())
        return made(self, foot, entries)

    monkeypatch.setattr(Gzip, "tail", noting)
    layer = Compression(MemoryDriver(), algorithm="gzip", level=1, frame_size=4096)
    await layer.put("a", BLOCK)
    assert makers
    assert here not in makers


async def test_the_loop_is_free_while_a_file_is_compressed() -> None:
    turns, done = 0, False

    async def others() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await Compression(MemoryDriver(), level=9).put("a", BLOCK[: 900 << 10])
    done = True
    await task
    assert turns > 20
