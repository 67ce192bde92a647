"""What goes over the wire, and what does not: the traps that S3's clients fall into."""

import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted, PermissionDenied, Unavailable
from storeroom.contracts.values import ReadOptions, WriteOptions
from storeroom.drivers._http.tls import tls_context
from storeroom.drivers._s3.uploading import MOST_PARTS, Rules
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    asked,
    operations,
    random_bytes,
    read,
    streamed,
)
from tests.servers.keys import BLIND
from tests.servers.strict_s3 import Fault, StrictS3

PART = 5 * MIB


async def test_static_keys_need_no_sdk(strict_s3: StrictS3) -> None:
    code = (
        "import asyncio, sys\n"
        "from storeroom.drivers.s3 import S3Driver\n"
        "async def main():\n"
        f"    async with S3Driver({strict_s3.make_bucket()!r}, endpoint_url={strict_s3.url!r},\n"
        f"        access_key={strict_s3.access_key!r}, secret_key={strict_s3.secret_key!r}) as s3:\n"
        "        await s3.put('a', b'x')\n"
        "        assert await s3.get('a') == b'x'\n"
        "asyncio.run(main())\n"
        "print({'aioboto3', 'aiobotocore', 'boto3', 'botocore'} & set(sys.modules))\n"
    )
    done = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout == "set()\n", done.stderr


def test_one_tls_context_serves_all_who_verify_alike() -> None:
    assert tls_context(verify=True) is tls_context(verify=True)
    assert tls_context(verify=True) is not tls_context(verify=False)


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        (0, ["PUT"]),
        (PART - 1, ["PUT"]),
        (PART, ["PUT"]),
        (PART + 1, ["create", "part", "part", "complete"]),
        (3 * PART, ["create", "part", "part", "part", "complete"]),
    ],
)
async def test_a_stream_is_one_put_until_it_is_more_than_a_part(
    bucket: Bucket, size: int, wanted: list[str]
) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    with bucket.strict.watching() as wire:
        await driver.write(KEY, streamed(random_bytes(size)))
    assert operations(wire) == wanted
    assert bucket.get() == random_bytes(size)


async def test_parts_are_all_of_one_size_but_the_last(bucket: Bucket) -> None:
    bucket.strict.settings(uniform_parts=True)
    driver = bucket.driver(**SMALL_PARTS)
    data = random_bytes(3 * PART + 17)
    with bucket.strict.watching() as wire:
        await driver.write(KEY, streamed(data, piece=777_777))
    sizes = {int(seen.headers["content-length"]) for seen in asked(wire, "part")}
    assert sizes == {PART, 17}
    assert bucket.get() == data


