"""Work that goes on behind a call, on its loop, and ends with the disk at the latest."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from typing import Any

from storeroom.contracts.forks import after_fork

__all__ = ["Errands"]

_PATIENCE = 5.0


class Errands:
    """Tasks with the reason they are there for."""

    def __init__(self) -> None:
        self._forget()
        after_fork(self, Errands._forget)
        self._closed = False

    def send(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, object]], /) -> bool:
        """Begin the work, if there is a loop here: whether it began.

        What is under way already is done once more after it, for it may be past what this is about.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # the next call that has a loop sends it
            return False
        if self._closed:
            return False
        if self.is_under_way(key):
            self._again[key] = work
            return False
        self.keep(key, asyncio.ensure_future(work()))
        return True

    def keep(self, key: Hashable, task: "asyncio.Future[Any]", /) -> None:
        """Look after a task until it ends; what it raises is nobody's."""
        self._tasks[task] = key
        task.add_done_callback(self._ended)

    def is_under_way(self, key: Hashable, /) -> bool:
        """Whether a task of this key has not ended yet."""
        return any(
            kept == key and not task.done() and not task.get_loop().is_closed()
            for task, kept in list(self._tasks.items())
        )

    async def aclose(self) -> None:
        """Stop all, those of other loops too, and wait for those of this one, but not for ever."""
        self._closed = True
        here: list[asyncio.Future[Any]] = []
        for task in list(self._tasks):
            loop = task.get_loop()
            if loop is asyncio.get_running_loop():
                task.cancel()
                here.append(task)
            elif not loop.is_closed():
                with suppress(RuntimeError):  # it was closed just now
                    loop.call_soon_threadsafe(task.cancel)
        if here:
            await asyncio.wait(here, timeout=_PATIENCE)

    def _forget(self) -> None:
        """They go on in the other process after a fork."""
        self._tasks: dict[asyncio.Future[Any], Hashable] = {}
        self._again: dict[Hashable, Callable[[], Coroutine[Any, Any, object]]] = {}

    def _ended(self, task: "asyncio.Future[Any]") -> None:
        key = self._tasks.pop(task, None)
        again = self._again.pop(key, None)
        if task.cancelled():
            return
        task.exception()
        if again is not None:
            self.send(key, again)
