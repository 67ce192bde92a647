"""Bytes on their way out: stored ones are pulled, and decompressed in threads in bounded steps."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from storeroom.contracts import threads
from storeroom.contracts.errors import Corrupted, StorageError
from storeroom.contracts.source import Source
from storeroom.layers._compression.format import Opener, Unpacker
from storeroom.layers._compression.table import Table

__all__ = ["Behind", "Cut", "Frames", "Unpacking", "unpacked"]


_PIECE: Final = 1 << 20


class Frames:
    """Decompresses the frames from `first` to `last`, each held against the table.

    As an `Unpacker`, but for a part of a file: what it is given begins with the first frame.
    """

    __slots__ = ("_buffer", "_frame", "_last", "_opened", "_table", "pieces")

    def __init__(self, table: Table, opener: Opener, first: int, last: int, /) -> None:
        self._table = table
        self._opened = opener
        self._frame = first
        self._last = last
        self._buffer = bytearray()
        self.pieces: deque[bytes] = deque()

    @property
    def hungry(self) -> bool:
        return self._frame > self._last or len(self._buffer) < self._table.stored(self._frame)

    def give(self, data: bytes, /) -> None:
        self._buffer += data

    def work(self) -> None:
        size, table = self._table.stored(self._frame), self._table
        expected = table.plain(self._frame)
        plain, check = self._opened(bytes(memoryview(self._buffer)[:size]), expected)
        if len(plain) != expected or check != table.checks[self._frame]:
            raise Corrupted("a frame is not the one of the seek table")
        del self._buffer[:size]
        self._frame += 1
        self.pieces.append(plain)

    def finish(self) -> None:
        if self._frame <= self._last or self._buffer:
            raise Corrupted("the compressed data is cut off")


def unpacked(unpacker: Unpacker, data: bytes, most: int, /) -> bytes:
    """All of the plain bytes, for what is small; `Corrupted` where there are more than `most`."""
    pieces: list[bytes] = []
    unpacker.give(data)
    while not unpacker.hungry:
        unpacker.work()
        while unpacker.pieces:
            pieces.append(unpacker.pieces.popleft())
            most -= len(pieces[-1])
        if most < 0:
            raise Corrupted("the compressed data has more in it than its table tells of")
    unpacker.finish()
    return b"".join(pieces)


class Unpacking(AsyncIterator[bytes]):
    """The plain bytes of a source, or of what the unpacker was given already.

    A class, not a generator: dropping it releases the source at once, without a loop.
    """

    __slots__ = ("_at", "_held", "_most", "_path", "_source", "_unpacker")

    def __init__(
        self, unpacker: Unpacker, source: Source | None, path: str, /, most: int | None = None
    ) -> None:
        self._unpacker = unpacker
        self._source = source
        self._path = path
        self._most = most
        self._held = b""
        self._at = 0

    async def __anext__(self) -> bytes:
        try:
            while not self._unpacker.pieces:
                if not self._unpacker.hungry:
                    await threads.run(self._unpacker.work)
                elif (chunk := await self._chunk()) is not None:
                    self._unpacker.give(chunk)
                else:
                    await threads.run(self._unpacker.finish)
                    raise StopAsyncIteration
            return self._counted(self._unpacker.pieces.popleft())
        except StorageError as error:
            error.located(path=self._path)
            raise

    async def aclose(self) -> None:
        """Release the source."""
        if self._source is not None:
            await self._source.aclose()

    async def _chunk(self) -> bytes | None:
        """The next stored bytes, in pieces: unpackers copy what they have not come to yet."""
        if self._at >= len(self._held):
            if self._source is None:
                return None
            self._held, self._at = await anext(self._source, b""), 0
        piece = self._held[self._at : self._at + _PIECE]
        self._at += len(piece)
        return piece or None

    def _counted(self, piece: bytes) -> bytes:
        if self._most is not None:
            self._most -= len(piece)
            if self._most < 0:
                raise Corrupted("the compressed data has more than max_size bytes in it")
        return piece


class Cut(AsyncIterator[bytes]):
    """`count` of the bytes behind the first `skip`, all of them for None."""

    __slots__ = ("_chunks", "_left", "_skip")

    def __init__(self, chunks: Unpacking | Source, skip: int, count: int | None, /) -> None:
        self._chunks = chunks
        self._skip = skip
        self._left = count

    async def __anext__(self) -> bytes:
        while self._left != 0:
            piece = self._cut(await anext(self._chunks))
            if piece:
                return piece
        await self._chunks.aclose()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Release what is cut."""
        await self._chunks.aclose()

    def _cut(self, piece: bytes) -> bytes:
        skip = min(self._skip, len(piece))
        self._skip -= skip
        stop = len(piece) if self._left is None else min(len(piece), skip + self._left)
        if self._left is not None:
            self._left -= stop - skip
        return piece[skip:stop]


class Behind(AsyncIterator[bytes]):
    """A source from its beginning, of which the first bytes were read to see what it is."""

    __slots__ = ("_head", "_source")

    def __init__(self, head: bytes, source: Source, /) -> None:
        self._head = head
        self._source = source

    async def __anext__(self) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        return await anext(self._source)

    async def aclose(self) -> None:
        """Release the source."""
        await self._source.aclose()
