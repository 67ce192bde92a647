"""A server that answers every GCS request with a canned reply, quickly; run in a process of its own.

It speaks both of Google's languages, JSON below `/storage/v1` and XML below `/{bucket}`, with the
headers that the service has and checksums that are right.
"""

import json
import re
from base64 import b64encode
from functools import cache
from urllib.parse import parse_qs, unquote

import google_crc32c
from _stub import (
    ENTRIES,
    MIB,
    PAGE,
    SMALL,
    Reply,
    Request,
    asked,
    found,
    md5_of,
    pieces,
    reply,
    serve,
    size_of,
)

_GENERATION = "1763632800000000"
_KIND = "application/octet-stream"
_JSON = "application/json; charset=UTF-8"
_TIME = "2026-11-20T10:00:00.000Z"
_DATE = "Fri, 20 Nov 2026 10:00:00 GMT"
_COMMON = (
    "X-GUploader-UploadID: AFiumC4yQ2nCqXHqJ2oQW8bXrN7pT1kZ5mVd3sLg9hRfYtEwUiOpAsDfGhJkLzXc\r\n"
    f"Date: {_DATE}\r\nServer: UploadServer\r\n"
)
_SPACE = 'xmlns="http://doc.s3.amazonaws.com/2006-03-01"'
_UPLOADING = re.compile(rb"/upload/storage/v1/b/([^/]+)/o")
_OBJECT = re.compile(rb"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)(/?.*)")
_LISTED = re.compile(rb"/storage/v1/b/[^/]+/o")
_RANGE = re.compile(rb"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_MEDIA = re.compile(rb"\r\n\r\n(.*?)\r\n--.*?\r\n\r\n(.*)\r\n--", re.DOTALL)


@cache
def _crc32c(size: int) -> str:
    checksum = google_crc32c.Checksum()
    for piece in pieces(size):
        checksum.update(bytes(piece))
    return b64encode(checksum.digest()).decode()


@cache
def _facts(size: int) -> str:
    """The headers of a file, whichever language it is asked for in."""
    digest = md5_of(size)
    return (
        f"{_COMMON}x-goog-generation: {_GENERATION}\r\nx-goog-metageneration: 1\r\n"
        f"x-goog-stored-content-encoding: identity\r\nx-goog-stored-content-length: {size}\r\n"
        f"x-goog-hash: crc32c={_crc32c(size)}\r\nx-goog-hash: md5={b64encode(digest).decode()}\r\n"
        "x-goog-storage-class: STANDARD\r\nAccept-Ranges: bytes\r\n"
        "Cache-Control: private, max-age=0\r\n"
        f'Expires: {_DATE}\r\nLast-Modified: {_DATE}\r\nETag: "{digest.hex()}"\r\n'
        f"Content-Type: {_KIND}\r\n"
    )


@cache
def _resource(bucket: str, name: str, size: int) -> dict[str, str]:
    return {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{_GENERATION}",
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{bucket}/o/{name}",
        "mediaLink": f"https://storage.googleapis.com/download/storage/v1/b/{bucket}/o/{name}?alt=media",
        "name": name,
        "bucket": bucket,
        "generation": _GENERATION,
        "metageneration": "1",
        "contentType": _KIND,
        "storageClass": "STANDARD",
        "size": str(size),
        "md5Hash": b64encode(md5_of(size)).decode(),
        "crc32c": _crc32c(size),
        "etag": "CICAg6eRgZEDEAE=",
        "timeCreated": _TIME,
        "updated": _TIME,
        "timeStorageClassUpdated": _TIME,
        "timeFinalized": _TIME,
    }


@cache
def _described(bucket: bytes, name: bytes, size: int) -> Reply:
    text = json.dumps(_resource(bucket.decode(), unquote(name.decode()), size), indent=2)
    headers = f"{_COMMON}ETag: CICAg6eRgZEDEAE=\r\nVary: Origin\r\nVary: X-Origin\r\n{_FRESH}"
    return Reply(reply("200 OK", headers, text, _JSON))


_FRESH = f"Cache-Control: no-cache, no-store, max-age=0, must-revalidate\r\nExpires: {_DATE}\r\n"


def _page(number: int) -> Reply:
    page: dict[str, object] = {
        "kind": "storage#objects",
        "items": [
            _resource("bench", f"list/{key:05}-photo.jpg", SMALL)
            for key in range(number * PAGE, (number + 1) * PAGE)
        ],
    }
    if (number + 1) * PAGE < ENTRIES:
        page["nextPageToken"] = str(number + 1)
    return Reply(reply("200 OK", f"{_COMMON}{_FRESH}", json.dumps(page, indent=2), _JSON))


def _xml(name: str, content: str) -> Reply:
    text = f"<?xml version='1.0' encoding='UTF-8'?><{name} {_SPACE}>{content}</{name}>"
    return Reply(reply("200 OK", _COMMON, text, "application/xml; charset=UTF-8"))


_PAGES = [_page(number) for number in range(ENTRIES // PAGE)]
_GONE = Reply(f"HTTP/1.1 204 No Content\r\n{_COMMON}{_FRESH}\r\n".encode())
_CANCELLED = Reply(reply("499 Client Closed Request", _COMMON))
_BUCKET = Reply(reply("200 OK", _COMMON, '{"kind": "storage#bucket", "name": "bench"}', _JSON))
_STARTED = _xml("InitiateMultipartUploadResult", "<UploadId>upload</UploadId>")
_COMPLETED = _xml("CompleteMultipartUploadResult", f'<ETag>"{md5_of(SMALL).hex()}-32"</ETag>')


def answer(request: Request) -> Reply:
    """The reply that fits; names are not looked at, so that everything is there."""
    if at := _UPLOADING.fullmatch(request.path):
        return _uploaded(at[1], request)
    if at := _OBJECT.fullmatch(request.path):
        return _object(at[1], at[2], at[3], request)
    if _LISTED.fullmatch(request.path):
        token = parse_qs(request.query.decode()).get("pageToken", ["0"])[0]
        return _PAGES[int(token or "0")]
    if request.path.startswith(b"/storage/v1/"):
        return _BUCKET
    return _spoken_in_xml(request)


def _object(bucket: bytes, name: bytes, rest: bytes, request: Request) -> Reply:
    size = size_of(name)
    if request.method == b"DELETE":
        return _GONE
    if rest or request.method != b"GET" or b"alt=media" not in request.query:
        return _described(bucket, name, size)
    return found(_facts(size), size, asked(request.header(b"range"), size), request.method)


def _uploaded(bucket: bytes, request: Request) -> Reply:
    if request.method == b"DELETE":
        return _CANCELLED
    query = parse_qs(request.query)
    name = query.get(b"name", [b""])[0]
    if request.method == b"PUT":
        return _continued(bucket, name, request)
    kind = query.get(b"uploadType", [b"media"])[0]
    size = request.size
    if kind == b"multipart" and (parts := _MEDIA.search(request.body)):
        name, size = json.loads(parts[1]).get("name", name.decode()).encode(), len(parts[2])
    if kind != b"resumable":
        return _described(bucket, name, size)
    name = name or json.loads(request.body)["name"].encode()
    host = (request.header(b"host") or b"").decode()
    place = f"http://{host}{request.path.decode()}?uploadType=resumable&upload_id=upload"
    return Reply(reply("200 OK", f"{_COMMON}Location: {place}&name={name.decode()}\r\n"))


def _continued(bucket: bytes, name: bytes, request: Request) -> Reply:
    """A piece of a resumable upload: the object, or how far it has come."""
    at = _RANGE.fullmatch(request.header(b"content-range") or b"")
    if at is None:
        return _described(bucket, name, request.size)
    if at[3] != b"*":
        return _described(bucket, name, int(at[3]))
    come = f"Range: bytes=0-{at[2].decode()}\r\n" if at[2] else ""
    return Reply(reply("308 Resume Incomplete", f"{_COMMON}{come}"))


def _spoken_in_xml(request: Request) -> Reply:
    _, _, key = request.path.lstrip(b"/").partition(b"/")
    if request.method == b"DELETE":
        return _GONE
    if request.method == b"POST":
        return _STARTED if b"uploads" in request.query else _COMPLETED
    if request.method == b"PUT":
        size = min(max(request.size, 0), 64 * MIB)
        return Reply(reply("200 OK", _facts(size)))
    size = size_of(key)
    return found(_facts(size), size, asked(request.header(b"range"), size), request.method)


if __name__ == "__main__":
    serve(answer)
