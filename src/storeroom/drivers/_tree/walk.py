"""Listing in the byte order of full paths, page by page, a folder at a time.

A folder `a` sorts as `a/`, right before its content and behind `a.txt`, as prefixes do in object
stores.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Final

from storeroom.contracts import threads
from storeroom.contracts.values import Folder, ScanOptions, Stat
from storeroom.drivers._tree.ahead import Ahead
from storeroom.drivers._tree.entry import Entry, ListFolder
from storeroom.drivers._tree.strangers import Strangers

__all__ = ["Walk"]

_PAGE: Final = 1000
_MANY: Final = 2000  # names: sorting more of them would hold up the loop


class _Level:
    """What is left of one folder, the next one last."""

    __slots__ = ("above", "folders", "rest")

    def __init__(self, above: str, rest: list[tuple[str, Entry]]) -> None:
        self.above = above
        self.rest = rest
        self.folders = [key for key, _ in rest if key.endswith("/")]


class Walk:
    """One listing of `folder`; `pages` gives what it yields.

    `listed` is asked for one folder after another, in a deep listing for `at_once` of them at a time:
    those whose turn comes next.
    """

    def __init__(
        self,
        listed: ListFolder,
        folder: str,
        how: ScanOptions,
        strangers: Strangers,
        /,
        *,
        at_once: int = 8,
    ) -> None:
        self._folder = folder
        self._how = how
        self._strangers = strangers
        self._ahead = Ahead(listed, at_once)
        self._levels: list[_Level] = []

    async def pages(self) -> AsyncGenerator[list[Stat | Folder]]:
        """The pages, none of them empty; a folder that is not there has none."""
        try:
            await self._enter(self._folder, self._how.starting)
            while self._levels:
                page, below = self._page()
                if page:
                    yield page
                if below is None:
                    await asyncio.sleep(0)  # however long a folder is, others have their turn
                else:
                    self._ahead.want(self._next(below))
                    await self._enter(below, "")
        finally:
            await self._ahead.aclose()

    async def _enter(self, folder: str, starting: str) -> None:
        entries = await self._ahead.take(folder)
        if not entries:
            return
        if len(entries) < _MANY:
            self._levels.append(self._level(folder, entries, starting))
        else:
            self._levels.append(await threads.run(self._level, folder, entries, starting))

    def _page(self) -> tuple[list[Stat | Folder], str | None]:
        """What comes next, and the folder to go into then."""
        found: list[Stat | Folder] = []
        while self._levels and len(found) < _PAGE:
            level = self._levels[-1]
            if not level.rest:
                self._levels.pop()
                continue
            key, entry = level.rest.pop()
            path = level.above + key
            if not key.endswith("/"):
                found.append(entry.stat(path))
                continue
            level.folders.pop()
            if self._is_behind(path):
                found.append(Folder(path[:-1]))
            if self._how.deep:
                return found, path[:-1]
        return found, None

    def _next(self, folder: str) -> Iterator[str]:
        """The folders to list, in the order of their turns."""
        yield folder
        for level in reversed(self._levels):
            for key in reversed(level.folders):
                yield level.above + key[:-1]

    def _level(self, folder: str, entries: Sequence[Entry], starting: str) -> _Level:
        above = f"{folder}/" if folder else ""
        keys: dict[str, Entry] = {}
        for entry in self._strangers.sorted_out(folder, entries, self._how, starting):
            key = f"{entry.name}/" if entry.kind == "folder" else entry.name
            if self._is_behind(above + key) or self._is_within(above + key):
                keys[key] = entry
        return _Level(above, sorted(keys.items(), reverse=True))

    def _is_behind(self, key: str) -> bool:
        return self._how.after is None or key > self._how.after

    def _is_within(self, key: str) -> bool:
        """Whether a listing that goes deep resumes inside this folder."""
        after = self._how.after
        return self._how.deep and after is not None and key[-1] == "/" and after.startswith(key)