@pytest.mark.parametrize("tib", [0.01, 0.1, 1, 5])
def test_parts_grow_with_the_size_announced(tib: float) -> None:
    size = int(tib * (1 << 40)) + 1
    rules = Rules(8 * MIB, 8 * MIB, 4, frozenset(), {}, {})
    part = rules.size_of_parts(size)
    assert -(-size // part) <= MOST_PARTS
    assert part % MIB == 0
    assert rules.size_of_parts(None) == 8 * MIB


async def test_memory_is_that_of_the_parts_in_flight(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS, concurrency=2)
    piece = bytes(MIB)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield piece

    await driver.write("warm", streamed(piece))
    tracemalloc.start()
    try:
        await driver.write(KEY, Body(chunks))
        up = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        async with await driver.read(KEY) as source:
            assert sum([len(chunk) async for chunk in source]) == 60 * MIB
        down = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert up < 25 * MIB
    assert down < 8 * MIB


@pytest.mark.parametrize("options", [{}, {"provider": "custom"}, {"checksum": "md5"}], ids=str)
async def test_over_https_the_length_comes_first_and_nothing_is_chunked(
    strict_s3_tls: StrictS3, levers: None, options: dict[str, Any]
) -> None:
    bucket = Bucket(strict_s3_tls, strict_s3_tls.make_bucket())
    driver = bucket.driver(verify=str(strict_s3_tls.authority), **SMALL_PARTS, **options)
    with strict_s3_tls.watching() as wire:
        await driver.write("small", Body(b"x"))
        await driver.write("large", streamed(random_bytes(2 * PART)))
    for seen in wire.requests:
        assert "transfer-encoding" not in seen.headers
        assert "aws-chunked" not in seen.headers.get("content-encoding", "")
        if seen.method in ("PUT", "POST"):
            assert "content-length" in seen.headers
    await bucket.aclose()


async def test_no_acl_is_sent_or_read_unless_asked_for(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    with bucket.strict.watching() as wire:
        await driver.put("a", b"x")
        await driver.write("big", streamed(random_bytes(2 * PART)))
        await driver.copy("a", "b")
        await driver.move("b", "c")
        await driver.metadata("c")
        await driver.all_files()
    assert not [seen for seen in wire.requests if "x-amz-acl" in seen.headers or seen.has("acl")]


async def test_a_range_of_an_empty_object_is_empty(bucket: Bucket) -> None:
    driver = bucket.driver()
    await driver.write("empty", Body(b""))
    async with await driver.read("empty", ReadOptions(start=0, stop=10)) as source:
        assert await source.read() == b""
        assert source.stat.size == 0


async def test_the_etag_of_parts_is_taken_for_no_md5(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    data = random_bytes(2 * PART)
    await driver.write(KEY, streamed(data))
    assert "-" in ((await driver.stat(KEY)).etag or "")
    assert await read(driver) == data
    with bucket.strict.watching() as wire:
        checksum = await driver.checksum(KEY, "md5")
    assert operations(wire) == ["HEAD", "GET"]
    assert len(checksum) == 32


async def test_the_stored_md5_is_not_computed_again(bucket: Bucket) -> None:
    driver = bucket.driver()
    await driver.write(KEY, Body(b"foobar"))
    with bucket.strict.watching() as wire:
        assert await driver.checksum(KEY, "md5") == "3858f62230ac3c915f300c664312c63f"
    assert operations(wire) == ["HEAD"]


async def test_whoever_may_not_list_is_told_so_and_not_that_nothing_is_there(
    bucket: Bucket,
) -> None:
    driver = bucket.driver(access_key=BLIND.access, secret_key=BLIND.secret)
    for verb in (driver.stat, driver.read, driver.exists):
        with pytest.raises(PermissionDenied):
            await verb("missing")


async def test_bulk_removal_takes_a_thousand_keys_a_request(bucket: Bucket) -> None:
    driver = bucket.driver()
    paths = [f"f/{number} &<é>" for number in range(2_001)]
    with bucket.strict.watching() as wire:
        answers = await driver.remove_many(paths)
    assert set(answers) == set(paths)
    assert [seen.method for seen in wire.requests] == ["POST"] * 3


@pytest.mark.parametrize("checksum", ["crc32", "md5", "sha256"])
@pytest.mark.parametrize("size", [100, 2 * PART])
async def test_a_byte_that_changes_on_its_way_up_is_sent_again_or_corrupted(
    bucket: Bucket, checksum: str, size: int
) -> None:
    driver = bucket.driver(checksum=checksum, **SMALL_PARTS)
    bucket.put(b"old")
    bucket.fail(Fault("flip-upload", times=20, method="PUT"))
    with pytest.raises(Corrupted):
        await driver.write(KEY, streamed(random_bytes(size)))
    bucket.strict.reset()
    assert bucket.get() == b"old"
    assert bucket.open_uploads() == []


@pytest.mark.parametrize(
    ("provider", "size"),
    [("aws", 100), ("aws", MIB), ("aws", 2 * PART), ("custom", 100), ("custom", MIB)],
)
async def test_a_byte_that_changed_since_it_was_stored_is_corrupted(
    bucket: Bucket, provider: str, size: int
) -> None:
    driver = bucket.driver(provider=provider)
    await driver.write(KEY, Body(random_bytes(size)))
    for chunked in (False, True):
        bucket.fail(Fault("flip", method="GET"))
        with pytest.raises(Corrupted):
            await (_all_chunks(driver) if chunked else read(driver))
    assert await read(driver) == random_bytes(size)
    bucket.fail(Fault("flip", method="GET"))
    assert await read(bucket.driver(verify_content=False)) != random_bytes(size)


async def test_a_lost_reply_to_complete_is_looked_into(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    data = random_bytes(2 * PART)
    bucket.fail(Fault("lose", method="POST", query="uploadId"))
    with bucket.strict.watching() as wire:
        stat = await driver.write(KEY, streamed(data))
    assert operations(wire)[-3:] == ["complete", "complete", "HEAD"]
    assert stat.etag == (await driver.stat(KEY)).etag
    assert bucket.get() == data


async def test_a_lost_reply_to_a_create_only_write_is_an_unknown_outcome(bucket: Bucket) -> None:
    driver = bucket.driver()
    bucket.fail(Fault("lose", method="PUT"))
    with pytest.raises(Unavailable, match="the outcome is unknown"):
        await driver.write(KEY, Body(b"x"), WriteOptions(overwrite=False))


async def test_an_error_within_a_success_is_an_error(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    await driver.write("a", Body(b"x"))
    bucket.fail(Fault("answer", status=200, method="PUT", path="b"))
    await driver.copy("a", "b")
    assert bucket.get("b") == b"x"
    bucket.fail(Fault("answer", status=200, method="PUT", path="c", code="AccessDenied"))
    with pytest.raises(PermissionDenied):
        await driver.copy("a", "c")
    bucket.fail(Fault("answer", status=200, method="POST", query="uploadId"))
    await driver.write(KEY, streamed(random_bytes(2 * PART)))
    assert bucket.get() == random_bytes(2 * PART)


async def test_paths_leave_the_driver_as_they_are(bucket: Bucket) -> None:
    driver: S3Driver = bucket.driver(paths="service")
    names = ["a//b", "/abs", "a/../b", "./a", "a/./b", "..", "a/.", "new\nline", "ta\tb", "\x01"]
    for name in names:
        await driver.write(name, Body(name.encode()))
    for name in names:
        assert await read(driver, name) == name.encode(), name
    report = await driver.delete_many(names)
    assert report.ok, report.failed
    assert await driver.all_files() == []


async def _all_chunks(driver: S3Driver) -> list[bytes]:
    async with await driver.read(KEY) as source:
        return [chunk async for chunk in source]
