"""Many removals in one request, and what the reply says of each.

https://learn.microsoft.com/rest/api/storageservices/blob-batch
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from storeroom.contracts.errors import Corrupted
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.xml import read_error
from storeroom.drivers._http.canonical import encoded_path

__all__ = ["Part", "batch_body", "read_parts"]

_BOUNDARY: Final = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})")


@dataclass(frozen=True, slots=True)
class Part:
    """The reply to one of many requests."""

    status: int
    headers: Mapping[str, str]
    code: str
    message: str


async def batch_body(
    service: AzureService, keys: Sequence[str], headers: Mapping[str, str], /
) -> tuple[str, bytes]:
    """The content type, and the body in which each removal is a request of its own, signed as such."""
    boundary = f"batch_{uuid.uuid4()}"
    place, access, date = service.target.place, service.access, service.clock.date()
    pieces: list[str] = []
    for number, key in enumerate(keys):
        path = encoded_path(place.path(key))
        said = {**headers, "content-length": "0"}
        signed = await access.headers("DELETE", path, (), said, date)
        lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        pieces.append(
            f"--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary"
            f"\r\nContent-ID: {number}\r\n\r\n"
            f"DELETE {access.address(path, '')} HTTP/1.1\r\n{lines}\r\n"
        )
    body = "".join(pieces) + f"--{boundary}--\r\n"
    return f"multipart/mixed; boundary={boundary}", body.encode()


def read_parts(content_type: str, body: bytes, /) -> dict[int, Part]:
    """The replies by the number of their requests."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise Corrupted("the service's reply to many removals is none of many")
    parts: dict[int, Part] = {}
    for piece in body.split(b"--" + boundary[1].encode())[1:]:
        outer, _, reply = piece.partition(b"\r\n\r\n")
        status = _STATUS.match(reply)
        number = _headers(outer).get("content-id", "")
        if status is None or not number.isdecimal():
            continue
        head, _, content = reply.partition(b"\r\n\r\n")
        headers = _headers(head)
        failure = read_error(headers.get("x-ms-error-code", ""), content.strip())
        parts[int(number)] = Part(int(status[1]), headers, failure.code, failure.message)
    return parts


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode(errors="replace").split("\r\n"))
    return {name.strip().lower(): value.strip() for name, colon, value in lines if colon}
