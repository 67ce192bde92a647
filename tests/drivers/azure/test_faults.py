"""The service refuses, hangs up, or does what it was told and never says so."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    PreconditionFailed,
    StorageError,
    Unavailable,
)
from storeroom.contracts.values import RemoveOptions, Stat, WriteOptions
from storeroom.drivers._azure import appending, removing
from storeroom.drivers._azure.batch import Part
from storeroom.drivers.azure import AzureDriver
from tests.drivers.azure.container import SMALL_PARTS, Container, files, operations, read
from tests.drivers.s3.bucket import KEY, MIB, each, outcome, random_bytes, streamed
from tests.servers.strict_azure import AzureFault

OLD, NEW, BIG = b"old", b"new " * 100, random_bytes(3 * MIB)
CREATE_ONLY = WriteOptions(overwrite=False)

FAILURES = {
    "500": AzureFault("answer"),
    "500 timed out": AzureFault("answer", code="OperationTimedOut"),
    "503": AzureFault("answer", code="ServerBusy"),
    "503 with Retry-After": AzureFault("answer", code="ServerBusy", retry_after=0),
    "429": AzureFault("answer", code="TooManyRequests", status=429),
    "hung up": AzureFault("close"),
}
SOME = [
    pytest.param(
        name, marks=() if name in ("503 with Retry-After", "hung up") else pytest.mark.long
    )
    for name in FAILURES
]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A request, the verb that makes it, and what is in the container after the verb."""

    name: str
    work: Callable[[AzureDriver], Awaitable[object]]
    after: bytes | None = OLD


STEPS = [
    Step("head", lambda driver: driver.stat(KEY)),
    Step("get", read),
    Step("list", files),
    Step("put", lambda driver: driver.write(KEY, Body(NEW)), NEW),
    Step("block", lambda driver: driver.write(KEY, streamed(BIG)), BIG),
    Step("commit", lambda driver: driver.write(KEY, streamed(BIG)), BIG),
    Step("delete", lambda driver: driver.remove(KEY), None),
    Step("batch", lambda driver: driver.remove_many([KEY, "source"]), None),
    Step("copy", lambda driver: driver.copy_within("source", KEY), NEW),
    Step("tags", lambda driver: driver.change_tags(KEY, {"a": "b"})),
    Step("get tags", lambda driver: driver.read_tags(KEY)),
    Step("tier", lambda driver: driver.change_tier(KEY, "Cool")),
    Step("metadata", lambda driver: driver.change_attributes(KEY, WriteOptions(metadata={}))),
    Step(
        "properties",
        lambda driver: driver.change_attributes(KEY, WriteOptions(content_type="a/b")),
    ),
    Step("lease", lambda driver: driver.acquire_lease(KEY, timedelta(seconds=15))),
    Step("append", lambda driver: driver.extend("log", Body(b"more"))),
]


@pytest.mark.parametrize("failure", SOME)
async def test_a_request_that_fails_once_is_sent_again(container: Container, failure: str) -> None:
    places = {step: arranged(container) for step in STEPS}
    with container.strict.watching() as wire:

        async def one(step: Step) -> None:
            mine = places[step]
            mine.fail(replace(FAILURES[failure], operation=step.name))
            await step.work(mine.driver(**SMALL_PARTS))

        await each(STEPS, one, at_once=6)
    for step, mine in places.items():
        usual = 3 if step.name == "block" else 1
        assert mine.seen(wire).count(step.name) == usual + 1, (step, mine.seen(wire))
        assert mine.get() == step.after, step
        assert mine.get("log") == (b"log more" if step.name == "append" else b"log ")


@pytest.mark.parametrize("failure", SOME)
async def test_a_request_that_always_fails_is_a_typed_error_and_changes_nothing(
    container: Container, failure: str
) -> None:
    places = {step: arranged(container) for step in STEPS}
    with container.strict.watching() as wire:

        async def one(step: Step) -> None:
            mine = places[step]
            mine.fail(replace(FAILURES[failure], operation=step.name, times=100))
            driver = mine.driver(retries=1, **SMALL_PARTS)
            error = await outcome(step.work(driver), within=8)
            assert isinstance(error, Unavailable), (step, error)

        await each(STEPS, one, at_once=6)
    container.strict.reset()
    for step, mine in places.items():
        tries = mine.seen(wire).count(step.name)
        most = {"block": 6, "lease": 4}.get(
            step.name, 2
        )  # the lease may be there, and is given back
        assert 2 <= tries <= most, (step, mine.seen(wire))
        assert (mine.get(), mine.get("log")) == (OLD, b"log "), step


