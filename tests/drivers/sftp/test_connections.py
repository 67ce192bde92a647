"""Connections: one for many requests, kept, checked when idle, replaced, closed."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Closed, Timeout, Unavailable
from storeroom.drivers._sftp import service
from storeroom.drivers._sftp.failures import Lost
from storeroom.drivers._sftp.session import Session
from storeroom.testing._suite.frame import elsewhere
from tests.drivers.sftp.share import (
    KEY,
    Share,
    listed,
    outcome,
    random_bytes,
    read,
    streamed,
    until,
)
from tests.servers.proxy import Ending, Proxy
from tests.servers.sshd import Sshd

NEW = random_bytes(4 << 20)


async def test_one_connection_carries_many_requests_at_once(share: Share, proxy: Proxy) -> None:
    driver = share.driver(proxy.port)

    async def one(number: int) -> None:
        await driver.write(f"f/{number}", Body(b"%d" % number))
        assert await read(driver, f"f/{number}") == b"%d" % number

    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(one(number))
    assert proxy.connections == 1


async def test_there_are_as_many_connections_as_asked_for(share: Share, proxy: Proxy) -> None:
    driver = share.driver(proxy.port, connections=3)
    await driver.write(KEY, Body(b"x"))
    assert proxy.connections == 1
    await asyncio.gather(*(driver.write(f"{n}", streamed(NEW)) for n in range(9)))
    assert proxy.connections == 3
    assert all([await read(driver, f"{n}") == NEW for n in range(9)])
    assert proxy.connections == 3


async def test_all_who_wait_for_a_dead_server_share_one_try(share: Share, proxy: Proxy) -> None:
    proxy.black_hole()
    driver = share.driver(proxy.port, retries=0, timeout=0.4)
    began = time.monotonic()
    errors = await asyncio.gather(*(outcome(driver.stat(f"{n}"), within=5) for n in range(6)))
    assert time.monotonic() - began < 2
    assert all(isinstance(error, Timeout) for error in errors)
    assert [error.path for error in errors if isinstance(error, Timeout)] == list("012345")
    assert proxy.connections == 1
    proxy.let_pass()
    await driver.write(KEY, Body(b"x"))


async def test_who_gives_up_does_not_end_the_opening_for_the_others(
    share: Share, proxy: Proxy
) -> None:
    proxy.latency = 0.05
    driver = share.driver(proxy.port)
    first, second = (asyncio.create_task(driver.has_folder("x")) for _ in range(2))
    await asyncio.sleep(0.1)
    first.cancel()
    assert await second is False
    assert first.cancelled()
    assert proxy.connections == 1


async def test_a_second_connection_that_is_refused_is_done_without(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = share.driver(connections=3, retries=0)
    await driver.write(KEY, Body(b"x"))
    (pool,) = driver._service._loops._clients.values()
    tries: list[None] = []

    async def refused() -> Session:
        tries.append(None)
        raise Lost("unreachable", "too many connections")

    monkeypatch.setattr(pool, "_connect", refused)
    await asyncio.gather(*(driver.write(f"{n}", streamed(NEW)) for n in range(9)))
    assert all([await read(driver, f"{n}") == NEW for n in range(9)])
    assert len(tries) == 1


async def test_nothing_is_opened_before_it_is_needed(share: Share, proxy: Proxy) -> None:
    driver = share.driver(proxy.port)
    assert driver.traits.service == "sftp"
    scan = driver.scan()
    await scan.aclose()
    await driver.aclose()
    assert proxy.connections == 0


async def test_a_restart_of_the_server_costs_one_retry_and_no_error(
    sshd: Sshd, share: Share
) -> None:
    driver = share.driver(retries=6)
    await driver.write(KEY, Body(b"old"))
    await asyncio.to_thread(sshd.restart)
    assert await read(driver) == b"old"
    await asyncio.to_thread(sshd.restart)
    await driver.write(KEY, Body(b"new"))
    assert share.names() == [KEY]
    assert share.get() == b"new"


async def test_a_restart_in_the_middle_of_transfers_is_not_felt(sshd: Sshd, share: Share) -> None:
    driver = share.driver(retries=6)
    share.put(NEW, "source")

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(NEW), 1 << 20):
            if start == 2 << 20:
                await asyncio.to_thread(sshd.restart)
            yield NEW[start : start + (1 << 20)]

    async with await driver.read("source") as source:
        got = await source.read(1000)
        await driver.write(KEY, Body(chunks))
        assert got + await source.read() == NEW
    assert share.get() == NEW
    assert share.names() == [KEY, "source"]


@pytest.mark.parametrize("ending", ["fin", "rst"])
async def test_a_kept_connection_that_died_is_replaced(
    share: Share, proxy: Proxy, ending: Ending
) -> None:
    driver = share.driver(proxy.port, retries=1)
    await driver.write(KEY, Body(b"old"))
    proxy.cut("up", after=0, ending=ending)
    await driver.write(KEY, Body(b"new"))
    assert share.get() == b"new"
    assert proxy.connections == 2
    await proxy.reset()
    assert await read(driver) == b"new"
    assert proxy.connections == 3


async def test_an_idle_connection_is_looked_at_before_it_is_used(
    share: Share, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that a firewall forgot would swallow requests for as long as the time-out."""
    monkeypatch.setattr(service, "_IDLE", -1.0)
    monkeypatch.setattr(service, "_PATIENCE", 0.2)
    driver = share.driver(proxy.port, timeout=30)
    await driver.write(KEY, Body(b"x"))
    proxy.black_hole()
    asking = asyncio.create_task(read(driver))
    await asyncio.wait([asking], timeout=0.5)
    proxy.let_pass()
    assert await asking == b"x"
    assert proxy.connections == 2


