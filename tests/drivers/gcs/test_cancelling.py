"""Cancelled at every await of a verb and of the tasks it starts: old or new, and no session left."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from random import Random

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.values import WriteOptions
from storeroom.drivers.gcs import GCSDriver
from tests.drivers.gcs.bucket import QUANTUM, SMALL_PARTS, Bucket, files, read
from tests.drivers.s3.bucket import KEY, MIB, random_bytes, streamed
from tests.drivers.s3.interrupting import interrupted
from tests.servers.proxy import Proxy

OLD, NEW, LONG, BIG = b"old", b"new " * 100, random_bytes(MIB), random_bytes(QUANTUM + 1)
CHUNKED = {"part_size": QUANTUM, "multipart_threshold": QUANTUM}
State = tuple[bytes | None, bytes | None]


@dataclass(frozen=True, slots=True)
class Case:
    """A verb on `KEY` and "source", and what may be in the two when it did not get through."""

    work: Callable[[GCSDriver], Awaitable[object]]
    before: State
    after: State
    between: tuple[State, ...] = ()


CASES = {
    "write in chunks": Case(lambda driver: driver.write(KEY, Body(BIG)), (OLD, None), (BIG, None)),
    "write of a stream": Case(
        lambda driver: driver.write(KEY, streamed(BIG)), (OLD, None), (BIG, None)
    ),
    "create in chunks": Case(
        lambda driver: driver.write(KEY, streamed(BIG), WriteOptions(overwrite=False)),
        (None, None),
        (BIG, None),
    ),
    "write at once": Case(lambda driver: driver.write(KEY, Body(NEW)), (OLD, None), (NEW, None)),
    "read": Case(read, (LONG, None), (LONG, None)),
    "read side by side": Case(read, (LONG, None), (LONG, None)),
    "copy": Case(lambda driver: driver.copy_within("source", KEY), (OLD, LONG), (LONG, LONG)),
    "copy in calls": Case(
        lambda driver: driver.copy_within("source", KEY), (OLD, LONG), (LONG, LONG)
    ),
    "move": Case(
        lambda driver: driver.rename("source", KEY), (OLD, LONG), (LONG, None), ((LONG, LONG),)
    ),
    "remove": Case(lambda driver: driver.remove(KEY), (OLD, None), (None, None)),
    "remove many": Case(
        lambda driver: driver.remove_many([KEY, "source"]),
        (OLD, NEW),
        (None, None),
        ((OLD, None), (None, NEW)),
    ),
    "scan": Case(files, (OLD, NEW), (OLD, NEW)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("when", ["early", pytest.param("late", marks=pytest.mark.long)])
async def test_a_verb_cancelled_at_any_await_leaves_old_or_new_and_no_session(
    bucket: Bucket, caplog: pytest.LogCaptureFixture, transport: str, name: str, when: str
) -> None:
    case = CASES[name]
    if name == "copy in calls":
        bucket.strict.settings(rewrite_per_call=MIB // 3)
    several = 3 if name == "read side by side" else 1
    driver = bucket.driver(transport=transport, download_concurrency=several, **CHUNKED)
    await driver.write("later", Body(OLD))
    number, awaits = -1, 0
    while number < awaits:
        number += 1
        arrange(bucket, case.before)
        awaits = await interrupted(lambda: _worked(case, driver), number, late=when == "late")
        assert state(bucket) in (case.before, case.after, *case.between), (number, awaits)
        assert bucket.open_uploads() == [], (number, awaits)
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert number > 1
    await driver.write("later", Body(NEW))
    assert await read(driver, "later") == NEW
    assert not [told for told in caplog.records if told.name in ("asyncio", "storeroom")]


async def test_an_upload_in_parts_cancelled_at_any_await_can_be_ended_or_thrown_away(
    bucket: Bucket,
) -> None:
    driver = bucket.driver()
    for number in count():
        arrange(bucket, (OLD, None))
        upload = await driver.start_parts(KEY)
        part = await driver.write_part(KEY, upload, 1, Body(NEW))

        async def complete(upload: str = upload, part: str = part) -> object:
            return await driver.complete_parts(KEY, upload, {1: part})

        awaits = await interrupted(complete, number, late=False)
        assert bucket.get() in (OLD, NEW)
        await driver.abort_parts(KEY, upload)
        assert bucket.names() == [KEY]
        if awaits <= number:
            break


async def test_a_first_verb_cancelled_at_any_await_leaves_a_driver_that_works(
    bucket: Bucket, each_transport: str
) -> None:
    bucket.put(OLD)
    for late in (False, True):
        for number in count():
            driver = bucket.driver(transport=each_transport)
            awaits = await interrupted(lambda: read(driver), number, late=late)  # noqa: B023
            assert await read(driver) == OLD
            assert asyncio.all_tasks() == {asyncio.current_task()}
            if awaits <= number:
                break


@pytest.mark.rounds(8, 1000)
async def test_an_upload_cancelled_at_any_moment_leaves_old_or_new_and_no_session(
    bucket: Bucket, rounds: int
) -> None:
    random = Random(rounds)
    driver = bucket.driver(**SMALL_PARTS)
    data = random_bytes(4 * MIB)
    for number in range(rounds):
        arrange(bucket, (OLD, None))
        with suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0, 0.1)):
                await driver.write(KEY, streamed(data))
        assert bucket.get() in (OLD, data), number
        assert bucket.open_uploads() == [], number


async def test_a_verb_cancelled_again_and_again_still_clears_up(bucket: Bucket) -> None:
    case = CASES["write of a stream"]
    driver = bucket.driver(**CHUNKED)
    for number in range(0, 40, 4):
        arrange(bucket, case.before)
        await interrupted(lambda: _worked(case, driver), number, late=False, again=True)
        assert state(bucket) in (case.before, case.after), number
        assert bucket.open_uploads() == [], number


async def test_a_cancellation_does_not_wait_for_ever(
    bucket: Bucket, proxy: Proxy, transport: str
) -> None:
    """It waits for what the service may be doing, as long as the time-out."""
    driver = bucket.driver(proxy.port, timeout=0.5, transport=transport, **SMALL_PARTS)
    await driver.write(KEY, Body(OLD))
    proxy.black_hole()
    for work in (
        driver.write(KEY, Body(NEW)),
        driver.write(KEY, Body(random_bytes(2 * MIB))),
        read(driver),
    ):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await work
        assert time.monotonic() - began < 3
    left = {task for task in asyncio.all_tasks() if "Proxy" not in repr(task.get_coro())}
    assert left == {asyncio.current_task()}


async def _worked(case: Case, driver: GCSDriver) -> object:
    return await case.work(driver)


def arrange(bucket: Bucket, before: State) -> None:
    for key, data in zip((KEY, "source"), before, strict=True):
        if data is None:
            bucket.remove(key)
        else:
            bucket.put(data, key)


def state(bucket: Bucket) -> State:
    return bucket.get(KEY), bucket.get("source")
