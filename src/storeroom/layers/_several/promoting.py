"""Promoting: a file that is being read is stored on another disk on the way."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from storeroom.contracts.body import Body
from storeroom.contracts.source import Source

__all__ = ["Promoting"]

_AHEAD = 8


class Promoting(AsyncIterator[bytes]):
    """The bytes of a source, which `store` gets too: all of them, or it is stopped.

    Whoever leaves early stops it, and so does a store that takes nothing for `patience` seconds: the
    reader is served in any case, and `slow` is called. The last bytes come when the store has ended.
    """

    def __init__(
        self,
        source: Source,
        store: Callable[[Body], Awaitable[object]],
        patience: float,
        slow: Callable[[], object],
        /,
    ) -> None:
        self._source = source
        self._size = source.size
        self._patience = patience
        self._slow = slow
        self._done = 0
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        self._loop = asyncio.get_running_loop()
        body = Body(self._pieces, size=source.size)
        self.task = asyncio.ensure_future(store(body))

    async def __anext__(self) -> bytes:
        try:
            chunk = await anext(self._source)
        except StopAsyncIteration:
            await self._finish()
            raise
        except BaseException:
            self.stop()
            raise
        self._done += len(chunk)
        await self._feed(chunk)
        if self._done == self._size:
            await self._finish()
        return chunk

    async def aclose(self) -> None:
        self.stop()
        try:
            await self._source.aclose()
        finally:
            if not self.task.done():
                await asyncio.wait({self.task}, timeout=self._patience)

    def stop(self) -> None:
        """Store nothing; may be called from anywhere."""
        if not self.task.done() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.task.cancel)

    async def _feed(self, piece: bytes | None) -> None:
        if self.task.done():
            return
        if not self._queue.full():
            self._queue.put_nowait(piece)
            return
        putting = asyncio.ensure_future(self._queue.put(piece))
        try:
            done, _ = await asyncio.wait(
                {putting, self.task}, timeout=self._patience, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                self._slow()
        finally:
            if not putting.done():
                putting.cancel()
                self.stop()

    async def _finish(self) -> None:
        await self._feed(None)
        if not self.task.done():
            done, _ = await asyncio.wait({self.task}, timeout=self._patience)
            if not done:
                self._slow()
        self.stop()

    async def _pieces(self) -> AsyncGenerator[bytes]:
        while (piece := await self._queue.get()) is not None:
            yield piece
