"""The strict Google server's resumable uploads: what is there stays, and everything is checked."""

import base64
import hashlib
import json
import socket
import time
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.servers.plain import Answer, send
from tests.servers.strict_gcs import StrictGcs

QUANTUM = 256 << 10
ONE, TWO = b"1" * QUANTUM, b"2" * QUANTUM


class Session:
    """One upload, driven by hand."""

    def __init__(
        self, server: StrictGcs, bucket: str, name: str = "x", query: str = "", **resource: Any
    ) -> None:
        self.server = server
        self.bucket, self.name = bucket, name
        target = f"/upload/storage/v1/b/{bucket}/o?uploadType=resumable{query}"
        kind = {"Content-Type": "application/json"}
        body = json.dumps({"name": name, **resource}).encode()
        self.started = send(server, "POST", target, headers=server.bearer | kind, body=body)
        self.url = str(self.started.headers["Location"])

    def put(self, body: bytes, where: str | None, **headers: str) -> Answer:
        """Without any token: who has the URL may use it."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        told = {} if where is None else {"Content-Range": f"bytes {where}"}
        return send(self.server, "PUT", self.url, headers=told | named, body=body)

    def ask(self, total: str = "*") -> Answer:
        return self.put(b"", f"*/{total}")

    def stored(self) -> bytes | None:
        target = f"/storage/v1/b/{self.bucket}/o/{quote(self.name, safe='')}?alt=media"
        answer = send(self.server, "GET", target, headers=self.server.bearer)
        return answer.body if answer.status == 200 else None


@pytest.fixture
def bucket(strict_gcs: StrictGcs, levers: None) -> str:
    return strict_gcs.make_bucket()


@pytest.fixture
def session(strict_gcs: StrictGcs, bucket: str) -> Session:
    return Session(strict_gcs, bucket)


def told(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.headers["Range"]


def test_an_upload_of_unknown_size_ends_with_its_last_chunk(
    strict_gcs: StrictGcs, bucket: str
) -> None:
    session = Session(strict_gcs, bucket, "ü b/%2F+", contentType="a/b", metadata={"k": "v"})
    assert told(session.ask()) == (308, None)
    assert told(session.put(ONE, f"0-{QUANTUM - 1}/*")) == (308, f"bytes=0-{QUANTUM - 1}")
    assert strict_gcs.open_uploads(bucket) == ["ü b/%2F+"]
    assert session.stored() is None
    last = session.put(b"end", f"{QUANTUM}-{QUANTUM + 2}/{QUANTUM + 3}")
    made = json.loads(last.body)
    assert (last.status, made["size"], made["contentType"]) == (200, str(QUANTUM + 3), "a/b")
    assert (made["metadata"], strict_gcs.open_uploads(bucket)) == ({"k": "v"}, [])
    assert session.stored() == ONE + b"end"
    assert json.loads(session.ask().body) == made


@pytest.mark.parametrize("body", [b"", b"all of it", ONE])
def test_a_whole_object_may_come_as_one(session: Session, body: bytes) -> None:
    assert session.put(body, None).status == 200
    assert session.stored() == body


def test_a_total_alone_ends_an_upload_that_has_it_all(strict_gcs: StrictGcs, bucket: str) -> None:
    session = Session(strict_gcs, bucket)
    session.put(ONE, f"0-{QUANTUM - 1}/*")
    assert told(session.ask(str(QUANTUM))) == (200, None)
    assert session.stored() == ONE
    empty = Session(strict_gcs, bucket, "empty")
    assert empty.ask("0").status == 200
    assert empty.stored() == b""


def test_what_is_there_already_is_passed_over(session: Session) -> None:
    session.put(ONE, f"0-{QUANTUM - 1}/*")
    assert told(session.put(TWO, f"0-{QUANTUM - 1}/*")) == (308, f"bytes=0-{QUANTUM - 1}")
    end = 2 * QUANTUM
    assert session.put(TWO + TWO, f"0-{end - 1}/{end}").status == 200
    assert session.stored() == ONE + TWO


def test_a_gap_is_refused(session: Session) -> None:
    answer = session.put(ONE, f"{QUANTUM}-{2 * QUANTUM - 1}/*")
    assert answer.status == 503
    assert b"exceeds already uploaded size of 0 byte(s)" in answer.body


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"odd", "0-2/*"),
        (ONE + b"odd", f"0-{QUANTUM + 2}/*"),
        (b"abc", "0-3/4"),
        (b"abc", "0-2/2"),
        (b"abc", "2-0/3"),
        (b"abc", "nonsense"),
        (b"abc", "*/3"),
    ],
)
def test_a_wrong_chunk_is_refused(session: Session, body: bytes, where: str) -> None:
    assert session.put(body, where).status == 400
    assert told(session.ask()) == (308, None)


def test_the_size_that_was_announced_is_kept(strict_gcs: StrictGcs, bucket: str) -> None:
    session = Session(strict_gcs, bucket)
    session.put(ONE, f"0-{QUANTUM - 1}/{QUANTUM + 5}")
    assert session.put(b"odd", f"{QUANTUM}-{QUANTUM + 2}/{QUANTUM + 3}").status == 400
    assert session.put(b"right", f"{QUANTUM}-{QUANTUM + 4}/{QUANTUM + 5}").status == 200


def test_a_cancelled_upload_is_gone(strict_gcs: StrictGcs, bucket: str, session: Session) -> None:
    session.put(ONE, f"0-{QUANTUM - 1}/*")
    assert send(strict_gcs, "DELETE", session.url).status == 499
    assert [session.ask().status, session.put(b"x", None).status] == [410, 410]
    assert strict_gcs.open_uploads(bucket) == []
    assert send(strict_gcs, "PUT", f"{session.url}x", body=b"").status == 404


def test_an_upload_expires(strict_gcs: StrictGcs, bucket: str, session: Session) -> None:
    strict_gcs.expire_uploads()
    assert session.ask().status == 410
    assert strict_gcs.open_uploads(bucket) == []


def test_conditions_are_judged_at_the_start_and_at_the_end(
    strict_gcs: StrictGcs, bucket: str
) -> None:
    first = Session(strict_gcs, bucket, query="&ifGenerationMatch=0")
    second = Session(strict_gcs, bucket, query="&ifGenerationMatch=0")
    assert first.put(b"first", None).status == 200
    assert second.put(b"second", None).status == 412
    assert second.ask().status == 410
    assert first.stored() == b"first"
    assert Session(strict_gcs, bucket, query="&ifGenerationMatch=0").started.status == 412


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def test_checksums_are_compared_at_the_end(strict_gcs: StrictGcs, bucket: str) -> None:
    wrong = Session(strict_gcs, bucket, md5Hash=md5(b"other"))
    assert wrong.put(b"data", None).status == 400
    assert wrong.stored() is None
    right = Session(strict_gcs, bucket, md5Hash=md5(b"data"))
    assert right.put(b"data", None).status == 200
    late = Session(strict_gcs, bucket, "late")
    late.put(ONE, f"0-{QUANTUM - 1}/*")
    hashed = f"md5={md5(ONE + b'odd')}"
    end = f"{QUANTUM}-{QUANTUM + 2}/{QUANTUM + 3}"
    assert late.put(b"0dd", end, x_goog_hash=hashed).status == 400
    assert late.stored() is None


def test_a_chunk_s_own_checksum_is_compared_before_it_is_kept(session: Session) -> None:
    assert session.put(ONE, f"0-{QUANTUM - 1}/*", Content_MD5=md5(TWO)).status == 400
    assert told(session.ask()) == (308, None)
    assert session.put(ONE, f"0-{QUANTUM - 1}/*", Content_MD5=md5(ONE)).status == 308


def test_what_came_before_the_connection_was_cut_is_kept_in_whole_quanta(
    strict_gcs: StrictGcs, session: Session
) -> None:
    session.put(ONE, f"0-{QUANTUM - 1}/*")
    place, url = urlsplit(strict_gcs.url), urlsplit(session.url)
    head = (
        f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Content-Length: {4 * QUANTUM}\r\nContent-Range: bytes {QUANTUM}-{5 * QUANTUM - 1}/*\r\n\r\n"
    )
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(head.encode() + TWO + TWO + b"and some")
    end = f"bytes=0-{3 * QUANTUM - 1}"
    until = time.monotonic() + 5
    while told(session.ask()) != (308, end):
        assert time.monotonic() < until
        time.sleep(0.01)
    last = session.put(b"end", f"{3 * QUANTUM}-{3 * QUANTUM + 2}/{3 * QUANTUM + 3}")
    assert last.status == 200
    assert session.stored() == ONE + TWO + TWO + b"end"


def test_the_start_needs_a_token_and_a_name(strict_gcs: StrictGcs, bucket: str) -> None:
    target = f"/upload/storage/v1/b/{bucket}/o?uploadType=resumable"
    assert send(strict_gcs, "POST", f"{target}&name=x", body=b"").status == 401
    assert send(strict_gcs, "POST", target, headers=strict_gcs.bearer, body=b"").status == 400
    named = f"{target.replace('/upload', '/resumable/upload')}&name=x"
    assert send(strict_gcs, "POST", named, headers=strict_gcs.bearer, body=b"").status == 200
