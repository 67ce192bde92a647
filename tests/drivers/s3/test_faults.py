"""The service refuses, hangs up, or does what it was told and never says so."""

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
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    asked,
    each,
    files,
    operations,
    outcome,
    random_bytes,
    read,
    streamed,
)
from tests.servers.strict_s3 import Fault

OLD, NEW, BIG = b"old", b"new " * 100, random_bytes(11 * MIB)
CREATE_ONLY = WriteOptions(overwrite=False)
HOUR = timedelta(hours=1)

FAILURES = {
    "500": Fault("answer"),
    "503": Fault("answer", code="SlowDown"),
    "503 with Retry-After": Fault("answer", code="SlowDown", retry_after=0),
    "409": Fault("answer", code="ConditionalRequestConflict"),
    "hung up": Fault("close"),
}

SOME = [
    pytest.param(name, marks=pytest.mark.long if name in ("500", "503") else ())
    for name in FAILURES
]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A request, the verb that makes it, and what is in the bucket after the verb."""

    name: str
    work: Callable[[S3Driver], Awaitable[object]]
    fault: dict[str, Any]
    after: bytes | None = OLD


STEPS = [
    Step("HEAD", lambda driver: driver.stat(KEY), {"method": "HEAD"}),
    Step("GET", read, {"method": "GET"}),
    Step("GET", files, {"query": "list-type"}),
    Step("PUT", lambda driver: driver.write(KEY, Body(NEW)), {"method": "PUT"}, NEW),
    Step("create", lambda driver: driver.write(KEY, streamed(BIG)), {"query": "uploads"}, BIG),
    Step("part", lambda driver: driver.write(KEY, streamed(BIG)), {"query": "partNumber"}, BIG),
    Step(
        "complete",
        lambda driver: driver.write(KEY, streamed(BIG)),
        {"query": "uploadId", "method": "POST"},
        BIG,
    ),
    Step("DELETE", lambda driver: driver.remove(KEY), {"method": "DELETE"}, None),
    Step("POST", lambda driver: driver.remove_many([KEY]), {"query": "delete"}, None),
    Step("PUT", lambda driver: driver.copy_within("source", KEY), {"path": ".*bin"}, NEW),
    Step("DELETE", lambda driver: driver.rename("source", KEY), {"method": "DELETE"}, NEW),
    Step("PUT", lambda driver: driver.change_tags(KEY, {"a": "b"}), {"query": "tagging"}),
]


@pytest.mark.parametrize("failure", SOME)
async def test_a_request_that_fails_once_is_sent_again(
    bucket: Bucket, transport: str, failure: str
) -> None:
    steps = STEPS[1:] if failure == "409" else STEPS  # a reply to HEAD has no code
    buckets = {step: arranged(bucket) for step in steps}
    with bucket.strict.watching() as wire:

        async def one(step: Step) -> None:
            mine = buckets[step]
            mine.fail(replace(FAILURES[failure], **step.fault))
            await step.work(mine.driver(transport=transport, **SMALL_PARTS))

        await each(steps, one, at_once=6)
    for step, mine in buckets.items():
        usual = 3 if step.name == "part" else 1
        assert mine.seen(wire).count(step.name) == usual + 1, (step, mine.seen(wire))
        assert mine.get() == step.after
        assert mine.open_uploads() == []


@pytest.mark.parametrize("failure", SOME)
async def test_a_request_that_always_fails_is_a_typed_error_and_changes_nothing(
    bucket: Bucket, transport: str, failure: str
) -> None:
    steps = STEPS[1:] if failure == "409" else STEPS
    buckets = {step: arranged(bucket) for step in steps}
    with bucket.strict.watching() as wire:

        async def one(step: Step) -> None:
            mine = buckets[step]
            fault = replace(FAILURES[failure], **step.fault, times=100)
            mine.fail(fault)
            driver = mine.driver(transport=transport, retries=1, **SMALL_PARTS)
            error = await outcome(step.work(driver), within=8)
            assert isinstance(error, Unavailable) or step.name == "POST", (step, error)

        await each(steps, one, at_once=6)
    bucket.strict.reset()
    for step, mine in buckets.items():
        tries = mine.seen(wire).count(step.name)
        assert tries == 2 or (step.name == "part" and 2 <= tries <= 6), (step, mine.seen(wire))
        assert mine.get() == (NEW if step.fault == {"method": "DELETE"} and step.after else OLD)
        assert mine.open_uploads() == []


def arranged(bucket: Bucket) -> Bucket:
    mine = bucket.sibling()
    mine.put(OLD)
    mine.put(NEW, "source")
    return mine


async def test_the_service_says_how_long_to_wait(bucket: Bucket) -> None:
    driver = bucket.driver()
    bucket.fail(Fault("answer", code="SlowDown", retry_after=1))
    began = time.monotonic()
    await driver.write(KEY, Body(NEW))
    assert 1 <= time.monotonic() - began < 2


async def test_what_the_service_asks_for_is_spread_out(bucket: Bucket) -> None:
    """After being told to slow down, requests keep a distance that successes shorten."""
    driver = bucket.driver(retries=6)
    bucket.fail(Fault("answer", code="SlowDown", times=4, retry_after=0))
    await driver.write(KEY, Body(NEW))
    began = time.monotonic()
    await each(range(4), lambda _: _written(driver))
    assert time.monotonic() - began > 0.1


async def _written(driver: S3Driver) -> None:
    await driver.write(KEY, Body(NEW))


@pytest.mark.parametrize(("operation", "method"), [("PUT", "PUT"), ("complete", "POST")])
async def test_an_error_in_a_success_is_an_error(
    bucket: Bucket, operation: str, method: str
) -> None:
    """Of the requests that take long, which S3 begins to answer before it knows."""
    driver = bucket.driver(**SMALL_PARTS)
    bucket.put(BIG, "source")
    query = "uploadId" if operation == "complete" else None
    bucket.fail(Fault("answer", status=200, method=method, query=query))
    with bucket.strict.watching() as wire:
        if operation == "PUT":
            await driver.copy_within("source", KEY)
        else:
            await driver.write(KEY, streamed(BIG))
    assert bucket.get() == BIG
    assert operations(wire).count(operation) == 2


async def test_conditions_that_fail_are_not_tried_again(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    bucket.put(OLD)
    other = '"0123456789abcdef0123456789abcdef"'
    with bucket.strict.watching() as wire:
        for body in (Body(NEW), streamed(BIG)):
            with pytest.raises(AlreadyExists):
                await driver.write(KEY, body, CREATE_ONLY)
        for body in (Body(NEW), streamed(BIG)):
            with pytest.raises(PreconditionFailed):
                await driver.write(KEY, body, WriteOptions(if_match=other))
        with pytest.raises(PreconditionFailed):
            await driver.remove(KEY, RemoveOptions(other))
    counted = Counter(operations(wire))
    assert (counted["PUT"], counted["complete"], counted["DELETE"]) == (2, 2, 1)
    assert bucket.get() == OLD
    assert bucket.open_uploads() == []


async def test_a_failed_condition_that_comes_from_a_fault_is_believed(bucket: Bucket) -> None:
    driver = bucket.driver()
    bucket.fail(Fault("answer", code="PreconditionFailed"))
    with pytest.raises(PreconditionFailed):
        await driver.write(KEY, Body(NEW))


@pytest.mark.parametrize("kind", ["lose", "stall"])
async def test_a_lost_reply_is_no_lost_write(bucket: Bucket, transport: str, kind: Any) -> None:
    """The service did it and said nothing: sent again, looked up, or told to be unknown."""
    buckets = {step: arranged(bucket) for step in STEPS}

    async def one(step: Step) -> None:
        mine = buckets[step]
        mine.fail(Fault(kind, **step.fault))
        timeout = 0.5 if kind == "stall" else 10
        driver = mine.driver(transport=transport, timeout=timeout, **SMALL_PARTS)
        assert not isinstance(await outcome(step.work(driver), within=8), StorageError)

    await each(STEPS, one, at_once=6)
    for step, mine in buckets.items():
        assert mine.get() == step.after
        lost = mine.open_uploads()
        assert lost == ([KEY] if step.name == "create" else [])
        await mine.driver().sweep(-HOUR)
        assert mine.open_uploads() == []


CONDITIONAL: dict[str, Callable[[S3Driver, str], Awaitable[object]]] = {
    "create": lambda driver, _: driver.write("new", Body(NEW), CREATE_ONLY),
    "create in parts": lambda driver, _: driver.write("new", streamed(BIG), CREATE_ONLY),
    "replace": lambda driver, etag: driver.write(KEY, Body(NEW), WriteOptions(if_match=etag)),
    "replace in parts": lambda driver, etag: driver.write(
        KEY, streamed(BIG), WriteOptions(if_match=etag)
    ),
    "copy": lambda driver, _: driver.copy_within("source", "new", CREATE_ONLY),
    "remove": lambda driver, etag: driver.remove(KEY, RemoveOptions(etag)),
}


@pytest.mark.parametrize("verb", CONDITIONAL)
async def test_a_lost_reply_never_makes_a_condition_fail(
    bucket: Bucket, each_transport: str, verb: str
) -> None:
    """The second try meets what the first one did; who was here first cannot be said to be another."""
    bucket = arranged(bucket)
    driver = bucket.driver(transport=each_transport, **SMALL_PARTS)
    etag = (await driver.stat(KEY)).etag
    assert etag
    method = {"remove": "DELETE", "create in parts": "POST", "replace in parts": "POST"}
    query = "uploadId" if "parts" in verb else None
    bucket.fail(Fault("lose", method=method.get(verb, "PUT"), query=query))
    told = await outcome(CONDITIONAL[verb](driver, etag))
    if isinstance(told, StorageError):
        assert isinstance(told, Unavailable), repr(told)
        assert "outcome is unknown" in str(told)
        assert not told.retryable
    assert bucket.get("new" if verb.startswith(("create", "copy")) else KEY) != OLD
    assert bucket.open_uploads() == []


async def test_each_part_is_sent_again_alone(bucket: Bucket, each_transport: str) -> None:
    driver = bucket.driver(transport=each_transport, concurrency=1, **SMALL_PARTS)
    bucket.fail(Fault("close", query="partNumber", skip=1))
    bucket.fail(Fault("answer", query="partNumber", skip=2))
    with bucket.strict.watching() as wire:
        await driver.write(KEY, streamed(BIG))
    assert bucket.get() == BIG
    numbers = Counter(seen.query.partition("partNumber=")[2][0] for seen in asked(wire, "part"))
    assert sorted(numbers.values()) == [1, 2, 2]
    assert Counter(operations(wire)) == {"create": 1, "part": 5, "complete": 1}


async def test_a_body_that_can_be_read_once_is_read_once(bucket: Bucket) -> None:
    """Whatever fails, what is sent again comes from memory."""
    for fault in (
        Fault("close", query="partNumber", times=2),
        Fault("answer", method="POST", times=2),
        Fault("lose", query="uploadId", method="POST"),
        Fault("answer", query="uploadId", method="POST", code="ConditionalRequestConflict"),
        Fault("answer", query="partNumber", times=100),
    ):
        started = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal started
            started += 1
            for start in range(0, len(BIG), MIB):
                yield BIG[start : start + MIB]

        bucket.fail(fault)
        told = await outcome(bucket.driver(retries=2, **SMALL_PARTS).write(KEY, Body(chunks)))
        assert started == 1
        assert isinstance(told, Unavailable if fault.times == 100 else Stat), told
        assert bucket.get() == BIG
        bucket.strict.reset()
        assert bucket.open_uploads() == []


async def test_a_body_that_fails_leaves_no_parts(bucket: Bucket) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield BIG
        raise ZeroDivisionError

    bucket.put(OLD)
    with pytest.raises(ZeroDivisionError):
        await bucket.driver(**SMALL_PARTS).write(KEY, Body(chunks))
    assert bucket.get() == OLD
    assert bucket.open_uploads() == []


async def test_an_upload_that_vanished_is_no_success(bucket: Bucket) -> None:
    """Somebody's sweep took the parts away."""
    driver = bucket.driver(**SMALL_PARTS)

    async def chunks() -> AsyncIterator[bytes]:
        yield BIG
        assert await driver.sweep(-HOUR) == 1

    told = await outcome(driver.write(KEY, Body(chunks)))
    assert isinstance(told, Unavailable), told
    assert bucket.get() is None
