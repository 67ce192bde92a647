"""The bytes of a request, held against every hash and checksum that came with them.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple

from tests.servers._strict_s3.call import Call
from tests.servers._strict_s3.checksums import ALGORITHMS, digest, is_value
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.signature import hmac_of
from tests.servers._strict_s3.state import Checksum

STREAMS = {
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
}
_EMPTY = hashlib.sha256().hexdigest()
_HEX = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(rb"(?P<size>[0-9a-fA-F]+)(;chunk-signature=(?P<signature>[0-9a-f]{64}))?")


def check_announcement(call: Call, /) -> None:
    """Refuse, before any byte is read, a body whose headers cannot be right."""
    kind = call.header("x-amz-content-sha256") or "UNSIGNED-PAYLOAD"
    if kind not in STREAMS and kind != "UNSIGNED-PAYLOAD" and not _HEX.fullmatch(kind):
        raise Refused(
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a streaming kind or a valid sha256 value.",
        )
    is_chunked = "chunked" in call.headers.get("Transfer-Encoding", "")
    if kind in STREAMS and not (call.header("x-amz-decoded-content-length") or "").isdigit():
        raise _no_length()
    if is_chunked and kind not in STREAMS:
        raise Refused(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            Header="Transfer-Encoding",
        )
    if call.method == "PUT" and not is_chunked and call.header("Content-Length") is None:
        raise _no_length()


def opened(call: Call, raw: bytes, /) -> Call:
    """The call with its body decoded and found right, and the checksum that was given for it."""
    kind = call.header("x-amz-content-sha256") or "UNSIGNED-PAYLOAD"
    body, trailers = _dechunked(call, kind, raw) if kind in STREAMS else (raw, {})
    if _HEX.fullmatch(kind) and hashlib.sha256(body).hexdigest() != kind:
        raise Refused(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ClientComputedContentSHA256=kind,
            S3ComputedContentSHA256=hashlib.sha256(body).hexdigest(),
        )
    _check_md5(call, body)
    return call.carrying(body, _checksum(call, trailers, body))


def _check_md5(call: Call, body: bytes) -> None:
    given = call.header("Content-MD5")
    if given is None:
        return
    try:
        expected = base64.b64decode(given, validate=True)
    except ValueError:
        expected = b""
    if len(expected) != 16:
        raise Refused("InvalidDigest", "The Content-MD5 you specified was invalid.")
    if expected != hashlib.md5(body).digest():
        raise Refused("BadDigest", "The Content-MD5 you specified did not match what we received.")


def _checksum(call: Call, trailers: Mapping[str, str], body: bytes) -> Checksum | None:
    found = {
        name: value
        for name in ALGORITHMS
        for value in (call.header(f"x-amz-checksum-{name}"), trailers.get(f"x-amz-checksum-{name}"))
        if value is not None
    }
    announced = (call.header("x-amz-sdk-checksum-algorithm") or "").lower()
    if announced and announced not in found:
        raise Refused(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
            "x-amz-trailer headers were found.",
        )
    if len(found) > 1:
        raise Refused(
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )
    for name, value in found.items():
        return _checked(call, Checksum(name, value), body)
    return None


def _checked(call: Call, checksum: Checksum, body: bytes) -> Checksum:
    if call.method == "POST" and "uploadId" in call.query:
        return checksum  # of the whole object: its completion holds it against the parts
    if not is_value(checksum.algorithm, checksum.value):
        name = checksum.algorithm
        raise Refused("InvalidRequest", f"Value for x-amz-checksum-{name} header is invalid.")
    if digest(checksum.algorithm, body) != checksum.value:
        raise bad_digest(checksum)
    return checksum


def bad_digest(checksum: Checksum, /) -> Refused:
    name = checksum.algorithm.upper()
    return Refused("BadDigest", f"The {name} you specified did not match the calculated checksum.")


class _Chunk(NamedTuple):
    data: bytes
    signature: str
    end: int


def _dechunked(call: Call, kind: str, raw: bytes) -> tuple[bytes, dict[str, str]]:
    chunks: list[bytes] = []
    position, previous = 0, call.signed.seed
    while True:
        chunk = _chunk(raw, position)
        if "AWS4" in kind:
            _check_chunk(call, previous, chunk)
        previous, position = chunk.signature, chunk.end
        if not chunk.data:
            break
        chunks.append(chunk.data)
    body = b"".join(chunks)
    if len(body) != int(call.headers["x-amz-decoded-content-length"]):
        raise _incomplete()
    return body, _trailers(call, kind, raw[position:], previous)


def _chunk(raw: bytes, position: int) -> _Chunk:
    head_end = raw.find(b"\r\n", position)
    head = _SIZE.fullmatch(raw, position, head_end) if head_end >= 0 else None
    if not head:
        raise _incomplete()
    size, start = int(head["size"], 16), head_end + 2
    signature = (head["signature"] or b"").decode()
    if not size:  # the trailers follow at once
        return _Chunk(b"", signature, start)
    if raw[start + size : start + size + 2] != b"\r\n":
        raise _incomplete()
    return _Chunk(raw[start : start + size], signature, start + size + 2)


def _check_chunk(call: Call, previous: str, chunk: _Chunk) -> None:
    hashed = hashlib.sha256(chunk.data).hexdigest()
    _compare(call, "AWS4-HMAC-SHA256-PAYLOAD", (previous, _EMPTY, hashed), chunk.signature)


def _trailers(call: Call, kind: str, raw: bytes, previous: str) -> dict[str, str]:
    lines = raw.decode("latin-1").replace("\r\n", "\n").split("\n")
    pairs = [line.partition(":") for line in lines if ":" in line]
    found = {name.strip().lower(): value.strip() for name, _, value in pairs}
    signature = found.pop("x-amz-trailer-signature", "")
    if kind.endswith("PAYLOAD-TRAILER") and "AWS4" in kind:
        text = "".join(f"{name}:{value}\n" for name, value in sorted(found.items()))
        hashed = hashlib.sha256(text.encode()).hexdigest()
        _compare(call, "AWS4-HMAC-SHA256-TRAILER", (previous, hashed), signature)
    announced = {name.strip().lower() for name in call.headers.get("x-amz-trailer", "").split(",")}
    if set(found) != announced - {""}:
        raise Refused("MalformedTrailerError", "The trailers are not those that were announced.")
    return found


def _compare(call: Call, kind: str, hashes: tuple[str, ...], given: str) -> None:
    signed = call.signed
    right = hmac_of(signed.secret, "\n".join((kind, signed.stamp, signed.scope, *hashes))).hex()
    if not hmac.compare_digest(right, given):
        raise Refused(
            "SignatureDoesNotMatch",
            "A chunk's signature does not match the signature we calculated.",
        )


def _incomplete() -> Refused:
    return Refused(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )


def _no_length() -> Refused:
    return Refused("MissingContentLength", "You must provide the Content-Length HTTP header.")
