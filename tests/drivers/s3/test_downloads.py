"""Large files come down by ranges side by side, where `download_concurrency` says so."""

import asyncio
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts import threads
from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, Corrupted, Unavailable
from storeroom.contracts.values import ReadOptions
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    asked,
    random_bytes,
    read,
)
from tests.servers.s3 import S3Server
from tests.servers.strict_s3 import Fault

BIG = random_bytes(21 * MIB + 7)
SIDE_BY_SIDE: dict[str, Any] = {"download_concurrency": 3, **SMALL_PARTS}
STEP = 5 * MIB


@pytest.fixture
def full(bucket: Bucket) -> Bucket:
    bucket.put(BIG)
    return bucket


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def content(file: Path) -> bytes:
    return file.read_bytes()


async def test_a_download_asks_for_pieces(
    full: Bucket, each_transport: str, tmp_path: Path
) -> None:
    driver = full.driver(transport=each_transport, **SIDE_BY_SIDE)
    done: list[int] = []
    with full.strict.watching() as wire:
        target = await driver.download_to(
            KEY, tmp_path / "a", progress=lambda at, total: done.append(at)
        )
    assert content(target) == BIG
    assert len(asked(wire, "GET")) == 5
    assert done == sorted(done)
    assert done[-1] == len(BIG)
    assert names(tmp_path) == ["a"]


async def test_pieces_are_asked_for_ahead(full: Bucket, each_transport: str) -> None:
    """Two more requests are answered while the first byte is read."""
    full.fail(Fault("answer", method="GET", skip=1, times=2))
    driver = full.driver(transport=each_transport, **SIDE_BY_SIDE)
    async with await driver.read(KEY) as source, asyncio.timeout(10):
        first = await source.read(1)
        while await threads.run(full.strict.faults_left):
            pass
        assert first + await source.read() == BIG


@pytest.mark.parametrize("server", ["moto", "rclone"])
async def test_other_servers_give_pieces_too(server: str, request: pytest.FixtureRequest) -> None:
    running: S3Server = request.getfixturevalue(server)
    bucket = Bucket(running, running.make_bucket())
    driver = bucket.driver(**SIDE_BY_SIDE)
    await driver.write("a", Body(BIG))
    assert await read(driver, "a") == BIG
    how = ReadOptions(start=3, stop=len(BIG) - 3)
    async with await driver.read("a", how) as source:
        assert await source.read() == BIG[3:-3]
    await bucket.aclose()


async def test_a_file_of_two_pieces_takes_one_request(bucket: Bucket) -> None:
    bucket.put(BIG[: 2 * STEP])
    with bucket.strict.watching() as wire:
        assert await read(bucket.driver(**SIDE_BY_SIDE)) == BIG[: 2 * STEP]
    assert len(asked(wire, "GET")) == 1


async def test_memory_is_bounded(bucket: Bucket) -> None:
    data = random_bytes(60 * MIB)
    bucket.put(data)
    driver = bucket.driver(**SIDE_BY_SIDE)
    source = await driver.read(KEY)
    tracemalloc.start()
    size = 0
    async for chunk in source:
        size += len(chunk)
        await asyncio.sleep(0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == len(data)
    assert peak < (3 + 1) * STEP + 4 * MIB


async def test_a_piece_that_breaks_off_goes_on(full: Bucket) -> None:
    full.fail(Fault("cut", method="GET", skip=1, after=2 * MIB, times=2))
    full.fail(Fault("answer", method="GET", skip=1, code="SlowDown", retry_after=0))
    assert await read(full.driver(**SIDE_BY_SIDE)) == BIG


async def test_a_flipped_byte_in_any_piece_is_noticed(full: Bucket, tmp_path: Path) -> None:
    full.fail(Fault("flip", method="GET", skip=2))
    with pytest.raises(Corrupted):
        await full.driver(**SIDE_BY_SIDE).download_to(KEY, tmp_path / "a")
    assert names(tmp_path) == []


async def test_a_file_that_changes_meanwhile_is_not_mixed(full: Bucket, tmp_path: Path) -> None:
    driver = full.driver(**SIDE_BY_SIDE)
    source = await driver.read(KEY)
    await source.read(1)
    full.put(b"another")
    with pytest.raises(Unavailable, match="the file changed before all of it was read"):
        await source.read()
    await source.aclose()


async def test_leaving_early_gives_everything_back(full: Bucket, each_transport: str) -> None:
    driver = full.driver(transport=each_transport, **SIDE_BY_SIDE)
    before = asyncio.all_tasks()
    async with await driver.read(KEY) as source:
        await source.read(6 * MIB)
    assert asyncio.all_tasks() <= before
    source = await driver.read(KEY)
    await source.read(1)
    del source
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() <= before


async def test_a_cancelled_download_leaves_nothing(full: Bucket, tmp_path: Path) -> None:
    driver = full.driver(**SIDE_BY_SIDE)
    before = asyncio.all_tasks()
    started = asyncio.Event()
    work = asyncio.create_task(
        driver.download_to(KEY, tmp_path / "a", progress=lambda at, total: started.set())
    )
    await started.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert names(tmp_path) == []
    assert asyncio.all_tasks() <= before


def test_at_least_one_at_a_time() -> None:
    with pytest.raises(ConfigError, match="download_concurrency is at least 1"):
        S3Driver("media", download_concurrency=0)
