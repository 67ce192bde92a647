"""One reading at a time: who comes while it is under way waits for its answer."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Iterable
from copy import copy
from typing import Generic, TypeVar

from storeroom.contracts.errors import StorageError
from storeroom.layers._cache.entry import Change

__all__ = ["Flights"]

T = TypeVar("T")


class _Flight(Generic[T]):
    __slots__ = ("claimed", "task", "waiting")

    def __init__(self, task: "asyncio.Task[T]") -> None:
        self.task = task
        self.waiting = 0
        self.claimed = False


class Flights(Generic[T]):
    """Calls by path and loop. A caller that is cancelled leaves the others theirs; the last one ends it.

    Nobody who comes after `drop` joins what began before it. The result is the first caller's;
    `unused` is given one that the first caller left behind.
    """

    def __init__(self, unused: Callable[[T], Awaitable[None]], /) -> None:
        self._unused = unused
        self._running: dict[str, dict[AbstractEventLoop, _Flight[T]]] = {}

    async def join(
        self, path: str, call: Callable[[], Awaitable[T]], /
    ) -> tuple[T | StorageError, bool]:
        """The answer of `call`, and whether it was begun for this caller; who joined is given failures."""
        loop = asyncio.get_running_loop()
        flights = self._running.setdefault(path, {})
        flight = flights.get(loop)
        first = flight is None or flight.task.done()
        if flight is None or first:
            flight = flights[loop] = _Flight(loop.create_task(_called(call)))
            flight.task.add_done_callback(lambda task: self._landed(path, flights, task))
        flight.waiting += 1
        try:
            await asyncio.wait([flight.task])
            flight.claimed |= first
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.claimed:
                await self._ended(flight.task)
        return _result(flight.task, first=first), first

    def drop(self, change: Change, /) -> None:
        """Let nobody else join what is being read of these files."""
        paths: Iterable[str] = change.paths
        if change.folder is not None:
            paths = [path for path in list(self._running) if change.touches(path)]
        for path in paths:
            self._running.pop(path, None)

    async def _ended(self, task: "asyncio.Task[T]") -> None:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is None:
            await self._unused(task.result())

    def _landed(
        self, path: str, flights: dict[AbstractEventLoop, _Flight[T]], task: "asyncio.Task[T]"
    ) -> None:
        loop = task.get_loop()
        current = flights.get(loop)
        if current is not None and current.task is task:
            del flights[loop]
        if not flights and self._running.get(path) is flights:
            self._running.pop(path, None)  # another loop's thread may be faster


def _result(task: "asyncio.Task[T]", *, first: bool) -> T | StorageError:
    error = None if task.cancelled() else task.exception()
    if isinstance(error, StorageError) and not first:
        return _same(error)
    return task.result()


async def _called(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


def _same(error: StorageError) -> StorageError:
    """The failure once more: one that is raised in several tasks would gather all their traces."""
    again = copy(error)
    again.__cause__ = error.__cause__
    return again
