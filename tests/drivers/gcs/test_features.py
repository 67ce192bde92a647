"""What the suite does not ask: gzip, tiers, access, generations, copies of any size, options."""

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from storeroom.contracts.abilities import ABILITIES, Tags, find
from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    ConfigError,
    NotFound,
    PreconditionFailed,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import ReadOptions, WriteOptions
from storeroom.drivers._gcs.copying import retiered
from storeroom.drivers._http.wire import Refused
from storeroom.drivers.gcs import GCSDriver
from tests.drivers.gcs.bucket import SMALL_PARTS, Bucket, files, read
from tests.drivers.s3.bucket import KEY, MIB, outcome, random_bytes, streamed
from tests.servers.strict_gcs import Fault

ZIPPED = gzip.compress(b"many words " * 1000, mtime=0)
DRESSED = WriteOptions(
    content_type="a/b",
    cache_control="no-store",
    content_disposition="inline",
    content_language="de",
    metadata={"by": "Ada", "title": "Größe 😀"},
)


async def test_stored_gzip_is_read_as_stored_whole_and_by_range(
    bucket: Bucket, each_transport: str
) -> None:
    driver = bucket.driver(transport=each_transport, download_concurrency=2, **SMALL_PARTS)
    await driver.write(KEY, Body(ZIPPED), WriteOptions(content_encoding="gzip"))
    assert (await driver.stat(KEY)).size == len(ZIPPED)
    async with await driver.read(KEY) as source:
        assert source.stat.size == len(ZIPPED)
        assert source.stat.content_encoding == "gzip"
        assert await source.read() == ZIPPED
    for start, stop in ((3, 40), (len(ZIPPED) - 5, None), (0, 1)):
        assert await driver.get(KEY, start=start, stop=stop) == ZIPPED[start:stop]
    async with await driver.read(KEY, ReadOptions(if_none_match="1")) as source:
        assert await source.read() == ZIPPED


async def test_a_name_that_ends_in_gz_is_no_reason_to_unpack(bucket: Bucket) -> None:
    driver = bucket.driver()
    await driver.put("a.gz", ZIPPED)
    assert await driver.get("a.gz") == ZIPPED


async def test_files_are_written_in_the_tier_that_was_set(bucket: Bucket) -> None:
    driver = bucket.driver(tier="COLDLINE", **SMALL_PARTS)
    await driver.put("small", b"x")
    await driver.write("large", streamed(random_bytes(2 * MIB)))
    await driver.put("own", b"x", tier="ARCHIVE")
    await driver.copy("own", "copied")
    await driver.move("own", "moved")
    tiers = {name: bucket.resource(name)["storageClass"] for name in bucket.names()}
    assert tiers == {
        "small": "COLDLINE",
        "large": "COLDLINE",
        "copied": "COLDLINE",
        "moved": "ARCHIVE",
    }


async def test_a_change_of_tier_is_of_the_generation_that_was_named(bucket: Bucket) -> None:
    bucket.put(b"another's")
    with pytest.raises(Refused, match="412"):
        await retiered(bucket.driver()._bucket, KEY, "NEARLINE", generation="17")
    assert bucket.resource()["storageClass"] == "STANDARD"