async def test_each_loop_has_a_connection_of_its_own(share: Share, proxy: Proxy) -> None:
    driver = share.driver(proxy.port)
    await driver.write(KEY, Body(b"x"))
    for _ in range(3):
        assert await asyncio.to_thread(elsewhere, read(driver)) == b"x"
    assert await read(driver) == b"x"
    assert proxy.connections == 4


async def test_loops_that_ended_leave_no_connection_open(sshd: Sshd, share: Share) -> None:
    driver = share.driver()
    await driver.write(KEY, Body(b"x"))
    before = sshd.sessions()
    for _ in range(5):
        await asyncio.to_thread(elsewhere, read(driver))
    await until(lambda: sshd.sessions() <= before)
    await driver.aclose()
    await until(lambda: sshd.sessions() < before)


async def test_closing_ends_what_is_under_way(share: Share, proxy: Proxy) -> None:
    driver = share.driver(proxy.port)
    await driver.write(KEY, Body(NEW))
    source = await driver.read(KEY)
    await source.read(10)
    proxy.black_hole()
    asking = asyncio.create_task(outcome(driver.stat(KEY)))
    await asyncio.sleep(0)
    await driver.aclose()
    assert isinstance(await asking, Closed | Unavailable)
    assert isinstance(await outcome(driver.stat(KEY)), Closed)
    proxy.let_pass()
    await source.aclose()


async def test_closing_does_not_wait_for_a_connection_that_is_being_opened(
    share: Share, proxy: Proxy
) -> None:
    driver = share.driver(proxy.port, timeout=4, retries=0)
    proxy.black_hole()
    asking = [asyncio.create_task(outcome(driver.stat(KEY))) for _ in range(3)]
    await until(lambda: proxy.connections == 1)
    await driver.aclose()
    assert all(isinstance(error, Closed) for error in await asyncio.gather(*asking))
    assert not [task for task in asyncio.all_tasks() if "_sftp" in repr(task)]
    proxy.let_pass()


async def test_sources_that_are_forgotten_close_their_files(sshd: Sshd, share: Share) -> None:
    driver = share.driver()
    share.put(NEW)
    for _ in range(20):
        source = await driver.read(KEY)
        await source.read(1)
        del source
    gc.collect()
    await listed(driver)
    await listed(driver)
    assert sshd.open_files(KEY) == 0
