"""Bytes going in: a body knows its size, whether it can be replayed, and can be peeked at."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from storeroom.contracts import threads
from storeroom.contracts.errors import Corrupted, InvalidArgument

__all__ = ["Body", "Piece", "Progress"]

Piece = bytes | memoryview
"""Some of the bytes of a body, never to be changed."""

Progress = Callable[[int, int | None], object]
"""Called with the bytes done so far and the total, None where it is unknown."""

_SLICE = 1 << 20
_SMALL = 64 << 10
_FEW = 256


class Body:
    """The bytes of one write.

    `content` is the bytes themselves, or a function that starts an async iteration over them;
    `replayable` says that it may be called again. `size` is announced in bytes: a body that turns out
    shorter or longer raises `Corrupted` before a driver may commit. What the caller's iterable raised
    is kept in `error`.
    """

    __slots__ = (
        "_chunks",
        "_head",
        "_peeked",
        "_progress",
        "_running",
        "error",
        "replayable",
        "size",
        "whole",
    )

    def __init__(
        self,
        content: bytes | Callable[[], AsyncIterator[bytes]],
        /,
        *,
        size: int | None = None,
        replayable: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.error: Exception | None = None
        self.whole = content if isinstance(content, bytes) and progress is None else None
        self.replayable = replayable or isinstance(content, bytes)
        self.size = _announced(content, size)
        self._chunks = _sliced(content) if isinstance(content, bytes) else content
        self._progress = progress
        self._head = b""
        self._peeked = False
        self._running: AsyncIterator[bytes] | None = None

    @staticmethod
    def checked(body: "Body", /) -> "Body":
        """The body, or a `TypeError` that names `put` for whoever called the service's verb."""
        if not isinstance(body, Body):
            raise TypeError(
                f"write() takes a Body, not {type(body).__name__}; "
                "people's verb is put(path, content)"
            )
        return body

    async def peek(self, count: int, /) -> bytes:
        """Up to `count` first bytes, which iteration gives all the same."""
        if self.whole is not None:
            return self.whole[:count]
        if not self._peeked:
            await self._start()
            self._peeked = True
        parts, held = [self._head] if self._head else [], len(self._head)
        try:
            while held < count and (chunk := await self._pulled()) is not None:
                parts.append(chunk)
                held += len(chunk)
        finally:
            self._head = b"".join(parts)
        return self._head[:count]

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        if not self._peeked:
            await self._start()
        self._peeked = False
        done = 0
        head, self._head = self._head, b""
        chunk: bytes | None = head or await self._pulled()
        while chunk is not None:
            done += len(chunk)
            if self.size is not None and done > self.size:
                raise Corrupted(f"the body is longer than the {self.size} bytes announced")
            if chunk:
                yield chunk
            if self._progress is not None:
                self._progress(done, self.size)
            chunk = await self._pulled()
        if self.size is not None and done < self.size:
            raise Corrupted(f"the body ended after {done} of the {self.size} bytes announced")

    async def blocks(self, size: int, /) -> AsyncGenerator[bytes]:
        """The bytes regrouped: every block has `size` bytes, the last one what remains."""
        parts: list[bytes] = []
        held = 0
        async with aclosing(self.__aiter__()) as chunks:
            async for chunk in chunks:
                parts.append(chunk)
                held += len(chunk)
                if held < size:
                    continue
                joined = parts[0] if len(parts) == 1 else b"".join(parts)
                full = held - held % size
                for start in range(0, full, size):
                    yield joined if held == size else joined[start : start + size]
                parts = [joined[full:]] if full < held else []
                held -= full
        if held:
            yield b"".join(parts)

    async def parts(self, size: int, /) -> AsyncGenerator[list[Piece]]:
        """The same in pieces, not copied unless they are small: their sum is `size`, but for the last."""
        part: list[Piece] = []
        small: list[Piece] = []
        missing = size
        async with aclosing(self.__aiter__()) as chunks:
            async for chunk in chunks:
                rest = memoryview(chunk)
                while rest:
                    piece, rest = rest[:missing], rest[missing:]
                    missing -= len(piece)
                    small.append(chunk if len(piece) == len(chunk) else piece)
                    if len(piece) >= _SMALL:
                        part += [*_gathered(small[:-1]), small[-1]]
                        small = []
                    elif not missing or len(small) >= _FEW:
                        part += _gathered(small)
                        small = []
                    if not missing:
                        yield part
                        part, missing = [], size
        if missing < size:
            yield [*part, *_gathered(small)]

    async def content(self) -> bytes:
        """All of it at once, for drivers that hold objects in memory."""
        if self.whole is not None:
            return self.whole
        async with aclosing(self.__aiter__()) as chunks:
            parts = [chunk async for chunk in chunks]
        if sum(map(len, parts)) > _SLICE:
            return await threads.run(b"".join, parts)
        return b"".join(parts)

    async def aclose(self) -> None:
        """Stop an iteration under way, and with it the caller's generator."""
        closing = getattr(self._running, "aclose", None)
        if closing is not None:
            await closing()

    async def _start(self) -> None:
        if self._running is not None and not self.replayable:
            raise InvalidArgument("the body was read already and cannot be replayed")
        await self.aclose()
        self._head = b""
        self._running = self._chunks()

    async def _pulled(self) -> bytes | None:
        try:
            return await anext(self._running) if self._running is not None else None
        except StopAsyncIteration:
            return None
        except Exception as error:
            self.error = error
            raise


def _announced(content: object, size: int | None) -> int | None:
    if size is not None and size < 0:
        raise InvalidArgument(f"a size is 0 bytes or more, not {size}")
    if not isinstance(content, bytes):
        return size
    if size is not None and size != len(content):
        raise Corrupted(f"the body has {len(content)} bytes and {size} were announced")
    return len(content)


def _gathered(pieces: list[Piece]) -> list[Piece]:
    return pieces if len(pieces) == 1 else [b"".join(pieces)] if pieces else []


def _sliced(content: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def slices() -> AsyncGenerator[bytes]:
        for start in range(0, len(content), _SLICE):
            yield content[start : start + _SLICE]

    return slices
