"""What the service refuses becomes a kind and a sentence with the way out."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    ConfigError,
    Corrupted,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    StorageError,
    Timeout,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import WriteOptions
from storeroom.drivers._gcs.failures import FAILURES
from storeroom.drivers._gcs.replies import failure_in
from storeroom.drivers._http.wire import Refused
from storeroom.drivers.gcs import GCSDriver
from tests.drivers.gcs.bucket import SMALL_PARTS, Bucket, files
from tests.drivers.s3.bucket import KEY, MIB, outcome, random_bytes, streamed
from tests.servers import google_keys
from tests.servers.process import free_port
from tests.servers.strict_gcs import Fault, StrictGcs

KINDS: list[tuple[int, str, type[StorageError], str]] = [
    (403, "forbidden", PermissionDenied, "credentials do not allow"),
    (403, "insufficientPermissions", PermissionDenied, "devstorage.full_control"),
    (403, "accountDisabled", PermissionDenied, "billing"),
    (403, "retentionPolicyNotMet", PermissionDenied, "retention policy"),
    (403, "storageQuotaExceeded", QuotaExceeded, "quota"),
    (403, "quotaExceeded", QuotaExceeded, "quota"),
    (403, "userRateLimitExceeded", Unavailable, "fewer requests"),
    (429, "rateLimitExceeded", Unavailable, "fewer requests"),
    (400, "userProjectMissing", ConfigError, "user_project"),
    (400, "invalid", StorageError, "refuses the request"),
    (404, "notFound", NotFound, "no such file"),
    (410, "gone", Unavailable, "is gone"),
    (413, "uploadTooLarge", InvalidArgument, "larger than"),
    (501, "notImplemented", Unsupported, "no such thing"),
    (500, "backendError", Unavailable, "try again later"),
    (503, "", Unavailable, "try again later"),
    (418, "teapot", StorageError, "status 418"),
]


@pytest.mark.parametrize(("status", "reason", "kind", "words"), KINDS)
def test_a_reason_is_a_kind(status: int, reason: str, kind: type[StorageError], words: str) -> None:
    body = json.dumps(
        {"error": {"code": status, "message": "Said.", "errors": [{"reason": reason}]}}
    )
    found = FAILURES.kind_of(Refused(status, failure_in(status, body.encode()), {}))
    assert type(found) is kind
    assert words in str(found)


SAID = [
    (404, "The specified bucket does not exist.", "NoSuchBucket"),
    (400, 'Provided CRC32C "a" doesn\'t match calculated CRC32C "b".', "BadDigest"),
    (400, "Cannot update access control for an object when uniform bucket-level access is", ""),
]


@pytest.mark.parametrize(("status", "message", "code"), SAID)
def test_where_the_reason_is_too_wide_the_sentence_tells(
    status: int, message: str, code: str
) -> None:
    told = {"error": {"code": status, "message": message, "errors": [{"reason": "invalid"}]}}
    assert failure_in(status, json.dumps(told).encode()).code == (code or "UniformAccess")
    xml = f"<Error><Code>InvalidArgument</Code><Message>{message}</Message></Error>"
    assert failure_in(status, xml.encode()).code == (code or "UniformAccess")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain words",
        b"<html>no such page</html>",
        b"<Error><Code>cut off",
        b"{",
        b"[]",
        b"[1]",
        b'{"error": "invalid_grant"}',
        b'{"error": {"errors": "x"}}',
        b'{"error": {"errors": [7], "message": 9}}',
        b'{"error": [1, 2]}',
        b"\xff\xfe\x00",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><Error><Code>&b;</Code></Error>",
    ],
)
def test_whatever_an_error_says_it_is_an_error(body: bytes) -> None:
    error = FAILURES.kind_of(Refused(404, failure_in(404, body), {}))
    assert isinstance(error, NotFound)
    assert FAILURES.kind_of(Refused(418, failure_in(418, body), {})) is not None


@pytest.mark.parametrize("stranger", [google_keys.STRANGER_TOKEN, "no token of anybody"])
async def test_a_stranger_is_denied(bucket: Bucket, stranger: str) -> None:
    """By reads that the XML API answers, and by all else that the JSON API does."""
    bucket.put(b"x")
    driver = bucket.driver(anonymous=True)
    for work in (
        *(driver.stat(KEY), driver.read(KEY), driver.write(KEY, Body(b"y")), files(driver)),
        *(driver.remove(KEY), driver.copy_within(KEY, "b"), driver.change_tier(KEY, "ARCHIVE")),
        driver.write(KEY, streamed(random_bytes(9 * MIB))),
    ):
        with pytest.raises(PermissionDenied):
            await work
    told = await driver.remove_many([KEY])
    assert isinstance(told[KEY], PermissionDenied)
    assert bucket.get() == b"x"


async def test_an_endpoint_that_is_down_says_so(bucket: Bucket, each_transport: str) -> None:
    driver = bucket.driver(free_port(), retries=1, transport=each_transport)
    with pytest.raises(Unavailable, match=r"does not answer: .*; check endpoint_url"):
        await driver.get("a")


async def test_a_certificate_that_is_not_trusted_says_so(
    strict_gcs: StrictGcs, strict_gcs_tls: StrictGcs, levers: None, each_transport: str
) -> None:
    bucket = Bucket(strict_gcs_tls, strict_gcs_tls.make_bucket())
    options: dict[str, Any] = {"credentials": strict_gcs.service_account()}
    driver = bucket.driver(transport=each_transport, anonymous=True)
    with pytest.raises(ConfigError, match=r"certificate that is not trusted.*verify='ca.pem'"):
        await driver.get("a")
    trusting = bucket.driver(verify=False, transport=each_transport, anonymous=True)
    with pytest.raises(PermissionDenied):
        await trusting.put("a", b"x")
    assert options
    await bucket.aclose()


async def test_silence_is_a_time_out(bucket: Bucket, each_transport: str) -> None:
    for operation in ("get", "xml-get", "insert"):
        bucket.fail(Fault("stall", operation=operation))
    driver = bucket.driver(retries=0, timeout=0.3, transport=each_transport)
    for work in (driver.stat(KEY), driver.read(KEY), driver.write(KEY, Body(b"x"))):
        with pytest.raises(Timeout):
            await work


async def answering(head: bytes, body: bytes) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


Verb = Callable[[GCSDriver], Awaitable[object]]
STRANGE: list[tuple[str, Verb]] = [
    ("stat", lambda driver: driver.stat("a")),
    ("scan", files),
    ("write", lambda driver: driver.write("a", Body(b"x"))),
    ("chunks", lambda driver: driver.write("a", streamed(random_bytes(2 * MIB)))),
    ("copy", lambda driver: driver.copy_within("a", "b")),
    ("batch", lambda driver: driver.remove_many(["a"])),
]


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"[]", b'"x"', b"{"], ids=str)
@pytest.mark.parametrize(("name", "verb"), STRANGE, ids=[name for name, _ in STRANGE])
async def test_what_is_no_reply_of_google_is_said_to_be_none(
    name: str, verb: Verb, body: bytes
) -> None:
    async for port in answering(b"HTTP/1.1 200 OK\r\n", body):
        driver = GCSDriver(
            "media",
            endpoint_url=f"http://127.0.0.1:{port}",
            anonymous=True,
            retries=0,
            **SMALL_PARTS,
        )
        told = await outcome(verb(driver))
        assert isinstance(told, Corrupted | Unavailable), (name, told)
        await driver.aclose()


@pytest.mark.parametrize(
    "metadata", [{"a b": "x"}, {"ä": "x"}, {"A": "1", "a": "2"}, {"a": " x"}, {"a:b": "x"}], ids=str
)
async def test_metadata_that_readers_of_headers_would_not_get_is_refused(
    bucket: Bucket, metadata: dict[str, str]
) -> None:
    driver = bucket.driver()
    with bucket.strict.watching() as wire, pytest.raises(InvalidArgument):
        await driver.write(KEY, Body(b"x"), WriteOptions(metadata=metadata))
    assert wire.requests == []


async def test_metadata_that_is_too_large_is_refused_by_the_service(bucket: Bucket) -> None:
    with pytest.raises(StorageError, match="8 KiB"):
        await bucket.driver().put(KEY, b"x", metadata={"a": "x" * 9000})


@pytest.mark.parametrize("name", ["a", "media\r\nx: y", "Media", "a/b", "media "])
def test_a_bucket_has_a_buckets_name(name: str) -> None:
    with pytest.raises(ConfigError, match="bucket is a bucket's name"):
        GCSDriver(name, anonymous=True)


def test_an_address_that_is_none_is_not_quoted() -> None:
    with pytest.raises(ConfigError) as caught:
        GCSDriver("media", endpoint_url="me:secret@gcs.test", anonymous=True)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("version", ["", "latest", "0"])
async def test_an_id_that_no_version_can_have_is_not_asked_for(
    bucket: Bucket, version: str
) -> None:
    bucket.put(b"x")
    driver = bucket.driver()
    for work in (driver.read_version, driver.restore_version, driver.remove_version):
        with pytest.raises(NotFound, match="no such version"):
            await work(KEY, version)
    assert bucket.get() == b"x"


async def test_tags_are_unsupported(bucket: Bucket) -> None:
    with pytest.raises(Unsupported, match="put them into metadata"):
        await bucket.driver().put(KEY, b"x", tags={"a": "b"})
