"""The strict Google server fails on demand, tells what it saw, and goes on."""

import http.client
import io
import json
from collections.abc import Callable

import pytest
from google.cloud.storage import Bucket, Client

from tests.servers.gcs_refusals import refused
from tests.servers.plain import Answer, send
from tests.servers.strict_gcs import Fault, StrictGcs

BODY = bytes(range(256))


@pytest.fixture
def bucket(strict_gcs: StrictGcs, levers: None) -> Bucket:
    """With one object, `x`."""
    bucket = strict_gcs.client().bucket(strict_gcs.make_bucket())
    bucket.blob("x").upload_from_string(BODY)
    return bucket


def read(server: StrictGcs, bucket: Bucket, name: str = "x") -> Answer:
    target = f"/storage/v1/b/{bucket.name}/o/{name}?alt=media"
    return send(server, "GET", target, headers=server.bearer)


def write(server: StrictGcs, bucket: Bucket, name: str = "y") -> Answer:
    target = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name={name}"
    return send(server, "POST", target, headers=server.bearer, body=BODY)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(503, "backendError"), (429, "rateLimitExceeded"), (500, "backendError"), (409, "conflict")],
)
def test_the_next_requests_are_refused_and_do_nothing(
    strict_gcs: StrictGcs, bucket: Bucket, status: int, reason: str
) -> None:
    strict_gcs.fail(Fault("answer", operation="insert", status=status, times=2, retry_after=7))
    for _ in range(2):
        answer = write(strict_gcs, bucket)
        assert (answer.status, answer.headers["Retry-After"]) == (status, "7")
        assert json.loads(answer.body)["error"]["errors"][0]["reason"] == reason
    assert bucket.get_blob("y") is None
    assert strict_gcs.faults_left() == 0


