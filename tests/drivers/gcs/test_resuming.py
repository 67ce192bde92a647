"""Sessions that break go on from what the service has, and vanish without a trace when they fail."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted, Unavailable
from storeroom.contracts.values import WriteOptions
from tests.drivers.gcs.bucket import QUANTUM, SMALL_PARTS, Bucket, read
from tests.drivers.s3.bucket import KEY, MIB, outcome, random_bytes, streamed
from tests.servers.strict_gcs import Fault

BIG = random_bytes(3 * MIB + 5)


async def ranges(bucket: Bucket, fault: Fault, **options: object) -> list[str]:
    """The chunks that went up, and the questions between them."""
    bucket.fail(fault)
    with bucket.strict.watching() as wire:
        driver = bucket.driver(**{**SMALL_PARTS, **options})
        await driver.write(KEY, streamed(BIG))
    assert bucket.get() == BIG
    assert await read(driver) == BIG
    assert bucket.open_uploads() == []
    asked = [seen for seen in wire.requests if seen.operation in ("chunk", "query")]
    return [seen.headers["content-range"].removeprefix("bytes ") for seen in asked]


@pytest.mark.parametrize("after", [0, 1, QUANTUM - 1, QUANTUM, 3 * QUANTUM + 1, MIB - 1])
async def test_what_the_service_has_of_a_chunk_is_not_sent_again(
    bucket: Bucket, each_transport: str, after: int
) -> None:
    fault = Fault("cut-upload", operation="chunk", skip=1, after=max(1, after))
    sent = await ranges(bucket, fault, transport=each_transport)
    assert sent[1] == f"{MIB}-{2 * MIB - 1}/*"
    assert sent[2] == "*/*"
    begins = int(sent[3].partition("-")[0])
    assert begins % QUANTUM == 0
    assert MIB <= begins <= 2 * MIB
    if begins < 2 * MIB:
        assert sent[3] == f"{begins}-{2 * MIB - 1}/*"


async def test_a_chunk_that_arrived_though_nobody_said_so_is_not_sent_again(
    bucket: Bucket, each_transport: str
) -> None:
    sent = await ranges(bucket, Fault("lose", operation="chunk", skip=1), transport=each_transport)
    assert sent[1:4] == [f"{MIB}-{2 * MIB - 1}/*", "*/*", f"{2 * MIB}-{3 * MIB - 1}/*"]


async def test_the_last_chunk_of_which_nobody_said_a_word_is_asked_for(
    bucket: Bucket, each_transport: str
) -> None:
    sent = await ranges(bucket, Fault("lose", operation="chunk", skip=3), transport=each_transport)
    total = len(BIG)
    assert sent[3:] == [f"{3 * MIB}-{total - 1}/{total}", f"*/{total}"]


async def test_a_stream_of_whole_chunks_ends_with_its_last(bucket: Bucket) -> None:
    with bucket.strict.watching() as wire:
        await bucket.driver(**SMALL_PARTS).write(KEY, streamed(random_bytes(2 * MIB)))
    chunks = [seen.headers["content-range"] for seen in wire.requests if seen.operation == "chunk"]
    assert chunks[-1] == f"bytes {MIB}-{2 * MIB - 1}/{2 * MIB}"


@pytest.mark.parametrize("operation", ["chunk", "query"])
async def test_every_fault_has_the_tries_of_a_fresh_request(bucket: Bucket, operation: str) -> None:
    """As long as something goes on between them."""
    bucket.fail(Fault("answer", operation="query", times=1 if operation == "query" else 0))
    for skip in range(3):
        bucket.fail(Fault("cut-upload", operation="chunk", skip=skip, after=2 * QUANTUM))
    await bucket.driver(**SMALL_PARTS, retries=1).write(KEY, streamed(BIG))
    assert bucket.get() == BIG


async def test_a_session_that_vanished_is_begun_again_where_the_body_is_still_there(
    bucket: Bucket,
) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    started = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal started
        started += 1
        for number, start in enumerate(range(0, len(BIG), MIB)):
            if started == 1 and number == 3:
                await asyncio.to_thread(bucket.strict.expire_uploads)
            yield BIG[start : start + MIB]

    await driver.write(KEY, Body(chunks, replayable=True))
    assert started == 2
    assert bucket.get() == BIG


async def test_a_session_that_vanished_is_no_success_where_the_body_is_gone(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS)

    async def chunks() -> AsyncIterator[bytes]:
        yield BIG
        await asyncio.to_thread(bucket.strict.expire_uploads)

    bucket.put(b"old")
    told = await outcome(driver.write(KEY, Body(chunks)))
    assert isinstance(told, Unavailable), told
    assert "lost the upload" in str(told)
    assert told.retryable
    assert bucket.get() == b"old"


async def test_the_address_of_a_session_stays_secret(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has it may write to it."""
    bucket.fail(Fault("answer", operation="chunk", status=400, times=100))
    bucket.fail(Fault("answer", operation="abort", status=500, times=100))
    with bucket.strict.watching() as wire:
        told = await outcome(bucket.driver(retries=0, **SMALL_PARTS).write(KEY, streamed(BIG)))
    chunk = next(seen for seen in wire.requests if seen.operation == "chunk")
    secret = chunk.query.rpartition("upload_id=")[2]
    assert len(secret) > 30
    assert "left open" in caplog.text
    for text in (str(told), repr(told), repr(told.__cause__), repr(vars(told.__cause__))):
        assert secret not in text
        assert "upload_id" not in text
    assert secret not in caplog.text


async def test_a_chunk_of_other_bytes_becomes_no_object(bucket: Bucket) -> None:
    bucket.put(b"old")
    bucket.fail(Fault("flip-upload", operation="chunk", skip=1))
    told = await outcome(bucket.driver(**SMALL_PARTS).write(KEY, streamed(BIG)))
    assert isinstance(told, Corrupted), told
    assert bucket.get() == b"old"
    assert bucket.open_uploads() == []


async def test_a_session_keeps_what_goes_beside_the_bytes(bucket: Bucket) -> None:
    how = WriteOptions(
        content_type="a/b", cache_control="no-store", metadata={"k": "Größe"}, tier="NEARLINE"
    )
    stat = await bucket.driver(**SMALL_PARTS).write(KEY, streamed(BIG), how)
    told = bucket.resource()
    assert (stat.content_type, stat.tier, stat.size) == ("a/b", "NEARLINE", len(BIG))
    assert json.dumps(told["metadata"]) == json.dumps({"k": "Größe"})
    assert (told["cacheControl"], told["storageClass"]) == ("no-store", "NEARLINE")
