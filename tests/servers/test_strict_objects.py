"""The strict server's objects: reading, writing, conditions, copies, tags, ACLs, classes."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.servers.plain import send, signed
from tests.servers.refusals import refused
from tests.servers.strict_s3 import StrictS3

PAST = datetime.now(UTC) - timedelta(days=1)
FUTURE = datetime.now(UTC) + timedelta(days=1)
ETAG = hashlib.md5(b"0123456789").hexdigest()


@pytest.fixture
def client(strict_s3: StrictS3) -> Any:
    return strict_s3.client()


@pytest.fixture
def bucket(strict_s3: StrictS3, levers: None, client: Any) -> str:
    """With one object, `x`."""
    name = strict_s3.make_bucket()
    client.put_object(Bucket=name, Key="x", Body=b"0123456789")
    return name


def read(client: Any, bucket: str, key: str = "x", **how: Any) -> bytes:
    body: bytes = client.get_object(Bucket=bucket, Key=key, **how)["Body"].read()
    return body


def test_all_that_is_written_comes_back(client: Any, bucket: str) -> None:
    given = {
        "CacheControl": "no-store",
        "ContentDisposition": "inline",
        "ContentLanguage": "de",
        "ContentType": "text/plain",
        "Metadata": {"a": "1", "long-name": "two words"},
    }
    client.put_object(Bucket=bucket, Key="y", Body=b"body", Tagging="a=1&b=%C3%BC", **given)
    told = client.head_object(Bucket=bucket, Key="y")
    assert {name: told[name] for name in given} == given
    assert (told["ContentLength"], told["ETag"]) == (4, f'"{hashlib.md5(b"body").hexdigest()}"')
    assert told["ServerSideEncryption"] == "AES256"
    assert told["TagCount"] == 2


def test_metadata_that_is_not_ascii_comes_back_encoded(strict_s3: StrictS3, bucket: str) -> None:
    target, name = f"/{bucket}/y", "x-amz-meta-name"
    raw = "ü".encode().decode("latin-1")  # UTF-8 on the wire
    headers = signed(strict_s3, "PUT", target, headers={name: "ü"}, body=b"")
    send(strict_s3, "PUT", target, headers={**headers, name: raw}, body=b"")
    answer = send(strict_s3, "GET", target, headers=signed(strict_s3, "GET", target))
    assert answer.headers[name] == "=?UTF-8?B?w7w=?="


def test_what_is_missing_is_said_by_kind(client: Any, bucket: str) -> None:
    with refused("NoSuchKey", 404):
        read(client, bucket, "none")
    with refused("404", 404):
        client.head_object(Bucket=bucket, Key="none")
    with refused("NoSuchBucket", 404):
        read(client, "no-such-bucket-here")
    with refused("404", 404):
        client.head_bucket(Bucket="no-such-bucket-here")
    client.delete_object(Bucket=bucket, Key="none")
    with refused("NoSuchBucket", 404):
        client.delete_object(Bucket="no-such-bucket-here", Key="x")


def test_every_answer_has_a_request_id_and_errors_to_head_no_body(
    strict_s3: StrictS3, bucket: str
) -> None:
    for method, key in [("GET", "x"), ("GET", "none"), ("HEAD", "none"), ("DELETE", "x")]:
        target = f"/{bucket}/{key}"
        answer = send(strict_s3, method, target, headers=signed(strict_s3, method, target))
        assert len(str(answer.headers["x-amz-request-id"])) == 16
        assert method != "HEAD" or not answer.body


@pytest.mark.parametrize(
    ("asked", "body", "told"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_a_range_is_served(client: Any, bucket: str, asked: str, body: bytes, told: str) -> None:
    answer = client.get_object(Bucket=bucket, Key="x", Range=asked)
    assert (answer["Body"].read(), answer["ContentRange"]) == (body, told)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(client: Any, bucket: str, asked: str) -> None:
    with refused("InvalidRange", 416) as said:
        read(client, bucket, Range=asked)
    assert said["Error"]["ActualObjectSize"] == "10"


def test_a_range_that_is_none_is_ignored(client: Any, bucket: str) -> None:
    assert read(client, bucket, Range="lines=1-2") == b"0123456789"


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"IfMatch": ETAG}, 200),
        ({"IfMatch": "*"}, 200),
        ({"IfMatch": "other"}, 412),
        ({"IfNoneMatch": ETAG}, 304),
        ({"IfNoneMatch": "other"}, 200),
        ({"IfModifiedSince": PAST}, 200),
        ({"IfModifiedSince": FUTURE}, 304),
        ({"IfUnmodifiedSince": PAST}, 412),
        ({"IfUnmodifiedSince": FUTURE}, 200),
        ({"IfMatch": ETAG, "IfUnmodifiedSince": PAST}, 200),
    ],
)
@pytest.mark.parametrize("verb", ["get_object", "head_object"])
def test_conditions_on_reading(
    client: Any, bucket: str, verb: str, condition: dict[str, Any], status: int
) -> None:
    try:
        said: Any = getattr(client, verb)(Bucket=bucket, Key="x", **condition)
    except ClientError as refusal:
        said = refusal.response
    assert said["ResponseMetadata"]["HTTPStatusCode"] == status


def test_conditions_on_writing(client: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "x"}
    client.put_object(Bucket=bucket, Key="new", Body=b"", IfNoneMatch="*")
    with refused("PreconditionFailed", 412) as said:
        client.put_object(**place, Body=b"", IfNoneMatch="*")
    assert said["Error"]["Condition"] == "If-None-Match"
    with refused("NotImplemented", 501):
        client.put_object(**place, Body=b"", IfNoneMatch=ETAG)
    with refused("PreconditionFailed", 412):
        client.put_object(**place, Body=b"", IfMatch="other")
    with refused("NoSuchKey", 404):
        client.put_object(Bucket=bucket, Key="none", Body=b"", IfMatch=ETAG)
    client.put_object(**place, Body=b"next", IfMatch=ETAG)
    assert read(client, bucket) == b"next"


def test_conditions_on_deleting(client: Any, bucket: str) -> None:
    with refused("PreconditionFailed", 412):
        client.delete_object(Bucket=bucket, Key="x", IfMatch='"other"')
    client.delete_object(Bucket=bucket, Key="x", IfMatch=f'"{ETAG}"')
    with refused("NoSuchKey", 404):
        client.delete_object(Bucket=bucket, Key="x", IfMatch=f'"{ETAG}"')
    with refused("PreconditionFailed", 412):
        client.delete_object(Bucket=bucket, Key="x", IfMatch="*")


def test_limits_of_names_metadata_and_tags(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="k" * 1024, Body=b"")
    with refused("KeyTooLongError", 400):
        client.put_object(Bucket=bucket, Key="k" * 1025, Body=b"")
    with refused("MetadataTooLarge", 400):
        client.put_object(Bucket=bucket, Key="x", Body=b"", Metadata={"a": "b" * 2048})
    eleven = "&".join(f"{number}=1" for number in range(11))
    with refused("InvalidTag", 400):
        client.put_object(Bucket=bucket, Key="x", Body=b"", Tagging=eleven)


def test_a_put_has_a_limit(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    strict_s3.settings(largest_put=9)
    with refused("EntityTooLarge", 400):
        client.put_object(Bucket=bucket, Key="x", Body=b"0123456789")


def test_a_copy_keeps_or_replaces_metadata_and_tags(strict_s3: StrictS3, client: Any) -> None:
    source, target = strict_s3.make_bucket(), strict_s3.make_bucket()
    client.put_object(
        Bucket=source,
        Key="a ü+%",
        Body=b"body",
        ContentType="a/b",
        Metadata={"m": "1"},
        Tagging="t=1",
    )
    where = {"Bucket": target, "Key": "y", "CopySource": {"Bucket": source, "Key": "a ü+%"}}
    told = client.copy_object(**where)["CopyObjectResult"]
    assert told["ETag"] == f'"{hashlib.md5(b"body").hexdigest()}"'
    kept = client.head_object(Bucket=target, Key="y")
    assert (kept["ContentType"], kept["Metadata"], kept["TagCount"]) == ("a/b", {"m": "1"}, 1)
    client.copy_object(
        **where, MetadataDirective="REPLACE", TaggingDirective="REPLACE", Metadata={"n": "2"}
    )
    replaced = client.head_object(Bucket=target, Key="y")
    assert (replaced["ContentType"], replaced["Metadata"]) == ("binary/octet-stream", {"n": "2"})
    assert "TagCount" not in replaced
    assert read(client, target, "y") == b"body"


@pytest.mark.parametrize(
    "condition",
    [
        {"CopySourceIfMatch": "other"},
        {"CopySourceIfNoneMatch": ETAG},
        {"CopySourceIfModifiedSince": FUTURE},
        {"CopySourceIfUnmodifiedSince": PAST},
    ],
)
def test_conditions_on_the_source_of_a_copy(
    client: Any, bucket: str, condition: dict[str, Any]
) -> None:
    copy = {"Bucket": bucket, "Key": "y", "CopySource": f"{bucket}/x"}
    client.copy_object(**copy, CopySourceIfMatch=ETAG)
    with refused("PreconditionFailed", 412):
        client.copy_object(**copy, **condition)


@pytest.mark.parametrize("header", [{"If-None-Match": "*"}, {"If-Match": "other"}])
def test_conditions_on_the_target_of_a_copy(
    strict_s3: StrictS3, bucket: str, header: dict[str, str]
) -> None:
    target = f"/{bucket}/x"
    asked = {"x-amz-copy-source": target, "x-amz-metadata-directive": "REPLACE", **header}
    headers = signed(strict_s3, "PUT", target, headers=asked, body=b"")
    assert send(strict_s3, "PUT", target, headers=headers, body=b"").code == "PreconditionFailed"


def test_copies_that_cannot_be(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    with refused("InvalidRequest", 400):
        client.copy_object(Bucket=bucket, Key="x", CopySource=f"{bucket}/x")
    with refused("NoSuchKey", 404):
        client.copy_object(Bucket=bucket, Key="y", CopySource=f"{bucket}/none")
    with refused("NoSuchBucket", 404):
        client.copy_object(Bucket=bucket, Key="y", CopySource="no-such-bucket-here/x")
    with refused("InvalidArgument", 400):
        client.copy_object(Bucket=bucket, Key="y", CopySource="nonsense")
    strict_s3.settings(largest_copy=9)
    with refused("InvalidRequest", 400):
        client.copy_object(Bucket=bucket, Key="y", CopySource=f"{bucket}/x")


def test_a_copy_onto_itself_changes_the_storage_class(client: Any, bucket: str) -> None:
    client.copy_object(Bucket=bucket, Key="x", CopySource=f"{bucket}/x", StorageClass="STANDARD_IA")
    assert client.head_object(Bucket=bucket, Key="x")["StorageClass"] == "STANDARD_IA"


def test_tags_are_read_written_and_deleted(client: Any, bucket: str) -> None:
    place, tags = {"Bucket": bucket, "Key": "x"}, [{"Key": "a & b", "Value": "<ü>"}]
    client.put_object_tagging(**place, Tagging={"TagSet": tags})
    assert client.get_object_tagging(**place)["TagSet"] == tags
    client.delete_object_tagging(**place)
    assert client.get_object_tagging(**place)["TagSet"] == []
    with refused("InvalidTag", 400):
        client.put_object_tagging(**place, Tagging={"TagSet": [tags[0], tags[0]]})
    with refused("NoSuchKey", 404):
        client.get_object_tagging(Bucket=bucket, Key="none")


def test_a_bucket_without_acls_refuses_them(client: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "x"}
    for verb, body in [(client.put_object, {"Body": b""}), (client.put_object_acl, {})]:
        with refused("AccessControlListNotSupported", 400):
            verb(**place, **body, ACL="private")
    client.put_object(**place, Body=b"", ACL="bucket-owner-full-control")
    (grant,) = client.get_object_acl(**place)["Grants"]
    assert grant["Permission"] == "FULL_CONTROL"


def test_a_bucket_with_acls_keeps_canned_ones(strict_s3: StrictS3, client: Any) -> None:
    bucket = strict_s3.make_bucket(owned=False)
    place = {"Bucket": bucket, "Key": "x"}
    client.put_object(**place, Body=b"", ACL="public-read")
    grants = client.get_object_acl(**place)["Grants"]
    assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL", "READ"]
    assert grants[1]["Grantee"]["URI"].endswith("AllUsers")
    client.put_object_acl(**place, ACL="private")
    assert len(client.get_object_acl(**place)["Grants"]) == 1
    with refused("InvalidArgument", 400):
        client.put_object(**place, Body=b"", ACL="nonsense")


def test_an_archived_object_is_restored_before_it_is_read(
    strict_s3: StrictS3, client: Any, bucket: str
) -> None:
    place = {"Bucket": bucket, "Key": "cold"}
    client.put_object(**place, Body=b"cold", StorageClass="GLACIER")
    with refused("InvalidObjectState", 403) as said:
        client.get_object(**place)
    assert said["StorageClass"] == "GLACIER"
    with refused("InvalidObjectState", 403):
        client.copy_object(Bucket=bucket, Key="y", CopySource=f"{bucket}/cold")
    request = {"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}}
    began = client.restore_object(**place, RestoreRequest=request)
    assert began["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert client.head_object(**place)["Restore"] == 'ongoing-request="true"'
    with refused("RestoreAlreadyInProgress", 409):
        client.restore_object(**place, RestoreRequest=request)
    strict_s3.finish_restores()
    assert read(client, bucket, "cold") == b"cold"
    assert client.head_object(**place)["Restore"].startswith('ongoing-request="false", expiry')
    again = client.restore_object(**place, RestoreRequest=request)
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 200
    url = client.generate_presigned_url("get_object", place, 48 * 3600)
    assert send(strict_s3, "GET", url).body == b"cold"
    strict_s3.settings(clock=25 * 3600)
    assert send(strict_s3, "GET", url).code == "InvalidObjectState"


def test_storage_classes_are_those_there_are(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="ir", Body=b"", StorageClass="GLACIER_IR")
    assert read(client, bucket, "ir") == b""
    assert client.head_object(Bucket=bucket, Key="ir")["StorageClass"] == "GLACIER_IR"
    assert "StorageClass" not in client.head_object(Bucket=bucket, Key="x")
    with refused("InvalidStorageClass", 400):
        client.put_object(Bucket=bucket, Key="x", Body=b"", StorageClass="LUKEWARM")
    with refused("InvalidObjectState", 403):
        client.restore_object(Bucket=bucket, Key="x", RestoreRequest={"Days": 1})


def test_attributes_come_in_one_answer(client: Any, bucket: str) -> None:
    wanted = ["ETag", "Checksum", "ObjectSize", "StorageClass"]
    told = client.get_object_attributes(Bucket=bucket, Key="x", ObjectAttributes=wanted)
    assert (told["ETag"], told["ObjectSize"], told["StorageClass"]) == (ETAG, 10, "STANDARD")
    assert told["Checksum"]["ChecksumType"] == "FULL_OBJECT"


def test_buckets_are_made_found_listed_and_deleted(strict_s3: StrictS3, client: Any) -> None:
    name = strict_s3.make_bucket()
    assert name in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    assert client.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    with refused("BucketAlreadyOwnedByYou", 409):
        client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="x", Body=b"")
    with refused("BucketNotEmpty", 409):
        client.delete_bucket(Bucket=name)
    client.delete_object(Bucket=name, Key="x")
    client.delete_bucket(Bucket=name)
    with refused("NoSuchBucket", 404):
        client.list_objects_v2(Bucket=name)


def test_what_the_server_does_not_know_it_says(client: Any, bucket: str) -> None:
    with refused("NotImplemented", 501):
        client.get_bucket_policy(Bucket=bucket)
