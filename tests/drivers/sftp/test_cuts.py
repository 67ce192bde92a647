"""Connections that break at any byte: the right file or the old one, and every cut is noticed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Unavailable
from storeroom.contracts.values import PLAIN, ReadOptions, Stat, WriteOptions
from storeroom.drivers.sftp import SFTPDriver
from tests.drivers.sftp.share import (
    KEY,
    MIB,
    Share,
    each,
    listed,
    outcome,
    random_bytes,
    read,
    streamed,
)
from tests.servers.proxy import Ending, Proxy

STEP = 64 << 10
NEW = random_bytes(4 * MIB)
PLACES = len(NEW) // STEP
OLD = b"old"
DAY = timedelta(days=1)


def places(rounds: int) -> list[int]:
    """So many of the places at every 64 KiB, the first and the last among them."""
    return [PLACES * at // (rounds - 1) * STEP for at in range(rounds)]


@pytest.fixture(params=["fin", "rst"])
def ending(request: pytest.FixtureRequest) -> Ending:
    found: Ending = request.param
    return found


@pytest.mark.rounds(4, PLACES + 1)
async def test_a_write_cut_anywhere_goes_on_over_another_connection(
    each_share: Share, ending: Ending, rounds: int
) -> None:
    share = each_share

    async def one(after: int) -> None:
        async with Proxy(share.port) as proxy:
            driver = share.driver(proxy.port)
            share.put(OLD, f"{after}")
            proxy.cut("up", after=after, ending=ending)
            body = Body(NEW) if after % (2 * STEP) else streamed(NEW, 100_000)
            stat = await driver.write(f"{after}", body)
            assert stat.size == len(NEW)
            assert share.get(f"{after}") == NEW
            assert proxy.connections == 2
            assert await read(driver, f"{after}") == NEW

    await each(places(rounds), one)
    assert share.temporaries() == []


@pytest.mark.rounds(3, PLACES + 1)
async def test_a_write_cut_anywhere_and_always_leaves_the_old_file(
    share: Share, ending: Ending, rounds: int
) -> None:
    async def one(after: int) -> None:
        async with Proxy(share.port) as proxy:
            driver = share.driver(proxy.port, retries=0)
            share.put(OLD, f"{after}")
            proxy.cut("up", after=after, ending=ending)
            error = await outcome(driver.write(f"{after}", Body(NEW)))
            assert isinstance(error, Unavailable), error
            assert share.get(f"{after}") == OLD
            assert await read(driver, f"{after}") == OLD

    await each(places(rounds)[:-1], one)
    driver = share.driver()
    await driver.sweep(-2 * DAY)
    assert share.temporaries() == []


@pytest.mark.rounds(4, PLACES + 1)
async def test_a_read_cut_anywhere_goes_on_where_it_stopped(
    each_share: Share, ending: Ending, rounds: int
) -> None:
    share = each_share
    share.put(NEW)

    async def one(after: int) -> None:
        async with Proxy(share.port) as proxy:
            driver = share.driver(proxy.port)
            proxy.cut("down", after=after, ending=ending)
            assert await read(driver) == NEW
            assert proxy.connections == 2
            assert (await driver.stat(KEY)).size == len(NEW)

    await each(places(rounds), one)


@pytest.mark.rounds(3, PLACES + 1)
async def test_a_read_cut_without_retries_is_an_error_and_never_short(
    share: Share, ending: Ending, rounds: int
) -> None:
    share.put(NEW)

    async def one(after: int) -> None:
        async with Proxy(share.port) as proxy:
            driver = share.driver(proxy.port, retries=0)
            proxy.cut("down", after=after, ending=ending)
            error = await outcome(read(driver))
            assert isinstance(error, Unavailable), error
            assert await read(driver) == NEW

    await each(places(rounds)[:-1], one)


async def test_a_temporary_goes_also_where_the_connection_breaks_while_it_is_removed(
    share: Share, proxy: Proxy, ending: Ending
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"
        proxy.cut("up", after=0, ending=ending)
        raise KeyError

    with pytest.raises(KeyError):
        await share.driver(proxy.port).write(KEY, Body(chunks))
    assert share.names() == []


async def test_a_read_cut_again_and_again_gets_everything(share: Share) -> None:
    """Every try that brought something on has the tries of a fresh request."""
    share.put(NEW)
    async with Proxy(share.port) as proxy:
        driver = share.driver(proxy.port, retries=1)
        for after in range(MIB // 2, 4 * MIB, MIB // 2):
            proxy.cut("down", after=after)
        assert await read(driver) == NEW
        assert await read(driver, KEY) == NEW


async def test_a_range_cut_in_the_middle_goes_on_in_the_middle(share: Share) -> None:
    share.put(NEW)
    async with Proxy(share.port) as proxy:
        driver = share.driver(proxy.port)
        proxy.cut("down", after=MIB)
        async with await driver.read(KEY, ReadOptions(MIB - 1, 3 * MIB + 1)) as source:
            assert await source.read() == NEW[MIB - 1 : 3 * MIB + 1]


async def test_a_read_does_not_go_on_in_another_file(share: Share, proxy: Proxy) -> None:
    share.put(NEW)
    driver = share.driver(proxy.port)
    async with await driver.read(KEY) as source:
        got = await source.read(10)
        await share.driver().write(KEY, Body(NEW[:-1]))
        await proxy.reset()
        error = await outcome(source.read())
    assert got == NEW[:10]
    assert isinstance(error, Unavailable), error
    assert "changed" in error.reason


VERBS: dict[str, Callable[[SFTPDriver], Awaitable[object]]] = {
    "write": lambda driver: driver.write("f/a", Body(b"small")),
    "create": lambda driver: driver.write("f/b", Body(b"small"), WriteOptions(overwrite=False)),
    "stat": lambda driver: driver.stat("f/a"),
    "read": lambda driver: read(driver, "f/a"),
    "scan": listed,
    "copy": lambda driver: driver.copy_within("f/a", "f/c", PLAIN),
    "move": lambda driver: driver.rename("f/c", "g/d"),
    "move only to where nothing is": lambda driver: driver.rename(
        "g/d", "g/e", WriteOptions(overwrite=False)
    ),
    "make a folder": lambda driver: driver.make_folder("h/i"),
    "remove a folder": lambda driver: driver.remove_folder("h"),
    "remove": lambda driver: driver.remove("f/b"),
}


@pytest.mark.rounds(4, 40)
async def test_a_verb_that_loses_any_of_its_replies_is_carried_out_once(
    share: Share, ending: Ending, rounds: int
) -> None:
    async def one(number: int) -> None:
        inner = Share(share.server, f"{share.name}/{number}")
        async with Proxy(share.port) as proxy:
            driver = inner.driver(proxy.port)
            for name, verb in VERBS.items():
                await driver.has_folder("x")
                proxy.lose_reply(number, ending=ending)
                answer = await verb(driver)
                assert not isinstance(answer, bool) or answer, (name, number)
                assert name != "stat" or isinstance(answer, Stat)
                proxy.heal()
            assert inner.names() == ["f/a", "g/e"], number
            assert inner.get("f/a") == inner.get("g/e") == b"small"
        await inner.aclose()

    await each(range(1, rounds), one)


@pytest.mark.parametrize(
    ("name", "is_safe_again"), [("write", True), ("create", False), ("move", False)]
)
async def test_a_verb_without_retries_that_loses_its_last_reply_says_that_the_outcome_is_unknown(
    share: Share,
    name: str,
    *,
    is_safe_again: bool,
) -> None:
    path = {"write": "f/a", "create": "f/b", "move": "g/d"}[name]
    told: list[Unavailable] = []
    for number in range(1, 7):
        share.remove(path)
        share.put(b"small", "f/c")
        share.put(b"", "g/beside")
        async with Proxy(share.port) as proxy:
            driver = share.driver(proxy.port, retries=0)
            await driver.has_folder("x")
            proxy.lose_reply(number)
            answer = await outcome(VERBS[name](driver))
        if isinstance(answer, Unavailable) and share.get(path) is not None:
            told.append(answer)
    assert told
    assert all("the outcome is unknown" in error.reason for error in told)
    assert all(error.retryable is is_safe_again for error in told)
