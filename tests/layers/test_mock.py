"""Mock: slow and failing as it is told, the same way each time."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from storeroom.contracts.abilities import LocalPath, Multipart
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    ConfigError,
    PermissionDenied,
    QuotaExceeded,
    StorageError,
    Timeout,
    Unavailable,
)
from storeroom.contracts.values import WHOLE
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Retry, mock
from storeroom.layers.mock import Mock
from storeroom.manager import StorageManager
from storeroom.testing.suite import DriverSuite
from tests.layers.calls import ABILITY_CALLS, answer, body
from tests.layers.everything import METHODS, Everything, fates, filled
from tests.layers.places import OnLocal, OnMemory, OnS3

SYNCHRONOUS = {"public_url", "origin", "local_path"}


class Layered:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Mock(driver, latency=(0, 0.0005), failure_rate=0)


class TestOnMemory(Layered, OnMemory, DriverSuite):
    pass


class TestOnLocal(Layered, OnLocal):
    pass


class TestOnS3(Layered, OnS3):
    pass


async def course(**options: Any) -> list[str]:
    """How fifty calls end."""
    disk = Mock(MemoryDriver(), **options)
    ends = [await answer(lambda: disk.put("a", b"x")) for _ in range(50)]
    return [end if isinstance(end, str) else type(end).__name__ for end in ends]


async def test_one_seed_fails_the_same_calls() -> None:
    first = await course(failure_rate=0.3, seed=7)
    assert first == await course(failure_rate=0.3, seed=7)
    assert first != await course(failure_rate=0.3, seed=8)
    assert 5 <= first.count("Unavailable") <= 25


@pytest.mark.parametrize(("rate", "failures"), [(0, 0), (1, 50)])
async def test_none_or_all_fail(rate: float, failures: int) -> None:
    assert (await course(failure_rate=rate)).count("Unavailable") == failures


@pytest.mark.parametrize("method", sorted(ABILITY_CALLS.keys() - SYNCHRONOUS))
async def test_a_call_of_any_ability_fails_with_nothing_done(method: str) -> None:
    driver = Everything()
    await filled(driver, "a", "a")
    before = driver.whole()
    native: Any = Mock(driver, failure_rate=1).ability(METHODS[method])
    native.inner_origin = MemoryDriver()
    error = await answer(lambda: ABILITY_CALLS[method](native, "a", "to"))
    assert isinstance(error, Unavailable)
    assert (error.operation, error.path) == (method, "a")
    assert driver.whole() == before


async def test_the_error_is_of_the_kind_that_is_named() -> None:
    for name, kind in {"Timeout": Timeout, "PermissionDenied": PermissionDenied}.items():
        with pytest.raises(kind, match="on purpose"):
            await Mock(MemoryDriver(), failure_rate=1, error=name).stat("a")


async def test_only_what_is_named_fails() -> None:
    disk = Mock(MemoryDriver(), failure_rate=1, fail_on=["write", "remove"])
    assert await disk.missing("a")
    assert await disk.files() == []
    for call in (disk.write("a", body()), disk.remove("a")):
        with pytest.raises(Unavailable):
            await call


async def test_after_it_is_done_the_answer_is_lost() -> None:
    driver = Everything()
    disk = Mock(driver, failure_rate=1, when="after")
    with pytest.raises(Unavailable):
        await disk.put("a", b"x")
    assert await driver.get("a") == b"x"
    with pytest.raises(Unavailable):
        await disk.ability(METHODS["rename"]).rename("a", "b")
    with pytest.raises(Unavailable):
        await disk.remove("b")
    assert driver.count() == 0
    with pytest.raises(Unavailable):
        await disk.read("b")


@pytest.mark.parametrize("streamed", [True, False])
async def test_bytes_break_off_in_the_middle(*, streamed: bool) -> None:
    driver = MemoryDriver()
    content = bytes(range(256)) * (8192 if streamed else 4)
    await driver.put("a", content)
    disk = Mock(driver, failure_rate=1, when="during", seed=3)
    source = await disk.read("a")
    start = await source.read(100)
    assert start == content[:100]
    with pytest.raises(Unavailable, match="on purpose"):
        await source.read()
    assert source.stat.size == len(content)
    await source.aclose()


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
async def test_a_body_that_breaks_off_changes_nothing(size: int) -> None:
    driver = Everything()
    await filled(driver, "a", "a")
    before = driver.whole()
    disk = Mock(driver, failure_rate=1, when="during", fail_on=["write", "extend", "write_part"])

    async def chunks() -> AsyncGenerator[bytes]:
        yield bytes(size)

    for verb in (disk.put, disk.append):
        for given in (bytes(size), chunks()):
            with pytest.raises(Unavailable, match="on purpose"):
                await verb("a", given)
    assert driver.whole() == before
    upload = await disk.ability(Multipart).start_parts("b")
    with pytest.raises(Unavailable):
        await disk.ability(Multipart).write_part("b", upload, 1, Body(bytes(size)))
    assert await disk.ability(Multipart).list_parts("b", upload) == {}


async def test_a_version_breaks_off_and_other_calls_fail_before() -> None:
    driver = Everything()
    await filled(driver, "a", "a")
    disk = Mock(driver, failure_rate=1, when="during", fail_on=["read_version", "stat"])
    with pytest.raises(Unavailable):
        await disk.stat("a")
    native: Any = disk.ability(METHODS["read_version"])
    async with await native.read_version("a", "m-1", WHOLE) as source:
        with pytest.raises(Unavailable):
            await source.read()


async def test_what_does_not_break_off_arrives_whole() -> None:
    driver = Everything()
    disk = Mock(driver, when="during")
    await disk.put("a", bytes(3_000_000))
    await disk.append("a", b"!")
    assert len(await disk.get("a")) == 3_000_001


async def test_latency_is_waited_for_before_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(mock.asyncio, "sleep", sleep)  # type: ignore[attr-defined]
    disk = Mock(MemoryDriver(), latency=0.25)
    await disk.put("a", b"x")
    await disk.get("a")
    assert await disk.files() == ["a"]
    assert slept == [0.25] * 3
    slept.clear()
    disk = Mock(MemoryDriver(), latency=(1, 3))
    for _ in range(200):
        await disk.put("a", b"x")
    assert 1 <= min(slept) < 1.2
    assert 2.8 < max(slept) <= 3


async def test_latency_does_not_hold_up_others() -> None:
    disk = Mock(MemoryDriver(), latency=0.05)
    async with asyncio.timeout(2):
        await asyncio.gather(*(disk.put(f"{number}", b"x") for number in range(200)))


async def test_it_is_soon_full() -> None:
    disk = Mock(Everything(), max_bytes=10, max_files=2)
    await disk.put("a", bytes(10))
    with pytest.raises(QuotaExceeded, match="10 of 10 bytes"):
        await disk.put("b", b"x")
    await disk.put("b", b"")
    with pytest.raises(QuotaExceeded, match="2 of 2 files"):
        await disk.put("c", b"")
    assert not disk.supports(LocalPath)


async def test_a_retry_gets_through() -> None:
    flaky = Mock(MemoryDriver(), failure_rate=0.4, seed=2)
    disk = Retry(flaky, attempts=20, base=0)
    for number in range(20):
        await disk.put(f"{number}", b"x")
    assert len(await disk.files()) == 20


@pytest.mark.parametrize(
    "options",
    [
        {"latency": -1},
        {"latency": (1, 0)},
        {"latency": (0, float("nan"))},
        {"latency": "1"},
        {"failure_rate": 1.1},
        {"failure_rate": -0.1},
        {"failure_rate": True},
        {"error": "Unavailible"},
        {"error": "ValueError"},
        {"when": "later"},
        {"fail_on": "write"},
        {"fail_on": ["put"]},
        {"fail_on": ["local_path"]},
        {"max_bytes": -1},
        {"max_files": 1.5},
    ],
)
def test_bad_settings_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Mock(MemoryDriver(), **options)


def test_a_wrong_name_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'Unavailable'"):
        Mock(MemoryDriver(), error="Unavailible")
    with pytest.raises(ConfigError, match="did you mean 'write'"):
        Mock(MemoryDriver(), fail_on=["writes"])


def test_every_ability_is_there_that_is_inside() -> None:
    driver = Everything()
    assert fates(Mock(driver), driver).keys() == {"adapted"}


async def test_it_is_made_by_a_configuration() -> None:
    options = {"latency": [0, 0.001], "failure_rate": 1, "error": "Timeout", "fail_on": ["write"]}
    layers = [{"layer": "mock", **options, "seed": 3, "max_files": 9, "when": "after"}]
    config = {"default": "m", "disks": {"m": {"driver": "memory", "layers": layers}}}
    async with StorageManager.isolated(config) as manager:
        with pytest.raises(StorageError):
            await manager.put("a", b"x")
        assert await manager.get("a") == b"x"
