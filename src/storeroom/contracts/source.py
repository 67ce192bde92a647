"""Bytes coming out, with the facts of the file they come from."""

from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from storeroom.contracts.errors import Closed, Corrupted, StorageError
from storeroom.contracts.values import Stat

__all__ = ["Source"]


class Source:
    """One file being read: `stat`, async iteration, `read`, `lines`; released however it ends.

    `stat` may be a function that gives it when it is asked for. `chunks` is all of the bytes, or an iterator over them (its `aclose`, where it has one, is awaited
    at the end). `size` is how many bytes will come, None where unknown: fewer or more is `Corrupted`.
    After a read that failed or was cancelled it gives no more: reading on raises `Closed`.
    `release` is called exactly once, also on garbage collection, and must not block. With
    `chunk_size` every chunk has that many bytes, but for the last.
    """

    __slots__ = (
        "__weakref__",
        "_at",
        "_broken",
        "_chunks",
        "_closed",
        "_done",
        "_held",
        "_release",
        "_stat",
        "chunk_size",
        "disk",
        "size",
    )

    def __init__(
        self,
        stat: Stat | Callable[[], Stat],
        chunks: bytes | AsyncIterator[bytes],
        /,
        *,
        size: int | None = None,
        release: Callable[[], object] | None = None,
        chunk_size: int | None = None,
    ) -> None:
        self._stat = stat
        self.size = len(chunks) if isinstance(chunks, bytes) else size
        self.chunk_size = chunk_size
        self.disk: str | None = None
        self._held = chunks if isinstance(chunks, bytes) else b""
        self._at = 0
        self._chunks = None if isinstance(chunks, bytes) else chunks
        self._release = release
        self._done = len(self._held)
        self._closed = False
        self._broken = False

    @property
    def stat(self) -> Stat:
        """The facts of the file, as of its opening."""
        if not isinstance(self._stat, Stat):
            self._stat = self._stat()
        return self._stat

    def at(self, path: str, /) -> Self:
        """This source, whose facts from now on name another path."""
        self._stat = self.stat.at(path)
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._chunk() if self.chunk_size is None else await self.read(self.chunk_size)
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def read(self, count: int = -1, /) -> bytes:
        """Exactly `count` bytes, fewer only at the end, all that remain for -1; `b""` at the end."""
        parts: list[bytes] = []
        missing = count
        while missing != 0:
            if not self._held:
                self._held = await self._chunk()
            if not self._held:
                break
            parts.append(self._taken(missing))
            missing -= len(parts[-1]) if count >= 0 else 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def lines(self) -> AsyncIterator[bytes]:
        """The lines, each with its newline, as a binary file gives them."""
        tail: list[bytes] = []
        while chunk := await self._chunk():
            *full, rest = chunk.split(b"\n")
            for line in full:
                yield b"".join((*tail, line, b"\n"))
                tail.clear()
            if rest:
                tail.append(rest)
        if tail:
            yield b"".join(tail)

    def through(self, wrap: Callable[["Source"], AsyncIterator[bytes]], /) -> "Source":
        """A source whose bytes come by way of `wrap`; this one where all of them are here already."""
        if self._chunks is None:
            return self
        size = None if self.size is None else self.size - self._done
        return Source(self._stat, wrap(self), size=size, chunk_size=self.chunk_size)

    async def aclose(self) -> None:
        """Release the file or connection; reading on raises `Closed`."""
        if self._closed:
            return
        self._closed = True
        self._held = b""
        try:
            closing = getattr(self._chunks, "aclose", None)
            if closing is not None:
                await closing()
        finally:
            self._drop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._drop()

    def _drop(self) -> None:
        release, self._release = getattr(self, "_release", None), None
        if release is not None:
            release()

    async def _chunk(self) -> bytes:
        if self._held:
            return self._taken(-1)
        if self._closed:
            raise Closed("this source was closed; open it again", path=self.stat.path)
        if self._broken:
            raise Closed(
                "an earlier read of this source failed or was cancelled; open it again",
                path=self.stat.path,
            )
        if self._chunks is None:
            return b""
        try:
            return await self._next()
        except BaseException as error:
            self._broken = True  # what it had taken already is gone: never go on behind a gap
            if isinstance(error, StorageError) and self.disk is not None:
                error.located(operation="read_stream", disk=self.disk, path=self.stat.path)
            raise

    def _taken(self, count: int) -> bytes:
        """Up to `count` of the bytes in hand, all of them for a negative one."""
        stop = len(self._held) if count < 0 else min(self._at + count, len(self._held))
        taken = self._held[self._at : stop]
        self._at = stop
        if stop == len(self._held):
            self._held, self._at = b"", 0
        return taken

    async def _next(self) -> bytes:
        while self._chunks is not None:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                self._complete()
                break
            if chunk:
                self._counted(len(chunk))
                return chunk
        return b""

    def _counted(self, count: int) -> None:
        self._done += count
        if self.size is not None and self._done > self.size:
            raise Corrupted(f"more than the {self.size} bytes expected", path=self.stat.path)

    def _complete(self) -> None:
        self._chunks = None
        self._drop()
        if self.size is not None and self._done < self.size:
            raise Corrupted(f"ended after {self._done} of {self.size} bytes", path=self.stat.path)
