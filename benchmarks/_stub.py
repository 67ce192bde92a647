"""What every stub shares: a connection that answers with canned heads and one known content.

Whatever is read from a stub is the pattern: all byte values in their order, again and again. What is
written to it is taken for as much of the pattern. Keys that hold `bigN` are N MiB large.
"""

import asyncio
import re
import sys
from collections.abc import Callable
from functools import cache
from hashlib import md5
from typing import NamedTuple

MIB = 1 << 20
SMALL = 4096
ENTRIES = 10_000  # of a listing, in pages of PAGE
PAGE = 1000

_BYTES = bytes(range(256))
_BLOCK = memoryview(_BYTES * (MIB // len(_BYTES)))
_KEPT = 64 << 10
_BIG = re.compile(rb"big(\d+)")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Request(NamedTuple):
    """One request, its headers as they came but in small letters, its body if that is short."""

    method: bytes
    path: bytes
    query: bytes
    headers: bytes
    size: int  # of the body; -1 if it came in chunks
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        start = self.headers.find(b"\r\n%b:" % name)
        if start < 0:
            return None
        return self.headers[start + len(name) + 3 :].partition(b"\r\n")[0].strip()


class Reply(NamedTuple):
    """A head, a short body included, and how much of the pattern follows, from which byte."""

    head: bytes
    size: int = 0
    start: int = 0


Answer = Callable[[Request], Reply]


class Connection(asyncio.Protocol):
    """One connection; requests come one after another, and each is answered after its body."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._buffer = b""
        self._request = Request(b"", b"", b"", b"", 0, b"")
        self._body = bytearray()
        self._tail = b""
        self._left = 0  # bytes of a body still to come; -1 until the end of a chunked one
        self._sending = 0
        self._start = 0
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
                    self._transport.write(_CONTINUE)
                data = rest
            data = self._drained(data)
            if self._left:
                return
            self._send()

    def _begin(self, head: bytes) -> None:
        line, _, headers = head.partition(b"\r\n")
        method, target, _ = line.split(b" ", 2)
        path, _, query = target.partition(b"?")
        request = Request(method, path, query, b"\r\n" + headers.lower(), 0, b"")
        self._left = _length(request)
        self._request = request._replace(size=self._left)

    def _drained(self, data: bytes) -> bytes:
        """What follows the body."""
        if self._left < 0:
            self._tail = (self._tail + data)[-5:]
            if self._tail == b"0\r\n\r\n":
                self._left, self._tail = 0, b""
            return b""
        if self._request.size <= _KEPT:
            self._body += data[: self._left]
        rest = data[self._left :] if len(data) > self._left else b""
        self._left = max(0, self._left - len(data))
        return rest

    def _send(self) -> None:
        request = self._request
        if self._body:
            request = request._replace(body=bytes(self._body))
            self._body.clear()
        head, size, self._start = self._answer(request)
        if size <= SMALL:
            self._transport.write(head + pattern(size, self._start))
            return
        self._sending = size
        self._transport.write(head)
        self._pump()

    def _pump(self) -> None:
        while self._sending and not self._paused:
            skipped = self._start % len(_BYTES)
            block = _BLOCK[skipped : skipped + self._sending]
            self._sending -= len(block)
            self._start += len(block)
            self._transport.write(block)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._pump()


def pattern(size: int, start: int = 0) -> bytes:
    """So much of the pattern, at most a MiB; what else is in the benchmarks to write."""
    skipped = start % len(_BYTES)
    return bytes(_BLOCK[skipped : skipped + size])


def pieces(size: int) -> list[memoryview]:
    """All of so large a file, as views of one block."""
    whole, rest = divmod(size, MIB)
    return [*([_BLOCK] * whole), *([_BLOCK[:rest]] if rest else [])]


@cache
def md5_of(size: int) -> bytes:
    """The digest of a file of that size."""
    digest = md5()
    for piece in pieces(size):
        digest.update(piece)
    return digest.digest()


def big(mebibytes: int) -> str:
    """The key of a file that large."""
    return f"big{mebibytes}.bin"


def size_of(key: bytes) -> int:
    """How large the file of that key is."""
    found = _BIG.search(key)
    return int(found[1]) * MIB if found else SMALL


def asked(value: bytes | None, size: int) -> tuple[int, int] | None:
    """The first byte that a range header asks for and the one after the last."""
    if value is None:
        return None
    first, _, last = value.removeprefix(b"bytes=").partition(b"-")
    return int(first), min(int(last or size), size - 1) + 1


def reply(status: str, headers: str, body: str = "", kind: str = "application/xml") -> bytes:
    """A whole reply; every header ends with its line's end."""
    typed = f"Content-Type: {kind}\r\n" if body else ""
    return (
        f"HTTP/1.1 {status}\r\n{headers}{typed}Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )


def found(headers: str, size: int, part: tuple[int, int] | None, method: bytes) -> Reply:
    """The reply to GET and HEAD of a file, or of a part of it."""
    first, end = part or (0, size)
    status, place = "200 OK", ""
    if part is not None:
        status, place = "206 Partial Content", f"Content-Range: bytes {first}-{end - 1}/{size}\r\n"
    head = f"HTTP/1.1 {status}\r\n{headers}{place}Content-Length: {end - first}\r\n\r\n"
    return Reply(head.encode(), end - first if method == b"GET" else 0, first)


def serve(answer: Answer) -> None:
    """Print the port and serve until standard input ends."""
    asyncio.run(_served(answer))


async def _served(answer: Answer) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answer), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def _length(request: Request) -> int:
    length = request.header(b"content-length")
    if length is not None:
        return int(length)
    return -1 if b"transfer-encoding: chunked" in request.headers else 0
