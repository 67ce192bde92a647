"""Requests and replies of HTTP/1.1 on a stream, as the bytes they are."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

_PIECE = 1 << 16
LIMIT = 1 << 20  # of a line, or of a head


@dataclass(frozen=True, slots=True)
class Head:
    """`raw` is all of it, with the empty line; `first` are the three words of its first line."""

    raw: bytes
    first: tuple[str, str, str]
    headers: list[tuple[str, str]]

    @classmethod
    async def read(cls, reader: asyncio.StreamReader, /) -> Self | None:
        """The next one, None where the other side has ended."""
        try:
            raw = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        words = [*first.split(" ", 2), "", ""]
        pairs = [line.partition(":") for line in lines]
        headers = [(name, value.strip()) for name, _, value in pairs]
        return cls(raw, (words[0], words[1], words[2]), headers)

    def header(self, name: str) -> str | None:
        """The first with this name, which is in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def length(self) -> int | None:
        """Of the body, None where nobody has said."""
        said = self.header("content-length")
        return int(said) if said else None

    @property
    def is_chunked(self) -> bool:
        return (self.header("transfer-encoding") or "").lower() == "chunked"


async def body(head: Head, reader: asyncio.StreamReader, /) -> AsyncIterator[tuple[bytes, bool]]:
    """The pieces as they stand on the wire, each with whether it is of the body itself."""
    if not head.is_chunked:
        async for piece in _exactly(reader, head.length or 0):
            yield piece, True
        return
    while True:
        line = await reader.readuntil(b"\r\n")
        yield line, False
        size = int(line.partition(b";")[0], 16)
        if not size:
            break
        async for piece in _exactly(reader, size):
            yield piece, True
        yield await reader.readexactly(2), False
    line = b""
    while line != b"\r\n":  # trailers
        line = await reader.readuntil(b"\r\n")
        yield line, False


async def _exactly(reader: asyncio.StreamReader, size: int) -> AsyncIterator[bytes]:
    left = size
    while left:
        piece = await reader.read(min(left, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(piece)
        yield piece
