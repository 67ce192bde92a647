"""A few connections: opened on demand, kept, checked, replaced, and never all of them in the same hands."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Closed, ConfigError, Timeout, Unavailable
from storeroom.drivers.ftp import FTPDriver
from tests.drivers.ftp.place import KEY, MIB, Place, listed, read
from tests.drivers.s3.bucket import outcome, random_bytes, streamed
from tests.servers.lying_ftp import LyingFtp
from tests.servers.process import HOST
from tests.servers.pyftpd import pyftpd_process

BIG = random_bytes(4 * MIB)


async def test_a_connection_is_opened_when_it_is_needed_and_kept(lying: LyingFtp) -> None:
    driver = lying.driver()
    assert lying.connections == 0
    for number in range(5):
        await driver.write(f"{number}", Body(b"x"))
        await driver.stat(f"{number}")
    assert lying.connections == 1
    assert len(lying.asked("FEAT")) == 1


async def test_there_are_never_more_than_the_pool_has(lying: LyingFtp) -> None:
    driver = lying.driver(pool_size=3)
    await asyncio.gather(*(driver.write(f"{number}", Body(b"x")) for number in range(20)))
    await asyncio.gather(*(read(driver, f"{number}") for number in range(20)))
    assert lying.connections == 3


async def test_what_the_server_can_is_asked_once(lying: LyingFtp) -> None:
    driver = lying.driver(pool_size=4)
    await driver.write("a", Body(b"x"))
    await asyncio.gather(*(read(driver, "a") for _ in range(12)))
    assert len(lying.asked("FEAT")) == 1
    assert len(lying.asked("PWD")) == 1


async def test_copies_inside_one_disk_never_wait_for_each_other(place: Place) -> None:
    """Each holds a reader while it asks for a writer."""
    driver = place.driver(pool_size=2)
    await driver.write("a", Body(BIG))
    async with asyncio.timeout(20):
        await asyncio.gather(*(driver.copy("a", f"copy {number}") for number in range(6)))
    assert all(place.get(f"copy {number}") == BIG for number in range(6))


async def test_writers_whose_bodies_read_the_same_disk_end(place: Place) -> None:
    driver = place.driver(pool_size=2)
    await driver.write("a", Body(BIG))

    async def joined() -> object:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(2):
                async with await driver.read("a") as source:
                    async for chunk in source:
                        yield chunk

        return await driver.write(f"joined {id(chunks)}", Body(chunks))

    async with asyncio.timeout(20):
        await asyncio.gather(*(joined() for _ in range(4)))
    assert [len(file.read_bytes()) for file in place.path.glob("joined*")] == [2 * len(BIG)] * 4


async def test_readers_that_hold_all_they_may_leave_the_other_verbs_one(place: Place) -> None:
    driver = place.driver(pool_size=3, timeout=0.5)
    await driver.write("a", Body(BIG))
    sources = [await driver.read("a") for _ in range(2)]
    await driver.write("b", streamed(b"x"))
    assert await listed(driver) == ["a", "b"]
    with pytest.raises(Timeout, match="pool_size"):
        await driver.read("a")
    for source in sources:
        await source.aclose()
    assert await read(driver, "a") == BIG


async def test_a_server_that_starts_anew_costs_nobody_an_error(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with pyftpd_process(tmp_path_factory.mktemp("restarted")) as process:
        async with _driver(process.port) as driver:
            await asyncio.gather(*(driver.write(f"{number}", Body(b"x")) for number in range(8)))
            for _ in range(2):
                await asyncio.to_thread(process.stop)
                await asyncio.to_thread(process.start)
                await asyncio.gather(*(driver.stat(f"{number}") for number in range(8)))
                await driver.write("a", streamed(b"x"))
                assert len(await listed(driver)) == 9


def _driver(port: int) -> FTPDriver:
    return FTPDriver(
        HOST, port=port, username="storeroom", password="a secret: ü 50% #1", tls=False, retries=1
    )


async def test_connections_that_died_in_silence_are_replaced_with_one_retry(
    lying: LyingFtp,
) -> None:
    driver = lying.driver(retries=1, pool_size=4)
    await asyncio.gather(*(driver.write(f"{number}", Body(b"x")) for number in range(8)))
    assert lying.connections == 4
    lying.lies.leaving = ["MLST"] * 1
    assert (await driver.stat("1")).size == 1
    assert len(lying.asked("NOOP")) == 1  # the others are asked before they are trusted again


async def test_an_idle_connection_is_asked_whether_it_lives(
    lying: LyingFtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storeroom.drivers._ftp.pool._FRESH", 0.0)
    driver = lying.driver()
    await driver.write("a", Body(b"x"))
    await driver.stat("a")
    assert lying.said[-2:] == ["NOOP", "MLST /a"]
    lying.lies.silent = {"NOOP"}
    lying.lies.leaving = ["NOOP"]
    lying.lies.silent.clear()
    await driver.stat("a")
    assert lying.connections == 2


async def test_a_server_with_fewer_connections_than_we_want_is_enough(lying: LyingFtp) -> None:
    lying.lies.most = 2
    driver = lying.driver(pool_size=8, retries=0)
    await driver.write("a", Body(BIG))
    await asyncio.gather(*(driver.stat("a") for _ in range(2)))
    await asyncio.gather(*(read(driver, "a") for _ in range(8)))
    assert len(lying.sessions) <= 2


async def test_a_server_that_is_full_is_unavailable(lying: LyingFtp) -> None:
    lying.lies.most = 0
    error = await outcome(lying.driver(retries=1).stat("a"))
    assert isinstance(error, Unavailable)
    assert "no more connections" in str(error)


async def test_closing_takes_leave_and_leaves_nothing_open(lying: LyingFtp) -> None:
    driver = lying.driver()
    await driver.write("a", Body(BIG))
    source = await driver.read("a")
    await driver.stat("a")
    await driver.aclose()
    assert lying.asked("QUIT") == ["QUIT"]
    await lying.deserted()
    await source.aclose()


async def test_who_waits_for_a_connection_hears_that_all_is_closed(lying: LyingFtp) -> None:
    driver = lying.driver(pool_size=2)
    await driver.write("a", Body(BIG))
    source = await driver.read("a")
    waiting = asyncio.create_task(driver.read("a"))
    await driver.stat("a")
    await driver.aclose()
    with pytest.raises(Closed):
        await waiting
    await source.aclose()


async def test_every_loop_has_connections_of_its_own(place: Place) -> None:
    driver = place.driver()
    await driver.write(KEY, Body(BIG))

    def elsewhere() -> None:
        assert asyncio.run(read(driver)) == BIG

    threads = [threading.Thread(target=elsewhere) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert await read(driver) == BIG
    for thread in threads:
        await asyncio.to_thread(thread.join)


async def test_a_source_forgotten_by_a_loop_that_ended_is_no_error(place: Place) -> None:
    driver = place.driver()
    await driver.write("a", Body(BIG))
    held = []

    async def half() -> None:
        source = await driver.read("a")
        await source.read(10)
        held.append(source)

    await asyncio.to_thread(asyncio.run, half())
    held.clear()
    assert await read(driver, "a") == BIG


@pytest.mark.parametrize("options", [{"pool_size": 1}, {"retries": -1}, {"timeout": 0}])
async def test_a_pool_that_cannot_work_is_refused_at_once(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        FTPDriver("localhost", **options)  # type: ignore[arg-type]
