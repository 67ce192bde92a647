"""Uploads in parts, put together at the service, and out of sight until then."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidArgument, NotFound, PreconditionFailed, Unsupported
from storeroom.contracts.values import SHALLOW, ScanOptions, WriteOptions
from tests.drivers.gcs.bucket import SMALL_PARTS, Bucket, files, read
from tests.drivers.s3.bucket import KEY, MIB, each, random_bytes, streamed
from tests.servers.strict_gcs import Fault

HOUR = timedelta(hours=1)


async def test_more_parts_than_go_together_become_the_file_in_steps(bucket: Bucket) -> None:
    driver = bucket.driver()
    how = WriteOptions(content_type="a/b", metadata={"k": "ü"}, tier="NEARLINE")
    upload = await driver.start_parts(KEY, how)
    parts: dict[int, str] = {}

    async def one(number: int) -> None:
        parts[number] = await driver.write_part(KEY, upload, number, Body(b"%d," % number))

    await each(range(1, 71), one)
    assert await driver.list_parts(KEY, upload) == parts
    with bucket.strict.watching() as wire:
        stat = await driver.complete_parts(KEY, upload, parts)
    assert wire.operations.count("compose") == 4
    assert (stat.content_type, stat.metadata, stat.tier) == ("a/b", {"k": "ü"}, "NEARLINE")
    assert await read(driver) == b"".join(b"%d," % number for number in range(1, 71))
    assert bucket.names() == [KEY]


async def test_a_part_may_be_large_and_a_stream(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    data = random_bytes(2 * MIB + 7)
    upload = await driver.start_parts(KEY)
    first = await driver.write_part(KEY, upload, 3, streamed(data))
    second = await driver.write_part(KEY, upload, 9, Body(b"end"))
    await driver.complete_parts(KEY, upload, {9: second, 3: first})
    assert await read(driver) == data + b"end"


async def test_parts_are_seen_by_nobody_and_in_nobodys_way(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    for paths in ("strict", "service"):
        driver = bucket.driver(paths=paths)
        bucket.put(b"x", "a/b")
        upload = await driver.start_parts("a/c")
        await driver.write_part("a/c", upload, 1, Body(b"x"))
        with caplog.at_level(logging.WARNING):
            assert await files(driver) == ["a/b"]
            assert await driver.directories() == ["a"]
            assert [found.path async for found in driver.scan("", SHALLOW)] == ["a"]
            refusing = ScanOptions(strangers="refuse")
            assert [found.path async for found in driver.scan("", refusing)] == ["a", "a/b"]
            assert await driver.delete_directory("a") is True
        assert caplog.text == ""
        assert len(bucket.names()) == 2
        await driver.abort_parts("a/c", upload)
        assert bucket.names() == []


async def test_an_upload_that_nobody_knows_is_not_found(bucket: Bucket) -> None:
    driver = bucket.driver()
    known = await driver.start_parts(KEY)
    for path, upload in ((KEY, "0" * 32), (KEY, "../../a"), (KEY, ""), ("another", known)):
        for work in (
            driver.write_part(path, upload, 1, Body(b"x")),
            driver.list_parts(path, upload),
            driver.complete_parts(path, upload, {1: "1"}),
            driver.presign_part(path, upload, 1, datetime.now(UTC) + HOUR),
        ):
            with pytest.raises(NotFound, match="no such upload"):
                await work
    for upload in ("0" * 32, "../../a", ""):
        await driver.abort_parts(KEY, upload)
    assert await driver.list_parts(KEY, known) == {}


async def test_parts_that_are_not_there_make_no_file(bucket: Bucket) -> None:
    driver = bucket.driver()
    bucket.put(b"old")
    upload = await driver.start_parts(KEY)
    first = await driver.write_part(KEY, upload, 1, Body(b"x"))
    second = await driver.write_part(KEY, upload, 1, Body(b"y"))
    for parts in ({1: first}, {1: second, 2: "17"}, {1: "an etag"}, {}):
        with pytest.raises(InvalidArgument):
            await driver.complete_parts(KEY, upload, parts)
    for number in (0, 10_001, -1):
        with pytest.raises(InvalidArgument, match="numbered from 1 to 10,000"):
            await driver.write_part(KEY, upload, number, Body(b"x"))
    assert bucket.get() == b"old"
    await driver.complete_parts(KEY, upload, {1: second})
    assert bucket.get() == b"y"


async def test_a_condition_belongs_to_the_end(bucket: Bucket) -> None:
    driver = bucket.driver()
    for how in (WriteOptions(overwrite=False), WriteOptions(if_match="1")):
        with pytest.raises(Unsupported):
            await driver.start_parts(KEY, how)
    with pytest.raises(PreconditionFailed):
        await driver.write(KEY, Body(b"x"), WriteOptions(overwrite=False, if_match="1"))
    assert bucket.names() == []


async def test_what_crashes_left_is_swept_for_good(bucket: Bucket) -> None:
    """Also where the bucket keeps what is removed."""
    mine = bucket.sibling(versioned=True)
    driver = mine.driver()
    mine.put(b"stays", "a")
    for name in ("b", "c"):
        upload = await driver.start_parts(name)
        for _ in range(2):
            await driver.write_part(name, upload, 1, Body(b"x"))
    mine.put(b"orphan", ".storeroom-parts/0123456789abcdef0123456789abcdef/00001")
    assert await driver.sweep(HOUR) == 0
    assert await driver.sweep(-HOUR) == 3
    assert mine.names(versions=True) == ["a"]
    upload = await driver.start_parts("d")
    part = await driver.write_part("d", upload, 1, Body(b"x"))
    await driver.complete_parts("d", upload, {1: part})
    assert mine.names(versions=True) == ["a", "d"]


async def test_a_file_that_was_made_is_made_though_its_parts_stay(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    driver = bucket.driver(retries=0)
    upload = await driver.start_parts(KEY)
    part = await driver.write_part(KEY, upload, 1, Body(b"x"))
    bucket.fail(Fault("answer", operation="delete", status=503, times=100))
    assert (await driver.complete_parts(KEY, upload, {1: part})).size == 1
    assert "sweep clears them" in caplog.text
    bucket.strict.reset()
    assert await files(driver) == [KEY]
    assert await driver.sweep(-HOUR) == 1
    assert bucket.names() == [KEY]
