"""The strict server's uploads in parts, and copies in parts."""

import base64
import hashlib
from typing import Any

import pytest

from tests.servers._strict_s3.checksums import composite, digest
from tests.servers.plain import send, signed
from tests.servers.refusals import refused
from tests.servers.strict_s3 import StrictS3

LEAST = 5 << 20
BIG = bytes(range(256)) * (LEAST // 256)


@pytest.fixture
def client(strict_s3: StrictS3) -> Any:
    return strict_s3.client()


@pytest.fixture
def bucket(strict_s3: StrictS3, levers: None) -> str:
    return strict_s3.make_bucket()


class Upload:
    """An upload in parts under way, by boto3."""

    def __init__(self, client: Any, bucket: str, key: str = "x", **how: Any) -> None:
        self.client = client
        self.id = client.create_multipart_upload(Bucket=bucket, Key=key, **how)["UploadId"]
        self.place = {"Bucket": bucket, "Key": key, "UploadId": self.id}

    def part(self, number: int, body: bytes, **how: Any) -> dict[str, Any]:
        told = self.client.upload_part(**self.place, PartNumber=number, Body=body, **how)
        checksums = {name: value for name, value in told.items() if name.startswith("Checksum")}
        return {"PartNumber": number, "ETag": told["ETag"], **checksums}

    def complete(self, *parts: dict[str, Any], **how: Any) -> dict[str, Any]:
        named = {"Parts": list(parts)}
        told: dict[str, Any] = self.client.complete_multipart_upload(
            **self.place, MultipartUpload=named, **how
        )
        return told


def test_parts_join_to_an_object_with_the_facts_of_its_start(client: Any, bucket: str) -> None:
    upload = Upload(
        client,
        bucket,
        ContentType="a/b",
        Metadata={"m": "1"},
        Tagging="t=1",
        StorageClass="GLACIER_IR",
    )
    first, last = upload.part(1, BIG), upload.part(7, b"end")
    etag = upload.complete(first, last)["ETag"]
    md5s = hashlib.md5(BIG).digest() + hashlib.md5(b"end").digest()
    assert etag == f'"{hashlib.md5(md5s).hexdigest()}-2"'
    told = client.get_object(Bucket=bucket, Key="x")
    assert (told["ContentType"], told["Metadata"], told["TagCount"]) == ("a/b", {"m": "1"}, 1)
    assert (told["StorageClass"], told["ETag"]) == ("GLACIER_IR", etag)
    assert told["Body"].read() == BIG + b"end"


def test_nothing_is_there_before_the_end_nor_after_an_abort(
    strict_s3: StrictS3, client: Any, bucket: str
) -> None:
    upload = Upload(client, bucket, "a ü")
    part = upload.part(1, b"x")
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)
    assert strict_s3.open_uploads(bucket) == ["a ü"]
    client.abort_multipart_upload(**upload.place)
    assert strict_s3.open_uploads(bucket) == []
    with refused("NoSuchUpload", 404):
        upload.complete(part)
    with refused("NoSuchUpload", 404):
        client.abort_multipart_upload(**upload.place)
    with refused("NoSuchUpload", 404):
        upload.part(1, b"x")


def test_a_completed_upload_is_gone(client: Any, bucket: str) -> None:
    upload = Upload(client, bucket)
    part = upload.part(1, b"x")
    upload.complete(part)
    with refused("NoSuchUpload", 404):
        upload.complete(part)


def test_a_part_is_replaced_by_another_of_its_number(client: Any, bucket: str) -> None:
    upload = Upload(client, bucket)
    old, new = upload.part(1, b"old"), upload.part(1, b"new")
    with refused("InvalidPart", 400):
        upload.complete(old)
    upload.complete(new)
    assert client.get_object(Bucket=bucket, Key="x")["Body"].read() == b"new"


