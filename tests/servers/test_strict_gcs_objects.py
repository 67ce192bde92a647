"""The strict Google server's objects: writing, reading, changing, copying, composing."""

import base64
import gzip
import hashlib
import json
from io import BytesIO
from typing import Any

import google_crc32c
import pytest
from google.cloud.storage import Blob, Bucket

from tests.servers.gcs_refusals import refused
from tests.servers.plain import Answer, send
from tests.servers.strict_gcs import StrictGcs

UGLY = "a b/ü%2F+ 'x' \"y\" 🗄/c.txt"
BIG = bytes(range(256)) * 4096


@pytest.fixture
def bucket(strict_gcs: StrictGcs, levers: None) -> Bucket:
    """With one object, `x`."""
    bucket = strict_gcs.client().bucket(strict_gcs.make_bucket())
    bucket.blob("x").upload_from_string(b"0123456789", "text/plain")
    return bucket


def xml(
    server: StrictGcs, bucket: Bucket, name: str = "x", method: str = "GET", **headers: str
) -> Answer:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return send(server, method, f"/{bucket.name}/{name}", headers=server.bearer | named)


def media(server: StrictGcs, bucket: Bucket, name: str = "x", **headers: str) -> Answer:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    target = f"/download/storage/v1/b/{bucket.name}/o/{name}?alt=media"
    return send(server, "GET", target, headers=server.bearer | named)


@pytest.mark.parametrize("chunk", [None, 256 << 10])
@pytest.mark.parametrize("body", [b"", b"small", BIG, BIG + b"odd"])
def test_what_google_s_client_writes_it_reads(bucket: Bucket, body: bytes, chunk: int) -> None:
    """In one request, or in chunks; checksums are compared on both ways."""
    blob = bucket.blob(UGLY, chunk_size=chunk)
    blob.upload_from_file(BytesIO(body), content_type="a/b", checksum="crc32c")
    assert blob.download_as_bytes(checksum="md5") == body
    told = bucket.get_blob(UGLY)
    assert told
    assert (told.size, told.content_type, told.name) == (len(body), "a/b", UGLY)
    assert told.md5_hash == base64.b64encode(hashlib.md5(body).digest()).decode()
    assert told.crc32c == base64.b64encode(google_crc32c.value(body).to_bytes(4, "big")).decode()


