"""The strict server's forms: the policy is the law."""

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from tests.servers.keys import OWNER, TEMPORARY, Key
from tests.servers.plain import Answer, send
from tests.servers.strict_s3 import StrictS3


@pytest.fixture
def client(strict_s3: StrictS3) -> Any:
    return strict_s3.client()


@pytest.fixture
def bucket(strict_s3: StrictS3, levers: None) -> str:
    return strict_s3.make_bucket()


def post(
    server: StrictS3, bucket: str, fields: Mapping[str, str], body: bytes = b"the file"
) -> Answer:
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = 'Content-Disposition: form-data; name="file"; filename="ü name.txt"\r\n'
    file = f"--{boundary}\r\n{head}Content-Type: text/html\r\n\r\n".encode() + body
    whole = b"".join(parts) + file + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return send(server, "POST", f"/{bucket}", headers=kind, body=whole)


def form(client: Any, bucket: str, *conditions: Any, key: str = "up/x") -> dict[str, str]:
    made = client.generate_presigned_post(bucket, key, Conditions=list(conditions), ExpiresIn=60)
    fields: dict[str, str] = made["fields"]
    return fields


@pytest.mark.parametrize("body", [b"", b"the file", b"\r\n--not the boundary\r\n"])
def test_a_form_stores_its_file(strict_s3: StrictS3, client: Any, bucket: str, body: bytes) -> None:
    answer = post(strict_s3, bucket, form(client, bucket), body)
    assert answer.status == 204
    assert answer.headers["ETag"]
    assert client.get_object(Bucket=bucket, Key="up/x")["Body"].read() == body


def test_a_form_of_temporary_credentials_has_their_token(strict_s3: StrictS3, bucket: str) -> None:
    fields = form(strict_s3.client(TEMPORARY), bucket)
    assert post(strict_s3, bucket, fields).status == 204
    del fields["x-amz-security-token"]
    assert post(strict_s3, bucket, fields).code == "InvalidToken"


def test_the_name_of_the_file_may_be_part_of_the_key(
    strict_s3: StrictS3, client: Any, bucket: str
) -> None:
    fields = form(client, bucket, ["starts-with", "$key", "up/"], key="up/${filename}")
    assert post(strict_s3, bucket, fields).status == 204
    assert client.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"] == "up/ü name.txt"


@pytest.mark.parametrize(
    ("size", "code"), [(1, "EntityTooSmall"), (2, None), (4, None), (5, "EntityTooLarge")]
)
def test_the_size_is_within_its_range(
    strict_s3: StrictS3, client: Any, bucket: str, size: int, code: str | None
) -> None:
    answer = post(
        strict_s3, bucket, form(client, bucket, ["content-length-range", 2, 4]), b"x" * size
    )
    assert answer.code == code
    assert code is None or answer.status == 400


def test_a_field_must_be_equal_or_begin_right(
    strict_s3: StrictS3, client: Any, bucket: str
) -> None:
    conditions = (["starts-with", "$Content-Type", "image/"], {"x-amz-meta-by": "me"})
    fields = form(client, bucket, *conditions)
    right = {**fields, "Content-Type": "image/png", "x-amz-meta-by": "me"}
    for changes in ({"Content-Type": "text/html"}, {"x-amz-meta-by": "you"}, {"key": "up/y"}):
        answer = post(strict_s3, bucket, {**right, **changes})
        assert (answer.status, answer.code) == (403, "AccessDenied")
        assert b"Policy Condition failed" in answer.body
    assert post(strict_s3, bucket, fields).code == "AccessDenied"
    assert post(strict_s3, bucket, right).status == 204
    told = client.head_object(Bucket=bucket, Key="up/x")
    assert (told["ContentType"], told["Metadata"]) == ("image/png", {"by": "me"})


def test_a_field_that_the_policy_does_not_name_is_refused(
    strict_s3: StrictS3, client: Any, bucket: str
) -> None:
    fields = form(client, bucket)
    answer = post(strict_s3, bucket, fields | {"x-amz-meta-more": "1", "x-ignore-this": "1"})
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"Extra input fields: x-amz-meta-more<" in answer.body
    assert post(strict_s3, bucket, fields | {"x-ignore-this": "1"}).status == 204


