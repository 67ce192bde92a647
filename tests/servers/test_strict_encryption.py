"""The strict server's encryption: a customer's key is asked for again, every time."""

import base64
import hashlib
from typing import Any

import pytest

from tests.servers.plain import send, signed
from tests.servers.refusals import refused
from tests.servers.strict_s3 import StrictS3

KEY, OTHER = b"k" * 32, b"o" * 32
MINE = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": KEY}
THEIRS = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": OTHER}


@pytest.fixture
def client(strict_s3_tls: StrictS3) -> Any:
    return strict_s3_tls.client()


@pytest.fixture
def bucket(strict_s3_tls: StrictS3, client: Any) -> str:
    """With `mine`, under a key of ours, and `plain`."""
    name = strict_s3_tls.make_bucket()
    client.put_object(Bucket=name, Key="mine", Body=b"secret", **MINE)
    client.put_object(Bucket=name, Key="plain", Body=b"open")
    return name


def test_what_is_asked_for_is_echoed(client: Any, bucket: str) -> None:
    for asked in (
        {"ServerSideEncryption": "AES256"},
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:us-east-1:1:key/k"},
    ):
        told = client.put_object(Bucket=bucket, Key="x", Body=b"x", **asked)
        assert {name: told[name] for name in asked} == asked
        told = client.head_object(Bucket=bucket, Key="x")
        assert {name: told[name] for name in asked} == asked
    told = client.put_object(Bucket=bucket, Key="x", Body=b"x", ServerSideEncryption="aws:kms")
    assert told["SSEKMSKeyId"]


def test_what_cannot_be_asked_for_is_refused(client: Any, bucket: str) -> None:
    for wrong in (
        {"ServerSideEncryption": "rot13"},
        {"ServerSideEncryption": "AES256", "SSEKMSKeyId": "k"},
        {"ServerSideEncryption": "AES256", **MINE},
    ):
        with refused("InvalidArgument", 400):
            client.put_object(Bucket=bucket, Key="x", Body=b"x", **wrong)


def test_an_etag_is_an_md5_only_under_the_servers_own_key(client: Any, bucket: str) -> None:
    md5 = f'"{hashlib.md5(b"x").hexdigest()}"'
    kinds: list[dict[str, Any]] = [{}, {"ServerSideEncryption": "aws:kms"}, MINE]
    for asked in kinds:
        etag = client.put_object(Bucket=bucket, Key="x", Body=b"x", **asked)["ETag"]
        assert (etag == md5) is (not asked)


def test_a_customers_key_opens_what_it_closed(client: Any, bucket: str) -> None:
    told = client.get_object(Bucket=bucket, Key="mine", **MINE)
    assert told["Body"].read() == b"secret"
    assert told["SSECustomerKeyMD5"] == base64.b64encode(hashlib.md5(KEY).digest()).decode()
    assert "ServerSideEncryption" not in told


@pytest.mark.parametrize("verb", ["get_object", "head_object"])
def test_without_the_right_key_nothing_is_read(client: Any, bucket: str, verb: str) -> None:
    head = verb == "head_object"
    read = getattr(client, verb)
    with refused("400" if head else "InvalidRequest", 400):
        read(Bucket=bucket, Key="mine")
    with refused("403" if head else "AccessDenied", 403):
        read(Bucket=bucket, Key="mine", **THEIRS)
    with refused("400" if head else "InvalidRequest", 400):
        read(Bucket=bucket, Key="plain", **MINE)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"algorithm": "DES"}, "InvalidEncryptionAlgorithmError"),
        ({"key-MD5": base64.b64encode(b"m" * 16).decode()}, "InvalidArgument"),
        ({"key": base64.b64encode(b"short").decode()}, "InvalidArgument"),
        ({"key": "not base64"}, "InvalidArgument"),
        ({"key": ""}, "InvalidArgument"),
    ],
)
def test_a_key_comes_whole_and_with_its_md5(
    strict_s3_tls: StrictS3, bucket: str, change: dict[str, str], code: str
) -> None:
    given = {
        "algorithm": "AES256",
        "key": base64.b64encode(KEY).decode(),
        "key-MD5": base64.b64encode(hashlib.md5(KEY).digest()).decode(),
    } | change
    prefix = "x-amz-server-side-encryption-customer-"
    target = f"/{bucket}/mine"
    headers = {f"{prefix}{name}": value for name, value in given.items()}
    answer = send(
        strict_s3_tls, "GET", target, headers=signed(strict_s3_tls, "GET", target, headers=headers)
    )
    assert (answer.status, answer.code) == (400, code)


def test_a_customers_key_is_refused_over_http(strict_s3: StrictS3) -> None:
    bucket = strict_s3.make_bucket()
    with refused("InvalidRequest", 400):
        strict_s3.client().put_object(Bucket=bucket, Key="x", Body=b"x", **MINE)


def test_a_copy_needs_the_key_of_its_source(client: Any, bucket: str) -> None:
    copy = {"Bucket": bucket, "Key": "y", "CopySource": f"{bucket}/mine"}
    with refused("InvalidRequest", 400):
        client.copy_object(**copy)
    with refused("AccessDenied", 403):
        client.copy_object(
            **copy, CopySourceSSECustomerAlgorithm="AES256", CopySourceSSECustomerKey=OTHER
        )
    opened = {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": KEY}
    client.copy_object(**copy, **opened)
    assert client.get_object(Bucket=bucket, Key="y")["Body"].read() == b"secret"
    client.copy_object(**copy, **opened, **THEIRS)
    assert client.get_object(Bucket=bucket, Key="y", **THEIRS)["Body"].read() == b"secret"


def test_every_part_needs_the_key_of_its_upload(client: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "parts"}
    upload = client.create_multipart_upload(**place, **MINE)["UploadId"]
    part = {**place, "UploadId": upload, "PartNumber": 1, "Body": b"secret"}
    with refused("InvalidRequest", 400):
        client.upload_part(**part)
    with refused("AccessDenied", 403):
        client.upload_part(**part, **THEIRS)
    etag = client.upload_part(**part, **MINE)["ETag"]
    named = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=named)
    with refused("InvalidRequest", 400):
        client.get_object(**place)
    assert client.get_object(**place, **MINE)["Body"].read() == b"secret"


def test_reading_takes_no_header_of_writing(strict_s3_tls: StrictS3, bucket: str) -> None:
    target = f"/{bucket}/plain"
    asked = {"x-amz-server-side-encryption": "AES256"}
    headers = signed(strict_s3_tls, "GET", target, headers=asked)
    answer = send(strict_s3_tls, "GET", target, headers=headers)
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_keys_are_not_told_to_who_watches(
    strict_s3_tls: StrictS3, client: Any, bucket: str
) -> None:
    with strict_s3_tls.watching() as wire:
        client.get_object(Bucket=bucket, Key="mine", **MINE)
    (seen,) = wire.requests
    assert seen.headers["x-amz-server-side-encryption-customer-key"] == "***"
    assert base64.b64encode(KEY).decode() not in repr(seen)
