"""Metrics: OpenDAL's names, labels and buckets, and never a path in a label."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from storeroom import Disk, MemoryDriver, NotFound, StorageManager, Unavailable
from storeroom.contracts.abilities import Append, BulkRemove, Versions
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError
from storeroom.contracts.source import Source
from storeroom.contracts.values import WHOLE, ReadOptions, Stat
from storeroom.layers.observe import Observe
from storeroom.testing import Faults
from tests.layers.calls import ABILITY_CALLS, answer
from tests.layers.everything import METHODS, Everything, filled
from tests.layers.observe.conftest import Clock
from tests.layers.observe.test_events import SYNCHRONOUS

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# As in OpenDAL's core/src/layers/observe/metrics.rs.
BUCKETS = {
    "opendal_operation_duration_seconds": (
        *(0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    ),
    "opendal_operation_ttfb_seconds": (*(0.001, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2),),
    "opendal_operation_bytes": (
        *(4 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB),
        *(GIB, 5 * GIB),
    ),
    "opendal_operation_bytes_rate": (
        *(8 * KIB, 32 * KIB, 128 * KIB, MIB, 8 * MIB, 32 * MIB, 128 * MIB, 512 * MIB),
        *(2 * GIB, 8 * GIB, 32 * GIB),
    ),
    "opendal_operation_entries": (1, 5, 10, 50, 100, 500, 1000, 5000, 10000),
    "opendal_operation_entries_rate": (1, 10, 50, 100, 500, 1000, 5000, 10000),
}
UNITS = {
    "opendal_operation_duration_seconds": "s",
    "opendal_operation_ttfb_seconds": "s",
    "opendal_operation_bytes": "By",
    "opendal_operation_bytes_rate": "",  # a unit would become a part of its name in Prometheus
    "opendal_operation_entries": "{entry}",
    "opendal_operation_entries_rate": "",
    "opendal_operation_executing": "",
    "opendal_operation_errors_total": "",
}


class Metrics:
    """A provider, and what was recorded."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider(metric_readers=[self._reader])

    def all(self) -> dict[str, Any]:
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        (resource,) = data.resource_metrics
        (scope,) = resource.scope_metrics
        assert scope.scope.name == "storeroom"
        return {metric.name: metric for metric in scope.metrics}

    def points(self, name: str) -> dict[tuple[str, ...], Any]:
        """The points of a metric by operation, and error where there is one."""
        metric = self.all().get(name)
        found = [] if metric is None else metric.data.data_points
        return {
            tuple(
                point.attributes[key] for key in ("operation", "error") if key in point.attributes
            ): point
            for point in found
        }

    def count(self, name: str) -> dict[tuple[str, ...], float]:
        return {key: getattr(p, "count", None) or p.value for key, p in self.points(name).items()}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def metered(driver: StorageDriver, metrics: Metrics, **options: Any) -> Observe:
    return Observe(driver, metrics=metrics.provider, **options)


async def used(disk: Observe) -> None:
    await disk.put("some/path", b"x" * 5000)
    await disk.get("some/path")
    await disk.all_files()
    assert await disk.missing("other/path")


async def test_names_units_and_buckets_are_opendals(metrics: Metrics) -> None:
    await used(metered(MemoryDriver(), metrics))
    found = metrics.all()
    assert {name: metric.unit for name, metric in found.items()} == UNITS
    for name, buckets in BUCKETS.items():
        for point in found[name].data.data_points:
            assert point.explicit_bounds == buckets
    assert not found["opendal_operation_executing"].data.is_monotonic
    assert found["opendal_operation_errors_total"].data.is_monotonic


async def test_each_call_is_recorded_once(metrics: Metrics) -> None:
    await used(metered(MemoryDriver(), metrics))
    durations = metrics.count("opendal_operation_duration_seconds")
    assert durations == {("write",): 1, ("read",): 1, ("list",): 1}
    assert metrics.count("opendal_operation_errors_total") == {("stat", "NotFound"): 1}
    assert metrics.count("opendal_operation_ttfb_seconds") == {("read",): 1}
    sizes = metrics.points("opendal_operation_bytes")
    assert {key: (point.count, point.sum) for key, point in sizes.items()} == {
        ("write",): (1, 5000),
        ("read",): (1, 5000),
    }
    entries = metrics.points("opendal_operation_entries")
    assert {key: (point.count, point.sum) for key, point in entries.items()} == {("list",): (1, 2)}
    executing = metrics.points("opendal_operation_executing")
    assert {key: point.value for key, point in executing.items()} == dict.fromkeys(
        (("write",), ("read",), ("list",), ("stat",)), 0
    )


async def test_labels_are_the_service_the_bucket_and_the_operation(metrics: Metrics) -> None:
    class Bucket(MemoryDriver):
        bucket = "my-bucket"

    class Container(MemoryDriver):
        container = "my-container"

    for disk, namespace in (
        (metered(Bucket(), metrics), "my-bucket"),
        (metered(Disk(Container()), metrics, name="x"), "my-container"),
        (metered(Bucket(), metrics, namespace="chosen"), "chosen"),
        (metered(MemoryDriver(), metrics, name="media"), "media"),
        (metered(MemoryDriver(), metrics), "memory"),
    ):
        await disk.put("a", b"")
        points = metrics.all()["opendal_operation_duration_seconds"].data.data_points
        labels = [dict(point.attributes) for point in points]
        assert {"scheme": "memory", "namespace": namespace, "operation": "write"} in labels


