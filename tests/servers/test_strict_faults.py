"""The strict server fails on demand, tells what it saw, and goes on."""

import hashlib
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from tests.servers.keys import TEMPORARY
from tests.servers.plain import send
from tests.servers.refusals import refused
from tests.servers.strict_s3 import Fault, StrictS3

BODY = bytes(range(256))


@pytest.fixture
def client(strict_s3: StrictS3) -> Any:
    return strict_s3.client()


@pytest.fixture
def bucket(strict_s3: StrictS3, levers: None, client: Any) -> str:
    """With one object, `x`."""
    name = strict_s3.make_bucket()
    client.put_object(Bucket=name, Key="x", Body=BODY)
    return name


def has(client: Any, bucket: str, key: str) -> bool:
    return key in [it["Key"] for it in client.list_objects_v2(Bucket=bucket)["Contents"]]


@pytest.mark.parametrize(
    ("code", "status"),
    [("InternalError", 500), ("SlowDown", 503), ("ConditionalRequestConflict", 409)],
)
def test_the_next_requests_are_refused_and_do_nothing(
    strict_s3: StrictS3, client: Any, bucket: str, code: str, status: int
) -> None:
    strict_s3.fail(Fault("answer", code=code, times=2, retry_after=7))
    for _ in range(2):
        with refused(code, status) as said:
            client.put_object(Bucket=bucket, Key="y", Body=b"y")
        assert said["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"
    assert not has(client, bucket, "y")
    assert strict_s3.faults_left() == 0


def test_an_error_may_come_as_a_success(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    strict_s3.fail(Fault("answer", status=200))
    with pytest.raises(ClientError, match="InternalError"):
        client.copy_object(Bucket=bucket, Key="y", CopySource=f"{bucket}/x")
    assert not has(client, bucket, "y")


def test_a_fault_is_for_the_requests_it_names(
    strict_s3: StrictS3, client: Any, bucket: str
) -> None:
    strict_s3.fail(Fault("answer", method="PUT", path=r"/b%2F ü$", skip=1))
    client.head_object(Bucket=bucket, Key="x")
    client.put_object(Bucket=bucket, Key="a", Body=b"")
    client.put_object(Bucket=bucket, Key="b%2F ü", Body=b"")
    with refused("InternalError", 500):
        client.put_object(Bucket=bucket, Key="b%2F ü", Body=b"")
    strict_s3.fail(Fault("answer", query="uploadId"))
    upload = client.create_multipart_upload(Bucket=bucket, Key="x")["UploadId"]
    with refused("InternalError", 500):
        client.list_parts(Bucket=bucket, Key="x", UploadId=upload)


def test_a_connection_is_closed_with_nothing_done(
    strict_s3: StrictS3, client: Any, bucket: str
) -> None:
    strict_s3.fail(Fault("close", method="PUT"))
    with pytest.raises(ConnectionClosedError):
        client.put_object(Bucket=bucket, Key="y", Body=b"y")
    assert not has(client, bucket, "y")


def test_a_reply_is_lost_with_all_done(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    strict_s3.fail(Fault("lose", method="PUT"))
    with strict_s3.watching() as wire, pytest.raises(ConnectionClosedError):
        client.put_object(Bucket=bucket, Key="y", Body=b"y")
    assert has(client, bucket, "y")
    assert [seen.status for seen in wire.requests] == [None]


def test_a_body_is_cut(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    strict_s3.fail(Fault("cut", after=100))
    body = client.get_object(Bucket=bucket, Key="x")["Body"]
    with pytest.raises(ResponseStreamingError, match="100 bytes read"):
        body.read()


def test_a_byte_of_a_reply_is_flipped(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    strict_s3.fail(Fault("flip", method="GET"))
    flipped = client.get_object(Bucket=bucket, Key="x")["Body"].read()
    assert sum(one != other for one, other in zip(flipped, BODY, strict=True)) == 1
    assert client.get_object(Bucket=bucket, Key="x")["Body"].read() == BODY


def test_a_byte_of_a_request_is_flipped_unnoticed_if_it_is_not_signed(
    strict_s3: StrictS3, client: Any, bucket: str
) -> None:
    url = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "y"})
    strict_s3.fail(Fault("flip-upload"))
    answer = send(strict_s3, "PUT", url, body=BODY)
    assert answer.headers["ETag"] != f'"{hashlib.md5(BODY).hexdigest()}"'


def test_a_reply_never_comes(strict_s3: StrictS3, bucket: str) -> None:
    strict_s3.fail(Fault("stall"))
    client = strict_s3.client(read_timeout=0.2)
    with pytest.raises(ReadTimeoutError):
        client.head_object(Bucket=bucket, Key="x")
    client.head_object(Bucket=bucket, Key="x")


def test_levers_are_put_back(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    strict_s3.fail(Fault("answer", times=100))
    strict_s3.settings(clock=3600, page=1)
    strict_s3.reset()
    assert strict_s3.faults_left() == 0
    assert client.list_objects_v2(Bucket=bucket)["MaxKeys"] == 1000


def test_requests_are_told_without_their_secrets(strict_s3: StrictS3, bucket: str) -> None:
    client = strict_s3.client(TEMPORARY)
    url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "x"})
    with strict_s3.watching() as wire:
        client.put_object(Bucket=bucket, Key="a b", Body=b"12345", Metadata={"m": "1"})
        send(strict_s3, "GET", url)
        with refused("404", 404):
            client.head_object(Bucket=bucket, Key="none")
    put, get, head = wire.requests
    assert wire.lines == [f"PUT /{bucket}/a%20b", f"GET /{bucket}/x", f"HEAD /{bucket}/none"]
    assert (put.size, put.status, put.headers["x-amz-meta-m"]) == (5, 200, "1")
    assert (head.status, get.has("X-Amz-Expires"), get.has("uploadId")) == (404, True, False)
    told = repr(wire)
    assert TEMPORARY.token
    assert TEMPORARY.token not in told
    assert "storeroom%2Ftests%2Btoken" not in told
    assert "Signature=***" in told
