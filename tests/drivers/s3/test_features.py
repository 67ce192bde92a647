"""What the suite does not ask: encryption, archives, large copies, neighbours, options."""

import base64
from typing import Any

import pytest

from storeroom import StorageManager
from storeroom.contracts.abilities import ABILITIES, BulkRemove, Tags, Versions, Visibility, find
from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, InvalidArgument, NotFound, Unsupported
from storeroom.contracts.values import WriteOptions
from storeroom.drivers._registry import PROVIDERS
from storeroom.drivers._s3.presets import PRESETS
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    client,
    operations,
    random_bytes,
    read,
    streamed,
)
from tests.servers.strict_s3 import Fault, StrictS3

CUSTOMER_KEY = base64.b64encode(bytes(range(32))).decode()
MIXED = {"by": "Ada", "title": "Größe 😀"}
DRESSED = WriteOptions(
    content_type="a/b", cache_control="no-store", metadata=MIXED, tags={"team": "a b"}
)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"encryption": "AES256"}, ("AES256", None)),
        ({"kms_key_id": "key-1"}, ("aws:kms", "key-1")),
        ({"encryption": "aws:kms:dsse"}, ("aws:kms:dsse", None)),
    ],
    ids=str,
)
async def test_the_service_encrypts_as_asked(
    bucket: Bucket, options: dict[str, Any], wanted: tuple[str, str | None]
) -> None:
    driver = bucket.driver(**options, **SMALL_PARTS)
    await driver.write("small", Body(b"x"))
    await driver.write("large", streamed(random_bytes(11 * MIB)))
    await driver.copy("small", "copied")
    for key in ("small", "large", "copied"):
        told = client(bucket.server).head_object(Bucket=bucket.name, Key=key)
        assert told["ServerSideEncryption"] == wanted[0]
        assert wanted[1] in (None, told.get("SSEKMSKeyId"))
    assert await driver.get("small") == b"x"
    assert await read(driver, "large") == random_bytes(11 * MIB)


async def test_a_customers_key_goes_along_and_stays_away(
    strict_s3_tls: StrictS3, levers: None
) -> None:
    bucket = Bucket(strict_s3_tls, strict_s3_tls.make_bucket())
    options: dict[str, Any] = {"verify": str(strict_s3_tls.authority), **SMALL_PARTS}
    driver = bucket.driver(customer_key=f"base64:{CUSTOMER_KEY}", **options)
    assert CUSTOMER_KEY not in repr(vars(driver))
    await driver.write("small", Body(b"x"), DRESSED)
    await driver.write("large", streamed(random_bytes(11 * MIB)))
    await driver.copy("small", "copied")
    await driver.set_attributes("copied", content_type="c/d")
    assert await driver.get("copied") == b"x"
    assert (await driver.metadata("copied")).content_type == "c/d"
    assert await read(driver, "large") == random_bytes(11 * MIB)
    with pytest.raises(Exception, match="status 400"):
        await bucket.driver(**options).metadata("small")
    await bucket.aclose()


async def test_an_archived_file_is_restored_before_it_is_read(bucket: Bucket) -> None:
    driver = bucket.driver(tier="GLACIER")
    await driver.put("a", b"x")
    assert (await driver.metadata("a")).tier == "GLACIER"
    with pytest.raises(Unsupported, match=r"restore_archived\(path, days=1\)"):
        await driver.get("a")
    await driver.restore_archived("a", days=2, speed="Bulk")
    bucket.strict.finish_restores()
    assert await driver.get("a") == b"x"
    with pytest.raises(InvalidArgument):
        await driver.restore_archived("a", days=0)


