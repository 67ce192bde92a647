"""A conditional upload in parts that met another write begins anew: its parts are of no use any more."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from storeroom.contracts import threads
from storeroom.contracts.body import Body
from storeroom.contracts.errors import AlreadyExists, Unavailable
from storeroom.contracts.values import WriteOptions
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    operations,
    random_bytes,
    streamed,
)
from tests.servers.strict_s3 import Fault

BIG = random_bytes(5 * MIB + 1)
CREATE = WriteOptions(overwrite=False)
CONFLICT = Fault(
    "answer", method="POST", query="uploadId", code="ConditionalRequestConflict", retry_after=0
)


async def test_a_body_that_can_be_replayed_is_sent_again_entirely(
    bucket: Bucket, each_transport: str
) -> None:
    bucket.fail(CONFLICT)
    driver = bucket.driver(transport=each_transport, concurrency=1, **SMALL_PARTS)
    with bucket.strict.watching() as wire:
        await driver.write(KEY, Body(BIG), CREATE)
    once = ["create", "part", "part", "complete"]
    assert operations(wire) == [*once, "abort", *once]
    assert bucket.get() == BIG
    assert bucket.open_uploads() == []


async def test_what_the_other_one_wrote_is_found_then(bucket: Bucket) -> None:
    bucket.fail(CONFLICT)

    async def chunks() -> AsyncIterator[bytes]:
        yield BIG
        await threads.run(bucket.put, b"theirs")

    with pytest.raises(AlreadyExists):
        await bucket.driver(**SMALL_PARTS).write(KEY, Body(chunks, replayable=True), CREATE)
    assert bucket.get() == b"theirs"
    assert bucket.open_uploads() == []


async def test_a_body_that_can_be_read_once_ends_in_an_error(bucket: Bucket) -> None:
    bucket.fail(CONFLICT)
    with pytest.raises(Unavailable, match="another request is at work"):
        await bucket.driver(**SMALL_PARTS).write(KEY, streamed(BIG), CREATE)
    assert bucket.get() is None
    assert bucket.open_uploads() == []


async def test_a_conflict_that_never_ends_is_an_error(bucket: Bucket) -> None:
    bucket.fail(replace(CONFLICT, times=100))
    driver = bucket.driver(retries=2, **SMALL_PARTS)
    with bucket.strict.watching() as wire, pytest.raises(Unavailable, match="at work on this"):
        await driver.write(KEY, Body(BIG), CREATE)
    assert operations(wire).count("create") == 3
    assert operations(wire).count("complete") == 3
    bucket.strict.reset()
    assert bucket.get() is None
    assert bucket.open_uploads() == []


async def test_a_copy_in_parts_begins_anew(bucket: Bucket) -> None:
    bucket.put(BIG, "source")
    bucket.fail(CONFLICT)
    bucket.fail(Fault("answer", path=".*bin", method="PUT", code="EntityTooLarge", status=400))
    with bucket.strict.watching() as wire:
        await bucket.driver().copy_within("source", KEY, CREATE)
    once = ["create", "part", "complete"]
    assert operations(wire) == ["PUT", *once, "abort", *once]
    assert bucket.get() == BIG
    assert bucket.open_uploads() == []
