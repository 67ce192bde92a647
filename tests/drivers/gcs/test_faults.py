"""The service refuses, hangs up, or does what it was told and never says so."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    PreconditionFailed,
    StorageError,
    Unavailable,
)
from storeroom.contracts.values import RemoveOptions, WriteOptions
from storeroom.drivers.gcs import GCSDriver
from tests.drivers.gcs.bucket import SMALL_PARTS, Bucket, files, read
from tests.drivers.s3.bucket import KEY, MIB, each, outcome, random_bytes, streamed
from tests.servers.strict_gcs import Fault

OLD, NEW, BIG = b"old", b"new " * 100, random_bytes(2 * MIB + 3)
CREATE_ONLY = WriteOptions(overwrite=False)
METADATA = WriteOptions(metadata={"a": "b"})

FAILURES = {
    "500": Fault("answer", status=500),
    "503": Fault("answer", status=503),
    "429 with Retry-After": Fault("answer", status=429, retry_after=0),
    "403 too fast": Fault("answer", status=403, reason="rateLimitExceeded"),
    "408": Fault("answer", status=408),
    "hung up": Fault("close"),
}
SOME = [
    pytest.param(name, marks=pytest.mark.long if name in ("500", "408") else ())
    for name in FAILURES
]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A request, the verb that makes it, how often it does, and what is there after the verb."""

    name: str
    work: Callable[[GCSDriver], Awaitable[object]]
    after: bytes | None = OLD
    usual: int = 1


async def in_parts(driver: GCSDriver) -> None:
    upload = await driver.start_parts(KEY)
    part = await driver.write_part(KEY, upload, 1, Body(NEW))
    await driver.complete_parts(KEY, upload, {1: part})


STEPS = [
    Step("get", lambda driver: driver.stat(KEY)),
    Step("xml-get", read),
    Step("list", files),
    Step("insert", lambda driver: driver.write(KEY, Body(NEW)), NEW),
    Step("start", lambda driver: driver.write(KEY, streamed(BIG)), BIG),
    Step("chunk", lambda driver: driver.write(KEY, streamed(BIG)), BIG, 3),
    Step("delete", lambda driver: driver.remove(KEY), None),
    Step("batch", lambda driver: driver.remove_many([KEY]), None),
    Step("rewrite", lambda driver: driver.copy_within("source", KEY), NEW),
    Step("delete", lambda driver: driver.rename("source", KEY), NEW),
    Step("rewrite", lambda driver: driver.change_tier(KEY, "NEARLINE")),
    Step("compose", in_parts, NEW),
    Step("patch", lambda driver: driver.change_attributes(KEY, METADATA)),
]


def failures_of(step: Step, failure: str) -> Fault:
    """The reason is a word of the JSON API; bytes and sessions are answered in other ways."""
    fault = FAILURES[failure]
    if fault.status == 403 and step.name in ("chunk", "xml-get"):
        fault = replace(fault, status=429)
    return replace(fault, operation=step.name)


@pytest.mark.parametrize("failure", SOME)
async def test_a_request_that_fails_once_is_sent_again(
    bucket: Bucket, transport: str, failure: str
) -> None:
    buckets = {step: arranged(bucket) for step in STEPS}
    with bucket.strict.watching() as wire:

        async def one(step: Step) -> None:
            mine = buckets[step]
            fault = failures_of(step, failure)
            (bucket.strict.fail if step.name == "batch" else mine.fail)(fault)
            await step.work(mine.driver(transport=transport, **SMALL_PARTS))

        await each(STEPS, one, at_once=6)
    for step, mine in buckets.items():
        seen = wire.operations if step.name == "batch" else mine.seen(wire)
        again = step.usual if step.name == "batch" else step.usual + 1
        assert seen.count(step.name) >= again, (step, seen)
        assert mine.get() == step.after, step
        assert mine.open_uploads() == []