def arranged(container: Container) -> Container:
    mine = container.sibling()
    mine.put(OLD)
    mine.put(NEW, "source")
    mine.put(b"log ", "log", blob_type="AppendBlob")
    return mine


@pytest.mark.parametrize("kind", ["lose", "stall"])
async def test_a_lost_reply_is_no_lost_write(container: Container, kind: Any) -> None:
    """The service did it and said nothing: sent again, looked up, or told to be unknown."""
    places = {step: arranged(container) for step in STEPS}

    async def one(step: Step) -> None:
        mine = places[step]
        mine.fail(AzureFault(kind, operation=step.name))
        timeout = 0.5 if kind == "stall" else 10
        told = await outcome(step.work(mine.driver(timeout=timeout, **SMALL_PARTS)), within=8)
        if step.name in ("metadata", "properties"):  # under the etag that was seen
            assert isinstance(told, Unavailable), (step, told)
            assert "outcome is unknown" in str(told)
            return
        assert not isinstance(told, StorageError), (step, told)

    await each(STEPS, one, at_once=6)
    for step, mine in places.items():
        assert mine.get() == step.after, step
        assert mine.get("log") == (b"log more" if step.name == "append" else b"log ")


async def test_a_lost_removal_does_not_say_that_nothing_was_there(container: Container) -> None:
    container.put(OLD)
    container.fail(AzureFault("lose", operation="delete"))
    assert await container.driver().remove(KEY) is None
    container.put(OLD)
    container.put(OLD, "b")
    container.fail(AzureFault("lose", operation="batch"))
    assert await container.driver().remove_many([KEY, "b", "c"]) == {
        KEY: None,
        "b": None,
        "c": None,
    }


async def test_one_of_many_removals_that_fails_is_made_again_alone(container: Container) -> None:
    for name in "abc":
        container.put(OLD, name)
    container.fail(AzureFault("answer", operation="delete", path="b"))
    assert await container.driver().remove_many(list("abc")) == dict.fromkeys("abc", True)
    container.put(OLD, "b")
    lease = await container.driver().acquire_lease("b", timedelta(seconds=15))
    answers = await container.driver().remove_many(["a", "b"])
    assert answers["a"] is False
    assert isinstance(answers["b"], PreconditionFailed)
    assert answers["b"].path == "b"
    await container.driver().release_lease("b", lease)


async def test_a_lost_reply_of_a_lease_takes_no_second_one(container: Container) -> None:
    container.put(OLD)
    driver = container.driver()
    container.fail(AzureFault("lose", operation="lease"))
    lease = await driver.acquire_lease(KEY, timedelta(seconds=15))
    container.fail(AzureFault("lose", operation="lease"))
    await driver.renew_lease(KEY, lease)
    container.fail(AzureFault("lose", operation="lease"))
    await driver.release_lease(KEY, lease)
    await driver.put(KEY, NEW)
    assert container.get() == NEW


async def test_an_append_whose_reply_is_lost_is_made_once(container: Container) -> None:
    driver = container.driver(**SMALL_PARTS)
    for operation in ("create append", "append"):
        container.fail(AzureFault("lose", operation=operation))
        await driver.extend(f"log {operation}", Body(b"one"))
        assert container.get(f"log {operation}") == b"one"
    for number in range(3):
        container.fail(AzureFault("lose", operation="append"))
        await driver.extend("log append", Body(b" %d" % number))
    assert container.get("log append") == b"one 0 1 2"
    container.put(BIG)
    for operation in ("block", "commit"):
        container.fail(AzureFault("lose", operation=operation))
        await driver.extend(KEY, Body(b"+"))
    assert container.get() == BIG + b"++"


async def test_an_append_that_was_not_made_is_made_behind_what_came_between(
    container: Container,
) -> None:
    """The request was lost on its way, and by the next try somebody else had appended."""
    other = container.driver()
    await other.extend("log", Body(b"one,"))
    container.fail(AzureFault("close", operation="append"))

    driver = container.driver()
    await asyncio.gather(driver.extend("log", Body(b"two,")), other.extend("log", Body(b"three,")))
    assert sorted((container.get("log") or b"").split(b",")) == [b"", b"one", b"three", b"two"]