def test_all_that_is_written_comes_back(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    blob = bucket.blob("y")
    blob.cache_control, blob.content_disposition = "no-store", "inline"
    blob.content_language, blob.storage_class = "de", "NEARLINE"
    blob.metadata = {"Name": "ü", "long-name": "two words"}
    blob.upload_from_string(b"body", "text/html")
    told = bucket.get_blob("y")
    assert told
    assert (told.cache_control, told.content_disposition) == ("no-store", "inline")
    assert (told.content_language, told.storage_class) == ("de", "NEARLINE")
    assert told.metadata == {"Name": "ü", "long-name": "two words"}
    headers = xml(strict_gcs, bucket, "y").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["x-goog-meta-long-name"] == "two words"
    assert headers["x-goog-storage-class"] == "NEARLINE"
    assert "x-goog-meta-long-name" not in media(strict_gcs, bucket, "y").headers


def test_both_ways_to_read_tell_what_is_stored(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    told = bucket.get_blob("x")
    assert told
    for answer in (xml(strict_gcs, bucket), media(strict_gcs, bucket)):
        assert (answer.status, answer.body) == (200, b"0123456789")
        assert answer.headers["x-goog-generation"] == str(told.generation)
        assert answer.headers["x-goog-metageneration"] == "1"
        hashes = ",".join(answer.headers.get_all("x-goog-hash") or [])
        assert hashes == f"crc32c={told.crc32c},md5={told.md5_hash}"
        assert answer.headers["x-goog-stored-content-length"] == "10"
        assert answer.headers["X-GUploader-UploadID"]
    assert media(strict_gcs, bucket).headers["ETag"] == told.etag
    assert xml(strict_gcs, bucket).headers["ETag"] == f'"{hashlib.md5(b"0123456789").hexdigest()}"'
    head = xml(strict_gcs, bucket, method="HEAD")
    assert (head.headers["Content-Length"], head.body) == ("10", b"")


@pytest.mark.parametrize(
    ("asked", "body", "told"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
    ],
)
@pytest.mark.parametrize("read", [xml, media])
def test_a_range_is_served(
    strict_gcs: StrictGcs, bucket: Bucket, read: Any, asked: str, body: bytes, told: str
) -> None:
    answer = read(strict_gcs, bucket, Range=asked)
    assert (answer.status, answer.body, answer.headers["Content-Range"]) == (206, body, told)


def test_a_range_of_nothing_is_refused(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    bucket.blob("empty").upload_from_string(b"")
    assert media(strict_gcs, bucket, "empty", Range="bytes=0-").status == 416
    answer = xml(strict_gcs, bucket, Range="bytes=10-")
    assert (answer.status, answer.code) == (416, "InvalidRange")
    assert answer.headers["Content-Range"] == "bytes */10"


def test_what_is_stored_compressed_is_sent_whole_to_who_does_not_take_it_so(
    strict_gcs: StrictGcs, bucket: Bucket
) -> None:
    packed = gzip.compress(b"plain" * 100)
    blob = bucket.blob("z")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed)
    for read in (xml, media):
        raw = read(strict_gcs, bucket, "z", Accept_Encoding="deflate, gzip;q=1")
        assert (raw.body, raw.headers["Content-Encoding"]) == (packed, "gzip")
        part = read(strict_gcs, bucket, "z", Accept_Encoding="gzip", Range="bytes=0-1")
        assert (part.status, part.body) == (206, packed[:2])
        whole = read(strict_gcs, bucket, "z", Range="bytes=0-1")
        assert (whole.status, whole.body) == (200, b"plain" * 100)
        assert whole.headers["Content-Length"] is None
        assert whole.headers["Content-Encoding"] is None
        assert whole.headers["x-goog-stored-content-length"] == str(len(packed))
    blob.cache_control = "no-transform"
    blob.patch()
    assert xml(strict_gcs, bucket, "z").body == packed


@pytest.mark.parametrize("field", ["md5Hash", "crc32c"])
@pytest.mark.parametrize("value", ["AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAA==", "not base64"])
def test_a_wrong_checksum_stores_nothing(
    strict_gcs: StrictGcs, bucket: Bucket, field: str, value: str
) -> None:
    said = json.dumps({"name": "y", field: value}).encode()
    body = (
        b"--b\r\nContent-Type: application/json\r\n\r\n"
        + said
        + b"\r\n--b\r\nContent-Type: text/plain\r\n\r\ndata\r\n--b--\r\n"
    )
    kind = {"Content-Type": "multipart/related; boundary=b"}
    target = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=multipart"
    answer = send(strict_gcs, "POST", target, headers=strict_gcs.bearer | kind, body=body)
    assert answer.status == 400
    assert json.loads(answer.body)["error"]["errors"][0]["reason"] == "invalid"
    assert bucket.get_blob("y") is None


@pytest.mark.parametrize("header", ["Content-MD5", "x-goog-hash"])
@pytest.mark.parametrize("is_right", [True, False])
def test_a_checksum_in_a_header_is_held_against_the_data(
    strict_gcs: StrictGcs, bucket: Bucket, header: str, *, is_right: bool
) -> None:
    md5 = base64.b64encode(hashlib.md5(b"data").digest()).decode()
    crc32c = base64.b64encode(google_crc32c.value(b"data").to_bytes(4, "big")).decode()
    value = md5 if header == "Content-MD5" else f"crc32c={crc32c},md5={md5}"
    body = b"data" if is_right else b"dat4"
    target = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=y"
    answer = send(
        strict_gcs, "POST", target, headers=strict_gcs.bearer | {header: value}, body=body
    )
    assert (answer.status == 200, bucket.get_blob("y") is not None) == (is_right, is_right)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b--",
        b"--b\r\nContent-Type: text/plain\r\n\r\n{}\r\n--b\r\nContent-Type: a/b\r\n\r\n\r\n--b--",
        b"--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\nContent-Type: a/b\r\n\r\n",
        b"--b\nContent-Type: application/json\n\n{}\n--b\nContent-Type: a/b\n\n\n--b--",
        b'--b\r\nContent-Type: application/json\r\n\r\n{"x":1}\r\n--b\r\nContent-Type: a/b\r\n\r\n\r\n--b--',
    ],
)
def test_a_malformed_multipart_body_is_refused(
    strict_gcs: StrictGcs, bucket: Bucket, body: bytes
) -> None:
    kind = {"Content-Type": "multipart/related; boundary=b"}
    target = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=multipart&name=y"
    assert (
        send(strict_gcs, "POST", target, headers=strict_gcs.bearer | kind, body=body).status == 400
    )


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a\nb", "a\rb", "ü" * 513, ".well-known/acme-challenge/x"]
)
def test_a_name_that_no_object_may_have_is_refused(bucket: Bucket, name: str) -> None:
    with refused(400):
        bucket.blob(name).upload_from_string(b"")


