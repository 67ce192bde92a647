"""The strict server holds a body against every hash, length and checksum that came with it."""

import base64
import hashlib
import hmac
import http.client
from collections.abc import Mapping

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from tests.servers._strict_s3 import payload
from tests.servers._strict_s3.call import Call, Signed
from tests.servers._strict_s3.checksums import ALGORITHMS, digest
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.signature import Scope
from tests.servers.keys import OWNER, REGION, Key
from tests.servers.plain import Answer, send, signed
from tests.servers.refusals import refused
from tests.servers.strict_s3 import Fault, StrictS3

TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
# "123456789", as https://reveng.sourceforge.io/crc-catalogue has it
CHECK = {"crc32": 0xCBF43926, "crc32c": 0xE3069283, "crc64nvme": 0xAE8B14860A799888}


@pytest.fixture
def bucket(strict_s3: StrictS3, levers: None) -> str:
    return strict_s3.make_bucket()


def put(
    server: StrictS3,
    bucket: str,
    body: bytes,
    headers: Mapping[str, str],
    sent: bytes | None = None,
) -> Answer:
    target = f"/{bucket}/x"
    signature = signed(server, "PUT", target, headers=headers, body=body)
    return send(server, "PUT", target, headers=signature, body=body if sent is None else sent)


@pytest.mark.parametrize("name", CHECK)
def test_checksums_are_those_of_the_catalogue(name: str) -> None:
    raw = base64.b64decode(digest(name, b"123456789"))
    assert int.from_bytes(raw, "big") == CHECK[name]


def test_a_body_other_than_its_hash_is_refused(strict_s3: StrictS3, bucket: str) -> None:
    answer = put(strict_s3, bucket, b"right", {}, sent=b"wrong")
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert "Contents" not in strict_s3.client().list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize(
    ("word", "code"), [("UNSIGNED-PAYLOAD", None), ("nonsense", "InvalidArgument")]
)
def test_a_body_may_be_unsigned_but_not_vaguely_so(
    strict_s3: StrictS3, bucket: str, word: str, code: str | None
) -> None:
    target = f"/{bucket}/x"
    headers = signed(strict_s3, "PUT", target, payload=word)
    assert send(strict_s3, "PUT", target, headers=headers, body=b"any").code == code


@pytest.mark.parametrize("given", ["right", "wrong", "nonsense"])
def test_content_md5_is_verified(strict_s3: StrictS3, bucket: str, given: str) -> None:
    right = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    wrong = base64.b64encode(hashlib.md5(b"y").digest()).decode()
    md5, code = {
        "right": (right, None),
        "wrong": (wrong, "BadDigest"),
        "nonsense": ("not base64", "InvalidDigest"),
    }[given]
    assert put(strict_s3, bucket, b"x", {"Content-MD5": md5}).code == code


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_checksum_is_verified_kept_and_given_back(
    strict_s3: StrictS3, bucket: str, name: str
) -> None:
    client, member = strict_s3.client(), f"Checksum{name.upper()}"
    right = digest(name, b"the body")
    client.put_object(Bucket=bucket, Key="x", Body=b"the body", **{member: right})
    told = client.head_object(Bucket=bucket, Key="x", ChecksumMode="ENABLED")
    assert (told[member], told["ChecksumType"]) == (right, "FULL_OBJECT")
    assert member not in client.head_object(Bucket=bucket, Key="x")
    with refused("BadDigest", 400):
        client.put_object(Bucket=bucket, Key="x", Body=b"another", **{member: right})
    with refused("InvalidRequest", 400):
        client.put_object(Bucket=bucket, Key="x", Body=b"another", **{member: "short"})


def test_an_object_without_a_checksum_gets_one(strict_s3: StrictS3, bucket: str) -> None:
    client = strict_s3.client()
    client.put_object(Bucket=bucket, Key="x", Body=b"123456789")
    told = client.head_object(Bucket=bucket, Key="x", ChecksumMode="ENABLED")
    assert told["ChecksumCRC64NVME"] == digest("crc64nvme", b"123456789")