CONDITIONAL: dict[str, tuple[str, Callable[[AzureDriver, str], Awaitable[object]]]] = {
    "create": ("put", lambda driver, _: driver.write("new", Body(NEW), CREATE_ONLY)),
    "create in blocks": ("commit", lambda d, _: d.write("new", streamed(BIG), CREATE_ONLY)),
    "replace": ("put", lambda d, etag: d.write(KEY, Body(NEW), WriteOptions(if_match=etag))),
    "replace in blocks": (
        "commit",
        lambda d, etag: d.write(KEY, streamed(BIG), WriteOptions(if_match=etag)),
    ),
    "copy": ("copy", lambda driver, _: driver.copy_within("source", "new", CREATE_ONLY)),
    "remove": ("delete", lambda driver, etag: driver.remove(KEY, RemoveOptions(etag))),
}


@pytest.mark.parametrize("verb", CONDITIONAL)
async def test_a_lost_reply_never_makes_a_condition_fail(container: Container, verb: str) -> None:
    """The second try meets what the first one did; who was here first cannot be said to be another."""
    container = arranged(container)
    driver = container.driver(**SMALL_PARTS)
    etag = (await driver.stat(KEY)).etag
    assert etag
    operation, work = CONDITIONAL[verb]
    container.fail(AzureFault("lose", operation=operation))
    told = await outcome(work(driver, etag))
    if isinstance(told, StorageError):
        assert isinstance(told, Unavailable), repr(told)
        assert "outcome is unknown" in str(told)
        assert not told.retryable
    assert isinstance(told, StorageError) or "blocks" in verb or verb == "remove"
    assert container.get("new" if verb.startswith(("create", "copy")) else KEY) != OLD


@pytest.mark.parametrize("verb", ["create", "create in blocks", "replace", "replace in blocks"])
async def test_a_condition_that_failed_before_is_said_to_fail(
    container: Container, verb: str
) -> None:
    """A file that is older than the first try was not made by it."""
    container = arranged(container)
    container.put(OLD, "new")
    driver = container.driver(**SMALL_PARTS)
    time.sleep(3)  # noqa: ASYNC251 - the service's clock has whole seconds
    operation, work = CONDITIONAL[verb]
    container.fail(AzureFault("lose", operation=operation))
    told = await outcome(work(driver, '"0x0"'))
    assert isinstance(told, AlreadyExists if "create" in verb else PreconditionFailed), repr(told)


async def test_conditions_that_fail_are_not_tried_again(container: Container) -> None:
    driver = container.driver(**SMALL_PARTS)
    container.put(OLD)
    with container.strict.watching() as wire:
        for body in (Body(NEW), streamed(BIG)):
            with pytest.raises(AlreadyExists):
                await driver.write(KEY, body, CREATE_ONLY)
        for body in (Body(NEW), streamed(BIG)):
            with pytest.raises(PreconditionFailed):
                await driver.write(KEY, body, WriteOptions(if_match='"0x0"'))
        with pytest.raises(PreconditionFailed):
            await driver.remove(KEY, RemoveOptions('"0x0"'))
    counted = Counter(operations(wire))
    assert (counted["put"], counted["commit"], counted["delete"]) == (2, 2, 1)
    assert container.get() == OLD


async def test_the_service_says_how_long_to_wait(container: Container) -> None:
    driver = container.driver()
    container.fail(AzureFault("answer", code="ServerBusy", retry_after=1))
    began = time.monotonic()
    await driver.write(KEY, Body(NEW))
    assert 1 <= time.monotonic() - began < 3


async def test_each_block_is_sent_again_alone(container: Container) -> None:
    driver = container.driver(concurrency=1, **SMALL_PARTS)
    container.fail(AzureFault("close", operation="block", skip=1))
    container.fail(AzureFault("answer", operation="block", skip=2))
    with container.strict.watching() as wire:
        await driver.write(KEY, streamed(BIG))
    assert container.get() == BIG
    assert Counter(operations(wire)) == {"block": 5, "commit": 1}


