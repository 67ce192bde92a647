"""Cancelled at every await of a verb and of the tasks it starts: old or new, and nothing left over."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

import asyncssh
import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.values import WriteOptions
from storeroom.drivers._sftp.session import Session
from storeroom.drivers.sftp import SFTPDriver
from tests.drivers.s3.interrupting import interrupted
from tests.drivers.sftp.share import KEY, MIB, Share, listed, random_bytes, read, streamed, until
from tests.servers.lying_sftp import Honest, serving
from tests.servers.proxy import Proxy
from tests.servers.sshd import Sshd

OLD, NEW, MORE, BIG = b"old", b"new " * 100, random_bytes(MIB + 1), random_bytes(3 * MIB + 1)
State = tuple[bytes | None, bytes | None]


@dataclass(frozen=True, slots=True)
class Case:
    """A verb on `KEY` and "source", and what may be in the two when it did not get through."""

    work: Callable[[SFTPDriver], Awaitable[object]]
    before: State
    after: State


CASES = {
    "write": Case(lambda driver: driver.write(KEY, Body(NEW)), (OLD, None), (NEW, None)),
    "write of a stream": Case(
        lambda driver: driver.write(KEY, streamed(BIG)), (OLD, None), (BIG, None)
    ),
    "create": Case(
        lambda driver: driver.write(KEY, streamed(NEW), WriteOptions(overwrite=False)),
        (None, None),
        (NEW, None),
    ),
    "read": Case(read, (BIG, None), (BIG, None)),
    "copy": Case(lambda driver: driver.copy_within("source", KEY), (OLD, BIG), (BIG, BIG)),
    "move": Case(lambda driver: driver.rename("source", KEY), (OLD, BIG), (BIG, None)),
    "append": Case(lambda driver: driver.extend(KEY, Body(NEW)), (OLD, None), (OLD + NEW, None)),
    "append of a stream": Case(
        lambda driver: driver.extend(KEY, streamed(MORE)), (OLD, None), (OLD + MORE, None)
    ),
    "remove": Case(lambda driver: driver.remove(KEY), (OLD, None), (None, None)),
    "scan": Case(listed, (OLD, NEW), (OLD, NEW)),
    "visibility": Case(
        lambda driver: driver.change_visibility(KEY, "private"), (OLD, None), (OLD, None)
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("when", ["early", pytest.param("late", marks=pytest.mark.long)])
async def test_a_verb_cancelled_at_any_await_leaves_old_or_new_and_no_temporaries(
    share: Share, sshd: Sshd, caplog: pytest.LogCaptureFixture, name: str, when: str
) -> None:
    case = CASES[name]
    driver = share.driver()
    await driver.write("later", Body(OLD))
    number, awaits = -1, 0
    while number < awaits:
        number += 1
        arrange(share, case.before)
        awaits = await interrupted(lambda: _worked(case, driver), number, late=when == "late")
        assert state(share) in (case.before, case.after), (number, awaits)
        assert share.temporaries() == [], (number, awaits)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert await read(driver, "later") == OLD
    assert number > 1
    await driver.stat("later")
    assert sshd.open_files(share.name) == sshd.open_files(".bin") == 0
    assert sum(session.handles for session in sessions(driver)) == 0
    assert len(sessions(driver)) == 1
    assert not [told for told in caplog.records if told.name == "storeroom"]


@pytest.mark.parametrize("when", ["early", pytest.param("late", marks=pytest.mark.long)])
async def test_a_first_verb_cancelled_at_any_await_leaves_a_driver_that_works(
    share: Share, sshd: Sshd, when: str
) -> None:
    share.put(OLD)
    before = sshd.sessions()
    for number in count():
        driver = share.driver()
        awaits = await interrupted(lambda: read(driver), number, late=when == "late")  # noqa: B023
        assert await read(driver) == OLD
        await driver.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if awaits <= number:
            break
    await until(lambda: sshd.sessions() <= before)


@pytest.mark.rounds(15, 1000)
async def test_a_write_cancelled_at_any_moment_leaves_old_or_new_and_no_temporaries(
    share: Share, rounds: int
) -> None:
    random = Random(rounds)
    driver = share.driver()
    data = random_bytes(8 * MIB)
    for number in range(rounds):
        arrange(share, (OLD, None))
        with suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0, 0.15)):
                await driver.write(KEY, streamed(data))
        assert share.get() in (OLD, data), number
        assert share.temporaries() == [], number


async def test_a_temporary_that_is_being_made_when_its_write_is_cancelled_does_not_stay(
    tmp_path: Path,
) -> None:
    """It is removed only when it is there: of several connections, another one may be faster."""
    opening, may_open, made = asyncio.Event(), asyncio.Event(), asyncio.Event()
    may_open.set()

    class Slow(Honest):
        async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
            opening.set()
            await may_open.wait()
            made.set()
            return super().open(path, pflags, attrs)

    async with serving(tmp_path, Slow) as server:
        share = Share(server, "")
        driver = share.driver(connections=2)
        await asyncio.gather(*(driver.write(f"{n}", streamed(BIG)) for n in range(9)))
        assert len(sessions(driver)) == 2
        may_open.clear()
        opening.clear()
        made.clear()
        writing = asyncio.create_task(driver.write(KEY, Body(NEW)))
        await opening.wait()
        writing.cancel()
        await asyncio.wait([writing], timeout=0.2)
        may_open.set()
        await asyncio.wait([writing])
        assert writing.cancelled()
        await made.wait()
        assert share.temporaries() == []
        assert sum(session.handles for session in sessions(driver)) == 0
        await share.aclose()


async def test_a_verb_cancelled_again_and_again_still_clears_up(share: Share) -> None:
    case = CASES["write of a stream"]
    driver = share.driver()
    for number in range(0, 40, 3):
        arrange(share, case.before)
        await interrupted(lambda: _worked(case, driver), number, late=False, again=True)
        assert state(share) in (case.before, case.after), number
        assert share.temporaries() == [], number


async def test_a_read_that_is_cancelled_keeps_the_connection(share: Share, proxy: Proxy) -> None:
    share.put(BIG)
    driver = share.driver(proxy.port)
    await driver.stat(KEY)
    for number in range(2, 8):
        await interrupted(lambda: read(driver), number, late=False)
        assert await read(driver) == BIG
    assert proxy.connections == 1


async def test_a_cancellation_does_not_wait_for_ever(share: Share, proxy: Proxy) -> None:
    """It waits for what the server may be doing, as long as the time-out."""
    driver = share.driver(proxy.port, timeout=0.5)
    await driver.write(KEY, Body(OLD))
    proxy.black_hole()
    for work in (driver.write(KEY, Body(NEW)), driver.remove(KEY), read(driver)):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await work
        assert time.monotonic() - began < 4
    proxy.let_pass()


async def test_an_append_ended_by_force_takes_back_what_it_added(tmp_path: Path) -> None:
    class Slow(Honest):
        async def write(self, file_obj: object, offset: int, data: bytes) -> int:
            await asyncio.sleep(1 if offset > len(OLD) else 0)
            return super().write(file_obj, offset, data)

    async with serving(tmp_path, Slow) as server:
        share = Share(server, "")
        share.put(OLD)
        driver = share.driver()
        await driver.stat(KEY)
        driver._service.timeout = 0.7
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await driver.extend(KEY, Body(MORE[:MIB]))
        assert (await driver.stat(KEY)).size == len(OLD)
        assert share.get() == OLD
        await share.aclose()


async def _worked(case: Case, driver: SFTPDriver) -> object:
    return await case.work(driver)


def arrange(share: Share, before: State) -> None:
    for key, data in zip((KEY, "source"), before, strict=True):
        if data is None:
            share.remove(key)
        else:
            share.put(data, key)


def state(share: Share) -> State:
    return share.get(KEY), share.get("source")


def sessions(driver: SFTPDriver) -> list[Session]:
    return [
        session for pool in driver._service._loops._clients.values() for session in pool._sessions
    ]
