"""What is held is given while it is current, one reading at a time, within its bounds."""

import asyncio
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    Closed,
    NotFound,
    NotModified,
    PreconditionFailed,
    Unavailable,
)
from storeroom.contracts.source import Source
from storeroom.contracts.values import WHOLE, ReadOptions, Stat, WriteOptions
from storeroom.disk import Disk
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Layer
from storeroom.layers.cache import Cache
from tests.layers.cache.inside import Inside, Sizeless


@pytest.fixture
def store() -> MemoryDriver:
    """What inside stands on; written here, it is as if another process wrote."""
    return MemoryDriver()


@pytest.fixture
def inside(store: MemoryDriver) -> Inside:
    return Inside(store)


async def test_within_the_ttl_nobody_is_asked(inside: Inside) -> None:
    cache = Cache(inside, ttl=60)
    await cache.put("é %2F", b"bytes")
    assert [await cache.get("é %2F") for _ in range(3)] == [b"bytes"] * 3
    assert await cache.size("é %2F") == 5
    assert await cache.exists("é %2F")
    assert inside.calls == {"write": 1, "read": 1}
    assert (cache.stats().hits, cache.stats().misses) == (4, 1)


async def test_without_a_ttl_every_read_asks_whether_it_is_current(
    inside: Inside, store: MemoryDriver
) -> None:
    cache = Cache(inside)
    await store.put("a", b"old")
    assert [await cache.get("a") for _ in range(3)] == [b"old"] * 3
    assert inside.calls == {"read": 1, "stat": 2}
    await store.put("a", b"new")
    assert await cache.get("a") == b"new"
    await store.delete("a")
    with pytest.raises(NotFound):
        await cache.get("a")
    assert cache.stats().entries == 0
    await store.put("a", b"newest")
    assert await cache.get("a") == b"newest"


async def test_facts_are_current_too_where_they_change_without_the_etag(
    inside: Inside, store: MemoryDriver
) -> None:
    cache = Cache(inside)
    await store.put("a", b"x")
    await cache.get("a")
    before = (await store.stat("a")).etag
    await store.change_tier("a", "cold")
    assert (await store.stat("a")).etag == before
    async with await cache.read("a") as source:
        assert source.stat.tier == "cold"
    assert inside.calls["read"] == 1


