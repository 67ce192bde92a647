"""A server that says nothing: every wait has an end, and what waited can be done again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import StorageError, Timeout, Unavailable
from storeroom.drivers.ftp import FTPDriver
from tests.drivers.ftp.place import ELSEWHERE, KEY, MIB, Place, listed, read, way_to
from tests.drivers.s3.bucket import outcome, random_bytes, streamed
from tests.servers.ftp import FtpServer
from tests.servers.lying_ftp import LyingFtp
from tests.servers.process import HOST
from tests.servers.proxy import Proxy

BIG = random_bytes(2 * MIB)
QUICK: dict[str, Any] = {"timeout": 0.6, "retries": 0}
VERBS: dict[str, Callable[[FTPDriver], Awaitable[object]]] = {
    "write": lambda driver: driver.write(KEY, Body(BIG)),
    "write of a stream": lambda driver: driver.write(KEY, streamed(BIG)),
    "read": read,
    "stat": lambda driver: driver.stat(KEY),
    "scan": listed,
    "remove": lambda driver: driver.remove(KEY),
    "move": lambda driver: driver.rename(KEY, "b"),
    "append": lambda driver: driver.extend(KEY, Body(b"x")),
    "make a folder": lambda driver: driver.make_folder("f"),
}


@pytest.mark.parametrize("name", VERBS)
async def test_a_black_hole_is_a_timeout(place: Place, name: str) -> None:
    place.put(BIG)
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, **QUICK)
        await driver.stat(KEY)
        way.black_hole()
        began = time.monotonic()
        error = await outcome(VERBS[name](driver))
        assert isinstance(error, Timeout), error
        assert time.monotonic() - began < 8
        way.heal()
        for proxy in way.everything():
            await proxy.reset()
        place.put(BIG, "other")
        assert await driver.stat("other")


@pytest.mark.parametrize(
    "verb", ["USER", "PASS", "FEAT", "TYPE", "PWD", "EPSV", "STOR", "MLST", "RNFR", "RNTO"]
)
async def test_a_command_that_is_never_answered_is_a_timeout(lying: LyingFtp, verb: str) -> None:
    lying.lies.silent = {verb}
    driver = lying.driver(**QUICK)
    error = await outcome(driver.write(KEY, Body(BIG)))
    assert isinstance(error, (Timeout, Unavailable)), error
    lying.lies.silent.clear()
    await driver.write(KEY, Body(BIG))
    assert await read(driver) == BIG


async def test_a_data_connection_that_stops_is_a_timeout(place: Place) -> None:
    place.put(BIG)
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, **QUICK)
        async with await driver.read(KEY) as source:
            await source.read(1)
            way.black_hole()
            error = await outcome(source.read())
        assert isinstance(error, Timeout), error


async def test_slow_is_not_silent(place: Place) -> None:
    """Most of it is still in the system's hands when all is sent: that it goes on is no silence."""
    data = random_bytes(16 * MIB)
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, timeout=1.0, retries=0)
        way.slow_data(10 * MIB)
        await driver.write(KEY, Body(data))
        assert await read(driver) == data


async def test_a_reader_that_takes_its_time_is_no_timeout(place: Place) -> None:
    place.put(BIG)
    driver = place.driver(timeout=0.3, retries=0)
    async with await driver.read(KEY) as source:
        got = await source.read(1)
        await asyncio.sleep(0.7)
        assert got + await source.read() == BIG


async def test_a_body_that_takes_its_time_is_no_timeout(place: Place) -> None:
    driver = place.driver(timeout=0.3, retries=0)

    async def chunks():
        yield BIG
        await asyncio.sleep(0.7)
        yield BIG

    await driver.write(KEY, Body(chunks))
    assert place.get() == BIG + BIG


@pytest.mark.parametrize("tls", ["explicit", "implicit", False])
async def test_a_port_that_takes_connections_and_says_nothing(lying: LyingFtp, tls: Any) -> None:
    async with Proxy(lying.port) as proxy:
        proxy.black_hole()
        driver = lying.driver(port=proxy.port, tls=tls, timeout=0.3, retries=3)
        error = await outcome(driver.stat(KEY))
        assert isinstance(error, Timeout), error
        assert f"{HOST}:{proxy.port} says nothing within 0.3 s" in str(error)
        assert proxy.connections == 1  # a further try would only last as long again


async def test_nobody_at_the_port_is_unavailable_and_says_where(lying: LyingFtp) -> None:
    await lying.stop()
    error = await outcome(lying.driver(retries=1).stat(KEY))
    assert isinstance(error, Unavailable)
    assert f"{HOST}:{lying.port}" in str(error)


async def test_a_host_that_has_no_address_is_named() -> None:
    error = await outcome(FTPDriver("no-such-host.invalid", retries=0).stat(KEY))
    assert isinstance(error, Unavailable)
    assert "no-such-host.invalid:21 does not answer" in error.reason


async def test_a_cancellation_does_not_wait_for_ever(
    vsftpd: FtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storeroom.drivers._tree.shielded.PATIENCE", 0.5)
    monkeypatch.setattr("storeroom.drivers._ftp.uploading.PATIENCE", 0.5)
    monkeypatch.setattr("storeroom.drivers._ftp.uploading.SOON", 0.5)
    place = Place(vsftpd)
    place.put(BIG)
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, timeout=60.0)
        await driver.stat(KEY)
        way.black_hole()
        for name, work in VERBS.items():
            began = time.monotonic()
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.1):
                    await work(driver)
            assert not isinstance(caught.value, StorageError)
            assert time.monotonic() - began < 4, name
        await place.aclose()
