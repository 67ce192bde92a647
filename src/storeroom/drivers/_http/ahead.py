"""The bytes of a large object by ranges that are fetched side by side, and given in their order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from storeroom.contracts.errors import Unavailable, translating
from storeroom.contracts.values import Stat
from storeroom.drivers._http.chunks import Chunks, Reading, is_partial
from storeroom.drivers._http.guards import Guard
from storeroom.drivers._http.wire import Refused, Request

__all__ = ["Ahead"]


class Ahead(AsyncIterator[bytes]):
    """The bytes from `start` to `stop`, the first of them of the reply that is already there.

    As many pieces as `reading.concurrency` are under way, and no more of them are held than that and
    one. All are of the very object of `stat`, each tried again by itself.
    """

    def __init__(
        self,
        reading: Reading,
        request: Request,
        first: Chunks,
        stat: Stat,
        guard: Guard | None,
        start: int,
        stop: int,
    ) -> None:
        self._request = request
        self._reading = reading
        self._first = first
        self._stat = stat
        self._guard = guard
        self._left = reading.piece
        self._next = start + reading.piece
        self._stop = stop
        self._here: deque[bytes] = deque()
        self._coming: deque[asyncio.Task[deque[bytes]]] = deque()

    async def __anext__(self) -> bytes:
        chunk = await self._chunk()
        if self._guard is not None:
            await self._guard.take(chunk, self._stat.path)
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Give the connections back, and wait until they are."""
        coming = list(self._coming)
        self.release()
        if coming:
            await asyncio.wait(coming)

    def release(self) -> None:
        """Give the connections back; does not block."""
        self._first.release()
        while self._coming:
            self._coming.pop().cancel()

    async def _chunk(self) -> bytes:
        self._ask()
        if self._left:
            return await self._of_the_first()
        if not self._here and self._coming:
            await asyncio.wait([self._coming[0]])  # a cancelled reader may read on
            self._here = self._coming.popleft().result()
            self._ask()
        return self._here.popleft() if self._here else b""

    async def _of_the_first(self) -> bytes:
        chunk = (await anext(self._first))[: self._left]
        self._left -= len(chunk)
        if not self._left:
            self._first.release()
        return chunk

    def _ask(self) -> None:
        """Keep as many pieces under way as there may be, the first reply among them."""
        most = self._reading.concurrency - bool(self._left)
        while self._next < self._stop and len(self._coming) < most:
            start, self._next = self._next, min(self._next + self._reading.piece, self._stop)
            task = asyncio.create_task(self._piece(start, self._next))
            task.add_done_callback(_seen)
            self._coming.append(task)

    async def _piece(self, start: int, stop: int) -> deque[bytes]:
        request = self._reading.ranged(self._request, self._stat, start, stop)
        with translating(self._reading.failed, "read", self._stat.path):
            chunks = await self._asked(request, start, stop)
            try:
                pieces = deque([chunk async for chunk in chunks])
            finally:
                chunks.release()
            if sum(map(len, pieces)) != stop - start:
                raise _unranged()
        return pieces

    async def _asked(self, request: Request, start: int, stop: int) -> Chunks:
        try:
            reply = await self._reading.service.call(request)
        except Refused as refused:
            if refused.status != 412:
                raise
            raise _changed() from refused
        if self._reading.etag_of(reply.headers) != self._stat.etag or not is_partial(reply):
            reply.close()
            raise _changed() if is_partial(reply) else _unranged()
        return Chunks(self._reading, request, reply, self._stat, None, start, stop)


def _seen(task: "asyncio.Task[deque[bytes]]") -> None:
    """An error that nobody came to hear is no warning."""
    if not task.cancelled():
        task.exception()


def _changed() -> Unavailable:
    return Unavailable("the file changed before all of it was read; read it again")


def _unranged() -> Unavailable:
    return Unavailable(
        "the service gives no ranges; leave download_concurrency out", retryable=False
    )
