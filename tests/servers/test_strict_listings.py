"""The strict server's pages of names, its versions, and deletions by the thousand."""

from typing import Any

import pytest

from tests.servers._strict_s3.checksums import digest
from tests.servers.plain import send, signed
from tests.servers.refusals import refused
from tests.servers.strict_s3 import StrictS3

NAMES = ["a", "a b+c", "a/b", "a/b/c", "a/d", "ab", "z&<ü>", "z\x01\r", "🗄/x"]


@pytest.fixture
def client(strict_s3: StrictS3) -> Any:
    return strict_s3.client()


@pytest.fixture
def empty(strict_s3: StrictS3, levers: None) -> str:
    return strict_s3.make_bucket()


@pytest.fixture
def bucket(client: Any, empty: str) -> str:
    for name in NAMES:
        client.put_object(Bucket=empty, Key=name, Body=b"x")
    return empty


def names(page: dict[str, Any]) -> list[str]:
    return [it["Key"] for it in page.get("Contents", [])]


def prefixes(page: dict[str, Any]) -> list[str]:
    return [it["Prefix"] for it in page.get("CommonPrefixes", [])]


def test_names_come_in_order_whatever_they_are(client: Any, bucket: str) -> None:
    page = client.list_objects_v2(Bucket=bucket)
    assert names(page) == sorted(NAMES)
    assert page["KeyCount"] == len(NAMES)
    assert not page["IsTruncated"]
    assert page["Contents"][0]["Size"] == 1


def test_names_are_encoded_only_when_asked(strict_s3: StrictS3, bucket: str) -> None:
    target = f"/{bucket}?list-type=2&prefix=a%20"
    answer = send(strict_s3, "GET", target, headers=signed(strict_s3, "GET", target))
    assert b"<Key>a b+c</Key>" in answer.body
    target += "&encoding-type=url"
    answer = send(strict_s3, "GET", target, headers=signed(strict_s3, "GET", target))
    assert b"<Key>a+b%2Bc</Key>" in answer.body


def test_a_prefix_and_a_delimiter_make_folders(client: Any, bucket: str) -> None:
    page = client.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert (names(page), prefixes(page)) == (
        ["a", "a b+c", "ab", "z\x01\r", "z&<ü>"],
        ["a/", "🗄/"],
    )
    page = client.list_objects_v2(Bucket=bucket, Delimiter="/", Prefix="a/")
    assert (names(page), prefixes(page)) == (["a/b", "a/d"], ["a/b/"])
    assert names(client.list_objects_v2(Bucket=bucket, Prefix="none")) == []


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_join_to_the_whole(client: Any, bucket: str, size: int, delimiter: str) -> None:
    how = {"Bucket": bucket, "Delimiter": delimiter} if delimiter else {"Bucket": bucket}
    whole = client.list_objects_v2(**how)
    pages = list(client.get_paginator("list_objects_v2").paginate(**how, MaxKeys=size))
    assert [name for page in pages for name in names(page)] == names(whole)
    assert [name for page in pages for name in prefixes(page)] == prefixes(whole)
    assert all(page["KeyCount"] <= size for page in pages)


def test_a_listing_starts_behind_a_name(client: Any, bucket: str) -> None:
    page = client.list_objects_v2(Bucket=bucket, StartAfter="a/b", Prefix="a/")
    assert names(page) == ["a/b/c", "a/d"]