def test_two_checksums_or_a_missing_one_are_refused(strict_s3: StrictS3, bucket: str) -> None:
    both = {f"x-amz-checksum-{name}": digest(name, b"x") for name in ("crc32", "sha256")}
    assert put(strict_s3, bucket, b"x", both).code == "InvalidRequest"
    announced = {"x-amz-sdk-checksum-algorithm": "CRC32"}
    assert put(strict_s3, bucket, b"x", announced).code == "InvalidRequest"


@pytest.mark.parametrize("body", [b"", b"x", b"x" * 3_000_000])
def test_botocores_trailing_checksum_is_accepted(strict_s3_tls: StrictS3, body: bytes) -> None:
    client = strict_s3_tls.client(request_checksum_calculation="when_supported")
    bucket = strict_s3_tls.make_bucket()
    with strict_s3_tls.watching() as wire:
        client.put_object(Bucket=bucket, Key="x", Body=body, ChecksumAlgorithm="SHA256")
    assert wire.requests[0].headers["x-amz-content-sha256"] == TRAILER
    told = client.get_object(Bucket=bucket, Key="x", ChecksumMode="ENABLED")
    assert told["ChecksumSHA256"] == digest("sha256", body)
    assert told["Body"].read() == body


def trailing(server: StrictS3, bucket: str, sent: bytes, **changes: str) -> Answer:
    headers = {
        "Content-Encoding": "aws-chunked",
        "x-amz-decoded-content-length": "5",
        "x-amz-trailer": "x-amz-checksum-crc32",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    target = f"/{bucket}/x"
    headers = signed(server, "PUT", target, headers=headers, payload=TRAILER)
    return send(server, "PUT", target, headers=headers, body=sent)


def _body(data: bytes = b"hello", checksum: str | None = None) -> bytes:
    value = checksum or digest("crc32", data)
    return b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(data), data, value.encode())


def test_a_trailing_checksum_is_verified(strict_s3: StrictS3, bucket: str) -> None:
    assert trailing(strict_s3, bucket, _body()).status == 200
    wrong = _body(checksum=digest("crc32", b"other"))
    assert trailing(strict_s3, bucket, wrong).code == "BadDigest"


@pytest.mark.parametrize(
    ("sent", "changes", "code"),
    [
        (b"5\r\nhel", {}, "IncompleteBody"),
        (b"5\r\nhello\r\n", {}, "IncompleteBody"),
        (_body(), {"x_amz_decoded_content_length": "6"}, "IncompleteBody"),
        (_body(), {"x_amz_trailer": "x-amz-checksum-sha256"}, "MalformedTrailerError"),
        (_body(), {"x_amz_decoded_content_length": ""}, "MissingContentLength"),
    ],
)
def test_a_chunked_body_that_is_not_whole_is_refused(
    strict_s3: StrictS3, bucket: str, sent: bytes, changes: dict[str, str], code: str
) -> None:
    assert trailing(strict_s3, bucket, sent, **changes).code == code


