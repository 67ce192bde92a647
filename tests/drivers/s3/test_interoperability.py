"""boto3 reads what we wrote, and we read what boto3 wrote."""

import base64
import io
import os
from collections.abc import AsyncIterator
from email.header import decode_header, make_header
from typing import Any
from urllib.parse import urlencode

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted
from storeroom.contracts.values import ReadOptions, WriteOptions
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    files,
    random_bytes,
    read,
    streamed,
)
from tests.servers._strict_s3.checksums import digest
from tests.servers.s3 import S3Server
from tests.servers.strict_s3 import Fault, StrictS3

SMALL, BIG = bytes(range(256)), random_bytes(11 * MIB)
METADATA = {
    "plain": "a value; with=signs",
    "umlauts": "grün & 🦔 ",
    "empty": "",
    "word": "=?UTF-8?",
}
TAGS = {"a b": "c=d+e/f@g", "plain": "1"}
DESCRIBED = WriteOptions(
    content_type="text/x-ugly; charset=utf-8",
    cache_control="max-age=60",
    content_disposition='attachment; filename="a b.txt"',
    content_encoding="x-none",
    content_language="de",
    metadata=METADATA,
    tags=TAGS,
    tier="STANDARD_IA",
)
NAMES = [
    *("a", "a b", "a/b", "a%2Fb", "a+b", "a&b=c", "ü", "u\N{COMBINING DIAERESIS}", "🦔/🦔"),
    *("'quoted' \"twice\"", "<xml>&amp;", "100%", "~tilde", "(b)[c]{d}", "x" * 900, "#?;:@$,"),
]
FEATURES = {"tags": True, "tiers": True, "acl": True}


@pytest.fixture(params=["strict_s3", "moto"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Bucket]:
    server: S3Server = request.getfixturevalue(request.param)
    made = Bucket(server, server.make_bucket())
    yield made
    await made.aclose()


@pytest.fixture(params=[SMALL, BIG], ids=["at once", "in parts"])
def data(request: pytest.FixtureRequest) -> bytes:
    found: bytes = request.param
    return found


async def test_boto3_reads_what_we_wrote(place: Bucket, each_transport: str, data: bytes) -> None:
    driver = place.driver(transport=each_transport, features=FEATURES, **SMALL_PARTS)
    await driver.write(KEY, streamed(data), DESCRIBED)
    boto = place.server.client(response_checksum_validation="when_supported")
    told = boto.get_object(Bucket=place.name, Key=KEY, ChecksumMode="ENABLED")
    assert told["Body"].read() == data
    assert (told["ContentType"], told["CacheControl"]) == (
        DESCRIBED.content_type,
        DESCRIBED.cache_control,
    )
    assert (told["ContentDisposition"], told["ContentLanguage"], told["ContentEncoding"]) == (
        DESCRIBED.content_disposition,
        DESCRIBED.content_language,
        DESCRIBED.content_encoding,
    )
    assert {name: decoded(value) for name, value in told["Metadata"].items()} == METADATA
    assert told["StorageClass"] == "STANDARD_IA"
    tags = boto.get_object_tagging(Bucket=place.name, Key=KEY)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == TAGS


async def test_we_read_what_boto3_wrote(place: Bucket, each_transport: str, data: bytes) -> None:
    boto = place.server.client(request_checksum_calculation="when_supported")
    boto.upload_fileobj(
        io.BytesIO(data),
        place.name,
        KEY,
        ExtraArgs={
            "ContentType": "text/x-ugly",
            "CacheControl": "max-age=60",
            "Metadata": {"plain": "a value", "umlauts": "=?UTF-8?B?Z3LDvG4g8J+mlA==?="},
            "Tagging": urlencode(TAGS),
            "StorageClass": "STANDARD_IA",
        },
    )
    driver = place.driver(transport=each_transport, features=FEATURES)
    async with await driver.read(KEY) as source:
        assert await source.read() == data
        stat = source.stat
    assert await driver.stat(KEY) == stat
    assert (stat.size, stat.content_type, stat.cache_control) == (
        len(data),
        "text/x-ugly",
        "max-age=60",
    )
    assert stat.metadata == {"plain": "a value", "umlauts": "grün 🦔"}
    assert stat.tier == "STANDARD_IA"
    assert await driver.read_tags(KEY) == TAGS
    async with await driver.read(KEY, ReadOptions(10, 20)) as source:
        assert await source.read() == data[10:20]


async def test_ugly_names_are_the_same_to_both(place: Bucket, transport: str) -> None:
    driver = place.driver(transport=transport)
    boto = place.server.client()
    for name in NAMES:
        await driver.write(f"ours/{name}", Body(name.encode()))
        boto.put_object(Bucket=place.name, Key=f"boto3's/{name}", Body=name.encode())
    for name in NAMES:
        told = boto.get_object(Bucket=place.name, Key=f"ours/{name}")
        assert told["Body"].read() == name.encode()
        assert await read(driver, f"boto3's/{name}") == name.encode()
    listed = boto.list_objects_v2(Bucket=place.name)["Contents"]
    assert [found["Key"] for found in listed] == await files(driver)
    assert len(listed) == 2 * len(NAMES)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"])
async def test_checksums_of_boto3_are_held_against_the_bytes(
    bucket: Bucket, algorithm: str
) -> None:
    """Of an algorithm that is none of ours, the etag is."""
    checksum = {f"Checksum{algorithm}": digest(algorithm.lower(), SMALL)}
    bucket.server.client().put_object(Bucket=bucket.name, Key=KEY, Body=SMALL, **checksum)
    driver = bucket.driver()
    assert await read(driver) == SMALL
    bucket.fail(Fault("flip", method="GET"))
    with pytest.raises(Corrupted):
        await read(driver)


async def test_an_upload_in_parts_begun_by_one_is_finished_by_the_other(place: Bucket) -> None:
    driver, boto = place.driver(), place.server.client()
    its = {"Bucket": place.name, "Key": KEY}
    upload = boto.create_multipart_upload(**its)["UploadId"]
    etag = await driver.write_part(KEY, upload, 1, Body(BIG[: 6 * MIB]))
    second = boto.upload_part(**its, UploadId=upload, PartNumber=2, Body=BIG[6 * MIB :])
    assert await driver.list_parts(KEY, upload) == {1: etag, 2: second["ETag"]}
    await driver.complete_parts(KEY, upload, {1: etag, 2: second["ETag"]})
    assert place.get() == BIG


async def test_an_object_under_a_customers_key_is_read_by_both(
    strict_s3_tls: StrictS3, levers: None
) -> None:
    key = os.urandom(32)
    bucket = Bucket(strict_s3_tls, strict_s3_tls.make_bucket())
    driver = bucket.driver(
        customer_key=base64.b64encode(key).decode(),
        verify=str(strict_s3_tls.authority),
        **SMALL_PARTS,
    )
    boto = strict_s3_tls.client()
    its: dict[str, Any] = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    for name, data in (("small", SMALL), ("big", BIG)):
        await driver.write(name, Body(data))
        told = boto.get_object(Bucket=bucket.name, Key=name, **its)
        assert told["Body"].read() == data
    boto.put_object(Bucket=bucket.name, Key="boto3's", Body=SMALL, **its)
    assert await read(driver, "boto3's") == SMALL
    await driver.copy_within("big", "copy")
    assert await read(driver, "copy") == BIG
    await bucket.aclose()


def decoded(value: str) -> str:
    return str(make_header(decode_header(value))) if value.startswith("=?") else value