async def test_a_body_that_can_be_read_once_is_read_once(container: Container) -> None:
    """Whatever fails, what is sent again comes from memory."""
    for fault in (
        AzureFault("close", operation="block", times=2),
        AzureFault("answer", operation="commit", times=2),
        AzureFault("lose", operation="commit"),
        AzureFault("answer", operation="block", times=100),
    ):
        started = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal started
            started += 1
            for start in range(0, len(BIG), MIB):
                yield BIG[start : start + MIB]

        container.fail(fault)
        told = await outcome(container.driver(retries=2, **SMALL_PARTS).write(KEY, Body(chunks)))
        assert started == 1
        assert isinstance(told, Unavailable if fault.times == 100 else Stat), told
        assert container.get() == BIG
        container.strict.reset()


@pytest.mark.parametrize("kind", ["AppendBlob", "BlockBlob"])
async def test_an_append_whose_last_reply_is_lost_is_looked_for(
    container: Container, kind: Any
) -> None:
    """Who is told to try again would add it twice."""
    container.put(BIG, "log", blob_type=kind)
    operation = "append" if kind == "AppendBlob" else "commit"
    driver = container.driver(retries=0, **SMALL_PARTS)
    container.fail(AzureFault("lose", operation=operation))
    assert (await driver.extend("log", Body(b"+"))).path == "log"
    assert container.get("log") == BIG + b"+"
    container.fail(AzureFault("lose", operation=operation))
    container.fail(
        AzureFault(
            "close",
            operation="get" if kind == "AppendBlob" else "get blocks",
            skip=kind == "BlockBlob",
        )
    )
    told = await outcome(driver.extend("log", Body(b"+")))
    assert isinstance(told, Unavailable), repr(told)
    assert not told.retryable


async def test_an_append_that_was_surely_not_made_may_be_tried_again(container: Container) -> None:
    container.put(OLD, "log", blob_type="AppendBlob")
    container.fail(AzureFault("close", operation="append"))
    told = await outcome(container.driver(retries=0).extend("log", Body(b"+")))
    assert isinstance(told, Unavailable), repr(told)
    assert told.retryable


@pytest.mark.parametrize("verb", CONDITIONAL)
async def test_the_last_reply_to_a_conditional_verb_is_no_invitation_to_try_again(
    container: Container, verb: str
) -> None:
    container = arranged(container)
    driver = container.driver(retries=0, **SMALL_PARTS)
    etag = (await driver.stat(KEY)).etag
    operation, work = CONDITIONAL[verb]
    container.fail(AzureFault("lose", operation=operation))
    told = await outcome(work(driver, str(etag)))
    if "blocks" in verb:  # their names show whose they are
        assert isinstance(told, Stat), repr(told)
        return
    assert isinstance(told, Unavailable), repr(told)
    assert "outcome is unknown" in str(told)
    assert not told.retryable


@pytest.mark.parametrize("told", [{}, {0: Part(500, {}, "InternalError", "")}], ids=["none", "500"])
async def test_one_of_many_removals_of_which_nothing_is_told_may_have_been_made(
    container: Container, monkeypatch: pytest.MonkeyPatch, told: dict[int, Part]
) -> None:
    def parts(*_: object) -> dict[int, Part]:
        return told

    container.put(OLD, "a")
    monkeypatch.setattr(removing, "read_parts", parts)
    assert await container.driver().remove_many(["a", "b"]) == {"a": None, "b": None}


async def test_a_lease_whose_reply_never_came_is_given_back(container: Container) -> None:
    container.put(OLD)
    driver = container.driver(retries=0)
    container.fail(AzureFault("lose", operation="lease"))
    with pytest.raises(Unavailable):
        await driver.acquire_lease(KEY, timedelta.max)
    await driver.put(KEY, NEW)


async def test_who_is_overtaken_waits_and_gives_up_in_the_end(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []

    def paused(attempt: int, _: object) -> float:
        waited.append(attempt)
        return 0

    monkeypatch.setattr(appending, "pause", paused)
    monkeypatch.setattr(appending, "_TRIES", 8)
    container.put(OLD, "log", blob_type="AppendBlob")
    code = "AppendPositionConditionNotMet"
    container.fail(AzureFault("answer", operation="append", code=code, status=412, times=100))
    with pytest.raises(Unavailable, match="append again"):
        await container.driver().extend("log", Body(b"+"))
    assert waited == [0, 1, 2, 3, 4, 5, 5, 5]
