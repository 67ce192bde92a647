"""A server that answers every Azure request with a canned reply, quickly; run in a process of its own.

Signatures are not looked at; the headers are those that the service has, and the MD5s are right.
"""

from base64 import b64encode
from functools import cache
from urllib.parse import parse_qs

from _stub import (
    ENTRIES,
    PAGE,
    SMALL,
    Reply,
    Request,
    asked,
    found,
    md5_of,
    reply,
    serve,
    size_of,
)

_ETAG = '"0x8DE27F3C4A5B6D7"'
_DATE = "Fri, 20 Nov 2026 10:00:00 GMT"
_COMMON = (
    "Server: Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0\r\n"
    "x-ms-request-id: 5f4b1c2e-501e-0041-3d2a-5a6b7c000000\r\nx-ms-version: 2025-11-05\r\n"
    f"Date: {_DATE}\r\n"
)
_OBJECT = (
    f"{_COMMON}Content-Type: application/octet-stream\r\nLast-Modified: {_DATE}\r\n"
    f"Accept-Ranges: bytes\r\nETag: {_ETAG}\r\nx-ms-creation-time: {_DATE}\r\n"
    "x-ms-lease-status: unlocked\r\nx-ms-lease-state: available\r\nx-ms-blob-type: BlockBlob\r\n"
    "x-ms-server-encrypted: true\r\n"
)
_TIER = "x-ms-access-tier: Hot\r\nx-ms-access-tier-inferred: true\r\n"
_COMMITTED = f"{_COMMON}Last-Modified: {_DATE}\r\nETag: {_ETAG}\r\n"
_WRITTEN = "x-ms-request-server-encrypted: true\r\n"


@cache
def _md5(size: int) -> str:
    return b64encode(md5_of(size)).decode()


def _kept(name: str, size: int) -> str:
    """The MD5 of a file: the service has one of what came in one request, as clients store it."""
    return f"{name}: {_md5(size)}\r\n" if size == SMALL else ""


def _entry(number: int) -> str:
    return (
        f"<Blob><Name>list/{number:05}-photo.jpg</Name><Properties>"
        f"<Creation-Time>{_DATE}</Creation-Time><Last-Modified>{_DATE}</Last-Modified>"
        f"<Etag>0x8DE27F3C{number:07X}</Etag><Content-Length>{number}</Content-Length>"
        "<Content-Type>image/jpeg</Content-Type><Content-Encoding /><Content-Language />"
        f"<Content-CRC64 /><Content-MD5>{_md5(SMALL)}</Content-MD5><Cache-Control />"
        "<Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
        "<AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus>"
        "<LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted>"
        "</Properties><OrMetadata /></Blob>"
    )


def _page(number: int) -> Reply:
    entries = "".join(_entry(key) for key in range(number * PAGE, (number + 1) * PAGE))
    following = str(number + 1) if (number + 1) * PAGE < ENTRIES else ""
    text = (
        '<?xml version="1.0" encoding="utf-8"?><EnumerationResults '
        'ServiceEndpoint="http://127.0.0.1/account" ContainerName="bench">'
        f"<Prefix>list/</Prefix><Blobs>{entries}</Blobs><NextMarker>{following}</NextMarker>"
        "</EnumerationResults>"
    )
    return Reply(reply("200 OK", _COMMON, text))


_PAGES = [_page(number) for number in range(ENTRIES // PAGE)]
_GONE = Reply(reply("202 Accepted", f"{_COMMON}x-ms-delete-type-permanent: true\r\n"))
_CHANGED = Reply(reply("200 OK", _COMMITTED))
_LISTED = Reply(reply("201 Created", f"{_COMMITTED}{_WRITTEN}"))


@cache
def _stored(size: int) -> Reply:
    return Reply(reply("201 Created", f"{_COMMITTED}Content-MD5: {_md5(size)}\r\n{_WRITTEN}"))


@cache
def _staged(size: int) -> Reply:
    return Reply(reply("201 Created", f"{_COMMON}Content-MD5: {_md5(size)}\r\n{_WRITTEN}"))


def answer(request: Request) -> Reply:
    """The reply that fits; names are not looked at, so that everything is there."""
    if request.method == b"PUT":
        return _put(request)
    if request.method == b"DELETE":
        return _GONE
    if b"comp=list" in request.query:
        marker = parse_qs(request.query.decode()).get("marker", ["0"])[0]
        return _PAGES[int(marker)]
    size = size_of(request.path)
    part = asked(request.header(b"x-ms-range") or request.header(b"range"), size)
    if request.method == b"HEAD":
        return found(f"{_OBJECT}{_TIER}{_kept('Content-MD5', size)}", size, None, b"HEAD")
    of_file = _kept("x-ms-blob-content-md5", size) if part else ""
    return found(f"{_OBJECT}{of_file}{_sum(request, size, part)}", size, part, b"GET")


def _sum(request: Request, size: int, part: tuple[int, int] | None) -> str:
    """What the MD5 of the bytes themselves is: of a part only for who asks."""
    if part is None:
        return _kept("Content-MD5", size)
    if request.header(b"x-ms-range-get-content-md5") != b"true":
        return ""
    return f"Content-MD5: {_md5(part[1] - part[0])}\r\n"


def _put(request: Request) -> Reply:
    if b"comp=blocklist" in request.query:
        return _LISTED
    if b"comp=block" in request.query:
        return _staged(request.size)
    return _CHANGED if b"comp=" in request.query else _stored(request.size)


if __name__ == "__main__":
    serve(answer)
