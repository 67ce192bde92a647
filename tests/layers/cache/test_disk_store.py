"""Entries on another disk: there after a restart, within bounds, and passed over where it fails."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts.errors import NotFound, Unavailable
from storeroom.contracts.source import Source
from storeroom.contracts.values import WHOLE, ReadOptions, Stat
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around
from storeroom.layers.cache import Cache
from storeroom.testing.faults import Faults
from tests.layers.cache.inside import Inside


@pytest.fixture
def inside() -> Inside:
    return Inside(MemoryDriver())


def cached(inside: Any, store: Any, **options: Any) -> Cache:
    return Cache(inside, store=store, **({"ttl": 60, "namespace": "n"} | options))


async def test_entries_are_there_after_a_restart(inside: Inside, tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    await inside.inner.put("é %2F", data, content_type="text/odd")
    expected = await inside.inner.stat("é %2F")
    for _ in range(2):
        cache = cached(inside, LocalDriver(tmp_path, durability="none"))
        async with await cache.read("é %2F") as source:
            assert source.stat == expected
            assert await source.read() == data
        assert await cache.stat("é %2F") == expected
    assert inside.calls == {"read": 1}


async def test_changes_are_seen_after_a_restart_too(inside: Inside) -> None:
    store = MemoryDriver()
    cache = cached(inside, store)
    for path in ("a", "f/b", "f/c"):
        await cache.put(path, b"old")
        assert await cache.get(path) == b"old"
    await cache.put("a", b"new")
    again = cached(inside, store)
    await again.delete_directory("f")
    for other in (cache, again, cached(inside, store)):
        assert await other.get("a") == b"new"
        assert await other.missing("f/b")
        with pytest.raises(NotFound):
            await other.get("f/c")


async def test_what_was_read_before_a_change_is_not_stored_after_it(inside: Inside) -> None:
    store = Inside(MemoryDriver())
    cache = cached(inside, store)
    await cache.put("a", b"old")
    store.hold("write")
    early = asyncio.create_task(cache.get("a"))
    await store.reached.wait()  # the old bytes are in the store now
    await cache.put("a", b"new")
    assert await cache.get("a") == b"new"
    store.release()
    assert await early == b"old"
    for _ in range(2):
        assert await cache.get("a") == b"new"
    assert await cached(inside, store).get("a") == b"new"


async def test_the_oldest_make_room(inside: Inside) -> None:
    store = MemoryDriver()
    await inside.inner.put("0", bytes(1000))
    await cached(inside, store, namespace="another").get("0")
    cache = cached(inside, store, max_entries=3)
    for number in range(6):
        await inside.inner.put(f"{number}", bytes(1000))
        await cache.get(f"{number}")
        await cache.get("0")
    assert cache.stats().entries == 3
    assert cache.stats().evictions >= 3
    assert store.count() == 4
    inside.calls.clear()
    await cache.get("0")
    assert inside.calls == {}
    small = cached(inside, store, max_bytes=3000)
    await small.get("1")
    assert small.stats().bytes <= 3000
    assert store.count() <= 3


async def test_a_damaged_entry_is_a_miss(inside: Inside) -> None:
    store = MemoryDriver()
    cache = cached(inside, store)
    await inside.inner.put("a", b"right")
    await cache.get("a")
    [path] = await store.all_files()
    good = await store.get(path)
    for value in (b"", good[:-1], good + b"x", good[:40] + b"?" + good[41:], b"SRC2" + good[4:]):
        await store.put(path, value)
        assert await cache.get("a") == b"right"


async def test_a_store_that_fails_is_passed_over(
    inside: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    faults = Faults(MemoryDriver())
    cache = cached(inside, faults)
    await cache.put("a", b"old")
    await cache.get("a")
    caplog.set_level(logging.WARNING, "storeroom")
    for verb in ("read", "write", "remove", "scan"):
        faults.fail(verb, Unavailable, times=4)
    await cache.put("a", b"new")
    for _ in range(3):
        assert await cache.get("a") == b"new"
    assert cache.stats().errors >= 3
    assert len(caplog.records) == 1
    for _ in range(20):
        assert await cache.get("a") == b"new"


async def test_two_disks_never_meet_in_one_store(inside: Inside) -> None:
    store, other = MemoryDriver(), MemoryDriver()
    one, two = cached(inside, store, namespace="1"), cached(other, store, namespace="2")
    await one.put("a", b"one")
    await two.put("a", b"two")
    for _ in range(2):
        assert [await one.get("a"), await two.get("a")] == [b"one", b"two"]


async def test_a_change_is_settled_though_another_file_is_being_stored(inside: Inside) -> None:
    store = Inside(MemoryDriver())
    cache = cached(inside, store)
    await cache.put("a", b"x")
    await cache.put("b", b"x")
    store.hold("write")
    reading = asyncio.create_task(cache.get("a"))
    await store.reached.wait()
    await cache.put("b", b"y")
    store.calls.clear()
    await cache.put("c", b"y")
    assert store.calls["remove"] == 1  # "c", and not "b" again
    store.release()
    assert await reading == b"x"


async def test_what_was_stored_though_the_answer_was_lost_counts(inside: Inside) -> None:
    store = Inside(MemoryDriver())
    cache = cached(inside, store)
    await inside.inner.put("a", b"x")
    await inside.inner.put("b", b"x")
    store.fail(Unavailable("lost"), "write")
    await cache.get("a")
    store.reached.clear()
    store.hold("write")
    reading = asyncio.create_task(cache.get("b"))
    await store.reached.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    sizes = [await store.inner.size(path) for path in await store.inner.all_files("")]
    assert (
        (cache.stats().entries, cache.stats().bytes) == (2, sum(sizes)) == (len(sizes), sum(sizes))
    )


@pytest.mark.parametrize("ends", ["fails", "is cancelled"])
async def test_what_lies_there_is_counted_though_the_first_look_at_it_ended_early(
    inside: Inside, ends: str
) -> None:
    store = Inside(MemoryDriver())
    for path in "abc":
        await inside.inner.put(path, bytes(1000))
    for path in "ab":
        await cached(inside, store).get(path)
    cache = cached(inside, store, max_entries=2)
    store.hold("scan")
    reading = asyncio.create_task(cache.get("c"))
    await store.reached.wait()
    if ends == "fails":
        store.fail(Unavailable("down"), "scan")
    else:
        reading.cancel()
        await asyncio.wait([reading])
    store.release()
    await asyncio.wait([reading])
    assert await cache.get("c") == bytes(1000)
    await inside.inner.put("d", b"x")
    await cache.get("d")
    assert cache.stats().entries == store.inner.count() == 2  # type: ignore[attr-defined]


async def test_a_file_of_any_size_at_the_place_of_an_entry_is_a_miss(inside: Inside) -> None:
    await inside.inner.put("a", b"right")
    foreign, taken = bytes(1 << 20), 0

    async def chunks() -> AsyncGenerator[bytes]:
        nonlocal taken
        for start in range(0, len(foreign), 1000):
            taken += 1000
            yield foreign[start : start + 1000]

    class Foreign(Around):
        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            return Source(Stat(path), chunks())

    cache = cached(inside, Foreign(MemoryDriver()), max_bytes=5000)
    assert await cache.get("a") == b"right"
    assert taken == 6000


async def test_the_store_stays_open(inside: Inside) -> None:
    store = MemoryDriver()
    await cached(inside, store).aclose()
    assert await store.missing("a")
