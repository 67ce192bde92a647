"""Bodies and sources: bounded in memory, replayable, cancelled anywhere, many at once."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted, PreconditionFailed, Unavailable
from storeroom.contracts.source import Source
from storeroom.contracts.values import PLAIN, WHOLE, ReadOptions, Stat, WriteOptions
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Layer
from storeroom.layers._encryption.sealing import SLICE
from storeroom.layers._encryption.sizes import stored_size
from tests.layers.encryption.vaults import CHUNK, KEY, OTHER, given_out, plain, stored, vault

MIB = 1 << 20


async def mebibytes(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(MIB)


class Swallowing(Layer):
    """Takes a body and keeps nothing of it; gives one back that was made at once."""

    def __init__(self) -> None:
        super().__init__(MemoryDriver())
        self.sizes: set[int] = set()
        self.announced: int | None = None
        self.total = 0
        self.tries = 1
        self.heads: list[bytes] = []

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        self.announced = body.size
        for _ in range(self.tries):
            self.total = 0
            parts = [b""] * 0
            async for chunk in body:
                if not self.total:
                    self.heads.append(chunk[:568])
                self.total += len(chunk)
                self.sizes.add(len(chunk))
                if self.tries > 1:
                    parts.append(chunk)
            if parts:
                await self.inner.write(path, Body(b"".join(parts)), how)
        return Stat(path, self.total)


class Crumbling(Layer):
    """Gives small chunks, and never waits for one."""

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        async with await self.inner.read(path, how) as source:
            data, stat = await source.read(), source.stat

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 50_000):
                yield data[start : start + 50_000]

        return Source(stat, chunks(), size=len(data))


class Giving(Layer):
    """Gives a large file out block by block, without holding it."""

    def __init__(self, head: bytes, block: bytes, count: int, tail: bytes) -> None:
        super().__init__(MemoryDriver())
        self.stat_ = Stat("a", len(head) + count * len(block) + len(tail), etag="e")
        self.parts = (head, block, count, tail)
        self.released = 0

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        return Source(self.stat_, self._chunks(), release=self._release)

    async def _chunks(self) -> AsyncIterator[bytes]:
        head, block, count, tail = self.parts
        yield head
        for _ in range(count):
            yield block
        yield tail

    def _release(self) -> None:
        self.released += 1


async def test_a_large_body_takes_little_memory() -> None:
    layer = vault(Swallowing())
    tracemalloc.start()
    try:
        await layer.write("a", Body(lambda: mebibytes(128)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    inner = layer.inner
    assert isinstance(inner, Swallowing)
    assert inner.total == stored_size(128 * MIB)
    assert peak < 8 * MIB


async def test_a_large_file_takes_little_memory() -> None:
    memory = MemoryDriver()
    await vault(memory).put("a", bytes(64 * MIB))
    layer, got = vault(memory), 0
    tracemalloc.start()
    try:
        async with layer.read_stream("a") as source:
            async for chunk in source:
                got += len(chunk)
                assert not any(chunk[:9])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert got == 64 * MIB
    assert peak < 8 * MIB


@pytest.mark.parametrize("size", [None, 10 * MIB])
async def test_drivers_get_small_chunks_and_know_the_sum(size: int | None) -> None:
    inner = Swallowing()
    await vault(inner).write("a", Body(lambda: mebibytes(10), size=size))
    assert inner.announced == (None if size is None else stored_size(10 * MIB))
    assert inner.total == stored_size(10 * MIB)
    assert max(inner.sizes) <= SLICE + CHUNK


@pytest.mark.parametrize("size", [5, 100_000, 3 * MIB])
async def test_a_body_of_bytes_is_stored_in_one_piece(size: int) -> None:
    memory = MemoryDriver()

    class Whole(Layer):
        async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
            assert body.whole is not None
            assert body.replayable
            return await self.inner.write(path, body, how)

    await vault(Whole(memory)).put("a", plain(size))
    assert await vault(memory).get("a") == plain(size)


async def test_every_replay_has_a_key_of_its_own() -> None:
    inner = Swallowing()
    inner.tries = 3
    count = 0

    async def changing() -> AsyncIterator[bytes]:
        nonlocal count
        count += 1
        yield bytes([count]) * (5 * MIB)

    await vault(inner).write("a", Body(changing, replayable=True))
    assert len(set(inner.heads)) == len({head[6:22] for head in inner.heads}) == 3
    assert await vault(inner.inner).get("a") == b"\x03" * (5 * MIB)


async def test_a_body_that_cannot_be_replayed_says_so() -> None:
    class Asking(Layer):
        async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
            replayable.append(body.replayable)
            return await self.inner.write(path, body, how)

    replayable: list[bool] = []
    layer = vault(Asking(MemoryDriver()))
    await layer.write("a", Body(lambda: mebibytes(1)))
    await layer.write("a", Body(lambda: mebibytes(1), replayable=True))
    assert replayable == [False, True]


@pytest.mark.parametrize("at", [0, 1, CHUNK, 5 * MIB])
async def test_a_body_that_raises_or_is_short_changes_nothing(at: int) -> None:
    memory = MemoryDriver()
    layer = vault(memory)
    await layer.put("a", b"before")
    before = await stored(memory, "a")

    async def raising() -> AsyncIterator[bytes]:
        for start in range(0, at, MIB):
            yield bytes(min(MIB, at - start))
        raise ZeroDivisionError

    async def short() -> AsyncIterator[bytes]:
        if at:
            yield bytes(at)

    with pytest.raises(ZeroDivisionError):
        await layer.write("a", Body(raising))
    for size in (at + 1, max(at - 1, 0)):
        if size != at:
            with pytest.raises(Corrupted, match="announced"):
                await layer.write("a", Body(short, size=size))
    assert await stored(memory, "a") == before


async def test_a_write_is_cancelled_anywhere() -> None:
    for turns in range(0, 60, 3):
        memory = MemoryDriver()
        layer = vault(memory)
        await layer.put("a", b"before")
        task = asyncio.create_task(layer.write("a", Body(lambda: mebibytes(12))))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert await layer.get("a") in (b"before", bytes(12 * MIB))
    assert len(asyncio.all_tasks()) == 1


async def test_a_read_is_cancelled_left_or_forgotten_anywhere() -> None:
    memory = MemoryDriver()
    await vault(memory).put("a", bytes(2 * MIB))
    data = await stored(memory, "a")
    for turns in range(12):
        inner = Giving(data[:MIB], data[MIB:], 1, b"")
        layer = vault(inner)
        task = asyncio.create_task(layer.get("a"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        async with await layer.read("a") as source:
            await source.read(5)
        source = await layer.read("a")
        await anext(source)
        del source, task
        gc.collect()
        await asyncio.sleep(0)
        assert inner.released >= 2
    while len(asyncio.all_tasks()) > 1:  # what was begun for a forgotten one comes to its end
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})


async def test_others_get_their_turn_while_much_is_encrypted_and_decrypted() -> None:
    layer, turns = vault(), 0

    async def beside() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(beside())
    await layer.write("a", Body(lambda: mebibytes(16)))
    assert turns >= 16 * MIB // SLICE
    turns = 0
    await layer.get("a")
    assert turns >= 16 * MIB // SLICE - 16
    async with await vault(Crumbling(layer.inner)).read("a") as source:
        turns = 0
        assert len(await source.read()) == 16 * MIB
    assert turns >= 16 * MIB // SLICE - 16
    task.cancel()


async def test_many_files_at_once() -> None:
    layer = vault()
    contents = {f"f{n}": plain(n * 70_001, n) for n in range(12)}

    async def one(path: str) -> None:
        for _ in range(3):
            await layer.put(path, iter([contents[path][:77], contents[path][77:]]))
            assert await layer.get(path) == contents[path]
            assert await layer.get(path, start=70_000) == contents[path][70_000:]

    await asyncio.gather(*map(one, contents))


async def test_writers_of_one_file_leave_a_whole_one() -> None:
    layer = vault()
    contents = [plain(150_000, n) for n in range(6)]
    await layer.put("a", contents[0])

    async def read() -> None:
        for _ in range(15):
            got, error = await given_out(layer, "a", ReadOptions(100_000))
            if error is None:
                assert got in [content[100_000:] for content in contents]
            else:
                assert isinstance(error, PreconditionFailed | Unavailable)

    writing = [layer.put("a", content) for content in contents * 4]
    await asyncio.gather(*writing, *(read() for _ in range(4)))
    assert await layer.get("a") in contents


class Replaced(MemoryDriver):
    """Each of the next reads that begin in the middle comes just after a write."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.writer: Any = None

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        if how.start and self.times:
            self.times -= 1
            await self.writer()
        return await super().read(path, how)


