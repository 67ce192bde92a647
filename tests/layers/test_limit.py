"""Limit: never more calls or bytes than allowed, each in its turn, and nobody waits for ever."""

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import pytest

from storeroom.contracts import forks
from storeroom.contracts.abilities import LocalPath, Origin
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError
from storeroom.contracts.source import Source
from storeroom.contracts.turns import Turns
from storeroom.contracts.values import Stat
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around, _bucket
from storeroom.layers._bucket import Bucket
from storeroom.layers.limit import Limit
from storeroom.manager import StorageManager
from storeroom.testing.suite import DriverSuite
from tests.layers.calls import ABILITY_CALLS, answer
from tests.layers.everything import METHODS, Everything, fates, filled
from tests.layers.places import OnLocal, OnMemory, OnS3

T = TypeVar("T")

SYNCHRONOUS = {"public_url", "origin", "local_path"}
FAST = 1 << 40


class Layered:
    """One call at a time: whatever waited for itself would wait for ever."""

    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Limit(driver, concurrency=1, read_rate=FAST, write_rate=FAST)


class TestOnMemory(Layered, OnMemory, DriverSuite):
    """Also cancelled at every await."""


class TestOnLocal(Layered, OnLocal):
    pass


class TestOnS3(Layered, OnS3):
    pass


class Counting(Around):
    """Knows how many calls are at work, the most at once, and in which order they began."""

    def __init__(self, inner: StorageDriver) -> None:
        super().__init__(inner)
        self.now = 0
        self.most = 0
        self.order: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        self.order.append(path)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.gate.wait()
            for _ in range(3):
                await asyncio.sleep(0)
            return await call()
        finally:
            self.now -= 1


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_no_more_calls_are_at_work_than_allowed(count: int) -> None:
    counting = Counting(MemoryDriver())
    disk = Limit(counting, concurrency=count)
    await asyncio.gather(*(disk.write(f"{number}", Body(b"x")) for number in range(20)))
    await asyncio.gather(*(disk.stat(f"{number}") for number in range(20)))
    assert counting.most == count


@pytest.mark.parametrize("method", sorted(ABILITY_CALLS.keys() - SYNCHRONOUS))
async def test_every_ability_waits_for_its_turn(method: str) -> None:
    driver = Everything()
    await filled(driver, "a", "a")
    counting = Counting(driver)
    disk = Limit(counting, concurrency=1)
    native: Any = disk.ability(METHODS[method])
    native.inner_origin = MemoryDriver()
    calls = (answer(lambda: ABILITY_CALLS[method](native, "a", "to")) for _ in range(4))
    await asyncio.gather(*calls, *(disk.stat("a") for _ in range(4)), return_exceptions=True)
    assert counting.most == 1
    assert len(counting.order) == 8


async def test_who_comes_first_is_served_first() -> None:
    counting = Counting(MemoryDriver())
    counting.gate.clear()
    disk = Limit(counting, concurrency=1)
    paths = [f"{number}" for number in range(9)]
    calls = [asyncio.ensure_future(answer(lambda path=path: disk.stat(path))) for path in paths]
    await settled()
    assert counting.order == ["0"]
    counting.gate.set()
    await asyncio.gather(*calls)
    assert counting.order == paths


@pytest.mark.parametrize("late", [True, False])
async def test_who_is_cancelled_gives_its_place_on(*, late: bool) -> None:
    """Also in the moment in which it got one, and did not know yet."""
    counting = Counting(MemoryDriver())
    counting.gate.clear()
    disk = Limit(counting, concurrency=1)
    first, second, third = (
        asyncio.ensure_future(answer(lambda path=path: disk.stat(path))) for path in "123"
    )
    await settled()
    if late:
        counting.gate.set()
        await first
    second.cancel()
    await settled()
    counting.gate.set()
    await asyncio.gather(first, third)
    assert second.cancelled() or late
    assert await answer(lambda: disk.stat("4")) is not None
    assert counting.now == 0


async def test_places_come_back_however_a_call_ends() -> None:
    counting = Counting(MemoryDriver())
    disk = Limit(counting, concurrency=2)

    async def failing() -> AsyncGenerator[bytes]:
        yield b"x"
        raise ZeroDivisionError

    for _ in range(5):
        with pytest.raises(FileNotFoundError):
            await disk.stat("missing")
        with pytest.raises(ZeroDivisionError):
            await disk.put("a", failing())
        task = asyncio.create_task(disk.put("a", b"x"))
        await settled()
        task.cancel()
        await asyncio.wait([task])
    await disk.put("a", b"x" * 10)
    for _ in range(5):
        source = await disk.read("a")
        del source
        entries = disk.scan()
        await anext(entries)
        await entries.aclose()
    gc.collect()
    counting.most = 0
    await asyncio.gather(*(disk.stat("a") for _ in range(5)))
    assert counting.most == 2