@pytest.mark.parametrize("paths", [True, False])
async def test_no_label_holds_a_path(metrics: Metrics, paths: bool) -> None:  # noqa: FBT001
    driver = Everything()
    await filled(driver, "secret/path", "secret/path")
    disk = metered(driver, metrics, paths=paths)
    for method in sorted(ABILITY_CALLS.keys() - SYNCHRONOUS):
        native: Any = disk.ability(METHODS[method])
        native.inner_origin = MemoryDriver()
        call = ABILITY_CALLS[method]
        await answer(lambda call=call, native=native: call(native, "secret/path", "secret/to"))
    await used(disk)
    await disk.ability(BulkRemove).remove_many(["secret/path", "../secret"])
    found = metrics.all()
    assert set(found) == set(UNITS)
    labels = [p.attributes for metric in found.values() for p in metric.data.data_points]
    assert len(labels) > 50
    for label in labels:
        assert set(label) <= {"scheme", "namespace", "operation", "error"}
        assert not any("/" in value or "secret" in value for value in label.values())


async def test_appends_and_versions_are_writes_reads_listings_and_deletions(
    metrics: Metrics,
) -> None:
    driver = Everything()
    await filled(driver, "a", "a")
    disk = metered(driver, metrics)
    await disk.ability(Append).extend("a", Body(b"more"))
    versions = disk.ability(Versions)
    found = [version async for version in versions.list_versions("a")]
    await versions.read_version("a", found[-1].id)
    await versions.remove_version("a", found[-1].id)
    assert metrics.count("opendal_operation_duration_seconds") == dict.fromkeys(
        (("write",), ("list",), ("read",), ("delete",)), 1
    )


async def test_words_are_opendals_where_it_has_one(metrics: Metrics) -> None:
    disk = metered(MemoryDriver(), metrics)
    await disk.put_many({"a": b"", "b": b"", "c/d": b""})
    await disk.copy("a", "e")
    await disk.move("e", "f")
    await disk.delete("a")
    await disk.delete_many(["b"])
    await disk.delete_directory("c")
    await disk.files()
    assert metrics.count("opendal_operation_duration_seconds") == {
        ("write",): 3,
        ("copy",): 1,
        ("rename",): 1,
        ("delete",): 3,
        ("list",): 1,
    }


async def test_what_failed_counts_by_kind_and_has_no_duration(metrics: Metrics) -> None:
    faulty = Faults(MemoryDriver()).fail("put", Unavailable, times=2)
    disk = metered(faulty, metrics)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await disk.put("a", b"")
    with pytest.raises(NotFound):
        await disk.get("a")
    await disk.ability(BulkRemove).remove_many(["../a", "../b", "c"])
    assert metrics.count("opendal_operation_errors_total") == {
        ("write", "Unavailable"): 2,
        ("read", "NotFound"): 1,
        ("delete", "InvalidPath"): 2,
    }
    assert metrics.count("opendal_operation_duration_seconds") == {("delete",): 1}


async def test_an_empty_file_has_no_first_byte(metrics: Metrics) -> None:
    disk = metered(MemoryDriver(), metrics)
    await disk.put("a", b"")
    await disk.get("a")
    assert metrics.points("opendal_operation_ttfb_seconds") == {}
    assert metrics.points("opendal_operation_bytes")[("read",)].sum == 0


async def test_a_disk_that_is_configured_anew_meanwhile_is_measured_as_it_was(
    metrics: Metrics, tmp_path: Path
) -> None:
    def configured(name: str, **options: str) -> dict[str, Any]:
        return {"default": name, "disks": {name: options}}

    manager = StorageManager.isolated(configured("a", driver="memory"))
    disk = metered(manager.disk("a"), metrics)
    await disk.put("a", b"x" * 3_000_000)
    async with disk.read_stream("a") as one, disk.read_stream("a") as other:
        manager.configure(configured("a", driver="local", root=str(tmp_path)))
        await one.read()
        manager.configure(configured("b", driver="memory"))
        assert len(await other.read()) == 3_000_000  # the disk's name is unknown by now
        with pytest.raises(ConfigError, match="there is no disk 'a'"):
            await disk.stat("a")
    executing = metrics.all()["opendal_operation_executing"].data.data_points
    assert {point.attributes["scheme"]: point.value for point in executing} == {
        "memory": 0,
        "unknown": 0,
    }
    assert disk.stats().total.under_way == 0


async def test_a_stream_is_measured_at_its_end(metrics: Metrics, clock: Clock) -> None:
    class Streaming(MemoryDriver):
        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            return Source(Stat(path), self.pieces())

        async def pieces(self) -> AsyncIterator[bytes]:
            clock.turn(0.5)
            yield b"x" * 5000
            clock.turn(2)
            yield b"x" * 5000

    disk = metered(Streaming(), metrics)
    async with disk.read_stream("a") as stream:
        await anext(stream)
        assert metrics.points("opendal_operation_executing")[("read",)].value == 1
        assert metrics.points("opendal_operation_bytes") == {}
        await anext(stream)
    assert metrics.points("opendal_operation_executing")[("read",)].value == 0
    assert metrics.points("opendal_operation_bytes")[("read",)].sum == 10_000
    for name, expected in (("ttfb_seconds", 0.5), ("duration_seconds", 2.5), ("bytes_rate", 4000)):
        assert metrics.points(f"opendal_operation_{name}")[("read",)].sum == expected


async def test_a_dropped_stream_is_measured(metrics: Metrics) -> None:
    disk = metered(MemoryDriver(), metrics)
    await disk.put("a", b"x" * 3_000_000)
    source = await disk.read("a")
    await anext(source)
    del source
    await asyncio.sleep(0)
    assert metrics.points("opendal_operation_bytes")[("read",)].sum == 1 << 20
    assert metrics.points("opendal_operation_executing")[("read",)].value == 0