def test_a_page_has_a_thousand_names_at_most(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    assert client.list_objects_v2(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    assert client.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    strict_s3.settings(page=2)
    page = client.list_objects_v2(Bucket=bucket)
    assert (len(names(page)), page["IsTruncated"]) == (2, True)


def test_listings_that_cannot_be(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    with refused("InvalidArgument", 400):
        client.list_objects_v2(Bucket=bucket, ContinuationToken="invented")
    target = f"/{bucket}?list-type=2&max-keys=many"
    answer = send(strict_s3, "GET", target, headers=signed(strict_s3, "GET", target))
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    with refused("NoSuchBucket", 404):
        client.list_objects_v2(Bucket="no-such-bucket-here")


def test_a_thousand_names_are_deleted_at_once_and_no_more(client: Any, bucket: str) -> None:
    thousand = [{"Key": f"none-{number}"} for number in range(999)] + [{"Key": "a b+c"}]
    told = client.delete_objects(Bucket=bucket, Delete={"Objects": thousand})
    assert len(told["Deleted"]) == 1000
    assert "a b+c" not in names(client.list_objects_v2(Bucket=bucket))
    with refused("MalformedXML", 400):
        client.delete_objects(Bucket=bucket, Delete={"Objects": [*thousand, {"Key": "a"}]})
    assert "a" in names(client.list_objects_v2(Bucket=bucket))


def test_deleting_many_tells_only_failures_when_quiet(client: Any, bucket: str) -> None:
    objects = [{"Key": "a"}, {"Key": "ab", "ETag": "other"}, {"Key": "none", "ETag": "x"}]
    told = client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    assert "Deleted" not in told
    codes = [(error["Key"], error["Code"]) for error in told["Errors"]]
    assert codes == [("ab", "PreconditionFailed"), ("none", "NoSuchKey")]


def test_deleting_many_needs_a_checksum_and_xml(strict_s3: StrictS3, bucket: str) -> None:
    target = f"/{bucket}?delete"
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    headers = signed(strict_s3, "POST", target, body=body)
    answer = send(strict_s3, "POST", target, headers=headers, body=body)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    for wrong in (b"<Delete>", b"<Delete></Delete>", b"<Other/>"):
        crc = {"x-amz-checksum-crc32": digest("crc32", wrong)}
        headers = signed(strict_s3, "POST", target, headers=crc, body=wrong)
        answer = send(strict_s3, "POST", target, headers=headers, body=wrong)
        assert (answer.status, answer.code) == (400, "MalformedXML")


@pytest.fixture
def versioned(client: Any, empty: str) -> str:
    client.put_bucket_versioning(Bucket=empty, VersioningConfiguration={"Status": "Enabled"})
    return empty


def test_a_bucket_says_whether_it_keeps_versions(client: Any, empty: str) -> None:
    assert "Status" not in client.get_bucket_versioning(Bucket=empty)
    for status in ("Enabled", "Suspended"):
        client.put_bucket_versioning(Bucket=empty, VersioningConfiguration={"Status": status})
        assert client.get_bucket_versioning(Bucket=empty)["Status"] == status


def test_every_version_stays_readable(client: Any, versioned: str) -> None:
    place = {"Bucket": versioned, "Key": "x"}
    ids = [client.put_object(**place, Body=body)["VersionId"] for body in (b"1", b"2")]
    for version_id, body in zip(ids, (b"1", b"2"), strict=True):
        told = client.get_object(**place, VersionId=version_id)
        assert (told["Body"].read(), told["VersionId"]) == (body, version_id)
    with refused("NoSuchVersion", 404):
        client.get_object(**place, VersionId="none")


def test_a_deletion_is_a_marker_that_can_be_taken_away(client: Any, versioned: str) -> None:
    place = {"Bucket": versioned, "Key": "x"}
    client.put_object(**place, Body=b"1")
    marker = client.delete_object(**place)
    assert marker["DeleteMarker"]
    with refused("NoSuchKey", 404) as said:
        client.get_object(**place)
    assert said["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    with refused("MethodNotAllowed", 405):
        client.get_object(**place, VersionId=marker["VersionId"])
    assert names(client.list_objects_v2(Bucket=versioned)) == []
    assert client.delete_object(**place, VersionId=marker["VersionId"])["DeleteMarker"]
    assert client.get_object(**place)["Body"].read() == b"1"


def test_versions_are_listed_newest_first_page_by_page(client: Any, versioned: str) -> None:
    for key in ("a", "b/c", "d"):
        for body in (b"1", b"22"):
            client.put_object(Bucket=versioned, Key=key, Body=body)
    client.delete_object(Bucket=versioned, Key="a")
    whole = client.list_object_versions(Bucket=versioned)
    assert [(it["Key"], it["Size"], it["IsLatest"]) for it in whole["Versions"]] == [
        ("a", 2, False),
        ("a", 1, False),
        ("b/c", 2, True),
        ("b/c", 1, False),
        ("d", 2, True),
        ("d", 1, False),
    ]
    assert [it["Key"] for it in whole["DeleteMarkers"]] == ["a"]
    for size in (1, 2, 3):
        pages = client.get_paginator("list_object_versions").paginate(
            Bucket=versioned, PaginationConfig={"PageSize": size}
        )
        found = [it["VersionId"] for page in pages for it in page.get("Versions", [])]
        assert found == [it["VersionId"] for it in whole["Versions"]]
    page = client.list_object_versions(Bucket=versioned, Delimiter="/")
    assert prefixes(page) == ["b/"]


def test_a_version_can_be_copied_over_the_newest(client: Any, versioned: str) -> None:
    place = {"Bucket": versioned, "Key": "x"}
    first = client.put_object(**place, Body=b"1")["VersionId"]
    client.put_object(**place, Body=b"2")
    told = client.copy_object(**place, CopySource={**place, "VersionId": first})
    assert told["CopySourceVersionId"] == first
    assert client.get_object(**place)["Body"].read() == b"1"


def test_many_versions_are_deleted_at_once(client: Any, versioned: str) -> None:
    ids = [client.put_object(Bucket=versioned, Key="x", Body=b"x")["VersionId"] for _ in range(3)]
    objects = [{"Key": "x", "VersionId": version_id} for version_id in ids]
    client.delete_objects(Bucket=versioned, Delete={"Objects": [*objects, {"Key": "y"}]})
    whole = client.list_object_versions(Bucket=versioned)
    assert "Versions" not in whole
    assert [it["Key"] for it in whole["DeleteMarkers"]] == ["y"]


def test_a_suspended_bucket_overwrites_its_unversioned_object(client: Any, versioned: str) -> None:
    place = {"Bucket": versioned, "Key": "x"}
    client.put_object(**place, Body=b"1")
    client.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Suspended"})
    for body in (b"2", b"3"):
        client.put_object(**place, Body=body)
    ids = [it["VersionId"] for it in client.list_object_versions(Bucket=versioned)["Versions"]]
    assert len(ids) == 2
    assert ids[0] == "null"
