"""Connections that break at any byte: the right object or none, and nothing sent in vain."""

from collections.abc import AsyncIterator

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Unavailable
from storeroom.contracts.values import ReadOptions, Stat
from tests.drivers.gcs.bucket import QUANTUM, SMALL_PARTS, Bucket, files, read
from tests.drivers.s3.bucket import KEY, MIB, each, outcome, random_bytes, streamed
from tests.servers.proxy import Direction, Ending, Proxy
from tests.servers.strict_gcs import StrictGcs

NEW = random_bytes(4 * MIB)
PLACES = len(NEW) // QUANTUM
OLD = b"old"


def places(rounds: int) -> list[int]:
    """So many of the places at every 256 KiB and a bit, the first and the last among them."""
    return [PLACES * at // (rounds - 1) * QUANTUM + at for at in range(rounds)]


@pytest.fixture(params=["fin", "rst"])
def ending(request: pytest.FixtureRequest) -> Ending:
    found: Ending = request.param
    return found


@pytest.mark.rounds(4, PLACES + 1)
async def test_an_upload_at_once_that_is_cut_anywhere_is_sent_again(
    bucket: Bucket, transport: str, ending: Ending, rounds: int
) -> None:
    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, transport=transport)
            proxy.cut("up", after=after, ending=ending)
            await driver.write(f"{after}", Body(NEW))
            assert bucket.get(f"{after}") == NEW
            assert proxy.connections == 2

    await each(places(rounds)[:-1], one)


@pytest.mark.rounds(3, PLACES + 1)
async def test_an_upload_cut_anywhere_and_always_leaves_the_old_object(
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

    await each(places(rounds)[:-1], one)


@pytest.mark.rounds(5, PLACES + 1)
async def test_a_session_cut_anywhere_goes_on_from_what_the_service_has(
    bucket: Bucket, transport: str, ending: Ending, rounds: int
) -> None:
    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, transport=transport, **SMALL_PARTS)
            proxy.cut("up", after=after, ending=ending)
            await driver.write(f"{after}", streamed(NEW))
            assert bucket.get(f"{after}") == NEW
            assert proxy.connections >= 2
            assert proxy.passed["up"] < len(NEW) + MIB + QUANTUM

    await each(places(rounds)[1:], one)
    assert bucket.open_uploads() == []


@pytest.mark.rounds(2, PLACES + 1)
async def test_replies_cut_anywhere_in_a_session_lose_nothing(
    bucket: Bucket, ending: Ending, rounds: int
) -> None:
    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, **SMALL_PARTS)
            proxy.cut("down", after=after, ending=ending)
            await driver.write(f"{after}", streamed(NEW))
            assert bucket.get(f"{after}") == NEW

    await each([0, 17, 200, 700, 1000, 1300, *range(0, 100 * (rounds - 2), 100)], one)


@pytest.mark.rounds(2, PLACES + 1)
async def test_cuts_under_tls_are_as_harmless(
    strict_gcs_tls: StrictGcs, levers: None, transport: str, ending: Ending, rounds: int
) -> None:
    bucket = Bucket(strict_gcs_tls, strict_gcs_tls.make_bucket())
    options = {"transport": transport, "verify": str(strict_gcs_tls.authority)}

    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, **options, **SMALL_PARTS)
            proxy.cut("up", after=after, ending=ending)
            await driver.write(f"{after}", streamed(NEW))
            proxy.cut("down", after=after, ending=ending)
            assert await read(driver, f"{after}") == NEW

    await each(places(rounds)[1:], one)
    assert bucket.open_uploads() == []
    await bucket.aclose()


@pytest.mark.rounds(5, PLACES + 1)
async def test_a_download_cut_anywhere_goes_on_where_it_stopped(
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

    await each(places(rounds)[:-1], one)


@pytest.mark.rounds(3, PLACES + 1)
async def test_pieces_fetched_side_by_side_and_cut_anywhere_are_whole(
    bucket: Bucket, transport: str, ending: Ending, rounds: int
) -> None:
    bucket.put(NEW)

    async def one(after: int) -> None:
        async with Proxy(bucket.port) as proxy:
            options = {"transport": transport, "download_concurrency": 3, **SMALL_PARTS}
            driver = bucket.driver(proxy.port, **options)
            proxy.cut("down", after=after, ending=ending)
            assert await read(driver) == NEW
            assert proxy.connections >= 3

    await each(places(rounds)[:-1], one)


async def test_a_download_that_goes_on_is_of_the_same_object(bucket: Bucket, proxy: Proxy) -> None:
    bucket.put(NEW)
    driver = bucket.driver(proxy.port)
    proxy.cut("down", after=3 * MIB)
    async with await driver.read(KEY) as source:
        await source.read(MIB)
        bucket.put(NEW[::-1])
        error = await outcome(source.read())
    assert isinstance(error, Unavailable), error
    assert "changed" in str(error)


async def test_a_download_under_if_none_match_goes_on_too(bucket: Bucket, proxy: Proxy) -> None:
    bucket.put(NEW)
    driver = bucket.driver(proxy.port)
    proxy.cut("down", after=3 * MIB)
    async with await driver.read(KEY, ReadOptions(if_none_match="1")) as source:
        assert await source.read() == NEW


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
                (lambda: driver.remove_many([f"{after}/a"]), dict),
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
    data = random_bytes(6 * MIB)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), MIB):
            if start == 4 * MIB:
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
