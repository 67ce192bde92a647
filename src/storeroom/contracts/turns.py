"""Turns: how many may be at work at once, in all or with one path, also across threads and event loops."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType

from storeroom.contracts.forks import after_fork

__all__ = ["PathTurns", "Turns"]


class Turns:
    """`count` places for an `async with`. Who waits gets the next free one, the first who came first.

    Threads and event loops share them. A cancelled waiter gives its place on. `taken` of them are
    given by somebody later.
    """

    __slots__ = ("__weakref__", "_count", "_free", "_lock", "_waiting")

    def __init__(self, count: int, /, *, taken: int = 0) -> None:
        self._count = count
        self.start_afresh()
        self._free -= taken
        after_fork(self, Turns.start_afresh)

    def start_afresh(self) -> None:
        """Forget who has a place and who waits: they are in another process after a fork."""
        self._lock = threading.Lock()
        self._free = self._count
        self._waiting: deque[_Waiter] = deque()

    async def take(self) -> None:
        """Wait for a place."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            waiter = _Waiter()
            self._waiting.append(waiter)
        try:
            await waiter.future
        except BaseException:
            self._leave(waiter)
            raise

    def give(self) -> None:
        """Hand a place to the first who waits."""
        with self._lock:
            self._hand_on()

    async def __aenter__(self) -> None:
        await self.take()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.give()

    def _leave(self, waiter: "_Waiter") -> None:
        with self._lock:
            if waiter.called:
                self._hand_on()
            elif waiter in self._waiting:  # not in a child that was forked meanwhile
                self._waiting.remove(waiter)

    def _hand_on(self) -> None:
        while self._waiting:
            if self._waiting.popleft().call():
                return
        self._free = min(self._free + 1, self._count)


class PathTurns:
    """Turns by path, first come, first served; a path nobody is at takes no room."""

    def __init__(self) -> None:
        self._renew()
        after_fork(self, PathTurns._renew)

    def _renew(self) -> None:
        """Whose turn it was is in another process after a fork."""
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def taken(self, *paths: str) -> AsyncGenerator[None]:
        """A block in which all of these paths are ours."""
        async with AsyncExitStack() as stack:
            for path in sorted(set(paths)):  # all in one order, so that nobody waits in a circle
                await stack.enter_async_context(self._one(path))
            yield

    @asynccontextmanager
    async def _one(self, path: str) -> AsyncGenerator[None]:
        with self._lock:
            line = self._lines.get(path) or _Line()
            self._lines[path] = line
            line.count += 1
        try:
            async with line.turns:
                yield
        finally:
            with self._lock:
                line.count -= 1
                if not line.count and self._lines.get(path) is line:
                    del self._lines[path]


@dataclass(slots=True)
class _Line:
    """Who works on a path and who waits for it: so many in all."""

    turns: Turns = field(default_factory=lambda: Turns(1))
    count: int = 0


class _Waiter:
    __slots__ = ("_loop", "called", "future")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self._loop.create_future()
        self.called = False

    def call(self) -> bool:
        """Tell it that it has a place: whether its loop can still hear it."""
        self.called = True
        try:
            self._loop.call_soon_threadsafe(self._hear)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def _hear(self) -> None:
        if not self.future.done():
            self.future.set_result(None)
