"""Services that fall silent, dawdle or close late: a time-out for silence, and for nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Timeout, Unavailable
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    each,
    files,
    outcome,
    random_bytes,
    read,
    streamed,
)
from tests.servers.proxy import Proxy

NEW = random_bytes(8 * MIB)
OLD = b"old"
BROKEN = (Unavailable, Timeout)
SECOND = timedelta(seconds=1)
VERBS: dict[str, Callable[[S3Driver, str], Awaitable[object]]] = {
    "stat": lambda driver, path: driver.stat(path),
    "read": lambda driver, path: driver.read(path),
    "write": lambda driver, path: driver.write(path, Body(NEW)),
    "remove": lambda driver, path: driver.remove(path),
    "scan": lambda driver, path: files(driver),
}


async def test_a_black_hole_is_a_time_out(bucket: Bucket, transport: str) -> None:
    async def one(verb: str) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, retries=1, timeout=0.3, transport=transport)
            await driver.write(verb, Body(OLD))
            proxy.black_hole()
            began = time.monotonic()
            error = await outcome(VERBS[verb](driver, verb), within=5)
            assert isinstance(error, BROKEN), (verb, error)
            assert 0.3 <= time.monotonic() - began < 3
            proxy.let_pass()
            assert bucket.get(verb) in {"write": (OLD, NEW), "remove": (OLD, None)}.get(
                verb, (OLD,)
            )
            driver = bucket.driver(proxy.port, transport=transport)
            await driver.write(verb, Body(b"goes on"))
            assert await read(driver, verb) == b"goes on"

    await each(VERBS, one, at_once=5)


async def test_a_black_hole_that_ends_is_survived(bucket: Bucket, proxy: Proxy) -> None:
    bucket.put(NEW)
    driver = bucket.driver(proxy.port, timeout=0.4)
    async with await driver.read(KEY) as source:
        got = await source.read(MIB)
        proxy.black_hole()
        asyncio.get_running_loop().call_later(0.6, proxy.let_pass)
        assert got + await source.read() == NEW


async def test_a_black_hole_in_the_middle_of_parts_leaves_a_word_and_no_object(
    bucket: Bucket, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody can clear parts without a connection; `sweep` can, later."""
    driver = bucket.driver(proxy.port, retries=0, timeout=0.4, **SMALL_PARTS)

    async def chunks() -> AsyncIterator[bytes]:
        yield NEW
        yield NEW
        proxy.black_hole()
        yield NEW

    error = await outcome(driver.write(KEY, Body(chunks)), within=5)
    assert isinstance(error, BROKEN), error
    assert "left behind; sweep clears them" in caplog.text
    proxy.let_pass()
    assert bucket.get() is None
    await driver.sweep(-SECOND)
    assert bucket.open_uploads() == []


async def test_latency_costs_time_and_nothing_else(bucket: Bucket, proxy: Proxy) -> None:
    driver = bucket.driver(proxy.port, timeout=1, **SMALL_PARTS)
    proxy.latency = 0.05
    await driver.write(KEY, streamed(NEW))
    assert await read(driver) == NEW
    assert await files(driver) == [KEY]
    assert bucket.open_uploads() == []


async def test_more_latency_than_the_time_out_is_a_time_out(bucket: Bucket, proxy: Proxy) -> None:
    driver = bucket.driver(proxy.port, timeout=0.2, retries=1)
    proxy.latency = 1
    assert isinstance(await outcome(driver.stat(KEY), within=5), BROKEN)


async def test_a_slow_download_is_no_time_out(bucket: Bucket, proxy: Proxy, transport: str) -> None:
    """The time-out is for silence, not for the whole."""
    bucket.put(NEW[:MIB])
    driver = bucket.driver(proxy.port, timeout=0.3, retries=0, transport=transport)
    proxy.bandwidth = 2 * MIB
    assert await read(driver) == NEW[:MIB]


@pytest.mark.long
async def test_a_slow_upload_is_no_time_out(bucket: Bucket, proxy: Proxy, transport: str) -> None:
    """What the system's buffers hold, some MiB, has left as far as anybody can tell."""
    driver = bucket.driver(
        proxy.port, timeout=3, retries=0, transport=transport, multipart_threshold=32 * MIB
    )
    proxy.bandwidth = 4 * MIB
    data = random_bytes(32 * MIB)
    await driver.write(KEY, Body(data))
    assert bucket.get() == data


async def test_connections_that_close_late_do_no_harm(
    bucket: Bucket, proxy: Proxy, transport: str
) -> None:
    driver = bucket.driver(proxy.port, transport=transport, **SMALL_PARTS)
    proxy.slow_close = 0.3
    await driver.write(KEY, streamed(NEW))
    proxy.cut("down", after=5 * MIB, ending="fin")
    assert await read(driver) == NEW
    await driver.remove(KEY)
    assert bucket.open_uploads() == []
