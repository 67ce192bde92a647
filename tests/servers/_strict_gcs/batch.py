"""Up to a hundred requests in one.

https://cloud.google.com/storage/docs/batch
"""

import re
import uuid
from collections.abc import Callable
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from urllib.parse import urlsplit

from multidict import CIMultiDict, CIMultiDictProxy

from tests.servers._strict.reply import Reply
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import invalid

_MOST = 100
_DATA = ("media", "insert", "start", "chunk", "query", "abort", "batch")
_LINE = re.compile(r"(?P<method>[A-Z]+) (?P<target>\S+)( HTTP/1\.[01])?")


def run(call: Call, body: bytes, answer: Callable[[Call, bytes], Reply], /) -> Reply:
    """Each part answered by itself, in the order of the parts."""
    head = f"Content-Type: {call.header('Content-Type')}\r\n\r\n".encode()
    whole = BytesParser().parsebytes(head + body)
    parts = whole.get_payload()
    if whole.get_content_type() != "multipart/mixed" or not isinstance(parts, list):
        raise invalid("Failed to parse batch request: the body is not multipart/mixed.")
    if len(parts) > _MOST:
        raise invalid(f"The batch request has {len(parts)} calls, more than the limit of {_MOST}.")
    boundary = f"batch_{uuid.uuid4().hex}"
    told = [_answered(call, part, answer) for part in parts]  # type: ignore[arg-type]
    text = b"".join(b"--" + boundary.encode() + b"\r\n" + one + b"\r\n" for one in told)
    kind = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
    return Reply(200, text + f"--{boundary}--\r\n".encode(), CIMultiDict(kind))


def _answered(call: Call, part: Message, answer: Callable[[Call, bytes], Reply]) -> bytes:
    if part.get_content_type() != "application/http":
        raise invalid("Failed to parse batch request: a part is not application/http.")
    inner, body = _inner(call, part)
    if inner.operation in _DATA:
        raise invalid("A batch must not upload or download data.")
    reply = answer(inner, body)
    identity = (part.get("Content-ID") or "").strip("<>")
    lines = [
        "Content-Type: application/http",
        f"Content-ID: <response-{identity}>",
        "",
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
        *(f"{name}: {value}" for name, value in reply.headers.items()),
        f"Content-Length: {len(reply.body)}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + reply.body


def _inner(call: Call, part: Message) -> tuple[Call, bytes]:
    payload = part.get_payload(decode=True)
    raw = payload.lstrip() if isinstance(payload, bytes) else b""
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    found = _LINE.fullmatch(first.strip())
    if not found:
        raise invalid("Failed to parse batch request: a part does not begin with a request.")
    pairs = [line.partition(":") for line in lines if line.strip()]
    headers = CIMultiDict({name.strip(): value.strip() for name, _, value in pairs})
    for name in ("Authorization", "Host"):  # what the whole has, each part has
        if name not in headers and call.header(name):
            headers[name] = call.headers[name]
    headers.setdefault("Content-Length", str(len(body)))
    target = urlsplit(found["target"])
    place = f"{target.path}?{target.query}" if target.query else target.path
    inner = Call.of(found["method"], place, CIMultiDictProxy(headers), secure=call.secure)
    return inner, body
