"""Connections that break, stall or dawdle, at any byte: the right object or none, within a deadline."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Timeout, Unavailable
from storeroom.contracts.values import Stat
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    asked,
    each,
    files,
    operations,
    outcome,
    random_bytes,
    read,
    streamed,
)
from tests.servers.proxy import Direction, Ending, Proxy
from tests.servers.s3 import S3Server

STEP = 256 << 10
NEW = random_bytes(8 * MIB)
PLACES = len(NEW) // STEP
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


def places(rounds: int) -> list[int]:
    """So many of the places at every 256 KiB, the first and the last among them."""
    return [PLACES * at // (rounds - 1) * STEP for at in range(rounds)]


@pytest.fixture(params=["fin", "rst"])
def ending(request: pytest.FixtureRequest) -> Ending:
    found: Ending = request.param
    return found


@pytest.mark.rounds(5, PLACES + 1)
async def test_a_put_cut_anywhere_is_sent_again(
    bucket: Bucket, transport: str, ending: Ending, rounds: int
) -> None:
    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, transport=transport)
            proxy.cut("up", after=after, ending=ending)
            await driver.write(f"{after}", Body(NEW))
            assert bucket.get(f"{after}") == NEW
            assert proxy.connections == 2

    await each(places(rounds), one)


@pytest.mark.rounds(3, PLACES + 1)
async def test_a_put_cut_anywhere_and_always_leaves_the_old_object(
    bucket: Bucket, ending: Ending, rounds: int
) -> None:
    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, retries=1)
            bucket.put(OLD, f"{after}")
            for _ in range(2):
                proxy.cut("up", after=after, ending=ending)
            error = await outcome(driver.write(f"{after}", Body(NEW)))
            assert isinstance(error, Unavailable), error
            assert bucket.get(f"{after}") == OLD

    await each(places(rounds), one)


@pytest.mark.rounds(5, PLACES + 1)
async def test_parts_cut_anywhere_become_the_object(
    bucket: Bucket, ending: Ending, rounds: int
) -> None:
    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, **SMALL_PARTS)
            proxy.cut("up", after=after, ending=ending)
            await driver.write(f"{after}", streamed(NEW))
            assert bucket.get(f"{after}") == NEW
            assert proxy.connections >= 2

    await each(places(rounds), one)
    assert bucket.open_uploads() == []


@pytest.mark.rounds(5, PLACES + 1)
async def test_a_get_cut_anywhere_goes_on_where_it_stopped(
    bucket: Bucket, transport: str, ending: Ending, rounds: int
) -> None:
    bucket.put(NEW)

    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, transport=transport)
            proxy.cut("down", after=after, ending=ending)
            assert await read(driver) == NEW
            assert proxy.connections == 2
            if ending == "fin":  # what was under way when a reset came is lost
                assert proxy.passed["down"] < len(NEW) + MIB

    await each(places(rounds), one)


@pytest.mark.rounds(3, PLACES + 1)
async def test_a_get_cut_again_and_again_gets_everything(bucket: Bucket, rounds: int) -> None:
    """Every try that brought something on has the tries of a fresh request."""
    bucket.put(NEW)
    async with Proxy(bucket.port) as proxy:
        driver = bucket.driver(proxy.port, retries=1)
        for after in places(rounds)[1:]:
            proxy.cut("down", after=after)
        assert await read(driver) == NEW


async def test_a_get_cut_for_ever_is_unavailable(bucket: Bucket, proxy: Proxy) -> None:
    bucket.put(NEW)
    driver = bucket.driver(proxy.port, retries=1)
    proxy.cut("down", after=3 * MIB)
    async with await driver.read(KEY) as source:
        got = await source.read(MIB)
        await proxy.stop()
        error = await outcome(source.read())
    assert got == NEW[:MIB]
    assert isinstance(error, Unavailable), error


async def test_a_cut_reply_to_a_small_request_is_asked_for_again(
    bucket: Bucket, transport: str, ending: Ending
) -> None:
    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, transport=transport)
            for verb, expected in (
                (lambda: driver.write(f"{after}/a", Body(b"small")), Stat),
                (lambda: driver.stat(f"{after}/a"), Stat),
                (lambda: read(driver, f"{after}/a"), bytes),
                (lambda: files(driver), list),
                (lambda: driver.remove(f"{after}/a"), type(None)),
            ):
                proxy.cut("down", after=after, ending=ending)
                assert isinstance(await verb(), expected)
            assert bucket.get(f"{after}/a") is None
            assert proxy.connections == 6

    await each((0, 1, 15, 17, 100), one, at_once=5)


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_reset_of_all_connections_in_the_middle(
    bucket: Bucket, proxy: Proxy, direction: Direction
) -> None:
    driver = bucket.driver(proxy.port, **SMALL_PARTS)
    data = random_bytes(22 * MIB)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), MIB):
            if start == 18 * MIB:
                await proxy.reset()
            yield data[start : start + MIB]

    if direction == "up":
        await driver.write(KEY, Body(chunks))
        assert bucket.get() == data
        assert bucket.open_uploads() == []
        return
    bucket.put(data)
    async with await driver.read(KEY) as source:
        got = await source.read(3 * MIB)
        await proxy.reset()
        assert got + await source.read() == data


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


async def test_a_kept_connection_that_died_is_replaced(
    bucket: Bucket, proxy: Proxy, ending: Ending
) -> None:
    driver = bucket.driver(proxy.port, retries=1)
    await driver.write(KEY, Body(OLD))
    proxy.cut("up", after=0, ending=ending)
    with bucket.strict.watching() as wire:
        await driver.write(KEY, Body(NEW))
    assert operations(wire) == ["PUT"]


async def test_the_rest_is_asked_for_by_range_and_etag(
    bucket: Bucket, proxy: Proxy, transport: str
) -> None:
    driver = bucket.driver(proxy.port, transport=transport)
    etag = (await driver.write(KEY, Body(NEW))).etag
    proxy.cut("down", after=5 * MIB)
    with bucket.strict.watching() as wire:
        assert await read(driver) == NEW
    first, second = asked(wire, "GET")
    assert "range" not in first.headers
    start = int(second.headers["range"].removeprefix("bytes=").rstrip("-0123456789") or 0)
    assert second.headers["if-match"] == etag
    assert start >= 0
    assert second.status == 206


@pytest.mark.parametrize("name", ["moto", "rclone"])
@pytest.mark.rounds(2, PLACES + 1)
async def test_other_servers_are_as_safe(
    name: str, request: pytest.FixtureRequest, rounds: int
) -> None:
    server: S3Server = request.getfixturevalue(name)
    bucket = Bucket(server, server.make_bucket())

    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, **SMALL_PARTS)
            proxy.cut("up", after=after, ending="fin")
            await driver.write(f"{after}", streamed(NEW))
            proxy.cut("down", after=after, ending="rst")
            assert await read(driver, f"{after}") == NEW

    await each(places(rounds), one)
    await bucket.aclose()
