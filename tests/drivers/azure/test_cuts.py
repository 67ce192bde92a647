"""Connections that break at any byte: the right file or none, and nothing sent in vain."""

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Unavailable
from storeroom.contracts.values import Stat
from tests.drivers.azure.container import Container, files, operations, read
from tests.drivers.s3.bucket import KEY, MIB, each, outcome, random_bytes, streamed
from tests.servers.azure import AzureServer
from tests.servers.proxy import Ending, Proxy

STEP = 256 << 10
NEW = random_bytes(8 * MIB)
PLACES = len(NEW) // STEP
PARTS = {"part_size": 2 * MIB, "multipart_threshold": 2 * MIB}
OLD = b"old"


def places(rounds: int) -> list[int]:
    """So many of the places at every 256 KiB, the first and the last among them."""
    return [PLACES * at // (rounds - 1) * STEP for at in range(rounds)]


@pytest.fixture(params=["fin", "rst"])
def ending(request: pytest.FixtureRequest) -> Ending:
    found: Ending = request.param
    return found


@pytest.mark.rounds(4, PLACES + 1)
async def test_a_put_cut_anywhere_is_sent_again(
    container: Container, ending: Ending, rounds: int
) -> None:
    async def one(after: int) -> None:
        async with Proxy(container.port) as proxy:
            driver = container.driver(proxy.port)
            proxy.cut("up", after=after, ending=ending)
            await driver.write(f"{after}", Body(NEW))
            assert container.get(f"{after}") == NEW
            assert proxy.connections == 2

    await each(places(rounds), one)


@pytest.mark.rounds(3, PLACES + 1)
async def test_a_put_cut_anywhere_and_always_leaves_the_old_file(
    container: Container, ending: Ending, rounds: int
) -> None:
    async def one(after: int) -> None:
        async with Proxy(container.port) as proxy:
            driver = container.driver(proxy.port, retries=1)
            container.put(OLD, f"{after}")
            for _ in range(2):
                proxy.cut("up", after=after, ending=ending)
            error = await outcome(driver.write(f"{after}", Body(NEW)))
            assert isinstance(error, Unavailable), error
            assert container.get(f"{after}") == OLD

    await each(places(rounds), one)


@pytest.mark.rounds(4, PLACES + 1)
async def test_blocks_cut_anywhere_become_the_file(
    container: Container, ending: Ending, rounds: int
) -> None:
    async def one(after: int) -> None:
        async with Proxy(container.port) as proxy:
            driver = container.driver(proxy.port, **PARTS)
            proxy.cut("up", after=after, ending=ending)
            await driver.write(f"{after}", streamed(NEW))
            assert container.get(f"{after}") == NEW
            assert proxy.connections >= 2

    await each(places(rounds), one)


@pytest.mark.rounds(2, PLACES + 1)
async def test_cuts_under_tls_are_as_harmless(
    secure: Container, ending: Ending, rounds: int
) -> None:
    async def one(after: int) -> None:
        async with Proxy(secure.port) as proxy:
            driver = secure.driver(proxy.port, **PARTS)
            proxy.cut("up", after=after, ending=ending)
            await driver.write(f"{after}", streamed(NEW))
            proxy.cut("down", after=after, ending=ending)
            assert await read(driver, f"{after}") == NEW

    await each(places(rounds), one)


@pytest.mark.rounds(4, PLACES + 1)
async def test_a_get_cut_anywhere_goes_on_where_it_stopped(
    container: Container, ending: Ending, rounds: int
) -> None:
    container.put(NEW)

    async def one(after: int) -> None:
        async with Proxy(container.port) as proxy:
            driver = container.driver(proxy.port)
            proxy.cut("down", after=after, ending=ending)
            assert await read(driver) == NEW
            assert proxy.connections == 2
            if ending == "fin":  # what was under way when a reset came is lost
                assert proxy.passed["down"] < len(NEW) + MIB

    await each(places(rounds), one)


@pytest.mark.rounds(2, PLACES + 1)
async def test_pieces_fetched_side_by_side_and_cut_anywhere_are_whole(
    container: Container, ending: Ending, rounds: int
) -> None:
    data = random_bytes(16 * MIB)
    container.put(data)

    async def one(after: int) -> None:
        async with Proxy(container.port) as proxy:
            driver = container.driver(proxy.port, download_concurrency=3, **PARTS)
            proxy.cut("down", after=after, ending=ending)
            proxy.cut("down", after=after + 5 * MIB, ending=ending)
            assert await read(driver) == data
            assert proxy.connections > 3

    await each(places(rounds), one)


async def test_a_cut_reply_to_a_small_request_is_asked_for_again(
    container: Container, ending: Ending
) -> None:
    async def one(after: int) -> None:
        async with Proxy(container.port) as proxy:
            driver = container.driver(proxy.port)
            for verb, expected in (
                (lambda: driver.write(f"{after}/a", Body(b"small")), Stat),
                (lambda: driver.stat(f"{after}/a"), Stat),
                (lambda: read(driver, f"{after}/a"), bytes),
                (lambda: files(driver), list),
                (lambda: driver.read_tags(f"{after}/a"), dict),
                (lambda: driver.change_tags(f"{after}/a", {"a": "b"}), type(None)),
                (lambda: driver.remove(f"{after}/a"), type(None)),
            ):
                proxy.cut("down", after=after, ending=ending)
                assert isinstance(await verb(), expected)
            assert container.get(f"{after}/a") is None
            assert proxy.connections == 8

    await each((0, 1, 15, 17, 100), one, at_once=5)


async def test_a_kept_connection_that_died_is_replaced(
    container: Container, proxy: Proxy, ending: Ending
) -> None:
    driver = container.driver(proxy.port, retries=1)
    await driver.write(KEY, Body(OLD))
    proxy.cut("up", after=0, ending=ending)
    with container.strict.watching() as wire:
        await driver.write(KEY, Body(NEW))
    assert operations(wire) == ["put"]


@pytest.mark.rounds(2, PLACES + 1)
async def test_azurite_is_as_safe(azurite: AzureServer, rounds: int) -> None:
    container = Container(azurite, azurite.make_container())

    async def one(after: int) -> None:
        async with Proxy(container.port) as proxy:
            driver = container.driver(proxy.port, **PARTS)
            proxy.cut("up", after=after, ending="fin")
            await driver.write(f"{after}", streamed(NEW))
            proxy.cut("down", after=after, ending="rst")
            assert await read(driver, f"{after}") == NEW

    await each(places(rounds), one)
    await container.aclose()
