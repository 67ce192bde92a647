"""Connections that break at any byte: the right file or the old one, and every cut is noticed."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import StorageError, Unavailable
from storeroom.contracts.values import ReadOptions, Stat
from storeroom.drivers.ftp import FTPDriver
from tests.drivers.ftp.place import ELSEWHERE, KEY, KIB, MIB, Place, listed, read, way_to
from tests.drivers.s3.bucket import outcome, random_bytes, streamed
from tests.servers.ftp import FtpServer
from tests.servers.lying_ftp import LyingFtp
from tests.servers.proxy import Ending

STEP = 64 * KIB
NEW = random_bytes(4 * MIB)
PLACES = len(NEW) // STEP
OLD = b"old"


def places(rounds: int) -> list[int]:
    """So many of the places at every 64 KiB, the first and the last among them."""
    return [PLACES * at // (rounds - 1) * STEP for at in range(rounds)]


@pytest.fixture(params=["fin", "rst"])
def ending(request: pytest.FixtureRequest) -> Ending:
    found: Ending = request.param
    return found


@pytest.mark.rounds(5, PLACES + 1)
async def test_an_upload_cut_anywhere_is_made_again(
    place: Place, ending: Ending, rounds: int
) -> None:
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, pool_size=2)
        for after in places(rounds)[:-1]:
            way.cut_data("up", after=after, ending=ending)
            await driver.write(f"{after}", Body(NEW))
            way.heal()
            assert place.get(f"{after}") == NEW, after
            assert await driver.stat(f"{after}")
    assert place.left_over() == []


@pytest.mark.rounds(5, PLACES + 1)
async def test_a_stream_cut_anywhere_leaves_the_old_file(
    place: Place, ending: Ending, rounds: int
) -> None:
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, pool_size=2)
        place.put(OLD)
        for after in places(rounds)[1:-1]:
            way.cut_data("up", after=after, ending=ending)
            error = await outcome(driver.write(KEY, streamed(NEW)))
            way.heal()
            assert isinstance(error, StorageError), after
            assert place.get() == OLD, after
            assert await read(driver) == OLD
    assert place.left_over() == []


@pytest.mark.rounds(5, PLACES + 1)
async def test_a_download_cut_anywhere_goes_on_where_it_stopped(
    place: Place, ending: Ending, rounds: int
) -> None:
    place.put(NEW)
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, pool_size=2)
        for after in places(rounds)[:-1]:
            before = way.passed("down")
            way.cut_data("down", after=after, ending=ending)
            assert await read(driver) == NEW, after
            way.heal()
            assert await driver.stat(KEY)
            if ending == "fin":  # what was under way when a reset came is lost
                assert way.passed("down") - before <= len(NEW)


@pytest.mark.rounds(4, PLACES + 1)
async def test_cuts_under_tls_are_as_harmless(
    narrow_vsftpd_tls: FtpServer, ending: Ending, rounds: int
) -> None:
    place = Place(narrow_vsftpd_tls)
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, pool_size=2, verify=False)
        for after in places(rounds)[:-1]:
            way.cut_data("up", after=after, ending=ending)
            await driver.write(KEY, Body(NEW))
            way.heal()
            assert place.get() == NEW, after
            way.cut_data("down", after=after, ending=ending)
            assert await read(driver) == NEW, after
            way.heal()
    assert place.left_over() == []
    await place.aclose()


@pytest.mark.rounds(6, 200)
async def test_a_control_connection_cut_at_any_byte_of_its_replies(
    place: Place, ending: Ending, rounds: int
) -> None:
    """Each time in another place of some verb's conversation."""
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, pool_size=2)
        await driver.write(KEY, Body(OLD))
        for after in range(0, rounds * 9, 9):
            for verb, expected in _verbs(driver):
                way.control.cut("down", after=after, ending=ending)
                assert isinstance(await verb(), expected), after
                way.heal()
            assert await read(driver) == NEW
            assert await driver.remove(KEY) is True
        # A command that was on its way may be carried out later than its temporary was removed.
        await driver.sweep(timedelta(0))
    assert place.left_over() == []


def _verbs(driver: FTPDriver) -> list[tuple[Callable[[], Awaitable[object]], type]]:
    return [
        (lambda: driver.write(KEY, Body(NEW)), Stat),
        (lambda: driver.stat(KEY), Stat),
        (lambda: read(driver), bytes),
        (lambda: listed(driver), list),
        (lambda: driver.rename(KEY, "b"), Stat),
        (lambda: driver.rename("b", KEY), Stat),
        (lambda: driver.make_folder("f/g"), type(None)),
        (lambda: driver.remove_folder("f"), bool),
    ]


