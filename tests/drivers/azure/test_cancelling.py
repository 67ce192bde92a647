"""Cancelled at every await of a verb and of the tasks it starts: old or new, and nothing goes on."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count
from random import Random

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.values import WriteOptions
from storeroom.drivers.azure import AzureDriver
from tests.drivers.azure.container import SMALL_PARTS, Container, files, read
from tests.drivers.s3.bucket import KEY, MIB, random_bytes, streamed
from tests.drivers.s3.interrupting import interrupted
from tests.drivers.s3.test_cancelling import proxy_tasks
from tests.servers.azure import AsyncBearer
from tests.servers.proxy import Proxy

OLD, NEW, LONG, BIG = b"old", b"new " * 100, random_bytes(MIB), random_bytes(2 * MIB + 1)
State = tuple[bytes | None, bytes | None]


@dataclass(frozen=True, slots=True)
class Case:
    """A verb on `KEY` and "source", and what may be in the two when it did not get through."""

    work: Callable[[AzureDriver], Awaitable[object]]
    before: State
    after: State
    between: tuple[State, ...] = ()


CASES = {
    "write in blocks": Case(lambda driver: driver.write(KEY, Body(BIG)), (OLD, None), (BIG, None)),
    "write of a stream": Case(
        lambda driver: driver.write(KEY, streamed(BIG)), (OLD, None), (BIG, None)
    ),
    "create in blocks": Case(
        lambda driver: driver.write(KEY, streamed(BIG), WriteOptions(overwrite=False)),
        (None, None),
        (BIG, None),
    ),
    "write at once": Case(lambda driver: driver.write(KEY, Body(NEW)), (OLD, None), (NEW, None)),
    "read": Case(read, (LONG, None), (LONG, None)),
    "read side by side": Case(read, (BIG, None), (BIG, None)),
    "copy": Case(lambda driver: driver.copy_within("source", KEY), (OLD, BIG), (BIG, BIG)),
    "copy and dress": Case(
        lambda driver: driver.copy_within("source", KEY, WriteOptions(content_type="a/b")),
        (OLD, BIG),
        (BIG, BIG),
    ),
    "move": Case(
        lambda driver: driver.rename("source", KEY), (OLD, BIG), (BIG, None), ((BIG, BIG),)
    ),
    "remove": Case(lambda driver: driver.remove(KEY), (OLD, None), (None, None)),
    "remove many": Case(
        lambda driver: driver.remove_many([KEY, "source"]),
        (OLD, NEW),
        (None, None),
        ((OLD, None), (None, NEW)),
    ),
    "append to a small file": Case(
        lambda driver: driver.extend(KEY, Body(NEW)), (OLD, None), (OLD + NEW, None)
    ),
    "append to blocks": Case(
        lambda driver: driver.extend(KEY, streamed(NEW)), (LONG, None), (LONG + NEW, None)
    ),
    "append to nothing": Case(
        lambda driver: driver.extend(KEY, Body(NEW)), (None, None), (NEW, None)
    ),
    "tags": Case(lambda driver: driver.change_tags(KEY, {"a": "b"}), (OLD, None), (OLD, None)),
    "lease": Case(
        lambda driver: driver.acquire_lease("source", timedelta(seconds=15)), (OLD, OLD), (OLD, OLD)
    ),
    "attributes": Case(
        lambda driver: driver.change_attributes(
            KEY, WriteOptions(content_type="a/b", metadata={"a": "b"}, tier="Cool")
        ),
        (OLD, None),
        (OLD, None),
    ),
    "scan": Case(files, (OLD, NEW), (OLD, NEW)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("when", ["early", pytest.param("late", marks=pytest.mark.long)])
async def test_a_verb_cancelled_at_any_await_leaves_old_or_new(
    container: Container, caplog: pytest.LogCaptureFixture, name: str, when: str
) -> None:
    case = CASES[name]
    several = 3 if name == "read side by side" else 1
    driver = container.driver(download_concurrency=several, **SMALL_PARTS)
    await driver.write("later", Body(OLD))
    number, awaits = -1, 0
    while number < awaits:
        number += 1
        if name == "lease":
            container = container.sibling()
            driver = container.driver()
        arrange(container, case.before)
        work = partial(_worked, case, driver)
        awaits = await interrupted(work, number, late=when == "late")
        assert state(container) in (case.before, case.after, *case.between), (number, awaits)
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert number > 1
    await driver.write("later", Body(NEW))
    assert await read(driver, "later") == NEW
    assert container.hidden() == []
    assert not [told for told in caplog.records if told.name in ("asyncio", "storeroom")]


@pytest.mark.parametrize("way", ["key", "token"])
async def test_a_first_verb_cancelled_at_any_await_leaves_a_driver_that_works(
    secure: Container, way: str
) -> None:
    secure.put(OLD)
    for late in (False, True):
        for number in count():
            token = {"credential": AsyncBearer(secure.server.token)}
            driver = secure.driver(**(token if way == "token" else {}))
            awaits = await interrupted(lambda: read(driver), number, late=late)  # noqa: B023
            assert await read(driver) == OLD
            assert asyncio.all_tasks() == {asyncio.current_task()}
            if awaits <= number:
                break


async def test_a_first_call_of_the_sdk_cancelled_at_any_await_leaves_one_that_works(
    container: Container,
) -> None:
    container.put(OLD)
    for late in (False, True):
        for number in count():
            driver = container.driver()
            work = partial(driver.read_tags, KEY)
            awaits = await interrupted(work, number, late=late)
            assert await driver.read_tags(KEY) == {}
            if awaits <= number:
                break


@pytest.mark.rounds(8, 1000)
async def test_an_upload_cancelled_at_any_moment_leaves_old_or_new(
    container: Container, rounds: int
) -> None:
    random = Random(rounds)
    driver = container.driver(**SMALL_PARTS)
    data = random_bytes(8 * MIB)
    for number in range(rounds):
        arrange(container, (OLD, None))
        with suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0, 0.15)):
                await driver.write(KEY, streamed(data))
        assert container.get() in (OLD, data), number


@pytest.mark.parametrize("whence", ["near", "afar"])
async def test_a_copy_is_given_up_at_any_await(
    container: Container, caplog: pytest.LogCaptureFixture, whence: str
) -> None:
    """One that pends leaves nothing, and one from afar what was there, for it is hidden until it is whole."""
    there = container.neighbour()
    there.put(NEW)
    driver, far = container.driver(), there.driver()
    container.put(NEW, "source")
    work, before = (lambda: driver.copy_within("source", KEY)), None
    if whence == "afar":
        work, before = (lambda: driver.copy_from(far, KEY, KEY)), OLD
    number, awaits = -1, 0
    while number < awaits:
        number += 1
        arrange(container, (before, NEW))
        container.strict.settings(pending_copies=1 if whence == "near" else 0)
        awaits = await interrupted(work, number, late=False)
        assert container.get() in (before, NEW), (number, awaits)
        assert container.hidden() == []
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not [told for told in caplog.records if told.name in ("asyncio", "storeroom")]


async def test_a_verb_cancelled_again_and_again_still_ends_whole(container: Container) -> None:
    case = CASES["write of a stream"]
    driver = container.driver(**SMALL_PARTS)
    for number in range(0, 60, 4):
        arrange(container, case.before)
        await interrupted(lambda: _worked(case, driver), number, late=False, again=True)
        assert state(container) in (case.before, case.after), number


async def test_a_read_that_is_cancelled_gives_its_connection_back(
    container: Container, proxy: Proxy
) -> None:
    container.put(random_bytes(8 * MIB))
    driver = container.driver(proxy.port)
    await driver.stat(KEY)
    for number in (5, 6, 7):
        await interrupted(lambda: read(driver), number, late=False)
    await driver.stat(KEY)
    assert proxy.connections <= 1 + 3


async def test_a_cancellation_does_not_wait_for_ever(container: Container, proxy: Proxy) -> None:
    """It waits for what the service may be doing, as long as the time-out."""
    driver = container.driver(proxy.port, timeout=0.5, **SMALL_PARTS)
    await driver.write(KEY, Body(OLD))
    await driver.read_tags(KEY)
    proxy.black_hole()
    for work in (
        driver.write(KEY, Body(NEW)),
        driver.write(KEY, Body(BIG)),
        driver.change_tags(KEY, {"a": "b"}),
        driver.extend("log", Body(NEW)),
        read(driver),
    ):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await work
        assert time.monotonic() - began < 3
    assert asyncio.all_tasks() - set(proxy_tasks(proxy)) <= {asyncio.current_task()}


async def _worked(case: Case, driver: AzureDriver) -> object:
    return await case.work(driver)


def arrange(container: Container, before: State) -> None:
    for key, data in zip((KEY, "source"), before, strict=True):
        if data is None:
            container.remove(key)
        elif container.get(key) != data:
            container.remove(key)
            container.put(data, key)


def state(container: Container) -> State:
    return container.get(KEY), container.get("source")
