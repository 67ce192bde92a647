"""Many deletions, or tiers, in one request: https://learn.microsoft.com/rest/api/storageservices/blob-batch"""

import dataclasses
import re
import uuid
from collections.abc import Callable

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import Refused

_MOST = 256
_BOUNDARY = re.compile(r'multipart/mixed;\s*boundary="?(?P<boundary>[^";]+)"?', re.IGNORECASE)


def submit(call: Call, answer: Callable[[Call], Reply], /) -> Reply:
    """The answers to the requests of a batch, each judged by itself."""
    found = _BOUNDARY.fullmatch(call.header("Content-Type") or "")
    if not found:
        raise Refused("InvalidHeaderValue", HeaderName="Content-Type")
    parts = _parts(call.body, found["boundary"].encode())
    if not 1 <= len(parts) <= _MOST:
        raise Refused("InvalidInput", "A batch has 1 to 256 requests.")
    requests = [_request(call, part) for part in parts]
    if len({asked.operation for _, asked in requests}) > 1:
        raise Refused("InvalidInput", "All requests of a batch are of one kind.")
    boundary = f"batchresponse_{uuid.uuid4()}"
    told = [_told(boundary, number, answer(asked)) for number, asked in requests]
    body = b"".join([*told, f"--{boundary}--\r\n".encode()])
    headers = CIMultiDict({"Content-Type": f"multipart/mixed; boundary={boundary}"})
    return Reply(202, body, headers, sized=False)


def _parts(body: bytes, boundary: bytes) -> list[bytes]:
    pieces = body.split(b"--" + boundary)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise Refused("InvalidInput", "The batch has no end.")
    return [piece.removeprefix(b"\r\n") for piece in pieces[1:-1]]


def _request(call: Call, part: bytes) -> tuple[str, Call]:
    outer, _, inner = part.partition(b"\r\n\r\n")
    told = _headers(outer.decode().split("\r\n"))
    head, _, _ = inner.partition(b"\r\n\r\n")
    first, *lines = head.decode().lstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if told.get("Content-Type") != "application/http" or len(words) != 3:
        raise Refused("InvalidInput", "A part of the batch is no request.")
    headers = _headers(lines)
    asked = Call.of(words[0], words[1], headers, secure=call.secure, address=call.address)
    asked = dataclasses.replace(asked, is_part=True)
    if asked.operation not in ("delete", "tier"):
        raise Refused("InvalidInput", f"A batch takes no {asked.operation}.")
    if call.bucket and asked.bucket != call.bucket:
        raise Refused("InvalidInput", "A part of the batch is of another container.")
    return told.get("Content-ID", "0"), asked


def _headers(lines: list[str]) -> CIMultiDict[str]:
    pairs = [line.partition(":") for line in lines if line]
    return CIMultiDict([(name.strip(), value.strip()) for name, _, value in pairs])


def _told(boundary: str, number: str, reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} Said"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    if reply.body:
        lines.append(f"Content-Length: {len(reply.body)}")
    head = f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n"
    return head.encode() + "\r\n".join([*lines, "", ""]).encode() + reply.body + b"\r\n"