@pytest.mark.parametrize("failure", SOME)
async def test_a_request_that_always_fails_is_a_typed_error_and_changes_nothing(
    bucket: Bucket, transport: str, failure: str
) -> None:
    steps = [step for step in STEPS if step.name != "batch"]
    buckets = {step: arranged(bucket) for step in steps}
    with bucket.strict.watching() as wire:

        async def one(step: Step) -> None:
            mine = buckets[step]
            mine.fail(replace(failures_of(step, failure), times=100))
            driver = mine.driver(transport=transport, retries=1, **SMALL_PARTS)
            error = await outcome(step.work(driver), within=8)
            assert isinstance(error, Unavailable | TimeoutError), (step, error)
            assert isinstance(error, StorageError)
            assert error.retryable

        await each(steps, one, at_once=6)
    bucket.strict.reset()
    for step, mine in buckets.items():
        tries = mine.seen(wire).count(step.name)
        assert tries == 2, (step, mine.seen(wire))
        assert mine.get() == (NEW if step.name == "delete" and step.after else OLD)
        assert mine.open_uploads() == []


def arranged(bucket: Bucket) -> Bucket:
    mine = bucket.sibling()
    mine.put(OLD)
    mine.put(NEW, "source")
    return mine


async def test_the_service_says_how_long_to_wait(bucket: Bucket) -> None:
    driver = bucket.driver()
    bucket.fail(Fault("answer", status=429, retry_after=1))
    began = time.monotonic()
    await driver.write(KEY, Body(NEW))
    assert 1 <= time.monotonic() - began < 3