@pytest.mark.parametrize("known", [True, False])
async def test_a_file_replaced_between_two_requests_is_opened_again(*, known: bool) -> None:
    class Nameless(Layer):
        """Tells no etags, and knows no conditions."""

        def described(self, inside: Any, /) -> Any:
            return type(inside)("nameless", conditions=frozenset())

        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            assert how.if_match is None
            source = await self.inner.read(path, how)
            stat = Stat(path, source.stat.size, source.stat.modified)
            return Source(stat, await source.read())

    memory = Replaced(1)
    layer = vault(memory if known else Nameless(memory))
    await layer.put("a", plain(200_000, 1))

    async def replace() -> None:
        await layer.put("a", plain(210_000, 2))

    memory.writer = replace
    assert await layer.get("a", start=150_000) == plain(210_000, 2)[150_000:]
    memory.times = 99
    with pytest.raises(Unavailable, match="again and again"):
        await layer.get("a", start=150_000)
    etag = (await vault(memory).stat("a")).etag
    memory.times = 1
    with pytest.raises(PreconditionFailed):
        await vault(memory).get("a", start=150_000, if_match=etag)


async def test_sizes_that_the_service_does_not_tell() -> None:
    class Silent(Layer):
        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            source = await self.inner.read(path, how)
            return Source(Stat(path), await source.read())

    memory = MemoryDriver()
    layer, data = vault(Silent(memory)), plain(200_000)
    await layer.put("a", data)
    for start, stop in ((0, None), (5, 9), (0, 200_000), (100_000, None), (100_000, 10**6)):
        assert await layer.get("a", start=start, stop=stop) == data[start:stop]
    assert await layer.get("a", start=300_000) == b""
    await memory.put("a", (await stored(memory, "a"))[:-1])
    for start, stop in ((0, None), (100_000, 10**6), (300_000, None)):
        with pytest.raises(Corrupted):
            await layer.get("a", start=start, stop=stop)


async def test_loops_and_layers_share_nothing_that_breaks() -> None:
    memory = MemoryDriver()
    one, other = vault(memory), vault(memory, key=OTHER, previous=KEY)
    await one.put("a", plain(300_000))

    def elsewhere() -> bytes:
        return asyncio.run(one.get("a"))

    assert await asyncio.to_thread(elsewhere) == await other.get("a") == plain(300_000)