class Clock:
    """How many seconds later it is, for the cache."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.later = 0.0
        real = time.monotonic
        for name in ("entry.time.monotonic", "memory.monotonic", "fills.monotonic"):
            monkeypatch.setattr(f"storeroom.layers._cache.{name}", lambda: real() + self.later)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def test_after_the_ttl_it_is_asked_and_then_believed_again(
    inside: Inside, store: MemoryDriver, clock: Clock
) -> None:
    cache = Cache(inside, ttl=60)
    await store.put("a", b"old")
    await cache.get("a")
    clock.later = 61.0
    assert await cache.get("a") == b"old"
    assert await cache.get("a") == b"old"
    assert inside.calls == {"read": 1, "stat": 1}
    await store.put("a", b"new")
    assert await cache.get("a") == b"old"  # within the ttl
    clock.later = 122.0
    assert await cache.get("a") == b"new"


async def test_ranges_are_cut_from_what_is_held_and_pass_by_otherwise(
    inside: Inside, store: MemoryDriver
) -> None:
    cache = Cache(inside, ttl=60)
    await store.put("a", b"0123456789")
    assert await cache.get("a", start=2, stop=5) == b"234"
    assert cache.stats().entries == 0
    await cache.get("a")
    calls = inside.calls.copy()
    assert await cache.get("a", start=2, stop=5) == b"234"
    assert await cache.get("a", start=7) == b"789"
    assert await cache.get("a", start=20) == b""
    assert [chunk async for chunk in cache.read_stream("a", chunk_size=4)] == [
        b"0123",
        b"4567",
        b"89",
    ]
    assert inside.calls == calls


@pytest.mark.parametrize("ttl", [0, 60])
async def test_conditions_are_judged_by_what_is_there(
    inside: Inside, store: MemoryDriver, ttl: float
) -> None:
    cache = Cache(inside, ttl=ttl)
    await store.put("a", b"x")
    etag = (await store.stat("a")).etag
    await cache.get("a")
    assert await cache.get("a", if_match=etag) == b"x"
    with pytest.raises(NotModified):
        await cache.get("a", if_none_match=etag)
    with pytest.raises(PreconditionFailed):
        await cache.get("a", if_match="another")
    assert await cache.get("a", if_none_match="another") == b"x"
    await store.put("a", b"new")
    assert await cache.get("a", if_match=(await store.stat("a")).etag) == b"new"


async def test_large_files_stream_by(inside: Inside, store: MemoryDriver) -> None:
    cache = Cache(inside, ttl=60, max_object=4)
    await store.put("fits", b"1234")
    await store.put("large", b"12345")
    for _ in range(2):
        assert await cache.get("large") == b"12345"
        assert await cache.get("fits") == b"1234"
    assert inside.calls["read"] == 3
    assert cache.stats().bypassed == 2


async def test_what_has_no_room_streams_by_too(inside: Inside, store: MemoryDriver) -> None:
    cache = Cache(inside, ttl=60, max_bytes=5000)
    await store.put("large", bytes(5001))
    assert await cache.get("large") == bytes(5001)
    assert (cache.stats().bypassed, cache.stats().entries) == (1, 0)


async def test_what_tells_no_size_streams_by(store: MemoryDriver) -> None:
    cache = Cache(Sizeless(store), ttl=60)
    await store.put("a", b"x")
    assert [await cache.get("a"), await cache.get("a")] == [b"x", b"x"]
    assert (cache.stats().bypassed, cache.stats().entries) == (2, 0)


async def test_a_held_file_of_several_megabytes_comes_in_pieces(store: MemoryDriver) -> None:
    cache = Cache(store, ttl=60, max_object=4 << 20)
    await store.put("a", bytes(3 << 20))
    await cache.get("a")
    chunks = [chunk async for chunk in cache.read_stream("a")]
    assert [len(chunk) for chunk in chunks] == [1 << 20] * 3
    assert cache.stats().hits == 1


async def test_the_least_recently_used_make_room(inside: Inside, store: MemoryDriver) -> None:
    cache = Cache(inside, ttl=60, max_entries=2)
    for path in "abc":
        await store.put(path, path)
    for path in "abac":
        await cache.get(path)
    inside.calls.clear()
    for path in "ac":
        assert await cache.text(path) == path
    assert inside.calls == {}
    await cache.get("b")
    assert inside.calls == {"read": 1}
    assert cache.stats().evictions == 2


async def test_bytes_are_bounded(store: MemoryDriver) -> None:
    cache = Cache(store, ttl=60, max_bytes=10_000)
    for number in range(20):
        await store.put(f"{number}", bytes(1000))
        await cache.get(f"{number}")
        assert cache.stats().bytes <= 10_000
    assert 5 <= cache.stats().entries <= 9
    await store.put("large", bytes(20_000))
    await cache.get("large")
    assert cache.stats().entries >= 5


async def test_facts_weigh_what_they_take_in_memory(store: MemoryDriver) -> None:
    cache = Cache(store, ttl=60)
    path = "/".join(["漢" * 80] * 4)
    await store.put(path, b"", metadata={"k": "漢" * 500})
    await cache.get(path)
    assert cache.stats().bytes > sys.getsizeof(path) + sys.getsizeof("漢" * 500) + 512


async def test_that_nothing_is_there_is_believed_within_bounds(
    inside: Inside, store: MemoryDriver
) -> None:
    cache = Cache(inside, ttl=60, max_entries=10)
    await store.put("kept", b"x")
    await cache.get("kept")
    for number in range(100):
        for _ in range(2):
            assert await cache.missing(f"no {number}")
    assert inside.calls["stat"] == 100
    assert cache.stats().entries == 11
    assert await cache.get("kept") == b"x"
    assert inside.calls["read"] == 1


async def test_that_nothing_is_there_is_believed_no_longer_than_said(
    inside: Inside, store: MemoryDriver
) -> None:
    for cache in (Cache(inside), Cache(inside, ttl=60, negative_ttl=0)):
        assert await cache.missing("a")
        await store.put("a", b"x")
        assert await cache.exists("a")
        assert await cache.get("a") == b"x"
        await store.delete("a")


async def test_misses_at_once_make_one_reading(inside: Inside, store: MemoryDriver) -> None:
    cache = Cache(inside, ttl=60)
    await store.put("a", b"x")
    inside.hold("read")
    readers = [asyncio.create_task(cache.get("a")) for _ in range(20)]
    await inside.reached.wait()
    inside.release()
    assert await asyncio.gather(*readers) == [b"x"] * 20
    assert inside.calls == {"read": 1}


async def test_questions_at_once_whether_it_is_current_are_one(
    inside: Inside, store: MemoryDriver, clock: Clock
) -> None:
    cache = Cache(inside, ttl=60)
    await store.put("a", b"x")
    inside.hold("stat")
    asking = [asyncio.create_task(cache.size("a")) for _ in range(20)]
    await inside.reached.wait()
    inside.release()
    assert await asyncio.gather(*asking) == [1] * 20
    assert inside.calls == {"stat": 1}
    await cache.get("a")
    inside.calls.clear()
    clock.later = 61.0
    inside.hold("stat")
    readers = [asyncio.create_task(cache.get("a")) for _ in range(20)]
    await inside.reached.wait()
    inside.release()
    assert await asyncio.gather(*readers) == [b"x"] * 20
    assert inside.calls == {"stat": 1}


async def test_who_joined_a_reading_without_a_ttl_sees_what_was_there_when_it_joined(
    inside: Inside, store: MemoryDriver
) -> None:
    cache = Cache(inside)
    await store.put("a", b"old")
    inside.hold("read")
    first = asyncio.create_task(cache.get("a"))
    await inside.reached.wait()
    await store.put("a", b"new")
    second = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    inside.release()
    assert (await first, await second) == (b"old", b"new")


async def test_a_cancelled_first_reader_leaves_the_others_theirs(
    inside: Inside, store: MemoryDriver
) -> None:
    cache = Cache(inside, ttl=60)
    await store.put("a", b"x")
    inside.hold("read")
    readers = [asyncio.create_task(cache.get("a")) for _ in range(3)]
    await inside.reached.wait()
    readers[0].cancel()
    await asyncio.wait(readers[:1])
    inside.release()
    assert readers[0].cancelled()
    assert await asyncio.gather(*readers[1:]) == [b"x"] * 2
    assert inside.calls == {"read": 1}


async def test_when_all_readers_are_cancelled_so_is_the_reading(
    inside: Inside, store: MemoryDriver
) -> None:
    cache = Cache(inside, ttl=60)
    await store.put("a", b"x")
    inside.hold("read")
    readers = [asyncio.create_task(cache.get("a")) for _ in range(3)]
    await inside.reached.wait()
    tasks = len(asyncio.all_tasks())
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    assert len(asyncio.all_tasks()) == tasks - 4
    inside.release()
    assert await cache.get("a") == b"x"


async def test_a_large_source_nobody_takes_is_released(store: MemoryDriver) -> None:
    released: list[str] = []

    class Open(Layer):
        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            await asyncio.sleep(0)
            return Source(
                Stat(path, 9), aiter(_Endless()), size=9, release=lambda: released.append(path)
            )

    cache = Cache(Open(store), max_object=1)
    reader = asyncio.create_task(cache.read("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    reader.cancel()
    await asyncio.wait([reader])
    if not reader.cancelled():
        await reader.result().aclose()
    assert released == ["a"]


class _Endless:
    def __aiter__(self) -> "_Endless":
        return self

    async def __anext__(self) -> bytes:
        return b"x"


async def test_failures_are_for_those_who_waited_and_for_nobody_later(
    inside: Inside, store: MemoryDriver
) -> None:
    cache = Cache(inside, ttl=60)
    await store.put("a", b"x")
    inside.hold("read")
    inside.fail(Unavailable("down"))
    readers = [asyncio.create_task(cache.get("a")) for _ in range(3)]
    await inside.reached.wait()
    inside.release()
    failed = await asyncio.gather(*readers, return_exceptions=True)
    assert [str(error) for error in failed] == ["get 'a' on disk 'memory': down"] * 3
    assert len({id(error) for error in failed}) == 3
    assert await cache.get("a") == b"x"


async def test_nothing_done_to_what_was_told_comes_back(store: MemoryDriver) -> None:
    cache = Cache(store, ttl=60)
    await store.put("a", b"x", metadata={"k": "v"})
    for _ in range(3):
        stat = await cache.metadata("a")
        assert stat.metadata == {"k": "v"}
        stat.metadata["k"] = "changed"  # type: ignore[index]


class Etags(Layer):
    """Tells etags as another service would."""

    etag: str | None = None
    modified: datetime | None = None

    async def stat(self, path: str, /) -> Stat:
        return self._told(await self.inner.stat(path))

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        source = await self.inner.read(path, how)
        return Source(self._told(source.stat), await source.read())

    def _told(self, stat: Stat) -> Stat:
        return replace(stat, etag=self.etag, modified=self.modified)


async def test_a_file_without_an_etag_is_held_for_the_ttl_only(store: MemoryDriver) -> None:
    await store.put("a", b"old")
    fresh, trusting = Cache(Etags(store)), Cache(Etags(store), ttl=60)
    assert [await fresh.get("a"), await trusting.get("a")] == [b"old", b"old"]
    await store.put("a", b"new")
    assert [await fresh.get("a"), await trusting.get("a")] == [b"new", b"old"]
    assert fresh.stats().entries == 0


@pytest.mark.parametrize("form", ["{0:x}-3", '"{0}.3"'])
@pytest.mark.parametrize("off", [-20, 0, 20])
async def test_an_etag_of_whole_seconds_is_not_relied_on_in_its_first_seconds(
    store: MemoryDriver, form: str, off: int
) -> None:
    await store.put("a", b"old")
    coarse = Etags(store)
    cache = Cache(coarse)
    coarse.modified = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=off)
    coarse.etag = form.format(int(coarse.modified.timestamp()))
    assert await cache.get("a") == b"old"
    await store.put("a", b"new")
    assert await cache.get("a") == b"new"
    coarse.modified = datetime(2024, 1, 2, tzinfo=UTC)
    coarse.etag = form.format(int(coarse.modified.timestamp()))
    await cache.get("a")
    assert cache.stats().entries == 1


async def test_a_closed_cache_holds_and_gives_nothing(store: MemoryDriver) -> None:
    cache = Cache(store.twin(), ttl=60)
    await store.put("a", b"x")
    await cache.get("a")
    await cache.aclose()
    assert cache.stats().entries == 0
    for verb in (cache.get, cache.size):
        with pytest.raises(Closed):
            await verb("a")


async def test_closing_that_is_cancelled_closes_what_is_inside(store: MemoryDriver) -> None:
    inner = store.twin()
    cache = Cache(inner, ttl=60)
    held = asyncio.Event()

    async def closing() -> None:
        held.set()
        await asyncio.Event().wait()

    cache._store.aclose = closing  # type: ignore[method-assign]
    task = asyncio.create_task(cache.aclose())
    await held.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(Closed):
        await inner.get("a")


async def test_a_reading_that_ends_after_the_cache_was_closed_is_not_held(
    inside: Inside, store: MemoryDriver
) -> None:
    cache = Cache(inside, ttl=60)
    await store.put("a", b"x")
    inside.hold("read")
    reading = asyncio.create_task(cache.get("a"))
    await inside.reached.wait()
    await cache.aclose()
    inside.release()
    assert await reading == b"x"
    with pytest.raises(Closed):
        await cache.read("a")


async def test_it_is_read_from_two_loops_at_once(store: MemoryDriver) -> None:
    cache: StorageDriver = Cache(store, ttl=60)
    await store.put("a", b"x")

    async def many() -> set[bytes]:
        return {await Disk(cache).get("a") for _ in range(200)}

    both = (asyncio.to_thread(asyncio.run, many()) for _ in range(2))
    assert await asyncio.gather(*both) == [{b"x"}] * 2
    await cache.write("a", Body(b"y"), WriteOptions())
    assert await many() == {b"y"}