def test_signed_chunks_are_those_of_the_worked_example() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html"""
    whole = payload.opened(_example(), _example_body())
    assert whole.body == b"a" * 66560


def test_a_signed_chunk_cannot_be_changed() -> None:
    with pytest.raises(Refused, match="SignatureDoesNotMatch"):
        payload.opened(_example(), _example_body().replace(b"aaa", b"aba", 1))


def _example() -> Call:
    key = Key("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    scope = Scope(f"{key.access}/20130524/us-east-1/s3/aws4_request", "")
    seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    headers = {
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-decoded-content-length": "66560",
    }
    call = Call.of("PUT", "/b/k", CIMultiDictProxy(CIMultiDict(headers)), secure=False)
    return call.by(Signed(key, False, scope.signing_key(key), "20130524T000000Z", scope.text, seed))


def _example_body() -> bytes:
    chunks = (
        (b"a" * 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        (b"a" * 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        (b"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    )
    return b"".join(
        b"%x;chunk-signature=%s\r\n%s\r\n" % (len(data), signature.encode(), data)
        for data, signature in chunks
    )


@pytest.mark.parametrize("spoilt", [b"", b"hello", b"crc32:", b"0;chunk"])
def test_signed_chunks_may_end_with_a_signed_trailer(
    strict_s3: StrictS3, bucket: str, spoilt: bytes
) -> None:
    target, word = f"/{bucket}/x", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    headers = {"x-amz-decoded-content-length": "5", "x-amz-trailer": "x-amz-checksum-crc32"}
    headers = signed(strict_s3, "PUT", target, headers=headers, payload=word)
    body = _signed_chunks(headers)
    if spoilt:
        body = body.replace(spoilt, spoilt[:-1] + b"?", 1)
    answer = send(strict_s3, "PUT", target, headers=headers, body=body)
    assert (answer.code is None) is (not spoilt)
    assert answer.code in (None, "SignatureDoesNotMatch", "IncompleteBody")


def _signed_chunks(headers: Mapping[str, str]) -> bytes:
    """ "hello" in a chunk, as the documentation has it, written down a second time."""
    stamp, authorization = headers["X-Amz-Date"], headers["Authorization"]
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
    secret = f"AWS4{OWNER.secret}".encode()
    for word in scope.split("/"):
        secret = hmac.digest(secret, word.encode(), "sha256")
    previous = authorization.rpartition("Signature=")[2]
    empty = hashlib.sha256().hexdigest()
    sent = b""
    for data in (b"hello", b""):
        hashed = hashlib.sha256(data).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{previous}\n{empty}\n{hashed}"
        previous = hmac.digest(secret, text.encode(), "sha256").hex()
        sent += b"%x;chunk-signature=%s\r\n" % (len(data), previous.encode())
        sent += data + b"\r\n" if data else b""
    line = f"x-amz-checksum-crc32:{digest('crc32', b'hello')}\n"
    hashed = hashlib.sha256(line.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256-TRAILER\n{stamp}\n{scope}\n{previous}\n{hashed}"
    signature = hmac.digest(secret, text.encode(), "sha256").hex()
    tail = f"{line.strip()}\r\nx-amz-trailer-signature:{signature}\r\n\r\n"
    return sent + tail.encode()


def test_a_body_of_unknown_length_is_refused(strict_s3: StrictS3, bucket: str) -> None:
    target = f"/{bucket}/x"
    connection = http.client.HTTPConnection(strict_s3.url.removeprefix("http://"), timeout=10)
    headers = signed(strict_s3, "PUT", target, body=b"x")
    connection.request("PUT", target, iter([b"x"]), headers, encode_chunked=True)
    assert connection.getresponse().status == 501
    connection.close()


def test_a_body_changed_on_its_way_is_refused_if_it_was_signed(
    strict_s3: StrictS3, bucket: str
) -> None:
    strict_s3.fail(Fault("flip-upload", method="PUT", path=bucket))
    with refused("XAmzContentSHA256Mismatch", 400):
        strict_s3.client().put_object(Bucket=bucket, Key="x", Body=b"the body")


def test_a_stored_body_keeps_its_coding(strict_s3: StrictS3, bucket: str) -> None:
    client = strict_s3.client()
    client.put_object(Bucket=bucket, Key="x", Body=b"\x1f\x8bno gzip", ContentEncoding="gzip")
    told = client.get_object(Bucket=bucket, Key="x")
    assert (told["ContentEncoding"], told["Body"].read()) == ("gzip", b"\x1f\x8bno gzip")


@pytest.mark.parametrize(("key", "code"), [(OWNER, None), (Key("?", "?"), "InvalidAccessKeyId")])
def test_a_client_that_waits_to_be_let_in_is_answered(
    strict_s3: StrictS3, bucket: str, key: Key, code: str | None
) -> None:
    target = f"/{bucket}/x"
    headers = signed(
        strict_s3, "PUT", target, headers={"Expect": "100-continue"}, body=b"x", key=key
    )
    assert send(strict_s3, "PUT", target, headers=headers, body=b"x").code == code
