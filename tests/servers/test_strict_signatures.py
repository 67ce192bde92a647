"""The strict server lets in who signed right, and nobody else."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from tests.servers.keys import BLIND, OWNER, TEMPORARY, Key
from tests.servers.plain import send, signed
from tests.servers.refusals import refused
from tests.servers.strict_s3 import StrictS3

UGLY = [
    "a b/ü+%2F~'()*!.txt",
    "🗄/a&b=c?d#e",
    "a//b",
    "..",
    "%41",
    "emoji 👩‍👩‍👧 joined",
    "a;b,c:d@e$f",
]
EMPTY = hashlib.sha256().hexdigest()


@pytest.fixture
def bucket(strict_s3: StrictS3, levers: None) -> str:
    return strict_s3.make_bucket()


@pytest.mark.parametrize("key", UGLY)
def test_a_right_signature_is_accepted_whatever_the_name(
    strict_s3: StrictS3, bucket: str, key: str
) -> None:
    client = strict_s3.client()
    client.put_object(Bucket=bucket, Key=key, Body=b"x", Metadata={"a": " two  spaces "})
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"
    assert [it["Key"] for it in client.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


@pytest.mark.parametrize("key", UGLY)
def test_a_presigned_address_is_accepted_whatever_the_name(
    strict_s3: StrictS3, bucket: str, key: str
) -> None:
    client = strict_s3.client()
    where = {"Bucket": bucket, "Key": key}
    put = client.generate_presigned_url("put_object", where, 60)
    assert send(strict_s3, "PUT", put, body=b"x").status == 200
    assert (
        send(strict_s3, "GET", client.generate_presigned_url("get_object", where, 60)).body == b"x"
    )


def test_the_bucket_may_stand_in_the_host(strict_s3: StrictS3, bucket: str) -> None:
    strict_s3.client().put_object(Bucket=bucket, Key="x", Body=b"here")
    host = f"{bucket}.localhost:{strict_s3.url.rpartition(':')[2]}"
    headers = signed(strict_s3, "GET", "/x", headers={"Host": host})
    assert send(strict_s3, "GET", "/x", headers=headers).body == b"here"


def test_an_unknown_key_is_refused(strict_s3: StrictS3, bucket: str) -> None:
    with refused("InvalidAccessKeyId", 403):
        strict_s3.client(Key("NOBODY", "x")).list_objects_v2(Bucket=bucket)


def test_a_wrong_secret_is_refused(strict_s3: StrictS3, bucket: str) -> None:
    with refused("SignatureDoesNotMatch", 403):
        strict_s3.client(Key(OWNER.access, "wrong")).list_objects_v2(Bucket=bucket)


def test_temporary_credentials_need_their_token(strict_s3: StrictS3, bucket: str) -> None:
    strict_s3.client(TEMPORARY).put_object(Bucket=bucket, Key="x", Body=b"x")
    for token in (None, "another"):
        with refused("InvalidToken", 400):
            key = Key(TEMPORARY.access, TEMPORARY.secret, token)
            strict_s3.client(key).list_objects_v2(Bucket=bucket)


def test_credentials_expire_on_demand(strict_s3: StrictS3, bucket: str) -> None:
    strict_s3.settings(expired=[TEMPORARY.access])
    with refused("ExpiredToken", 400):
        strict_s3.client(TEMPORARY).list_objects_v2(Bucket=bucket)


def test_a_wrong_region_is_refused_with_the_right_one(strict_s3: StrictS3, bucket: str) -> None:
    target = f"/{bucket}?list-type=2"
    headers = signed(strict_s3, "GET", target, region="eu-west-1")
    answer = send(strict_s3, "GET", target, headers=headers)
    assert (answer.status, answer.code) == (400, "AuthorizationHeaderMalformed")
    assert answer.headers["x-amz-bucket-region"] == "us-east-1"
    assert b"<Region>us-east-1</Region>" in answer.body
    strict_s3.client(region="eu-west-1").list_objects_v2(Bucket=bucket)  # botocore follows it


def test_a_bucket_elsewhere_redirects_and_is_open_to_its_own_region(strict_s3: StrictS3) -> None:
    bucket = strict_s3.make_bucket(region="eu-west-1")
    target = f"/{bucket}?list-type=2"
    answer = send(strict_s3, "GET", target, headers=signed(strict_s3, "GET", target))
    assert (answer.status, answer.code) == (301, "PermanentRedirect")
    assert answer.headers["x-amz-bucket-region"] == "eu-west-1"
    client = strict_s3.client(region="eu-west-1")
    assert client.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-west-1"


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_out_of_step_is_refused(strict_s3: StrictS3, bucket: str, minutes: int) -> None:
    strict_s3.settings(clock=minutes * 60)
    target = f"/{bucket}?list-type=2"
    answer = send(strict_s3, "GET", target, headers=signed(strict_s3, "GET", target))
    assert (answer.status, answer.code) == (403, "RequestTimeTooSkewed")
    assert answer.headers["Date"]


def test_a_clock_a_little_out_of_step_is_let_in(strict_s3: StrictS3, bucket: str) -> None:
    strict_s3.settings(clock=14 * 60)
    strict_s3.client().list_objects_v2(Bucket=bucket)


def test_every_amazon_header_must_be_signed(strict_s3: StrictS3, bucket: str) -> None:
    headers = signed(strict_s3, "GET", f"/{bucket}/x") | {"x-amz-meta-smuggled": "1"}
    answer = send(strict_s3, "GET", f"/{bucket}/x", headers=headers)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"<HeadersNotSigned>x-amz-meta-smuggled</HeadersNotSigned>" in answer.body


@pytest.mark.parametrize("target", ["/{}/y", "/{}/x?versionId=1"])
def test_a_signature_holds_for_its_target_only(
    strict_s3: StrictS3, bucket: str, target: str
) -> None:
    headers = signed(strict_s3, "GET", f"/{bucket}/x")
    answer = send(strict_s3, "GET", target.format(bucket), headers=headers)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_a_signed_header_must_stay_as_it_was(strict_s3: StrictS3, bucket: str) -> None:
    headers = signed(strict_s3, "GET", f"/{bucket}/x", headers={"Range": "bytes=0-1"})
    answer = send(strict_s3, "GET", f"/{bucket}/x", headers=headers | {"Range": "bytes=0-9"})
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_a_request_without_the_hash_of_its_body_is_refused(
    strict_s3: StrictS3, bucket: str
) -> None:
    headers = signed(strict_s3, "GET", f"/{bucket}/x")
    del headers["X-Amz-Content-SHA256"]
    answer = send(strict_s3, "GET", f"/{bucket}/x", headers=headers)
    assert (answer.status, answer.code) == (400, "InvalidRequest")


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("AWS4-HMAC-SHA256 nonsense", "AuthorizationHeaderMalformed"),
        ("AWS KEY:signature", "InvalidRequest"),
        (
            f"AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature={EMPTY}",
            "AuthorizationHeaderMalformed",
        ),
    ],
)
def test_another_kind_of_authorization_is_refused(
    strict_s3: StrictS3, bucket: str, authorization: str, code: str
) -> None:
    headers = {"Authorization": authorization, "x-amz-content-sha256": EMPTY}
    answer = send(strict_s3, "GET", f"/{bucket}/x", headers=headers)
    assert (answer.status, answer.code) == (400, code)


def test_two_signatures_are_refused(strict_s3: StrictS3, bucket: str) -> None:
    url = strict_s3.client().generate_presigned_url("get_object", {"Bucket": bucket, "Key": "x"})
    target = url.removeprefix(strict_s3.url)
    answer = send(strict_s3, "GET", target, headers=signed(strict_s3, "GET", f"/{bucket}/x"))
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_nobody_is_let_in_without_a_signature(strict_s3: StrictS3, bucket: str) -> None:
    strict_s3.client().put_object(Bucket=bucket, Key="x", Body=b"x")
    for method, target in [("GET", "x"), ("GET", "none"), ("PUT", "x"), ("GET", "?list-type=2")]:
        answer = send(
            strict_s3, method, f"/{bucket}/{target}", body=b"" if method == "PUT" else None
        )
        assert (answer.status, answer.code) == (403, "AccessDenied")


def test_what_is_public_can_be_read_by_anyone(strict_s3: StrictS3) -> None:
    bucket = strict_s3.make_bucket(owned=False)
    strict_s3.client().put_object(Bucket=bucket, Key="x", Body=b"open", ACL="public-read")
    assert send(strict_s3, "GET", f"/{bucket}/x").body == b"open"
    answer = send(strict_s3, "GET", f"/{bucket}/x?response-content-type=a/b")
    assert (answer.status, answer.code) == (400, "InvalidRequest")


def test_who_may_not_list_cannot_tell_what_is_missing(strict_s3: StrictS3, bucket: str) -> None:
    strict_s3.client().put_object(Bucket=bucket, Key="x", Body=b"x")
    blind = strict_s3.client(BLIND)
    assert blind.get_object(Bucket=bucket, Key="x")["Body"].read() == b"x"
    with refused("AccessDenied", 403):
        blind.get_object(Bucket=bucket, Key="none")
    with refused("403", 403):
        blind.head_object(Bucket=bucket, Key="none")
    with refused("AccessDenied", 403):
        blind.list_objects_v2(Bucket=bucket)


def test_a_presigned_address_expires(strict_s3: StrictS3, bucket: str) -> None:
    client = strict_s3.client()
    client.put_object(Bucket=bucket, Key="x", Body=b"x")
    url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "x"}, 60)
    strict_s3.settings(clock=59)
    assert send(strict_s3, "GET", url).status == 200
    strict_s3.settings(clock=62)
    answer = send(strict_s3, "GET", url)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"Request has expired" in answer.body
    strict_s3.settings(clock=-16 * 60)
    assert b"not yet valid" in send(strict_s3, "GET", url).body


def test_a_presigned_address_lives_a_week_at_most(strict_s3: StrictS3, bucket: str) -> None:
    client, where = strict_s3.client(), {"Bucket": bucket, "Key": "x"}
    client.put_object(**where, Body=b"x")
    week = 7 * 24 * 3600
    for seconds, status in [(week, 200), (week + 1, 400), (0, 400)]:
        url = client.generate_presigned_url("get_object", where, seconds)
        assert send(strict_s3, "GET", url).status == status


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/x?", "/y?"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61"),
        ("a%2Fb", "a%2Fc"),
        ("X-Amz-Signature=", "more=1&X-Amz-Signature="),
    ],
)
def test_a_presigned_address_cannot_be_changed(
    strict_s3: StrictS3, bucket: str, old: str, new: str
) -> None:
    client = strict_s3.client()
    where = {"Bucket": bucket, "Key": "x", "ResponseContentType": "a/b"}
    url = client.generate_presigned_url("get_object", where, 60)
    assert old in url
    answer = send(strict_s3, "GET", url.replace(old, new))
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_a_presigned_address_holds_for_its_verb(strict_s3: StrictS3, bucket: str) -> None:
    url = strict_s3.client().generate_presigned_url("get_object", {"Bucket": bucket, "Key": "x"})
    assert send(strict_s3, "PUT", url, body=b"x").code == "SignatureDoesNotMatch"


def test_a_presigned_address_without_its_parts_is_refused(strict_s3: StrictS3, bucket: str) -> None:
    url = strict_s3.client().generate_presigned_url("get_object", {"Bucket": bucket, "Key": "x"})
    answer = send(strict_s3, "GET", url.replace("X-Amz-Date", "X-Amz-Nothing"))
    assert (answer.status, answer.code) == (400, "AuthorizationQueryParametersError")


def test_a_presigned_put_is_bound_to_its_signed_headers(strict_s3: StrictS3, bucket: str) -> None:
    client = strict_s3.client()
    where = {"Bucket": bucket, "Key": "x", "ContentType": "image/png", "IfNoneMatch": "*"}
    url = client.generate_presigned_url("put_object", where, 60)
    right = {"Content-Type": "image/png", "If-None-Match": "*"}
    for headers, status, code in [
        (right | {"Content-Type": "text/html"}, 403, "SignatureDoesNotMatch"),
        ({"Content-Type": "image/png"}, 403, "SignatureDoesNotMatch"),
        (right | {"x-amz-acl": "public-read"}, 403, "AccessDenied"),
        (right, 200, None),
        (right, 412, "PreconditionFailed"),
    ]:
        answer = send(strict_s3, "PUT", url, headers=headers, body=b"x")
        assert (answer.status, answer.code) == (status, code)


def test_response_headers_are_overridden_by_a_signed_address(
    strict_s3: StrictS3, bucket: str
) -> None:
    client = strict_s3.client()
    client.put_object(Bucket=bucket, Key="x", Body=b"x", ContentType="a/b")
    name = "attachment; filename*=UTF-8''%C3%BC.txt"
    where = {"Bucket": bucket, "Key": "x", "ResponseContentDisposition": name}
    url = client.generate_presigned_url("get_object", where | {"ResponseContentType": "c/d"})
    answer = send(strict_s3, "GET", url)
    assert answer.headers["Content-Disposition"] == name
    assert answer.headers["Content-Type"] == "c/d"


def test_a_presigned_address_of_temporary_credentials_has_their_token(
    strict_s3: StrictS3, bucket: str
) -> None:
    client = strict_s3.client(TEMPORARY)
    client.put_object(Bucket=bucket, Key="x", Body=b"x")
    url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "x"})
    assert send(strict_s3, "GET", url).status == 200
    head, _, tail = url.partition("X-Amz-Security-Token=")
    assert send(strict_s3, "GET", head + tail.partition("&")[2]).code == "InvalidToken"


def test_the_answer_has_the_time_of_the_server(strict_s3: StrictS3, bucket: str) -> None:
    strict_s3.settings(clock=3600)
    answer = send(strict_s3, "GET", f"/{bucket}/x")
    assert answer.headers["x-amz-request-id"]
    said = datetime.strptime(str(answer.headers["Date"]), "%a, %d %b %Y %H:%M:%S GMT")
    ahead = said.replace(tzinfo=UTC) - datetime.now(UTC)
    assert abs(ahead - timedelta(hours=1)) < timedelta(seconds=5)
