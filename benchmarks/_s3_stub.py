"""A server that answers every S3 request with a canned reply, quickly; run in a process of its own."""

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

_ETAG = f'"{md5_of(SMALL).hex()}"'
_BIG_ETAG = '"9bb58f26192e4ba00f01e2e7b136bbd8-32"'
_MODIFIED = "2026-11-20T10:00:00.000Z"
_COMMON = "x-amz-request-id: 4442587FB7D0A2F9\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\n"
_OBJECT = (
    f"{_COMMON}Last-Modified: Fri, 20 Nov 2026 10:00:00 GMT\r\n"
    "Content-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\n"
)
_SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def _xml(name: str, content: str) -> bytes:
    text = f'<?xml version="1.0"?>\n<{name} {_SPACE}>{content}</{name}>'
    return reply("200 OK", _COMMON, text)


def _page(number: int) -> bytes:
    entries = "".join(
        f"<Contents><Key>list/{key:05}-photo.jpg</Key><LastModified>{_MODIFIED}</LastModified>"
        f"<ETag>&quot;{key:032x}&quot;</ETag><Size>{key}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for key in range(number * PAGE, (number + 1) * PAGE)
    )
    more = (number + 1) * PAGE < ENTRIES
    token = f"<NextContinuationToken>{number + 1}</NextContinuationToken>" if more else ""
    return _xml(
        "ListBucketResult",
        f"<Name>bench</Name><Prefix>list/</Prefix><KeyCount>{PAGE}</KeyCount>"
        f"<MaxKeys>{PAGE}</MaxKeys><EncodingType>url</EncodingType>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}",
    )


_PAGES = [_page(number) for number in range(ENTRIES // PAGE)]
_STORED = reply("200 OK", f"{_COMMON}ETag: {_ETAG}\r\n")
_GONE = f"HTTP/1.1 204 No Content\r\n{_COMMON}\r\n".encode()
_DONE = reply("200 OK", _COMMON)
_STARTED = _xml("InitiateMultipartUploadResult", "<UploadId>upload</UploadId>")
_COMPLETED = _xml("CompleteMultipartUploadResult", f"<ETag>{_ETAG}</ETag>")
_DELETED = _xml("DeleteResult", "")


def answer(request: Request) -> Reply:
    """The reply that fits; names are not looked at, so that everything is there."""
    _, _, key = request.path.lstrip(b"/").partition(b"/")
    if request.method == b"PUT":
        return Reply(_STORED)
    if request.method == b"DELETE":
        return Reply(_GONE)
    if request.method == b"POST":
        return Reply(_posted(request.query))
    if not key:
        return Reply(_listed(request.query) if request.method == b"GET" else _DONE)
    size = size_of(key)
    headers = f"{_OBJECT}ETag: {_ETAG if size == SMALL else _BIG_ETAG}\r\n"
    return found(headers, size, asked(request.header(b"range"), size), request.method)


def _posted(query: bytes) -> bytes:
    if b"uploadId=" in query:
        return _COMPLETED
    return _STARTED if b"uploads" in query else _DELETED


def _listed(query: bytes) -> bytes:
    token = parse_qs(query.decode()).get("continuation-token", ["0"])[0]
    return _PAGES[int(token)]


if __name__ == "__main__":
    serve(answer)