async def test_a_file_too_large_for_one_copy_is_copied_in_parts(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storeroom.drivers._s3.copying._PART", 5 * MIB)
    bucket.strict.settings(largest_copy=6 * MIB)
    driver = bucket.driver(**SMALL_PARTS)
    data = random_bytes(11 * MIB)
    await driver.write(KEY, streamed(data), DRESSED)
    with bucket.strict.watching() as wire:
        await driver.copy(KEY, "copied")
    assert operations(wire, "copied") == ["PUT", "create", "part", "part", "part", "complete"]
    stat = await driver.metadata("copied")
    assert (stat.content_type, stat.cache_control, stat.metadata) == ("a/b", "no-store", MIXED)
    assert await driver.read_tags("copied") == {"team": "a b"}
    assert await read(driver, "copied") == data


async def test_a_copy_that_fails_in_parts_leaves_none(bucket: Bucket) -> None:
    bucket.strict.settings(largest_copy=MIB)
    driver = bucket.driver(retries=0)
    await driver.write(KEY, streamed(random_bytes(6 * MIB)))
    bucket.fail(Fault("answer", method="PUT", query="partNumber", code="AccessDenied"))
    with pytest.raises(PermissionError):
        await driver.copy(KEY, "copied")
    assert bucket.open_uploads() == []
    assert bucket.get("copied") is None


async def test_buckets_of_one_endpoint_copy_at_the_service(bucket: Bucket) -> None:
    other = Bucket(bucket.server, bucket.server.make_bucket())
    source, target = bucket.driver(), other.driver()
    await source.write(KEY, Body(b"x"), DRESSED)
    with bucket.strict.watching() as wire:
        await source.copy(KEY, "copied", disk=target)
    assert [seen.method for seen in wire.requests] == ["PUT"]
    assert (await target.metadata("copied")).metadata == MIXED
    assert await target.read_tags("copied") == {"team": "a b"}
    stranger = S3Driver(other.name, endpoint_url="http://127.0.0.1:1", anonymous=True)
    with pytest.raises(Unsupported):
        await target.copy_from(stranger, KEY, "no")
    await other.aclose()


async def test_the_aws_sdk_reads_what_we_wrote_and_we_what_it_wrote(bucket: Bucket) -> None:
    driver, sdk = bucket.driver(), client(bucket.server)
    await driver.write(KEY, Body(b"ours"), DRESSED)
    told = sdk.get_object(Bucket=bucket.name, Key=KEY)
    assert told["Body"].read() == b"ours"
    assert (told["ContentType"], told["CacheControl"]) == ("a/b", "no-store")
    assert told["Metadata"]["by"] == "Ada"
    sdk.put_object(
        Bucket=bucket.name, Key="theirs", Body=b"x", Metadata={"k": "v"}, Tagging="a=b%20c"
    )
    assert (await driver.metadata("theirs")).metadata == {"k": "v"}
    assert await driver.read_tags("theirs") == {"a": "b c"}


async def test_old_versions_are_listed_without_the_marks_of_removals(bucket: Bucket) -> None:
    client(bucket.server).put_bucket_versioning(
        Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"}
    )
    driver = bucket.driver()
    for data in (b"1", b"2"):
        await driver.write("a", Body(data))
    await driver.write("a b", Body(b"other"))
    await driver.remove("a")
    versions = [one async for one in driver.list_versions("a")]
    assert [(one.size, one.latest) for one in versions] == [(1, False), (1, False)]
    await driver.restore_version("a", versions[1].id)
    assert await driver.get("a") == b"1"
    with pytest.raises(NotFound):
        await driver.read_version("a", "no-such-version")


async def test_metadata_that_s3_cannot_keep_is_refused(bucket: Bucket) -> None:
    driver = bucket.driver()
    for pairs in ({"with space": "x"}, {"Name": "a", "name": "b"}, {"ümlaut": "x"}):
        with pytest.raises(InvalidArgument, match="metadata"):
            await driver.write("a", Body(b"x"), WriteOptions(metadata=pairs))
    with pytest.raises(InvalidArgument, match="cache-control"):
        await driver.write("a", Body(b"x"), WriteOptions(cache_control="a\r\nx-evil: 1"))
    await driver.write("a", Body(b"x"), WriteOptions(metadata={"k": " =?UTF-8?B?x?= "}))
    assert (await driver.stat("a")).metadata == {"k": " =?UTF-8?B?x?= "}


def test_every_provider_of_the_registry_has_a_preset() -> None:
    assert set(PRESETS) == PROVIDERS | {"aws", "custom"}


@pytest.mark.parametrize("provider", PRESETS)
def test_a_preset_narrows_what_the_driver_offers(provider: str) -> None:
    driver = S3Driver(
        "media", provider=provider, endpoint_url="https://s3.test", access_key="a", secret_key="b"
    )
    preset = PRESETS[provider]
    for kind, has_it in (
        (Visibility, preset.acl),
        (Tags, preset.tags),
        (Versions, preset.versions),
        (BulkRemove, preset.bulk > 0),
    ):
        assert (find(driver, kind) is not None) is has_it, kind
    assert ("overwrite" in driver.traits.conditions) is ("write" in preset.conditions)
    assert ("visibility" in driver.traits.keeps) is preset.acl
    assert len([kind for kind in ABILITIES if find(driver, kind)]) >= 12


async def test_no_bulk_removal_means_one_by_one(bucket: Bucket) -> None:
    driver = bucket.driver(features={"bulk": 0})
    await driver.put_many({f"f/{number}": b"" for number in range(5)})
    with bucket.strict.watching() as wire:
        assert await driver.delete_directory("f") is True
    assert [seen.method for seen in wire.requests].count("DELETE") == 5
    assert await driver.all_files() == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"provider": "amazon"}, "there is no provider 'amazon'"),
        ({"provider": "minio"}, "where is your minio"),
        ({"provider": "r2"}, "account is missing"),
        ({"provider": "spaces"}, "region is missing"),
        ({"endpoint_url": "minio:9000"}, "endpoint_url is a URL"),
        ({"endpoint_url": "http://u:p@minio"}, "endpoint_url holds a user"),
        ({"endpoint_url": "http://minio:x"}, "a port that is no number"),
        ({"endpoint_url": "http://[minio"}, "endpoint_url is no URL"),
        ({"access_key": "a"}, "go together"),
        ({"anonymous": True, "profile": "x"}, "an anonymous disk signs nothing"),
        ({"provider": "b2", "region": "x", "visibility": "public"}, "no access lists"),
        ({"provider": "b2", "region": "x", "tier": "GLACIER"}, "no tiers"),
        ({"visibility": "public", "acl": "private"}, "give one of them"),
        ({"encryption": "rot13"}, "encryption is"),
        ({"customer_key": "c2hvcnQ="}, "32 bytes in base64"),
        ({"customer_key": CUSTOMER_KEY, "encryption": "AES256"}, "excludes"),
        ({"part_size": 1}, "at least 5 MiB"),
        ({"concurrency": 0}, "concurrency at least 1"),
        ({"transport": "pigeon"}, "transport is"),
        ({"timeout": 0}, "timeout more than 0"),
        ({"features": {"acls": True}}, "did you mean 'acl'"),
        ({"features": {"conditions": ["put"]}}, "conditions are"),
        ({"paths": "any"}, "paths is"),
    ],
    ids=str,
)
def test_a_wrong_option_says_what_is_right(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        S3Driver("media", **options)


@pytest.mark.parametrize("name", ["", "a/b", "a b"])
def test_a_buckets_name_is_checked(name: str) -> None:
    with pytest.raises(ConfigError, match="bucket is a bucket's name"):
        S3Driver(name)


async def test_laravels_words_and_a_url_make_the_same_disk(bucket: Bucket) -> None:
    server = bucket.server
    laravel = {
        "driver": "s3",
        "key": server.access_key,
        "secret": server.secret_key,
        "region": server.region,
        "bucket": bucket.name,
        "endpoint": server.url,
        "use_path_style_endpoint": True,
        "prefix": "täg 1",
        "retries": 1,
        "timeout": 5,
        "features": {"conditions": True},
    }
    secret = server.secret_key.replace("/", "%2F").replace("+", "%2B")
    url = (
        f"s3://{server.access_key}:{secret}@{bucket.name}/t%C3%A4g%201"
        f"?region={server.region}&endpoint={server.url}&use_path_style_endpoint=true&timeout=5"
    )
    manager = StorageManager.isolated({"disks": {"one": laravel, "two": url}})
    await manager.disk("one").put("a", b"x", overwrite=False)
    assert await manager.disk("two").get("a") == b"x"
    assert bucket.get("täg 1/a") == b"x"
    assert server.secret_key not in repr(manager.disk("one").driver)
    await manager.aclose()


def test_a_preset_by_the_drivers_name() -> None:
    manager = StorageManager.isolated(
        {
            "disks": {
                "a": {"driver": "r2", "bucket": "media", "account": "abc"},
                "b": "b2://media?region=us-west-004",
                "c": {"driver": "s3", "provider": "wasabi", "bucket": "m", "region": "x"},
            }
        }
    )
    assert manager.disk("a").url("x") == "https://abc.r2.cloudflarestorage.com/media/x"
    assert manager.disk("b").url("x") == "https://media.s3.us-west-004.backblazeb2.com/x"
    assert manager.disk("c").url("x") == "https://m.s3.x.wasabisys.com/x"