def test_a_patch_changes_what_it_names(bucket: Bucket) -> None:
    blob = bucket.blob("y")
    blob.metadata, blob.cache_control = {"keep": "1", "drop": "2"}, "no-store"
    blob.upload_from_string(b"body", "text/html")
    first = blob.generation
    blob.metadata = {"drop": None, "new": "3"}
    blob.cache_control, blob.content_language = None, "de"
    blob.patch()
    told = bucket.get_blob("y")
    assert told
    assert told.metadata == {"keep": "1", "new": "3"}
    assert (told.cache_control, told.content_language, told.content_type) == (
        None,
        "de",
        "text/html",
    )
    assert (told.generation, told.metageneration) == (first, 2)
    with refused(400, "rewriting"):
        bucket.client._connection.api_request(
            method="PATCH", path=blob.path, data={"storageClass": "COLDLINE"}
        )


def test_an_old_generation_is_kept_where_the_bucket_keeps_versions(strict_gcs: StrictGcs) -> None:
    bucket = strict_gcs.client().bucket(strict_gcs.make_bucket(versioned=True))
    blob = bucket.blob("x")
    blob.upload_from_string(b"one")
    first = blob.generation
    blob.upload_from_string(b"two")
    bucket.blob("x").delete()
    assert bucket.get_blob("x") is None
    old = bucket.get_blob("x", generation=first)
    assert old
    assert old.download_as_bytes() == b"one"
    assert len(list(bucket.list_blobs(versions=True))) == 2
    old.delete()
    assert bucket.get_blob("x", generation=first) is None


def test_objects_are_composed(bucket: Bucket) -> None:
    parts = [bucket.blob(name) for name in "ab"]
    for part in parts:
        part.upload_from_string(part.name)
    whole = bucket.blob("ab")
    whole.content_type = "text/plain"
    whole.compose([*parts, parts[0]])
    told = bucket.get_blob("ab")
    assert told
    assert (told.download_as_bytes(), told.component_count, told.md5_hash) == (b"aba", 3, None)
    with refused(404):
        whole.compose([bucket.blob("none")])
    with refused(400, "exceeds the maximum"):
        whole.compose([parts[0]] * 33)


def test_a_copy_keeps_or_replaces_what_is_told_of_it(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    source = bucket.blob("y")
    source.metadata, source.cache_control = {"m": "1"}, "no-store"
    source.upload_from_string(b"body", "a/b")
    other = bucket.client.bucket(strict_gcs.make_bucket())
    kept = bucket.copy_blob(source, other, UGLY)
    assert (kept.metadata, kept.cache_control, kept.content_type) == ({"m": "1"}, "no-store", "a/b")
    source.update_storage_class("NEARLINE")
    assert source.storage_class == "NEARLINE"
    replaced = Blob("z", other)
    replaced.content_type = "c/d"
    replaced.rewrite(source)
    told = other.get_blob("z")
    assert told
    assert (told.metadata, told.content_type, told.storage_class) == (None, "c/d", "STANDARD")
    with refused(404):
        bucket.copy_blob(bucket.blob("none"), other, "y")


def test_a_rewrite_may_need_several_calls(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    strict_gcs.settings(rewrite_per_call=4)
    target, token, told = bucket.blob("y"), None, []
    while True:
        token, done, size = target.rewrite(bucket.blob("x"), token=token)
        told.append((done, size))
        if token is None:
            break
        assert bucket.get_blob("y") is None
    assert told == [(4, 10), (8, 10), (10, 10)]
    assert target.download_as_bytes() == b"0123456789"
    with refused(400, "rewrite token"):
        target.rewrite(bucket.blob("x"), token="other")


def test_an_object_moves_only_where_moving_is_allowed(
    strict_gcs: StrictGcs, bucket: Bucket
) -> None:
    with refused(400):
        bucket.move_blob(bucket.blob("x"), "y")
    strict_gcs.settings(moves=True)
    bucket.move_blob(bucket.blob("x"), "y")
    assert [blob.name for blob in bucket.list_blobs()] == ["y"]


def test_a_class_that_is_none_is_refused(bucket: Bucket) -> None:
    blob = bucket.blob("y")
    blob.storage_class = "FROZEN"
    with refused(400):
        blob.upload_from_string(b"")