def test_completions_that_cannot_be(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    upload = Upload(client, bucket)
    small, second = upload.part(1, b"small"), upload.part(2, b"second")
    with refused("EntityTooSmall", 400) as said:
        upload.complete(small, second)
    assert said["Error"]["MinSizeAllowed"] == str(LEAST)
    with refused("InvalidPartOrder", 400):
        upload.complete(second, small)
    with refused("InvalidPart", 400):
        upload.complete(small, {"PartNumber": 3, "ETag": small["ETag"]})
    with refused("InvalidPart", 400):
        upload.complete({"PartNumber": 1, "ETag": second["ETag"]})
    with refused("MalformedXML", 400):
        upload.complete()
    with refused("InvalidRequest", 400):
        upload.complete(second, MpuObjectSize=5)
    strict_s3.settings(smallest_part=1)
    upload.complete(small, second, MpuObjectSize=11)


def test_parts_may_have_to_be_of_one_size(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    strict_s3.settings(smallest_part=1, uniform_parts=True)
    upload = Upload(client, bucket)
    parts = [upload.part(number, b"x" * number) for number in (1, 2, 3)]
    with refused("InvalidPart", 400):
        upload.complete(*parts)
    upload.complete(parts[0], parts[2])


@pytest.mark.parametrize("number", [0, 10_001])
def test_part_numbers_have_bounds(client: Any, bucket: str, number: int) -> None:
    with refused("InvalidArgument", 400):
        Upload(client, bucket).part(number, b"x")


def test_conditions_on_the_completion(client: Any, bucket: str) -> None:
    etag = client.put_object(Bucket=bucket, Key="x", Body=b"old")["ETag"]
    upload = Upload(client, bucket)
    part = upload.part(1, b"new")
    with refused("PreconditionFailed", 412):
        upload.complete(part, IfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        upload.complete(part, IfMatch='"other"')
    upload.complete(part, IfMatch=etag)
    other = Upload(client, bucket, "none")
    with refused("NoSuchKey", 404):
        other.complete(other.part(1, b"x"), IfMatch=etag)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_checksums_of_parts_make_the_whole_one(client: Any, bucket: str, algorithm: str) -> None:
    member, name = f"Checksum{algorithm}", algorithm.lower()
    upload = Upload(client, bucket, ChecksumAlgorithm=algorithm)
    part = upload.part(1, b"x", **{member: digest(name, b"x")})
    with refused("InvalidRequest", 400):
        upload.part(2, b"x")
    with refused("InvalidRequest", 400):
        upload.complete({"PartNumber": 1, "ETag": part["ETag"]})
    with refused("InvalidPart", 400):
        upload.complete(part | {member: digest(name, b"y")})
    with refused("BadDigest", 400):
        upload.complete(part, **{member: f"{digest(name, b'y')}-1"})
    whole = composite(name, [digest(name, b"x")])
    assert upload.complete(part, **{member: whole})[member] == whole
    told = client.head_object(Bucket=bucket, Key="x", ChecksumMode="ENABLED")
    assert (told[member], told["ChecksumType"]) == (whole, "COMPOSITE")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC64NVME"])
def test_a_checksum_may_be_of_the_full_object(client: Any, bucket: str, algorithm: str) -> None:
    member, name = f"Checksum{algorithm}", algorithm.lower()
    how = {"ChecksumAlgorithm": algorithm, "ChecksumType": "FULL_OBJECT"}
    upload = Upload(client, bucket, **how)
    part = upload.part(1, b"x", **{member: digest(name, b"x")})
    with refused("BadDigest", 400):
        upload.complete(part, **{member: digest(name, b"y")})
    assert upload.complete(part, **{member: digest(name, b"x")})["ChecksumType"] == "FULL_OBJECT"


def test_kinds_of_checksums_that_cannot_be(client: Any, bucket: str) -> None:
    for algorithm, kind in [("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")]:
        with refused("InvalidRequest", 400):
            Upload(client, bucket, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    with refused("InvalidRequest", 400):
        Upload(client, bucket).part(1, b"x", ChecksumCRC32=digest("crc32", b"x"))


def test_parts_are_listed_page_by_page(client: Any, bucket: str) -> None:
    upload = Upload(client, bucket)
    for number in (3, 1, 2):
        upload.part(number, b"x" * number)
    pages = client.get_paginator("list_parts").paginate(
        **upload.place, PaginationConfig={"PageSize": 2}
    )
    parts = [(it["PartNumber"], it["Size"]) for page in pages for it in page["Parts"]]
    assert parts == [(1, 1), (2, 2), (3, 3)]


def test_uploads_are_listed_page_by_page(client: Any, bucket: str) -> None:
    made = sorted(
        (key, Upload(client, bucket, key).id) for key in ("a", "a b+c", "a/b", "a/b", "z")
    )
    for size in (1, 2, 10):
        pages = client.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": size}
        )
        found = [(it["Key"], it["UploadId"]) for page in pages for it in page["Uploads"]]
        assert sorted(found) == made
    page = client.list_multipart_uploads(Bucket=bucket, Prefix="a/")
    assert [it["Key"] for it in page["Uploads"]] == ["a/b", "a/b"]
    assert page["Uploads"][0]["Initiated"]


def test_a_part_is_copied_from_a_range_of_an_object(strict_s3: StrictS3, client: Any) -> None:
    source, target = strict_s3.make_bucket(), strict_s3.make_bucket()
    client.put_object(Bucket=source, Key="x", Body=BIG)
    upload = Upload(client, target)

    def copied(number: int, asked: str, **how: Any) -> dict[str, Any]:
        told = client.upload_part_copy(
            **upload.place,
            PartNumber=number,
            CopySource=f"{source}/x",
            CopySourceRange=asked,
            **how,
        )
        return {"PartNumber": number, "ETag": told["CopyPartResult"]["ETag"]}

    parts = [copied(1, f"bytes=0-{LEAST - 1}"), copied(2, "bytes=5-9")]
    upload.complete(*parts)
    assert client.get_object(Bucket=target, Key="x")["Body"].read() == BIG + BIG[5:10]
    upload = Upload(client, target)
    for asked in ("bytes=5-", f"bytes=0-{LEAST}", "bytes=9-5"):
        with refused("InvalidArgument", 400):
            copied(1, asked)
    with refused("PreconditionFailed", 412):
        copied(1, "bytes=0-1", CopySourceIfMatch="other")


def test_a_part_is_uploaded_to_a_presigned_address(
    strict_s3: StrictS3, client: Any, bucket: str
) -> None:
    upload = Upload(client, bucket)
    url = client.generate_presigned_url("upload_part", {**upload.place, "PartNumber": 1})
    answer = send(strict_s3, "PUT", url, body=b"from a browser")
    upload.complete({"PartNumber": 1, "ETag": str(answer.headers["ETag"])})
    assert client.get_object(Bucket=bucket, Key="x")["Body"].read() == b"from a browser"
    assert send(strict_s3, "PUT", url.replace("partNumber=1", "partNumber=2")).status == 403


def test_parts_are_held_against_their_checksums(
    strict_s3: StrictS3, client: Any, bucket: str
) -> None:
    upload = Upload(client, bucket)
    target = f"/{bucket}/x?partNumber=1&uploadId={upload.id}"
    md5 = base64.b64encode(hashlib.md5(b"y").digest()).decode()
    headers = signed(strict_s3, "PUT", target, headers={"Content-MD5": md5}, body=b"x")
    assert send(strict_s3, "PUT", target, headers=headers, body=b"x").code == "BadDigest"
    assert "Parts" not in client.list_parts(**upload.place)
