"""Whose turn it is with a path: one change at a time, also between threads and event loops."""

import threading
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from storeroom.contracts.forks import after_fork
from storeroom.layers._turns import Turns

__all__ = ["PathTurns"]


@dataclass(slots=True)
class _Line:
    """Who works on a path and who waits for it: so many in all."""

    turns: Turns = field(default_factory=lambda: Turns(1))
    count: int = 0


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