async def test_conditions_that_fail_are_not_tried_again(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    bucket.put(OLD)
    with bucket.strict.watching() as wire:
        for body in (Body(NEW), streamed(BIG)):
            with pytest.raises(AlreadyExists):
                await driver.write(KEY, body, CREATE_ONLY)
        for body in (Body(NEW), streamed(BIG)):
            with pytest.raises(PreconditionFailed):
                await driver.write(KEY, body, WriteOptions(if_match="17"))
        with pytest.raises(PreconditionFailed):
            await driver.remove(KEY, RemoveOptions("17"))
    counted = Counter(bucket.seen(wire))
    assert (counted["insert"], counted["start"], counted["delete"]) == (2, 2, 1)
    assert bucket.get() == OLD
    assert bucket.open_uploads() == []


@pytest.mark.parametrize("kind", ["lose", "stall"])
async def test_a_lost_reply_is_no_lost_write(bucket: Bucket, transport: str, kind: Any) -> None:
    """The service did it and said nothing: sent again, asked for, or looked up."""
    buckets = {step: arranged(bucket) for step in STEPS}

    async def one(step: Step) -> None:
        mine = buckets[step]
        fault = Fault(kind, operation=step.name)
        (bucket.strict.fail if step.name == "batch" else mine.fail)(fault)
        timeout = 0.5 if kind == "stall" else 10
        driver = mine.driver(transport=transport, timeout=timeout, **SMALL_PARTS)
        told = await outcome(step.work(driver), within=8)
        assert not isinstance(told, StorageError), (step, told)

    await each(STEPS, one, at_once=6)
    for step, mine in buckets.items():
        assert mine.get() == step.after
        assert mine.open_uploads() == ([KEY] if step.name == "start" else [])


CONDITIONAL: dict[str, Callable[[GCSDriver, str], Awaitable[object]]] = {
    "create": lambda driver, _: driver.write("new", Body(NEW), CREATE_ONLY),
    "create in chunks": lambda driver, _: driver.write("new", streamed(BIG), CREATE_ONLY),
    "replace": lambda driver, etag: driver.write(KEY, Body(NEW), WriteOptions(if_match=etag)),
    "replace in chunks": lambda driver, etag: driver.write(
        KEY, streamed(BIG), WriteOptions(if_match=etag)
    ),
    "copy": lambda driver, _: driver.copy_within("source", "new", CREATE_ONLY),
    "remove": lambda driver, etag: driver.remove(KEY, RemoveOptions(etag)),
}
OPERATIONS = {"copy": "rewrite", "remove": "delete", "create": "insert", "replace": "insert"}


@pytest.mark.parametrize("verb", CONDITIONAL)
async def test_a_lost_reply_never_makes_a_condition_fail(
    bucket: Bucket, each_transport: str, verb: str
) -> None:
    """The second try meets what the first one did; who was here first cannot be said to be another."""
    bucket = arranged(bucket)
    driver = bucket.driver(transport=each_transport, **SMALL_PARTS)
    etag = (await driver.stat(KEY)).etag
    assert etag
    skip = 2 if "chunks" in verb else 0
    bucket.fail(Fault("lose", operation=OPERATIONS.get(verb, "chunk"), skip=skip))
    told = await outcome(CONDITIONAL[verb](driver, etag))
    if isinstance(told, StorageError):
        assert "chunks" not in verb, repr(told)  # a session is asked what became of it
        assert verb != "remove", repr(told)
        assert isinstance(told, Unavailable), repr(told)
        assert "outcome is unknown" in str(told)
        assert not told.retryable
    assert bucket.get("new" if verb.startswith(("create", "copy")) else KEY) != OLD
    assert bucket.open_uploads() == []


@pytest.mark.parametrize("large", [False, True], ids=["at once", "in chunks"])
async def test_a_condition_whose_last_reply_is_lost_is_not_tried_again_by_anybody(
    bucket: Bucket, each_transport: str, *, large: bool
) -> None:
    driver = bucket.driver(transport=each_transport, retries=0, **SMALL_PARTS)
    body = streamed(BIG) if large else Body(NEW)
    bucket.fail(Fault("lose", operation="chunk" if large else "insert", skip=2 if large else 0))
    with pytest.raises(Unavailable, match="outcome is unknown") as caught:
        await driver.write("new", body, CREATE_ONLY)
    assert not caught.value.retryable
    assert bucket.get("new") == (BIG if large else NEW)


@pytest.mark.parametrize("how", [CREATE_ONLY, WriteOptions(if_match="17")], ids=["create", "match"])
async def test_another_who_was_first_is_told_from_a_lost_reply(
    bucket: Bucket, how: WriteOptions
) -> None:
    """Nothing was done at the first try, and what is there has other bytes."""
    bucket.put(OLD)
    bucket.fail(Fault("close", operation="insert"))
    wanted = PreconditionFailed if how.overwrite else AlreadyExists
    with pytest.raises(wanted):
        await bucket.driver().write(KEY, Body(NEW), how)
    assert bucket.get() == OLD


async def test_the_same_bytes_do_not_prove_who_was_first(bucket: Bucket) -> None:
    """Two who create the same lock write the same."""
    bucket.put(NEW)
    bucket.fail(Fault("close", operation="insert"))
    with pytest.raises(Unavailable, match="outcome is unknown"):
        await bucket.driver().write(KEY, Body(NEW), CREATE_ONLY)


async def test_a_removal_that_may_have_been_the_first_try_is_not_known(bucket: Bucket) -> None:
    bucket.put(OLD)
    driver = bucket.driver()
    bucket.fail(Fault("lose", operation="delete"))
    assert await driver.remove(KEY) is None
    assert await driver.remove(KEY) is False
    bucket.put(OLD)
    assert await driver.remove(KEY) is True


async def test_a_body_that_can_be_read_once_is_read_once(bucket: Bucket) -> None:
    """Whatever fails, what is sent again comes from memory."""
    for fault in (
        Fault("close", operation="chunk", times=2),
        Fault("answer", operation="start", times=2),
        Fault("lose", operation="chunk", skip=2),
        Fault("answer", operation="query", times=2),
        Fault("answer", operation="chunk", times=100),
    ):
        started = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal started
            started += 1
            for start in range(0, len(BIG), MIB // 3):
                yield BIG[start : start + MIB // 3]

        bucket.fail(fault)
        told = await outcome(bucket.driver(retries=2, **SMALL_PARTS).write(KEY, Body(chunks)))
        assert started == 1
        assert isinstance(told, Unavailable) is (fault.times == 100), told
        assert bucket.get() == BIG
        bucket.strict.reset()
        assert bucket.open_uploads() == []


async def test_a_body_that_fails_leaves_no_session(bucket: Bucket) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield BIG
        raise ZeroDivisionError

    bucket.put(OLD)
    with pytest.raises(ZeroDivisionError):
        await bucket.driver(**SMALL_PARTS).write(KEY, Body(chunks))
    assert bucket.get() == OLD
    assert bucket.open_uploads() == []


async def test_a_batch_tries_again_what_failed_in_it(bucket: Bucket) -> None:
    keys = [f"{number} ü%2F" for number in range(205)]
    bucket.put(b"x", keys[7])
    driver = bucket.driver()
    with bucket.strict.watching() as wire:
        told = await driver.remove_many([*keys, "../no"])
    assert Counter(wire.operations)["batch"] == 3
    assert {key for key, answer in told.items() if answer is True} == {keys[7]}
    assert {key for key, answer in told.items() if isinstance(answer, StorageError)} == {"../no"}
    assert bucket.names() == []
