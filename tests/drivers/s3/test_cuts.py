"""Connections that break at any byte: the right object or none, and nothing sent in vain."""

from collections.abc import AsyncIterator

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Unavailable
from storeroom.contracts.values import Stat
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
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
from tests.servers.strict_s3 import StrictS3

STEP = 256 << 10
NEW = random_bytes(8 * MIB)
PLACES = len(NEW) // STEP
OLD = b"old"


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


@pytest.mark.rounds(2, PLACES + 1)
async def test_cuts_under_tls_are_as_harmless(
    strict_s3_tls: StrictS3, levers: None, transport: str, ending: Ending, rounds: int
) -> None:
    bucket = Bucket(strict_s3_tls, strict_s3_tls.make_bucket())
    options = {"transport": transport, "verify": str(strict_s3_tls.authority)}

    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, **options, **SMALL_PARTS)
            proxy.cut("up", after=after, ending=ending)
            await driver.write(f"{after}", streamed(NEW))
            proxy.cut("down", after=after, ending=ending)
            assert await read(driver, f"{after}") == NEW

    await each(places(rounds), one)
    assert bucket.open_uploads() == []
    await bucket.aclose()


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
async def test_pieces_fetched_side_by_side_and_cut_anywhere_are_whole(
    bucket: Bucket, transport: str, ending: Ending, rounds: int
) -> None:
    data = random_bytes(16 * MIB)
    bucket.put(data)

    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            options = {"transport": transport, "download_concurrency": 3, **SMALL_PARTS}
            driver = bucket.driver(proxy.port, **options)
            proxy.cut("down", after=after, ending=ending)
            proxy.cut("down", after=after + 5 * MIB, ending=ending)
            assert await read(driver) == data
            assert proxy.connections > 3

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


async def test_a_kept_connection_that_died_is_replaced(
    bucket: Bucket, proxy: Proxy, ending: Ending
) -> None:
    driver = bucket.driver(proxy.port, retries=1)
    await driver.write(KEY, Body(OLD))
    proxy.cut("up", after=0, ending=ending)
    with bucket.strict.watching() as wire:
        await driver.write(KEY, Body(NEW))
    assert operations(wire) == ["PUT"]


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