def test_a_policy_expires(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    fields = form(client, bucket)
    strict_s3.settings(clock=62)
    answer = post(strict_s3, bucket, fields)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"Policy expired" in answer.body


def test_a_policy_is_for_its_bucket(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    other = strict_s3.make_bucket()
    assert post(strict_s3, other, form(client, bucket)).code == "AccessDenied"


def test_a_policy_cannot_be_changed(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    fields = form(client, bucket, ["content-length-range", 1, 2])
    policy = json.loads(base64.b64decode(fields["policy"]))
    policy["conditions"].remove(["content-length-range", 1, 2])
    changed = base64.b64encode(json.dumps(policy).encode()).decode()
    answer = post(strict_s3, bucket, fields | {"policy": changed})
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("key", "code"),
    [(Key(OWNER.access, "wrong"), "SignatureDoesNotMatch"), (Key("?", "?"), "InvalidAccessKeyId")],
)
def test_a_form_is_signed_by_who_it_says(
    strict_s3: StrictS3, bucket: str, key: Key, code: str
) -> None:
    assert post(strict_s3, bucket, form(strict_s3.client(key), bucket)).code == code


@pytest.mark.parametrize("missing", ["key", "policy", "x-amz-signature", "x-amz-date"])
def test_a_form_has_all_its_fields(
    strict_s3: StrictS3, client: Any, bucket: str, missing: str
) -> None:
    fields = form(client, bucket)
    del fields[missing]
    assert post(strict_s3, bucket, fields).status in (400, 403)
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)


def test_a_form_without_a_signature_is_refused(strict_s3: StrictS3, bucket: str) -> None:
    answer = post(strict_s3, bucket, {"key": "x"})
    assert (answer.status, answer.code) == (403, "AccessDenied")


def test_a_form_says_how_it_wants_to_be_answered(
    strict_s3: StrictS3, client: Any, bucket: str
) -> None:
    def answer(**fields: str) -> Answer:
        conditions = [{name: value} for name, value in fields.items()]
        made = client.generate_presigned_post(bucket, "x", Fields=fields, Conditions=conditions)
        return post(strict_s3, bucket, made["fields"])

    created = answer(success_action_status="201")
    assert created.status == 201
    assert b"<Key>x</Key>" in created.body
    assert answer(success_action_status="200").status == 200
    sent_on = answer(success_action_redirect="https://example.org/done?a=1")
    assert sent_on.status == 303
    assert str(sent_on.headers["Location"]).startswith("https://example.org/done?a=1&bucket=")


def test_what_is_no_form_is_refused(strict_s3: StrictS3, client: Any, bucket: str) -> None:
    kind = {"Content-Type": "multipart/form-data"}
    answer = send(strict_s3, "POST", f"/{bucket}", headers=kind, body=b"")
    assert (answer.status, answer.code) == (400, "MalformedPOSTRequest")
    fields = form(client, bucket)
    answer = post(strict_s3, bucket, fields | {"policy": "not base64"})
    assert answer.code == "SignatureDoesNotMatch"


def test_a_form_sets_tags_acl_and_class(strict_s3: StrictS3, client: Any) -> None:
    bucket = strict_s3.make_bucket(owned=False)
    tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
    named = {"tagging": tags, "acl": "public-read", "x-amz-storage-class": "STANDARD_IA"}
    fields = client.generate_presigned_post(
        bucket, "x", Fields=named, Conditions=[{name: it} for name, it in named.items()]
    )["fields"]
    assert post(strict_s3, bucket, fields).status == 204
    assert client.get_object_tagging(Bucket=bucket, Key="x")["TagSet"] == [
        {"Key": "a", "Value": "1"}
    ]
    assert client.head_object(Bucket=bucket, Key="x")["StorageClass"] == "STANDARD_IA"
    assert send(strict_s3, "GET", f"/{bucket}/x").body == b"the file"
