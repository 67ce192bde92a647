"""Folders listed before their turn: some at once, and never more than a walk can hold."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from storeroom.drivers._tree.entry import Entry, ListFolder

__all__ = ["Ahead"]

_HELD: Final = 10_000


class Ahead:
    """Lists folders in tasks; `aclose` ends those that are under way."""

    def __init__(self, listed: ListFolder, at_once: int, /) -> None:
        self._listed = listed
        self._at_once = at_once
        self._tasks: dict[str, asyncio.Task[Sequence[Entry] | None]] = {}

    def want(self, folders: Iterable[str], /) -> None:
        """These come next, in this order."""
        held = sum(len(task.result() or ()) for task in self._tasks.values() if _is_listed(task))
        for folder in folders:
            if len(self._tasks) >= self._at_once or held > _HELD:
                return
            if folder not in self._tasks:
                self._tasks[folder] = self._begun(folder)

    async def take(self, folder: str, /) -> Sequence[Entry] | None:
        """What is in a folder, whose turn has come."""
        if folder not in self._tasks:
            self._tasks[folder] = self._begun(folder)
        await asyncio.wait([self._tasks[folder]])
        return self._tasks.pop(folder).result()

    async def aclose(self) -> None:
        """Nothing more is wanted."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begun(self, folder: str) -> "asyncio.Task[Sequence[Entry] | None]":
        return asyncio.create_task(self._list(folder))

    async def _list(self, folder: str) -> Sequence[Entry] | None:
        return await self._listed(folder)


def _is_listed(task: "asyncio.Task[Sequence[Entry] | None]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