async def test_a_download_cut_again_and_again_gets_everything(place: Place) -> None:
    """Every try that brought something on has the tries of a fresh one."""
    place.put(NEW)
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, retries=1, pool_size=2)
        async with await driver.read(KEY) as source:
            got = []
            for _ in range(4):
                way.cut_data("down", after=STEP, ending="rst")
                got.append(await source.read(MIB))
                way.heal()
            assert b"".join(got) + await source.read() == NEW


async def test_a_download_of_a_file_that_changed_meanwhile_is_not_mended(place: Place) -> None:
    place.put(NEW)
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, pool_size=2)
        async with await driver.read(KEY) as source:
            await source.read(1)
            place.remove()
            place.put(NEW + b"more")
            for proxy in way.data.values():
                await proxy.reset()
            error = await outcome(source.read())
        assert isinstance(error, Unavailable), error
        assert "changed" in str(error)


async def test_a_range_cut_goes_on_in_the_range(place: Place) -> None:
    place.put(NEW)
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, pool_size=2)
        way.cut_data("down", after=MIB, ending="rst")
        async with await driver.read(KEY, ReadOptions(100, 3 * MIB)) as source:
            assert await source.read() == NEW[100 : 3 * MIB]


async def test_a_server_that_is_gone_for_good_is_unavailable(place: Place) -> None:
    place.put(NEW)
    async with way_to(place.server) as way:
        driver = place.driver(ELSEWHERE, retries=1, pool_size=2)
        async with await driver.read(KEY) as source:
            await source.read(1)
            for proxy in way.everything():
                await proxy.stop()
            for work in (source.read(), driver.stat(KEY), driver.write("a", Body(NEW))):
                error = await outcome(work)
                assert isinstance(error, Unavailable), error


@pytest.mark.parametrize("verb", ["MLST", "EPSV", "STOR", "RNFR", "RNTO", "RETR", "MLSD", "DELE"])
async def test_a_server_that_leaves_at_any_command_costs_a_retry(
    lying: LyingFtp, verb: str
) -> None:
    driver = lying.driver(retries=1)
    await driver.write("a", Body(OLD))
    lying.lies.leaving = [verb]
    await driver.write("a", Body(NEW))
    assert await read(driver, "a") == NEW
    assert await listed(driver) == ["a"]
    assert await driver.remove("a") in (True, None)
    assert lying.lies.leaving == []
    assert lying.files == {}


@pytest.mark.parametrize("verb", ["RNTO", "STOR", "DELE", "MKD", "RMD", "MLST"])
async def test_a_lost_answer_is_not_taken_for_a_failure(lying: LyingFtp, verb: str) -> None:
    """The server did it; nothing is done twice, and nothing is an error that is done."""
    driver = lying.driver(retries=1)
    lying.files["/a"] = OLD
    lying.lies.losing = [verb]
    stat = await driver.write("f/a", Body(NEW))
    assert (stat.path, stat.size) == ("f/a", len(NEW))
    assert (await driver.rename("f/a", "b")).path == "b"
    assert await driver.remove("b") in (True, None)
    assert await driver.remove_folder("f") is True
    assert lying.lies.losing == []
    assert lying.files == {"/a": OLD}


async def test_a_lost_answer_to_a_move_says_so_where_looking_does_not_tell(
    lying: LyingFtp,
) -> None:
    driver = lying.driver(retries=1)
    lying.files["/a"] = NEW
    await driver.stat("a")
    lying.lies.losing = ["RNTO"]
    lying.lies.after["RNTO"] = lambda: lying.files.update({"/b": b"somebody else's"})
    error = await outcome(driver.rename("a", "b"))
    assert isinstance(error, Unavailable)
    assert "outcome is unknown" in str(error)
    assert not error.retryable


async def test_an_append_whose_connection_broke_is_not_made_twice(lying: LyingFtp) -> None:
    driver = lying.driver(retries=3)
    lying.files["/a"] = OLD
    lying.lies.losing = ["APPE"]
    assert (await driver.extend("a", Body(b"more"))).size == 7  # the size shows that all is there
    assert len(lying.asked("APPE")) == 1
    assert lying.files["/a"] == OLD + b"more"
    lying.lies.leaving = ["APPE"]
    assert (await driver.extend("a", Body(b"!"))).size == 8
