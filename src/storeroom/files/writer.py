"""Writing piece by piece: a writer whose bytes become a file when its block ends well."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Self

from storeroom.contracts.errors import Closed

__all__ = ["Writer"]

_PIECE = 256 * 1024


class Writer:
    """An async context manager with `write`: the file appears at the end, or not at all.

    Leaving with an exception stores nothing. `write` waits while the disk is slower than its caller,
    so about two pieces of 256 KiB are held. `path` is the file's path.
    """

    def __init__(
        self, path: str, store: Callable[[AsyncGenerator[bytes]], Awaitable[object]], /
    ) -> None:
        self.path = path
        self._store = store
        self._pieces: list[bytes] = []
        self._held = 0
        self._ended = False
        self._failed = False
        self._moved = asyncio.Event()
        self._task: asyncio.Task[object] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(self._store(self._chunks()))
        self._task.add_done_callback(lambda _: self._moved.set())
        return self

    async def write(self, data: bytes | bytearray | memoryview | str, /) -> int:
        """Add bytes, or text as UTF-8: how many bytes were added."""
        task = self._task
        if task is None or self._ended:
            raise Closed("the writer is closed; open a new one", path=self.path)
        piece = data.encode() if isinstance(data, str) else bytes(data)
        while self._held >= _PIECE and not task.done():
            self._moved.clear()
            await self._moved.wait()
        if task.done():
            await task
            raise Closed("the disk stopped taking bytes", path=self.path)
        if piece:
            self._pieces.append(piece)
            self._held += len(piece)
            self._moved.set()
        return len(piece)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task, self._ended = self._task, True
        if task is None:
            return
        if error is not None:
            self._failed = True
            await _stopped(task)
            return
        self._moved.set()
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await _stopped(task)
            raise

    async def _chunks(self) -> AsyncGenerator[bytes]:
        while True:
            while not self._pieces and not self._ended:
                self._moved.clear()
                await self._moved.wait()
            pieces, self._pieces, self._held = self._pieces, [], 0
            if self._failed or not pieces:
                return
            self._moved.set()
            yield b"".join(pieces)


async def _stopped(task: "asyncio.Task[object]") -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()
