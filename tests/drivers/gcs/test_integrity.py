"""Bytes that change or go missing on their way are found out, and two objects never mix."""

import base64
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted, NotFound, Unavailable
from storeroom.contracts.values import ReadOptions
from tests.drivers.gcs.bucket import SMALL_PARTS, Bucket, read
from tests.drivers.s3.bucket import KEY, MIB, each, outcome, random_bytes
from tests.servers.gcs import GcsServer
from tests.servers.strict_gcs import Fault

SIZES = {"tiny": 1, "small": 300, "a piece": 300_000, "large": 4 * MIB}
BIG, OTHER = random_bytes(4 * MIB), random_bytes(4 * MIB, "other")


async def test_a_byte_flipped_on_its_way_down_is_corrupted(bucket: Bucket, transport: str) -> None:
    driver = bucket.driver(transport=transport, **SMALL_PARTS)

    async def one(name: str) -> None:
        data = BIG[: SIZES[name]]
        await driver.write(name, Body(data))
        bucket.fail(Fault("flip", operation="xml-get", path=f"{name}$"))
        with pytest.raises(Corrupted, match="not those whose checksum the service keeps"):
            await read(driver, name)
        assert await read(driver, name) == data

    await each(SIZES, one)


async def test_a_byte_of_pieces_side_by_side_is_checked_too(bucket: Bucket) -> None:
    bucket.put(BIG)
    driver = bucket.driver(download_concurrency=2, **SMALL_PARTS)
    bucket.fail(Fault("flip", operation="xml-get", skip=2))
    with pytest.raises(Corrupted):
        await read(driver)


async def test_a_byte_of_an_object_without_md5_is_found_out(bucket: Bucket) -> None:
    """One that was put together has a CRC32C only."""
    driver = bucket.driver()
    upload = await driver.start_parts(KEY)
    parts = {n: await driver.write_part(KEY, upload, n, Body(BIG[:1000])) for n in (1, 2)}
    await driver.complete_parts(KEY, upload, parts)
    bucket.fail(Fault("flip", operation="xml-get"))
    with pytest.raises(Corrupted):
        await read(driver)


async def test_who_does_not_want_to_know_gets_the_bytes_as_they_come(bucket: Bucket) -> None:
    bucket.put(BIG)
    bucket.fail(Fault("flip", operation="xml-get"))
    got = await read(bucket.driver(verify_content=False))
    assert sum(one != other for one, other in zip(got, BIG, strict=True)) == 1


@pytest.mark.parametrize("operation", ["insert", "chunk"])
async def test_a_byte_flipped_on_its_way_up_is_never_stored(
    bucket: Bucket, each_transport: str, operation: str
) -> None:
    threshold = {"multipart_threshold": 8 * MIB} if operation == "insert" else SMALL_PARTS
    driver = bucket.driver(transport=each_transport, **threshold)
    bucket.put(b"old")
    bucket.fail(Fault("flip-upload", operation=operation))
    with pytest.raises(Corrupted, match="the bytes changed on their way"):
        await driver.write(KEY, Body(BIG))
    assert bucket.get() == b"old"
    assert bucket.open_uploads() == []
    await driver.write(KEY, Body(BIG))
    assert bucket.get() == BIG


@pytest.mark.parametrize("size", [1000, 3 * MIB])
async def test_a_service_that_stores_other_bytes_is_found_out(
    fake_gcs: GcsServer, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """fake-gcs-server does not look at the checksums it is sent; what it says it stored is looked at."""
    bucket = Bucket(fake_gcs, fake_gcs.make_bucket())
    driver = bucket.driver(**SMALL_PARTS)
    wrong = base64.b64encode(b"1234")
    monkeypatch.setattr("storeroom.drivers._gcs.checksums.Crc32c.digest", lambda _: wrong)
    with pytest.raises(Corrupted, match="the bytes changed on their way; store it again"):
        await driver.write(KEY, Body(BIG[:size]))
    assert bucket.get() is None
    await bucket.aclose()


@pytest.mark.parametrize("after", [0, 1, MIB, 4 * MIB - 1])
async def test_a_short_body_goes_on_where_it_stopped(
    bucket: Bucket, transport: str, after: int
) -> None:
    driver = bucket.driver(transport=transport)
    etag = (await driver.write(KEY, Body(BIG))).etag
    bucket.fail(Fault("cut", operation="xml-get", after=after))
    with bucket.strict.watching() as wire:
        assert await read(driver) == BIG
    first, second = wire.requests
    assert {"range", "x-goog-if-generation-match"}.isdisjoint(first.headers)
    assert second.headers["x-goog-if-generation-match"] == etag
    assert second.headers.get("range") == (f"bytes={after}-{len(BIG) - 1}" if after else None)
    assert second.status == (206 if after else 200)


@pytest.mark.parametrize("stop", [None, 3 * MIB + 1])
async def test_a_short_part_of_a_body_goes_on_where_it_stopped(
    bucket: Bucket, transport: str, stop: int | None
) -> None:
    bucket.put(BIG)
    driver = bucket.driver(transport=transport)
    bucket.fail(Fault("cut", operation="xml-get", after=MIB))
    with bucket.strict.watching() as wire:
        async with await driver.read(KEY, ReadOptions(MIB, stop)) as source:
            assert await source.read() == BIG[MIB:stop]
    ranges = [seen.headers.get("range") for seen in wire.requests if seen.operation == "xml-get"]
    assert ranges[1] == f"bytes={2 * MIB}-{(stop or len(BIG)) - 1}"


@pytest.mark.parametrize("change", ["overwritten", "of another size", "removed"])
async def test_an_object_that_changes_while_it_is_read_is_an_error_and_no_mix(
    bucket: Bucket, transport: str, change: str
) -> None:
    bucket.put(BIG)
    driver = bucket.driver(transport=transport)
    bucket.fail(Fault("cut", operation="xml-get", after=2 * MIB))
    async with await driver.read(KEY) as source:
        got = await source.read(MIB)
        if change == "removed":
            bucket.remove()
        else:
            bucket.put(OTHER if change == "overwritten" else OTHER[:-1])
        error: Any = await outcome(source.read())
    assert got == BIG[:MIB]
    assert isinstance(error, NotFound | Unavailable), repr(error)
    assert change == "removed" or "the file changed before the rest was read" in str(error)
    assert error.path == KEY
