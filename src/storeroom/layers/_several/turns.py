"""Whose turn it is with a path: one change at a time, also between threads and event loops."""

import asyncio
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

__all__ = ["Turns"]


class Turns:
    """Turns by path, first come, first served; a path nobody waits for takes no room."""

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def taken(self, *paths: str) -> AsyncGenerator[None]:
        """A block in which all of these paths are ours."""
        async with AsyncExitStack() as stack:
            for path in sorted(set(paths)):  # all in one order, so that nobody waits in a circle
                await self._take(path)
                stack.callback(self._pass_on, path)
            yield

    async def _take(self, path: str) -> None:
        if self._process != os.getpid():  # after a fork, whose turn it was is another process's
            self._renew()
        turn = asyncio.get_running_loop().create_future()
        with self._lock:
            line = self._lines.get(path)
            if line is None:
                self._lines[path] = deque()
                return
            line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            with self._lock:
                waits = turn in line
                if waits:
                    line.remove(turn)
            if not waits:
                self._pass_on(path)
            raise

    def _pass_on(self, path: str) -> None:
        with self._lock:
            line = self._lines[path]
            while line:
                following = line.popleft()
                with suppress(RuntimeError):  # its loop was closed: nobody waits there any more
                    following.get_loop().call_soon_threadsafe(_granted, following)
                    return
            del self._lines[path]


def _granted(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