def test_the_sdk_is_imported_in_one_step_which_a_thread_takes() -> None:
    code = (
        "import sys; from storeroom.drivers._gcs import sdk; sdk._imported(); "
        "print({'aiohttp', 'gcloud.aio.storage'} <= sys.modules.keys())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "True"


async def test_a_change_of_tier_keeps_what_goes_beside_the_bytes(bucket: Bucket) -> None:
    driver = bucket.driver()
    await driver.write(KEY, Body(b"x"), DRESSED)
    before = await driver.stat(KEY)
    await driver.change_tier(KEY, "NEARLINE")
    after = await driver.stat(KEY)
    assert after.tier == "NEARLINE"
    assert (after.metadata, after.content_type) == (before.metadata, before.content_type)
    for tier in ("cold", "nearline"):
        with pytest.raises(Unsupported, match="STANDARD, NEARLINE"):
            await driver.change_tier(KEY, tier)
    with pytest.raises(ConfigError, match="STANDARD, NEARLINE"):
        bucket.driver(tier="cold")


async def test_attributes_change_in_one_request_and_metadata_as_a_whole(bucket: Bucket) -> None:
    driver = bucket.driver()
    await driver.write(KEY, Body(b"x"), DRESSED)
    generation = (await driver.stat(KEY)).etag
    changed = await driver.change_attributes(KEY, WriteOptions(metadata={"new": "1"}))
    assert changed.metadata == {"new": "1"}
    assert (changed.etag, changed.cache_control) == (generation, "no-store")
    with bucket.strict.watching() as wire:
        await driver.change_attributes(KEY, WriteOptions(content_type="c/d", tier="NEARLINE"))
    assert bucket.seen(wire) == ["patch", "get", "rewrite"]
    told = await driver.stat(KEY)
    assert (told.content_type, told.tier, told.metadata) == ("c/d", "NEARLINE", {"new": "1"})


async def test_metadata_that_changes_meanwhile_is_replaced_all_the_same(bucket: Bucket) -> None:
    driver = bucket.driver()
    await driver.write(KEY, Body(b"x"), WriteOptions(metadata={"old": "1"}))
    bucket.fail(Fault("answer", operation="patch", status=412))
    told = await driver.change_attributes(KEY, WriteOptions(metadata={"new": "2"}))
    assert told.metadata == {"new": "2"}


async def test_attributes_change_of_the_file_that_is_named_only(bucket: Bucket) -> None:
    driver = bucket.driver()
    old = await driver.write(KEY, Body(b"x"))
    now = await driver.write(KEY, Body(b"x"))
    for change in ({"cache_control": "no-store"}, {"metadata": {"a": "b"}}):
        with pytest.raises(PreconditionFailed):
            await driver.change_attributes(KEY, WriteOptions(if_match=old.etag, **change))
        await driver.change_attributes(KEY, WriteOptions(if_match=now.etag, **change))


async def test_generations_are_read_restored_and_removed(bucket: Bucket) -> None:
    mine = bucket.sibling(versioned=True)
    driver = mine.driver()
    first = await driver.write(KEY, Body(b"1"), WriteOptions(tier="NEARLINE", metadata={"n": "1"}))
    await driver.write(KEY, Body(b"22"))
    await driver.write(KEY + "longer", Body(b"no"))
    await driver.remove(KEY)
    found = [version async for version in driver.list_versions(KEY)]
    assert [version.size for version in found] == [2, 1]
    assert not any(version.latest for version in found)
    assert found[1].id == first.version
    async with await driver.read_version(KEY, found[1].id, ReadOptions(0, 1)) as source:
        assert (await source.read(), source.stat.metadata) == (b"1", {"n": "1"})
    restored = await driver.restore_version(KEY, found[1].id)
    assert (restored.tier, restored.metadata, restored.size) == ("NEARLINE", {"n": "1"}, 1)
    assert await read(driver) == b"1"
    for bad in ("12345", "no number", "0", ""):
        for verb in (driver.read_version, driver.restore_version):
            with pytest.raises(NotFound):
                await verb(KEY, bad)
    await driver.remove_version(KEY, found[0].id)
    assert [version.size async for version in driver.list_versions(KEY)] == [1, 1]


async def test_a_copy_takes_as_many_calls_as_the_service_wants(bucket: Bucket) -> None:
    bucket.strict.settings(rewrite_per_call=MIB)
    driver = bucket.driver(**SMALL_PARTS)
    data = random_bytes(3 * MIB + 5)
    await driver.write(KEY, streamed(data), DRESSED)
    with bucket.strict.watching() as wire:
        told = await driver.copy_within(KEY, "plain")
        await driver.copy_within(KEY, "other", WriteOptions(content_type="c/d"))
    assert bucket.seen(wire).count("rewrite") == 8
    assert (told.size, told.metadata) == (len(data), DRESSED.metadata)
    assert (await driver.stat("other")).content_type == "c/d"
    assert (await driver.stat("other")).metadata == DRESSED.metadata
    assert await read(driver, "plain") == await read(driver, "other") == data


@pytest.mark.parametrize(
    "work",
    [
        lambda driver: driver.copy_within(KEY, "to", WriteOptions(content_type="c/d")),
        lambda driver: driver.rename(KEY, "to"),
        lambda driver: driver.rename(KEY, "to", WriteOptions(overwrite=False)),
    ],
    ids=["copy", "move", "create"],
)
async def test_a_source_that_changes_is_copied_as_it_is_now(
    bucket: Bucket, work: Callable[[GCSDriver], Awaitable[object]]
) -> None:
    """What was to be kept of the old one would be false of the new one."""
    driver = bucket.driver()
    await driver.write(KEY, Body(b"old"), WriteOptions(metadata={"of": "the old"}))
    bucket.fail(Fault("answer", operation="rewrite", status=503, retry_after=1))

    async def change() -> None:
        await asyncio.sleep(0.5)
        await driver.write(KEY, Body(b"new"), WriteOptions(metadata={"of": "the new"}))

    async with asyncio.TaskGroup() as group:
        group.create_task(change())
        await work(driver)
    told = await driver.stat("to")
    assert told.metadata == {"of": "the new"}
    assert await read(driver, "to") == b"new"


async def test_a_condition_of_a_copy_is_about_its_target(bucket: Bucket) -> None:
    driver = bucket.driver()
    await driver.write(KEY, Body(b"new"), DRESSED)
    there = await driver.write("to", Body(b"old"))
    for changes in ({}, {"content_type": "c/d"}):
        with pytest.raises(AlreadyExists):
            await driver.copy_within(KEY, "to", WriteOptions(overwrite=False, **changes))
        with pytest.raises(PreconditionFailed):
            await driver.copy_within(KEY, "to", WriteOptions(if_match="17", **changes))
    await driver.copy_within(KEY, "to", WriteOptions(if_match=there.etag, content_type="c/d"))
    assert await read(driver, "to") == b"new"


async def test_neighbours_copy_without_the_bytes_coming_here(bucket: Bucket) -> None:
    other = bucket.sibling()
    mine, theirs = bucket.driver(), other.driver()
    await mine.write(KEY, Body(b"contents"), DRESSED)
    with bucket.strict.watching() as wire:
        await theirs.copy_from(mine, KEY, "here")
    assert wire.operations == ["token", "rewrite"]
    assert other.get("here") == b"contents"
    stranger = other.driver(credentials=bucket.strict.authorized_user())
    with pytest.raises(Unsupported, match="not of this service and account"):
        await stranger.copy_from(mine, KEY, "there")


async def test_a_checksum_is_the_services_where_it_keeps_one(bucket: Bucket) -> None:
    driver = bucket.driver()
    await driver.write(KEY, Body(b"123456789"))
    assert await driver.digest(KEY, "crc32c") == "e3069283"
    assert await driver.digest(KEY, "md5") == "25f9e794323b453885f5181f1b624d0b"
    upload = await driver.start_parts("parts")
    part = await driver.write_part("parts", upload, 1, Body(b"123456789"))
    await driver.complete_parts("parts", upload, {1: part})
    assert await driver.digest("parts", "crc32c") == "e3069283"
    with pytest.raises(Unsupported, match="keeps no md5 of this file"):
        await driver.digest("parts", "md5")
    assert await driver.checksum("parts", "md5") == "25f9e794323b453885f5181f1b624d0b"


async def test_listings_go_on_over_pages_of_any_size(bucket: Bucket) -> None:
    driver = bucket.driver()
    names = sorted(["a", "a/1", "a/2", "b/c/1", "b/c/2", "z"])
    for name in names:
        bucket.put(b"", name)
    upload = await driver.start_parts("a/3")
    bucket.strict.settings(page=1)
    assert await files(driver) == names
    assert await driver.directories() == ["a", "b"]
    assert await driver.directory_exists("b") is True
    assert await driver.directory_exists("c") is False
    await driver.abort_parts("a/3", upload)


def test_abilities_are_those_of_the_bucket() -> None:
    def kinds(**options: Any) -> set[str]:
        driver = GCSDriver("media", anonymous=True, **options)
        return {kind.__name__ for kind in ABILITIES if find(driver, kind)}

    assert kinds(uniform_access=False) - kinds() == {"Visibility"}
    assert find(GCSDriver("media"), Tags) is None
    signing = {"PresignRead", "PresignWrite", "PresignPost"}
    given = json.dumps({"type": "service_account", "client_email": "a@b", "private_key": "x"})
    everything = {
        kind.__name__ for kind in ABILITIES if find(GCSDriver("media", credentials=given), kind)
    }
    assert everything - kinds() == signing


@pytest.mark.parametrize(
    "options",
    [
        {"part_size": 100_000},
        {"part_size": 0},
        {"part_size": MIB + 1},
        {"multipart_threshold": -1},
        {"download_concurrency": 0},
        {"retries": -1},
        {"timeout": 0},
        {"transport": "pigeon"},
        {"paths": "loose"},
        {"visibility": "hidden", "uniform_access": False},
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        GCSDriver("media", anonymous=True, **options)


@pytest.mark.parametrize("name", ["", "a/b", "a?b", "a b", "%41"])
def test_a_bucket_is_a_name(name: str) -> None:
    with pytest.raises(ConfigError, match="bucket is a bucket's name"):
        GCSDriver(name)


async def test_a_bucket_that_is_not_there_is_a_mistake_of_the_configuration(
    bucket: Bucket, each_transport: str
) -> None:
    bucket.name = "no-such-bucket"
    driver = bucket.driver(transport=each_transport)
    for work in (
        *(driver.stat("a"), driver.read("a"), driver.remove("a"), files(driver)),
        *(driver.write("a", Body(b"x")), driver.copy_within("a", "b"), driver.rename("a", "b")),
        *(driver.change_attributes("a", DRESSED), driver.digest("a", "md5")),
    ):
        with pytest.raises(ConfigError, match="there is no bucket 'no-such-bucket' at http://127"):
            await work
    told = await driver.remove_many(["a"])
    assert isinstance(told["a"], Exception)


async def test_sweeping_what_never_was_is_nothing(bucket: Bucket) -> None:
    driver = bucket.driver()
    assert await driver.sweep(timedelta(0)) == 0
    assert not isinstance(await outcome(driver.sweep(timedelta(0))), Unavailable)