def test_a_fault_is_for_the_requests_it_names(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    strict_gcs.fail(Fault("answer", path=r"/b%2F ü$", skip=1, reason="mine"))
    write(strict_gcs, bucket)
    answers = [write(strict_gcs, bucket, "b%252F%20%C3%BC") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 503, 200]
    assert b'"reason": "mine"' in answers[1].body
    strict_gcs.fail(Fault("answer", query="alt", status=500))
    assert [write(strict_gcs, bucket).status, read(strict_gcs, bucket).status] == [200, 500]


def test_google_s_client_goes_on_after_a_fault(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    strict_gcs.fail(Fault("answer", operation="get", status=503))
    with strict_gcs.watching() as wire:
        bucket.blob("x").reload()
    assert [seen.status for seen in wire.requests] == [503, 200]


@pytest.mark.parametrize("attempt", [write, read])
@pytest.mark.parametrize("kind", ["close", "lose"])
def test_a_connection_is_closed(
    strict_gcs: StrictGcs,
    bucket: Bucket,
    attempt: Callable[[StrictGcs, Bucket], Answer],
    kind: str,
) -> None:
    strict_gcs.fail(Fault(kind))  # type: ignore[arg-type]
    with strict_gcs.watching() as wire, pytest.raises((http.client.HTTPException, OSError)):
        attempt(strict_gcs, bucket)
    assert [seen.status for seen in wire.requests] == [None]


@pytest.mark.parametrize(("kind", "is_done"), [("close", False), ("lose", True)])
def test_what_is_lost_is_done_and_what_is_closed_is_not(
    strict_gcs: StrictGcs, bucket: Bucket, kind: str, *, is_done: bool
) -> None:
    strict_gcs.fail(Fault(kind))  # type: ignore[arg-type]
    with pytest.raises((http.client.HTTPException, OSError)):
        write(strict_gcs, bucket)
    assert (bucket.get_blob("y") is not None) is is_done


def test_a_body_is_cut_or_flipped(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    strict_gcs.fail(Fault("cut", operation="media", after=100))
    with pytest.raises(http.client.IncompleteRead):
        read(strict_gcs, bucket)
    strict_gcs.fail(Fault("flip", operation="media"))
    flipped = read(strict_gcs, bucket).body
    assert sum(one != other for one, other in zip(flipped, BODY, strict=True)) == 1
    assert read(strict_gcs, bucket).body == BODY
    strict_gcs.fail(Fault("flip-upload", operation="insert"))
    write(strict_gcs, bucket)
    assert read(strict_gcs, bucket, "y").body == flipped


def test_an_upload_is_cut(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    strict_gcs.fail(Fault("cut-upload", after=100))
    with pytest.raises((http.client.HTTPException, OSError)):
        write(strict_gcs, bucket)
    assert bucket.get_blob("y") is None


def test_what_came_of_a_chunk_is_passed_over_when_google_s_client_sends_it_again(
    strict_gcs: StrictGcs, bucket: Bucket
) -> None:
    quantum = 256 << 10
    strict_gcs.fail(Fault("cut-upload", operation="chunk", skip=1, after=quantum + 1))
    blob = bucket.blob("y", chunk_size=4 * quantum)
    with strict_gcs.watching() as wire:
        blob.upload_from_file(io.BytesIO(BODY * 10 * 1024))
    assert blob.download_as_bytes() == BODY * 10 * 1024
    assert wire.operations == ["start", "chunk", "chunk", "chunk", "chunk"]
    assert [seen.status for seen in wire.requests] == [200, 308, None, 308, 200]


def test_a_batch_answers_each_of_its_parts(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    write(strict_gcs, bucket, "a")
    write(strict_gcs, bucket, "b")
    strict_gcs.fail(Fault("answer", operation="delete", path="/b$"))
    client = bucket.client
    assert isinstance(client, Client)
    with strict_gcs.watching() as wire, refused(503), client.batch():
        for name in ("a", "b", "x"):
            bucket.blob(name).delete()
    assert wire.operations == ["batch"]
    assert [blob.name for blob in bucket.list_blobs()] == ["b"]
    with refused(404), client.batch():
        bucket.blob("none").delete()
    with client.batch():
        blob = bucket.blob("b")
        blob.metadata = {"k": "v"}
        blob.patch()
    told = bucket.get_blob("b")
    assert told
    assert told.metadata == {"k": "v"}


def test_a_batch_has_a_limit_and_no_data(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    def batch(lines: list[str]) -> Answer:
        head = "--b\r\nContent-Type: application/http\r\n\r\n"
        body = "".join(f"{head}{line} HTTP/1.1\r\n\r\n\r\n" for line in lines) + "--b--"
        kind = {"Content-Type": "multipart/mixed; boundary=b"}
        headers = strict_gcs.bearer | kind
        return send(strict_gcs, "POST", "/batch/storage/v1", headers=headers, body=body.encode())

    place = f"/storage/v1/b/{bucket.name}/o"
    assert batch([f"DELETE {place}/none"] * 100).body.count(b"HTTP/1.1 404 Not Found") == 100
    assert batch([f"DELETE {place}/none"] * 101).status == 400
    assert batch([f"GET {place}/x?alt=media"]).status == 400
    anonymous = send(
        strict_gcs,
        "POST",
        "/batch/storage/v1",
        headers={"Content-Type": "multipart/mixed; boundary=b"},
        body=f"--b\r\nContent-Type: application/http\r\n\r\nGET {place}/x\r\n\r\n--b--".encode(),
    )
    assert b"HTTP/1.1 401 Unauthorized" in anonymous.body


def test_levers_are_put_back(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    strict_gcs.fail(Fault("answer", times=100))
    strict_gcs.settings(clock=3600, page=1)
    strict_gcs.reset()
    assert strict_gcs.faults_left() == 0
    write(strict_gcs, bucket)
    assert len(list(next(bucket.list_blobs().pages))) == 2


def test_requests_are_told_without_their_secrets(strict_gcs: StrictGcs, bucket: Bucket) -> None:
    url = bucket.blob("x").generate_signed_url(60, version="v4", api_access_endpoint=strict_gcs.url)
    with strict_gcs.watching() as wire:
        write(strict_gcs, bucket)
        send(strict_gcs, "GET", url)
        read(strict_gcs, bucket, "none")
    written, signed, missing = wire.requests
    assert wire.operations == ["insert", "xml-get", "media"]
    assert wire.lines[1:] == [f"GET /{bucket.name}/x", f"GET /storage/v1/b/{bucket.name}/o/none"]
    assert (written.size, written.status, missing.status) == (256, 200, 404)
    assert (signed.status, signed.has("X-Goog-Expires"), signed.has("upload_id")) == (
        200,
        True,
        False,
    )
    told = repr(wire)
    assert strict_gcs.token
    assert strict_gcs.token not in told
    assert "X-Goog-Signature=***" in told
    assert url.rpartition("=")[2] not in told


def test_over_https_everything_is_the_same(strict_gcs_tls: StrictGcs) -> None:
    bucket = strict_gcs_tls.client().bucket(strict_gcs_tls.make_bucket())
    blob = bucket.blob("a b/ü%2F+.txt", chunk_size=256 << 10)
    blob.upload_from_string(BODY * 4096)
    assert blob.download_as_bytes() == BODY * 4096
