"""Cancelled at every await of a verb and of the tasks it starts: old or new, and nothing left over."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from random import Random

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.values import ReadOptions
from storeroom.drivers.ftp import FTPDriver
from tests.drivers.ftp.place import KEY, MIB, Place, listed, read
from tests.drivers.s3.bucket import random_bytes, streamed
from tests.drivers.s3.interrupting import interrupted
from tests.servers.ftp import FtpServer
from tests.servers.lying_ftp import LyingFtp

OLD, NEW, LONG, BIG = b"old", b"new " * 100, random_bytes(MIB), random_bytes(3 * MIB + 1)
State = tuple[bytes | None, bytes | None]


@dataclass(frozen=True, slots=True)
class Case:
    """A verb on `KEY` and "source", and what may be in the two when it did not get through."""

    work: Callable[[FTPDriver], Awaitable[object]]
    before: State
    after: State
    between: tuple[State, ...] = ()


CASES = {
    "write": Case(lambda driver: driver.write(KEY, Body(NEW)), (OLD, None), (NEW, None)),
    "write of a stream": Case(
        lambda driver: driver.write(KEY, streamed(BIG)), (OLD, None), (BIG, None)
    ),
    "write into a new folder": Case(
        lambda driver: driver.write("f/g/h", Body(NEW)), (OLD, None), (OLD, None)
    ),
    "read": Case(read, (LONG, None), (LONG, None)),
    "read a part": Case(
        lambda driver: driver.get(KEY, start=5, stop=10), (LONG, None), (LONG, None)
    ),
    "append": Case(
        lambda driver: driver.extend(KEY, streamed(NEW)), (OLD, None), (OLD + NEW, None)
    ),
    "copy": Case(lambda driver: driver.copy("source", KEY), (OLD, BIG), (BIG, BIG)),
    "move": Case(lambda driver: driver.rename("source", KEY), (OLD, NEW), (NEW, None)),
    "remove": Case(lambda driver: driver.remove(KEY), (OLD, None), (None, None)),
    "scan": Case(listed, (OLD, NEW), (OLD, NEW)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("when", ["early", pytest.param("late", marks=pytest.mark.long)])
async def test_a_verb_cancelled_at_any_await_leaves_old_or_new_and_nothing_over(
    place: Place, name: str, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    case = CASES[name]
    driver = place.driver()
    await driver.write("later", Body(OLD))
    number, awaits = -1, 0
    while number < awaits:
        number += 1 + max(number, 0) // 20
        arrange(place, case.before)
        awaits = await interrupted(lambda: _worked(case, driver), number, late=when == "late")
        assert state(place) in (case.before, case.after, *case.between), (number, awaits)
        assert place.left_over() == [], (number, awaits)
        assert asyncio.all_tasks() == {asyncio.current_task()}, (number, awaits)
        assert (await driver.stat("later")).size == len(OLD)
    assert number > 1
    await driver.write("later", Body(NEW))
    assert await read(driver, "later") == NEW
    said = [told for told in caplog.records if told.name in ("asyncio", "storeroom")]
    assert not [told for told in said if "in the clear" not in told.getMessage()]


async def test_a_first_verb_cancelled_at_any_await_leaves_a_driver_that_works(
    place: Place,
) -> None:
    place.put(OLD)
    for late in (False, True):
        for number in count():
            driver = place.driver()
            awaits = await interrupted(lambda: read(driver), number, late=late)  # noqa: B023
            assert await read(driver) == OLD
            assert asyncio.all_tasks() == {asyncio.current_task()}
            if awaits <= number:
                break


async def test_a_login_under_tls_cancelled_at_any_await_leaves_nothing_open(
    vsftpd_tls: FtpServer,
) -> None:
    place = Place(vsftpd_tls)
    place.put(LONG)
    for number in count():
        driver = place.driver()
        awaits = await interrupted(lambda: read(driver), number, late=False)  # noqa: B023
        await driver.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if awaits <= number:
            break


@pytest.mark.rounds(10, 500)
async def test_an_upload_cancelled_at_any_moment_leaves_old_or_new(
    place: Place, rounds: int
) -> None:
    random = Random(rounds)
    driver = place.driver()
    for number in range(rounds):
        arrange(place, (OLD, None))
        with suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0, 0.05)):
                await driver.write(KEY, streamed(BIG))
        assert place.get() in (OLD, BIG), number
        assert place.left_over() == [], number


async def test_a_verb_cancelled_again_and_again_still_clears_up(place: Place) -> None:
    case = CASES["write of a stream"]
    driver = place.driver()
    for number in range(0, 40, 3):
        arrange(place, case.before)
        await interrupted(lambda: _worked(case, driver), number, late=False, again=True)
        assert state(place) in (case.before, case.after), number
        assert place.left_over() == [], number


async def test_a_connection_that_was_cancelled_is_not_used_again(lying: LyingFtp) -> None:
    """The reply to its last command would be taken for that to the next one."""
    driver = lying.driver()
    lying.files["/a"] = BIG
    await driver.stat("a")
    for cancelled in (read(driver, "a"), driver.stat("a"), driver.write("b", Body(BIG))):
        before = lying.connections
        task = asyncio.ensure_future(cancelled)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert (await driver.stat("a")).size == len(BIG)
        assert lying.connections == before + 1


async def test_the_end_of_a_range_keeps_its_connection(lying: LyingFtp) -> None:
    lying.files["/a"] = BIG
    driver = lying.driver()
    for start in range(0, 500, 100):
        async with await driver.read("a", ReadOptions(start, start + 100)) as source:
            assert await source.read() == BIG[start : start + 100]
    assert lying.connections == 1


def arrange(place: Place, contents: State) -> None:
    for path, data in zip((KEY, "source"), contents, strict=True):
        place.remove(path)
        if data is not None:
            place.put(data, path)


def state(place: Place) -> State:
    return place.get(), place.get("source")


async def _worked(case: Case, driver: FTPDriver) -> object:
    return await case.work(driver)


@pytest.mark.parametrize("verb", ["RNTO", "RNFR", "STOR", "EPSV", "DELE", "MLST"])
async def test_a_cancellation_passes_whatever_the_server_does_not_say(
    lying: LyingFtp, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("_tree.shielded.PATIENCE", "_ftp.uploading.PATIENCE", "_ftp.uploading.SOON"):
        monkeypatch.setattr(f"storeroom.drivers.{place}", 0.2)
    lying.files["/a"] = OLD
    driver = lying.driver(timeout=60.0)
    await driver.write("b", Body(OLD))
    before = len(lying.asked(verb))
    lying.lies.silent = {verb}
    work = driver.remove("a") if verb == "DELE" else driver.write("a", Body(NEW))
    task = asyncio.ensure_future(work)
    while len(lying.asked(verb)) == before:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()
    assert lying.files["/a"] == OLD
    lying.lies.silent = set()
    await driver.write("a", Body(NEW))


async def test_a_cancellation_passes_where_the_server_leaves_meanwhile(lying: LyingFtp) -> None:
    """What is done again for a lost connection is nothing for whoever gave up."""
    driver = lying.driver()
    await driver.write("a", Body(OLD))
    lying.lies.losing = ["RNTO"]
    task = asyncio.ensure_future(driver.write("a", Body(NEW)))
    lying.lies.after["RNTO"] = task.cancel
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()
    assert lying.files in ({"/a": OLD}, {"/a": NEW})


async def test_an_upload_that_is_cancelled_opens_no_second_data_connection(
    lying: LyingFtp,
) -> None:
    """Its port may be another's by then."""
    driver = lying.driver()
    await driver.write("a", Body(OLD))
    lying.lies.silent = {"STOR"}
    before = lying.met
    task = asyncio.ensure_future(driver.write("a", Body(NEW)))
    while lying.met == before:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    lying.lies.silent = set()
    await driver.stat("a")
    assert lying.met == before + 1
