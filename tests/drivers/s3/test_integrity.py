"""Bytes that change or go missing on their way are found out, and two objects never mix."""

from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted, NotFound, Unavailable
from storeroom.contracts.values import ReadOptions, Stat
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    asked,
    client,
    each,
    outcome,
    random_bytes,
    read,
    streamed,
)
from tests.servers.proxy import Proxy
from tests.servers.s3 import S3Server
from tests.servers.strict_s3 import Fault

SIZES = {"tiny": 1, "small": 300, "a piece": 300_000, "large": 8 * MIB}
BIG, OTHER = random_bytes(8 * MIB), random_bytes(8 * MIB, "other")
CAREFUL: dict[str, dict[str, Any]] = {
    "crc32": {},
    "md5": {"checksum": "md5"},
    "sha256": {"checksum": "sha256"},
    "unknown service": {"provider": "custom"},
}


@pytest.mark.parametrize("options", CAREFUL)
async def test_a_byte_flipped_on_its_way_down_is_corrupted(
    bucket: Bucket, transport: str, options: str
) -> None:
    driver = bucket.driver(transport=transport, multipart_threshold=8 * MIB, **CAREFUL[options])

    async def one(name: str) -> None:
        data = BIG[: SIZES[name]]
        await driver.write(name, Body(data))
        bucket.fail(Fault("flip", method="GET", path=f"{name}$"))
        with pytest.raises(Corrupted, match="not those whose checksum the service keeps"):
            await read(driver, name)
        assert await read(driver, name) == data

    await each(SIZES, one)


async def test_a_byte_of_an_object_in_parts_flipped_on_its_way_down_is_corrupted(
    bucket: Bucket, each_transport: str
) -> None:
    """A service without checksums of whole objects keeps nothing to compare with."""
    driver = bucket.driver(transport=each_transport, **SMALL_PARTS)
    await driver.write(KEY, streamed(BIG))
    bucket.fail(Fault("flip", method="GET"))
    with pytest.raises(Corrupted):
        await read(driver)


async def test_who_does_not_want_to_know_gets_the_bytes_as_they_come(bucket: Bucket) -> None:
    driver = bucket.driver(verify_content=False)
    await driver.write(KEY, Body(BIG))
    bucket.fail(Fault("flip", method="GET"))
    assert sum(one != other for one, other in zip(await read(driver), BIG, strict=True)) == 1


@pytest.mark.parametrize("times", [1, 100])
@pytest.mark.parametrize("options", CAREFUL)
async def test_a_byte_flipped_on_its_way_up_is_never_stored(
    bucket: Bucket, transport: str, options: str, times: int
) -> None:
    driver = bucket.driver(transport=transport, **SMALL_PARTS, **CAREFUL[options])

    async def one(name: str) -> None:
        bucket.put(b"old", name)
        bucket.fail(Fault("flip-upload", method="PUT", path=f"{name}$", times=times))
        told = await outcome(driver.write(name, Body(BIG[: SIZES[name]])))
        assert isinstance(told, (Stat, Corrupted)), repr(told)
        assert bucket.get(name) == (BIG[: SIZES[name]] if isinstance(told, Stat) else b"old")
        if times > 1:
            assert isinstance(told, Corrupted), repr(told)

    await each(SIZES, one)
    bucket.strict.reset()
    assert bucket.open_uploads() == []


@pytest.mark.parametrize("after", [0, 1, 3 * MIB, 8 * MIB - 1])
async def test_a_short_body_goes_on_where_it_stopped(
    bucket: Bucket, transport: str, after: int
) -> None:
    driver = bucket.driver(transport=transport, multipart_threshold=8 * MIB)
    etag = (await driver.write(KEY, Body(BIG))).etag
    bucket.fail(Fault("cut", method="GET", after=after))
    with bucket.strict.watching() as wire:
        assert await read(driver) == BIG
    first, second = asked(wire, "GET")
    assert {"range", "if-match"}.isdisjoint(first.headers)
    assert second.headers["if-match"] == etag
    assert second.headers.get("range") == (f"bytes={after}-{len(BIG) - 1}" if after else None)
    assert second.status == (206 if after else 200)


@pytest.mark.parametrize("stop", [None, 7 * MIB])
async def test_a_short_part_of_a_body_goes_on_where_it_stopped(
    bucket: Bucket, transport: str, stop: int | None
) -> None:
    driver = bucket.driver(transport=transport, multipart_threshold=8 * MIB)
    await driver.write(KEY, Body(BIG))
    bucket.fail(Fault("cut", method="GET", after=2 * MIB))
    with bucket.strict.watching() as wire:
        async with await driver.read(KEY, ReadOptions(MIB, stop)) as source:
            assert await source.read() == BIG[MIB:stop]
    second = asked(wire, "GET")[1]
    assert second.headers["range"] == f"bytes={3 * MIB}-{(stop or len(BIG)) - 1}"


async def test_a_small_short_body_is_asked_for_again(bucket: Bucket, each_transport: str) -> None:
    driver = bucket.driver(transport=each_transport)
    await driver.write(KEY, Body(BIG[:1000]))
    for after in (0, 1, 999):
        bucket.fail(Fault("cut", method="GET", after=after))
        assert await read(driver) == BIG[:1000]


@pytest.mark.parametrize("change", ["overwritten", "of another size", "removed"])
async def test_an_object_that_changes_while_it_is_read_is_an_error_and_no_mix(
    bucket: Bucket, transport: str, change: str
) -> None:
    bucket.put(BIG)
    driver = bucket.driver(transport=transport)
    bucket.fail(Fault("cut", method="GET", after=3 * MIB))
    async with await driver.read(KEY) as source:
        got = await source.read(MIB)
        if change == "removed":
            bucket.remove()
        else:
            bucket.put(OTHER if change == "overwritten" else OTHER[:-1])
        error = await outcome(source.read())
    assert got == BIG[:MIB]
    assert isinstance(error, NotFound if change == "removed" else Unavailable), repr(error)
    assert change == "removed" or "the file changed before the rest was read" in str(error)
    assert error.path == KEY


@pytest.mark.parametrize("name", ["moto", "rclone"])
async def test_a_service_that_knows_no_conditions_gives_no_mix_either(
    name: str, request: pytest.FixtureRequest
) -> None:
    server: S3Server = request.getfixturevalue(name)
    bucket = Bucket(server, server.make_bucket())
    async with Proxy(bucket.port) as proxy:
        driver = bucket.driver(proxy.port, multipart_threshold=8 * MIB)
        await driver.write("a", Body(BIG))
        proxy.cut("down", after=3 * MIB)
        async with await driver.read("a") as source:
            assert await source.read(MIB) == BIG[:MIB]
            client(server).put_object(Bucket=bucket.name, Key="a", Body=OTHER)
            assert isinstance(await outcome(source.read()), Unavailable)
        assert await read(driver, "a") == OTHER
    await bucket.aclose()