class Trickling(MemoryDriver):
    """Gives the bytes one by one, and takes them one by one."""

    async def read(self, path: str, how: Any = None, /) -> Source:
        whole = await super().read(path)
        return Source(whole.stat, self._bytes(await whole.read()), size=whole.size)

    async def _bytes(self, content: bytes) -> AsyncIterator[bytes]:
        for place in range(len(content)):
            await asyncio.sleep(0)
            yield content[place : place + 1]

    async def write(self, path: str, body: Body, how: Any = None, /) -> Stat:
        parts: list[bytes] = []
        async for chunk in body:
            await asyncio.sleep(0)
            parts.append(chunk)
        return await super().write(path, Body(b"".join(parts)))


async def test_a_copy_through_one_place_does_not_wait_for_itself() -> None:
    driver = Trickling()
    await filled(driver, "a long path")
    disk = Limit(driver, concurrency=1)
    async with asyncio.timeout(5), await disk.read("a long path") as source:
        body = Body(lambda: aiter(source), size=source.size)
        await disk.write("to", body)
    reading, writing = disk.read_stream("to"), disk.open_writer("third")
    async with asyncio.timeout(5), reading as source, writing as writer:
        async for chunk in source:
            await writer.write(chunk)
            await disk.put("fourth", chunk)
            assert await disk.exists("fourth")
    assert await driver.get("third") == b"a long path"


async def test_open_reads_listings_and_bodies_that_wait_hold_no_place() -> None:
    driver = Trickling()
    await filled(driver, "a", "b", "c")
    disk = Limit(driver, concurrency=1)
    go_on = asyncio.Event()

    async def chunks() -> AsyncGenerator[bytes]:
        yield b"x" * 4096
        await go_on.wait()
        yield b"y"

    sources = [await disk.read("a") for _ in range(3)]
    entries = disk.scan()
    await anext(entries)
    writing = asyncio.create_task(disk.write("d", Body(chunks)))
    await settled()
    assert await disk.exists("a")
    go_on.set()
    await writing
    assert [await source.read() for source in sources] == [b"a"] * 3
    await entries.aclose()
    assert len(await driver.get("d")) == 4097


async def test_places_are_shared_by_threads_and_loops() -> None:
    turns, most, now = Turns(2), 0, 0

    async def work() -> None:
        nonlocal most, now
        for _ in range(50):
            async with turns:
                now += 1
                most = max(most, now)
                await asyncio.sleep(0)
                now -= 1

    await asyncio.gather(work(), work(), *(asyncio.to_thread(asyncio.run, work()) for _ in "123"))
    assert (most, now, turns._free, len(turns._waiting)) == (2, 0, 2, 0)


async def test_a_loop_that_ended_keeps_no_place() -> None:
    turns = Turns(1)
    await turns.take()

    async def given_up() -> None:
        task = asyncio.create_task(turns.take())
        await asyncio.sleep(0)
        assert not task.done()

    await asyncio.to_thread(asyncio.run, given_up())
    waiting = asyncio.create_task(turns.take())
    await settled()
    turns.give()
    await waiting


async def test_after_a_fork_every_place_is_free() -> None:
    turns = Turns(2, taken=2)
    turns.start_afresh()
    async with turns, turns:
        assert turns._free == 0


def test_after_a_fork_nothing_is_on_its_way() -> None:
    bucket = Bucket(1000)
    with bucket._lock:
        bucket._free_at += 2e18
        forks._forked()
        assert bucket.due(100) == 0


