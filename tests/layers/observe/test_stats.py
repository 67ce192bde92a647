"""Counters: what a disk has done so far, readable in process."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from storeroom import ConfigError, Disk, MemoryDriver, StorageManager, Unsupported
from storeroom.contracts.abilities import BulkRemove
from storeroom.contracts.stats import Stats, Tally
from storeroom.layers import Scoped
from storeroom.layers.observe import Observe
from tests.layers.observe.conftest import Clock


def counts(stats: Stats) -> dict[str, tuple[int, int]]:
    return {name: (tally.calls, tally.failures) for name, tally in stats.operations.items()}


async def test_calls_failures_and_bytes_are_counted_by_operation() -> None:
    disk = Observe(MemoryDriver())
    assert disk.stats() == Stats()
    await disk.put_many({"a": b"1", "b": b"22"})
    assert await disk.get("b") == b"22"
    assert not await disk.exists("c")
    assert await disk.copy("a", "d") == "d"
    stats = disk.stats()
    assert counts(stats) == {"write": (2, 0), "read": (1, 0), "stat": (1, 1), "copy_within": (1, 0)}
    assert (stats.operations["write"].written, stats.operations["read"].read) == (3, 2)
    assert stats.operations["write"].read == stats.operations["read"].written == 0
    total = stats.total
    assert (total.calls, total.failures, total.read, total.written) == (5, 1, 2, 3)
    assert total.under_way == 0


async def test_time_is_the_sum_and_the_longest(clock: Clock) -> None:
    class Slow(MemoryDriver):
        async def stat(self, path: str, /) -> Any:
            clock.turn(2 if path == "slow" else 0.5)
            return await super().stat(path)

    disk = Observe(Slow())
    await disk.put("slow", b"")
    await disk.put("fast", b"")
    for path in ("fast", "slow", "fast"):
        await disk.size(path)
    tally = disk.stats().operations["stat"]
    assert (tally.seconds, tally.longest) == (3, 2)
    assert (disk.stats().total.seconds, disk.stats().total.longest) == (3, 2)


async def test_a_failing_path_among_many_is_a_failure() -> None:
    disk = Observe(MemoryDriver())
    await disk.put("a", b"")
    await disk.ability(BulkRemove).remove_many(["a", "../b", "../c", "d"])
    assert counts(disk.stats())["remove_many"] == (1, 2)


async def test_what_was_read_before_does_not_change() -> None:
    disk = Observe(MemoryDriver())
    before = disk.stats()
    await disk.put("a", b"")
    assert before == Stats()
    assert disk.stats().total.calls == 1
    frozen: Any = disk.stats().total
    with pytest.raises(AttributeError):
        frozen.calls = 5


async def test_calls_under_way_are_seen() -> None:
    going = asyncio.Event()

    class Waiting(MemoryDriver):
        async def stat(self, path: str, /) -> Any:
            await going.wait()
            return await super().stat(path)

    disk = Observe(Waiting())
    asking = [asyncio.create_task(disk.exists("a")) for _ in range(3)]
    await asyncio.sleep(0)
    assert disk.stats().operations["stat"] == Tally(under_way=3)
    going.set()
    await asyncio.gather(*asking)
    assert disk.stats().total.under_way == 0


def test_several_threads_and_loops_count_together() -> None:
    disk = Observe(MemoryDriver())
    interval = sys.getswitchinterval()

    async def use(name: int) -> None:
        for number in range(25):
            await disk.put(f"{name}/{number}", b"xx")
            await disk.get(f"{name}/{number}")

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: asyncio.run(use(name)), range(8)))
    finally:
        sys.setswitchinterval(interval)
    stats = disk.stats()
    assert counts(stats) == {"write": (200, 0), "read": (200, 0)}
    assert (stats.total.written, stats.total.read) == (400, 400)


async def test_a_disk_asks_its_layer() -> None:
    layer = Observe(MemoryDriver())
    disk = Disk(Scoped(layer, "t1"), name="media")
    await disk.put("a", b"123")
    assert disk.stats() == layer.stats()
    assert disk.stats().total.written == 3


async def test_a_disk_without_it_says_what_to_do() -> None:
    for disk in (
        Disk(MemoryDriver(), name="media"),
        StorageManager.isolated({}).build("memory://"),
    ):
        with pytest.raises(Unsupported, match=r'layers = \[\{layer = "observe"\}\]') as caught:
            disk.stats()
        assert caught.value.disk == disk.name


async def test_a_configured_disk_counts() -> None:
    layers = [{"layer": "observe", "name": "media", "log": "info"}]
    disks = {"media": {"driver": "memory", "prefix": "p", "layers": layers}}
    storage = StorageManager.isolated({"default": "media", "disks": disks})
    await storage.put("a", b"1234")
    assert storage.stats().total.written == storage.disk("media").stats().total.written == 4
    assert storage.disk("media").layer(Observe).stats() == storage.stats()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"log": "loud"}, "log is a level's name, not 'loud'"),
        ({"log": "inf"}, "did you mean 'info'"),
        ({"log": 5}, "log"),
        ({"tracing": "yes please"}, "tracing is true, false or a provider"),
        ({"metrics": object()}, "metrics is true, false or a provider"),
        ({"paths": "sometimes"}, "paths"),
        ({"nmae": "x"}, "did you mean 'name'"),
    ],
)
def test_a_wrong_option_is_told(options: dict[str, Any], reason: str) -> None:
    layers = [{"layer": "observe", **options}]
    with pytest.raises(ConfigError, match=reason):
        _ = StorageManager.isolated(
            {"default": "a", "disks": {"a": {"driver": "memory", "layers": layers}}}
        ).driver
