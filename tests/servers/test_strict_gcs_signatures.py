"""The strict Google server's signatures: URLs and forms as Google's own client signs them."""

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud.storage import Bucket, Client

from tests.servers.plain import Answer, send
from tests.servers.strict_gcs import StrictGcs

UGLY = "a b/ü%2F+ 'x' ~/c.txt"


@pytest.fixture
def bucket(strict_gcs: StrictGcs, levers: None) -> Bucket:
    """With one object of an ugly name."""
    bucket = strict_gcs.client().bucket(strict_gcs.make_bucket())
    bucket.blob(UGLY).upload_from_string(b"data", "text/plain")
    return bucket


def sign(server: StrictGcs, bucket: Bucket, name: str = UGLY, **how: Any) -> str:
    asked: dict[str, Any] = {"expiration": 60, "version": "v4", "api_access_endpoint": server.url}
    url: str = bucket.blob(name).generate_signed_url(**(asked | how))
    return url


def test_a_signed_url_reads(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    answer = send(strict_gcs, "GET", sign(strict_gcs, bucket))
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (
        200,
        b"data",
        "text/plain",
    )
    head = send(strict_gcs, "HEAD", sign(strict_gcs, bucket, method="HEAD"))
    assert (head.status, head.headers["Content-Length"]) == (200, "4")
    part = send(strict_gcs, "GET", sign(strict_gcs, bucket), headers={"Range": "bytes=1-2"})
    assert (part.status, part.body) == (206, b"at")


def test_a_signed_url_says_how_the_answer_is_told(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    shown = 'attachment; filename="ü x.txt"'
    quoted = shown.replace("ü", "u")
    url = sign(strict_gcs, bucket, response_disposition=quoted, response_type="a/b")
    headers = send(strict_gcs, "GET", url).headers
    assert (headers["Content-Disposition"], headers["Content-Type"]) == (quoted, "a/b")


def test_a_signed_url_writes_and_deletes(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    headers = {"x-goog-meta-k": "v", "x-goog-if-generation-match": "0", "Cache-Control": "no-store"}
    url = sign(strict_gcs, bucket, "y", method="PUT", headers=headers, content_type="a/b")
    sent = {**headers, "Content-Type": "a/b"}
    assert send(strict_gcs, "PUT", url, headers=sent, body=b"new").status == 200
    told = bucket.get_blob("y")
    assert told
    assert (told.metadata, told.content_type, told.cache_control) == ({"k": "v"}, "a/b", "no-store")
    again = send(strict_gcs, "PUT", url, headers=sent, body=b"other")
    assert (again.status, again.code) == (412, "PreconditionFailed")
    gone = sign(strict_gcs, bucket, "y", method="DELETE")
    assert [send(strict_gcs, "DELETE", gone).status for _ in range(2)] == [204, 404]


def test_a_signed_url_limits_what_is_written(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    headers = {"x-goog-content-length-range": "2,4"}
    url = sign(strict_gcs, bucket, "y", method="PUT", headers=headers)
    codes = [
        send(strict_gcs, "PUT", url, headers=headers, body=body).code
        for body in (b"1", b"12345", b"123")
    ]
    assert codes == ["EntityTooSmall", "EntityTooLarge", None]


def test_a_signed_url_starts_an_upload(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    url = sign(strict_gcs, bucket, "y", method="RESUMABLE", content_type="a/b")
    headers = {"x-goog-resumable": "start", "Content-Type": "a/b"}
    started = send(strict_gcs, "POST", url, headers=headers, body=b"")
    assert started.status == 201
    session = str(started.headers["Location"])
    query = send(strict_gcs, "PUT", session, headers={"Content-Range": "bytes */*"}, body=b"")
    assert query.status == 308
    assert send(strict_gcs, "PUT", session, body=b"all of it").status == 200
    told = bucket.get_blob("y")
    assert told
    assert (told.content_type, told.download_as_bytes()) == ("a/b", b"all of it")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Goog-Expires=60", "X-Goog-Expires=61"),
        ("/c.txt", "/d.txt"),
        ("goog4_request&", "goog4_request&a=b&"),
        ("X-Goog-Signature=", "X-Goog-Signature=0"),
        ("auto", "europe"),
    ],
)
def test_a_url_that_was_changed_is_refused(
    strict_gcs: StrictGcs, bucket: Bucket, old: str, new: str
) -> None:
    url = sign(strict_gcs, bucket)
    assert old in url
    answer = send(strict_gcs, "GET", url.replace(old, new))
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_a_url_is_for_its_method_host_and_headers(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    url = sign(strict_gcs, bucket, headers={"x-goog-meta-k": "v"})
    assert send(strict_gcs, "GET", url).code == "MalformedSecurityHeader"
    right = {"x-goog-meta-k": "v"}
    assert send(strict_gcs, "GET", url, headers=right).status == 200
    for method, headers in [
        ("DELETE", right),
        ("GET", {**right, "Host": "example.com"}),
        ("GET", {"x-goog-meta-k": "w"}),
    ]:
        assert send(strict_gcs, method, url, headers=headers).code == "SignatureDoesNotMatch"
    unsigned = send(strict_gcs, "GET", url, headers={**right, "x-goog-acl": "private"})
    assert (unsigned.status, unsigned.code) == (400, "MalformedSecurityHeader")
    both = send(strict_gcs, "GET", url, headers=right | strict_gcs.bearer)
    assert both.status == 400


def test_a_url_expires(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    url = sign(strict_gcs, bucket)
    strict_gcs.settings(clock=59)
    assert send(strict_gcs, "GET", url).status == 200
    strict_gcs.settings(clock=62)
    late = send(strict_gcs, "GET", url)
    assert (late.status, late.code) == (400, "ExpiredToken")
    strict_gcs.settings(clock=-16 * 60)
    early = send(strict_gcs, "GET", url)
    assert (early.status, early.code) == (403, "RequestTimeTooSkewed")


@pytest.mark.parametrize("name", ["Credential", "Date", "Expires", "SignedHeaders", "Signature"])
def test_a_url_has_all_its_parameters(strict_gcs: StrictGcs, bucket: Bucket, name: str) -> None:
    url = sign(strict_gcs, bucket).replace(f"X-Goog-{name}=", f"X-Other-{name}=")
    assert send(strict_gcs, "GET", url).status == 400


def post(
    server: StrictGcs, bucket: Bucket, fields: Mapping[str, str], body: bytes = b"the file"
) -> Answer:
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = 'Content-Disposition: form-data; name="file"; filename="ü name.txt"\r\n\r\n'
    whole = "".join([*parts, f"--{boundary}\r\n", head]).encode() + body
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    end = f"\r\n--{boundary}--\r\n".encode()
    return send(server, "POST", f"/{bucket.name}", headers=kind, body=whole + end)


def form(
    bucket: Bucket,
    *conditions: Any,
    lasting: timedelta = timedelta(minutes=1),
    **fields: str,
) -> dict[str, str]:
    client = bucket.client
    assert isinstance(client, Client)
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    made = client.generate_signed_post_policy_v4(
        bucket.name, "up/x", lasting, conditions=list(conditions), fields=named
    )
    signed: dict[str, str] = made["fields"]
    return signed


@pytest.mark.parametrize("body", [b"", b"the file", b"\r\n--not the boundary\r\n"])
def test_a_form_stores_its_file(strict_gcs: StrictGcs, bucket: Bucket, body: bytes) -> None:
    fields = form(bucket, Content_Type="a/b", x_goog_meta_k="v")
    assert post(strict_gcs, bucket, fields, body).status == 204
    told = bucket.get_blob("up/x")
    assert told
    assert (told.content_type, told.metadata) == ("a/b", {"k": "v"})
    assert told.download_as_bytes() == body


def test_a_form_says_how_it_is_answered(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    fields = form(bucket, ["eq", "$success_action_status", "201"])
    made = post(strict_gcs, bucket, {**fields, "success_action_status": "201"})
    assert (made.status, b"<Key>up/x</Key>" in made.body) == (201, True)
    fields = form(bucket, ["eq", "$success_action_redirect", "http://example.com/?a=1"])
    redirect = {"success_action_redirect": "http://example.com/?a=1"}
    sent = post(strict_gcs, bucket, {**fields, **redirect})
    assert sent.status == 303
    assert str(sent.headers["Location"]).startswith(f"http://example.com/?a=1&bucket={bucket.name}")


def test_a_form_is_held_against_its_policy(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    fields = form(bucket, ["content-length-range", 2, 4], ["starts-with", "$acl", "p"])
    assert post(strict_gcs, bucket, {**fields, "acl": "private"}, b"123").status == 204
    assert post(strict_gcs, bucket, {**fields, "acl": "private"}, b"1").code == "EntityTooSmall"
    assert post(strict_gcs, bucket, {**fields, "acl": "private"}, b"12345").code == "EntityTooLarge"
    for change in ({"acl": "x"}, {"acl": "private", "extra": "1"}, {"acl": "private", "key": "z"}):
        answer = post(strict_gcs, bucket, fields | change, b"123")
        assert (answer.status, answer.code) == (400, "InvalidPolicyDocument"), change


def test_a_form_that_was_changed_or_is_late_is_refused(
    strict_gcs: StrictGcs, bucket: Bucket
) -> None:
    fields = form(bucket)
    policy = json.loads(base64.b64decode(fields["policy"]))
    policy["conditions"].append(["starts-with", "$key", ""])
    changed = base64.b64encode(json.dumps(policy).encode()).decode()
    answer = post(strict_gcs, bucket, {**fields, "policy": changed})
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert post(strict_gcs, bucket, {"key": "x"}).status == 403
    strict_gcs.settings(clock=120)
    late = post(strict_gcs, bucket, fields)
    assert (late.status, b"Policy expired" in late.body) == (400, True)
    assert datetime.fromisoformat(policy["expiration"]) > datetime.now(UTC)