class Watch:
    """A clock that only goes on when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        monkeypatch.setattr(_bucket.asyncio, "sleep", self.sleep)  # type: ignore[attr-defined]

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


def limited(driver: StorageDriver, watch: Watch, **rates: int) -> Limit:
    disk = Limit(driver, **rates)
    for bucket in (disk._reads, disk._writes):
        if bucket is not None:
            bucket._now = watch
    return disk


@pytest.mark.parametrize("size", [1, 10, 250, 1000, 12_345])
def test_a_bucket_lets_pass_its_rate_and_a_short_burst(watch: Watch, size: int) -> None:
    bucket, passed = Bucket(1000, now=watch), 0
    while passed < 20_000:
        watch.now += bucket.due(size)
        passed += size
        assert passed <= 1000 * (watch.now - 1000 + 0.25) + 0.01
    assert watch.now - 1000 == pytest.approx(passed / 1000 - 0.25)
    watch.now += 3600
    assert bucket.due(250) == 0
    assert bucket.due(250) == pytest.approx(0.25)


def test_a_wait_that_is_given_up_takes_nothing_from_others(watch: Watch) -> None:
    bucket = Bucket(1000, now=watch)
    assert bucket.due(1250) == pytest.approx(1)
    bucket.returned(1250)
    assert bucket.due(250) == 0


async def test_a_cancelled_wait_gives_its_bytes_back() -> None:
    disk = Limit(MemoryDriver(), write_rate=1000)
    task = asyncio.create_task(disk.put("a", bytes(1_000_000)))
    await settled()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert disk._writes is not None
    assert disk._writes.due(1) < 1


@pytest.mark.parametrize("streamed", [True, False])
async def test_writes_pass_at_their_rate_in_small_pieces(watch: Watch, *, streamed: bool) -> None:
    driver = MemoryDriver()
    disk = limited(driver, watch, write_rate=10_000)
    content = bytes(range(256)) * 400

    async def chunks() -> AsyncGenerator[bytes]:
        yield content

    await disk.put("a.bin", chunks() if streamed else content)
    assert watch.now - 1000 == pytest.approx(len(content) / 10_000 - 0.25, abs=0.01)
    assert max(watch.slept) <= 0.26
    assert await driver.get("a.bin") == content


@pytest.mark.parametrize("driver", [MemoryDriver, Trickling])
async def test_reads_pass_at_their_rate(watch: Watch, driver: type[MemoryDriver]) -> None:
    inner = driver()
    await inner.put("a", bytes(5_000))
    disk = limited(inner, watch, read_rate=1000)
    assert await disk.get("a") == bytes(5_000)
    assert watch.now - 1000 == pytest.approx(4.75, abs=0.01)


async def test_a_large_chunk_is_read_in_small_pieces(watch: Watch) -> None:
    driver = MemoryDriver()
    content = bytes(range(256)) * 8192
    await driver.put("a", content)
    disk = limited(driver, watch, read_rate=1 << 20)
    async with disk.read_stream("a", start=5) as source:
        sizes = [len(chunk) async for chunk in source]
    assert max(sizes) == 1 << 18
    assert sum(sizes) == len(content) - 5
    assert max(watch.slept) <= 0.26


async def test_all_share_one_rate(watch: Watch) -> None:
    disk = limited(MemoryDriver(), watch, write_rate=1000)
    await asyncio.gather(*(disk.put(f"{number}.bin", bytes(1000)) for number in range(8)))
    assert watch.now - 1000 >= 7.75


async def test_appends_parts_and_versions_have_their_rate(watch: Watch) -> None:
    driver = Everything()
    disk = limited(driver, watch, write_rate=1000, read_rate=1000)
    await disk.append("a", bytes(1250))
    assert watch.now - 1000 == pytest.approx(1)
    upload = await disk.ability(METHODS["start_parts"]).start_parts("b")
    await disk.ability(METHODS["write_part"]).write_part("b", upload, 1, Body(bytes(1000)))
    assert watch.now - 1000 == pytest.approx(2)
    await driver.put("a", b"new")
    async with await disk.ability(METHODS["read_version"]).read_version("a", "m-1") as source:
        assert len(await source.read()) == 1250
    assert watch.now - 1000 == pytest.approx(3)


async def test_without_a_rate_a_small_body_is_passed_as_it_is() -> None:
    seen: list[Body] = []

    class Noting(MemoryDriver):
        async def write(self, path: str, body: Body, how: Any = None, /) -> Stat:
            seen.append(body)
            return await super().write(path, body)

    body = Body(b"x")
    await Limit(Noting(), concurrency=3).write("a", body)
    assert seen == [body]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"concurrency": 0},
        {"concurrency": True},
        {"concurrency": 1.5},
        {"concurrency": "3"},
        {"read_rate": 0},
        {"read_rate": -1},
        {"write_rate": 1.5},
        {"write_rate": "10 MiB"},
    ],
)
def test_bad_settings_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options), "say what to limit")):
        Limit(MemoryDriver(), **options)


def test_every_ability_is_there_that_is_inside() -> None:
    driver = Everything()
    assert fates(Limit(driver, concurrency=1), driver).keys() == {"adapted"}
    assert Limit(driver, concurrency=1).ability(Origin).origin("a") == (driver, "a")
    assert not Limit(MemoryDriver(), concurrency=1).supports(LocalPath)


async def test_it_is_made_by_a_configuration() -> None:
    layers = [{"layer": "limit", "concurrency": 4, "read_rate": 1_000_000}]
    config = {"default": "m", "disks": {"m": {"driver": "memory", "layers": layers}}}
    async with StorageManager.isolated(config) as manager:
        await manager.put("a", b"x")
        layer = manager.disk("m").layer(Limit)
        assert layer._turns is not None
        assert layer._writes is None
