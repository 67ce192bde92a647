"""A server that answers every S3 request with a canned reply, quickly; run in a process of its own.

`python _s3_stub.py MEBIBYTES` prints its port and serves until its standard input ends. Keys that
begin with `big` are that large; a listing has 10 pages of 1,000 keys.
"""

import asyncio
import sys
from hashlib import md5
from urllib.parse import parse_qs

ENTRIES = 10_000
PAGE = 1000
SMALL = 4096
BLOCK = memoryview(bytes(range(256)) * 4096)

_ETAG = f'"{md5(BLOCK[:SMALL]).hexdigest()}"'
_BIG_ETAG = '"9bb58f26192e4ba00f01e2e7b136bbd8-32"'
_MODIFIED = "2026-11-20T10:00:00.000Z"
_COMMON = "x-amz-request-id: 4442587FB7D0A2F9\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\n"
_OBJECT = (
    f"{_COMMON}Last-Modified: Fri, 20 Nov 2026 10:00:00 GMT\r\n"
    "Content-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\n"
)
_SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def _reply(status: str, body: str = "", headers: str = _COMMON) -> bytes:
    kind = "Content-Type: application/xml\r\n" if body else ""
    return f"HTTP/1.1 {status}\r\n{headers}{kind}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def _xml(name: str, content: str) -> bytes:
    return _reply("200 OK", f'<?xml version="1.0"?>\n<{name} {_SPACE}>{content}</{name}>')


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


PAGES = [_page(number) for number in range(ENTRIES // PAGE)]
STORED = _reply("200 OK", headers=f"{_COMMON}ETag: {_ETAG}\r\n")
GONE = f"HTTP/1.1 204 No Content\r\n{_COMMON}\r\n".encode()
DONE = _reply("200 OK")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
MISSING = _reply("404 Not Found", "<Error><Code>NoSuchKey</Code><Message>No</Message></Error>")
UNKNOWN = f"HTTP/1.1 404 Not Found\r\n{_COMMON}\r\n".encode()
STARTED = _xml("InitiateMultipartUploadResult", "<UploadId>upload</UploadId>")
COMPLETED = _xml("CompleteMultipartUploadResult", f"<ETag>{_ETAG}</ETag>")
DELETED = _xml("DeleteResult", "")


class Stub(asyncio.Protocol):
    """One connection; requests come one after another."""

    def __init__(self, big: int) -> None:
        self._big = big
        self._buffer = b""
        self._tail = b""
        self._left = 0  # bytes of a body still to come; -1 until the end of a chunked one
        self._answer: tuple[bytes, int] = (b"", 0)
        self._sending = 0
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data, self._buffer = self._buffer + data, b""
        while data:
            if not self._left:
                head, found, rest = data.partition(b"\r\n\r\n")
                if not found:
                    self._buffer = data
                    return
                self._begin(head)
                if self._left and not rest and b"100-continue" in head:
                    self._transport.write(CONTINUE)
                data = rest
            data = self._drained(data)
            if self._left:
                return
            self._send()

    def _drained(self, data: bytes) -> bytes:
        """What follows the body."""
        if self._left < 0:
            self._tail = (self._tail + data)[-5:]
            if self._tail == b"0\r\n\r\n":
                self._left, self._tail = 0, b""
            return b""
        rest = data[self._left :] if len(data) > self._left else b""
        self._left = max(0, self._left - len(data))
        return rest

    def _begin(self, head: bytes) -> None:
        line, _, headers = head.partition(b"\r\n")
        method, target, _ = line.split(b" ", 2)
        path, _, query = target.partition(b"?")
        lowered = headers.lower()
        self._left = _length(lowered)
        self._answer = self._chosen(method, path, query, lowered)

    def _chosen(
        self, method: bytes, path: bytes, query: bytes, headers: bytes
    ) -> tuple[bytes, int]:
        _, _, key = path.lstrip(b"/").partition(b"/")
        if method == b"PUT":
            return STORED, 0
        if method == b"DELETE":
            return GONE, 0
        if method == b"POST":
            return _posted(query), 0
        if not key:
            return (_listed(query) if method == b"GET" else DONE), 0
        if key.startswith(b"missing"):
            return (MISSING if method == b"GET" else UNKNOWN), 0
        size = self._big if key.startswith(b"big") else SMALL
        head, length = _object(size, headers)
        return head, length if method == b"GET" else 0

    def _send(self) -> None:
        head, self._sending = self._answer
        if self._sending <= SMALL:
            self._transport.write(head + BLOCK[: self._sending])
            self._sending = 0
            return
        self._transport.write(head)
        self._pump()

    def _pump(self) -> None:
        while self._sending and not self._paused:
            block = BLOCK[: self._sending]
            self._sending -= len(block)
            self._transport.write(block)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._pump()


def _length(headers: bytes) -> int:
    start = headers.find(b"content-length:")
    if start >= 0:
        return int(headers[start + 15 :].partition(b"\r\n")[0])
    return -1 if b"transfer-encoding: chunked" in headers else 0


def _object(size: int, headers: bytes) -> tuple[bytes, int]:
    facts = f"{_OBJECT}ETag: {_ETAG if size == SMALL else _BIG_ETAG}\r\n"
    start = headers.find(b"range: bytes=")
    if start < 0:
        return (f"HTTP/1.1 200 OK\r\n{facts}Content-Length: {size}\r\n\r\n".encode(), size)
    first, _, last = headers[start + 13 :].partition(b"\r\n")[0].partition(b"-")
    begin, end = int(first), min(int(last or size - 1), size - 1)
    length = end - begin + 1
    return (
        f"HTTP/1.1 206 Partial Content\r\n{facts}Content-Range: bytes {begin}-{end}/{size}\r\n"
        f"Content-Length: {length}\r\n\r\n".encode(),
        length,
    )


def _posted(query: bytes) -> bytes:
    if b"uploadId=" in query:
        return COMPLETED
    return STARTED if b"uploads" in query else DELETED


def _listed(query: bytes) -> bytes:
    token = parse_qs(query.decode()).get("continuation-token", ["0"])[0]
    return PAGES[int(token)]


async def main(mebibytes: int) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stub(mebibytes << 20), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
