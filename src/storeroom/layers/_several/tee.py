"""Tee: one body for several disks, read once and held only as far as they are apart."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted
from storeroom.layers._several.taking import Taking

__all__ = ["Tee"]

_AHEAD = 4 << 20


class Tee:
    """Branches of a body: each disk pulls its own, and the slowest one sets the pace.

    A branch is at most 4 MiB (or one chunk) behind the one that is furthest. Every branch but the
    first keeps back its last chunk until `release()`, so that no other disk can have stored the whole
    body before the first one has said what became of it.
    """

    def __init__(self, body: Body, count: int, /) -> None:
        self._body = body
        self._chunks: deque[bytes] = deque()
        self._start = 0
        self._at: dict[int, int] = dict.fromkeys(range(count), 0)
        self._held = 0
        self._ended = False
        self._error: BaseException | None = None
        self._released = False
        self._moved = asyncio.Condition()

    def branch(self, number: int, /) -> Taking:
        """The body for one disk."""
        return Taking(lambda: self._pieces(number), size=self._body.size)

    async def pump(self) -> None:
        """Read the body until it ends; to be run beside the branches."""
        try:
            async with aclosing(self._body.__aiter__()) as chunks:
                async for chunk in chunks:
                    await self._put(chunk)
        except BaseException as error:
            self._error = error if isinstance(error, Exception) else _given_up()
            raise
        finally:
            self._ended = True
            async with self._moved:
                self._moved.notify_all()

    async def release(self) -> None:
        """Let the others have their last chunk."""
        async with self._moved:
            self._released = True
            self._moved.notify_all()

    async def drop(self, number: int, /) -> None:
        """Wait for this branch no more."""
        async with self._moved:
            self._at.pop(number, None)
            self._forget()
            self._moved.notify_all()

    async def _put(self, chunk: bytes) -> None:
        async with self._moved:
            self._chunks.append(chunk)
            self._held += len(chunk)
            self._forget()
            self._moved.notify_all()
            # One chunk more than the held-back one has to fit in, however large they are.
            await self._moved.wait_for(lambda: len(self._chunks) < 2 or self._held < _AHEAD)

    async def _pieces(self, number: int) -> AsyncGenerator[bytes]:
        while True:
            async with self._moved:
                await self._moved.wait_for(lambda: self._is_ready(number))
                at = self._at.get(number)
                if self._error is not None:
                    raise self._error
                if at is None:
                    raise _given_up()  # an end would be taken for that of the body
                if at == self._end:
                    return
                chunk = self._chunks[at - self._start]
                self._at[number] = at + 1
                self._forget()
                self._moved.notify_all()
            yield chunk

    @property
    def _end(self) -> int:
        return self._start + len(self._chunks)

    def _is_ready(self, number: int) -> bool:
        at = self._at.get(number)
        if at is None or self._error is not None:
            return True
        kept_back = 0 if number == 0 or (self._released and self._ended) else 1
        return at < self._end - kept_back or (self._ended and (number == 0 or self._released))

    def _forget(self) -> None:
        """Drop the chunks that everybody has."""
        behind = min(self._at.values(), default=self._end)
        while self._start < behind:
            self._held -= len(self._chunks.popleft())
            self._start += 1


def _given_up() -> Corrupted:
    return Corrupted("nobody waits for this disk any more")
