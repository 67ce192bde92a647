"""Where a read or a listing stopped, and how to go on from there."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from storeroom.contracts.errors import PreconditionFailed, StorageError
from storeroom.contracts.source import Source
from storeroom.contracts.values import Folder, ReadOptions, ScanOptions, Stat

__all__ = ["Place", "Resumed"]


class Resumed(AsyncIterator[bytes]):
    """The bytes of a source, of which `reopen` gives the rest where it breaks.

    `wait` is awaited with the failure and how many came since the last chunk; it raises when it is
    enough. A file that changed meanwhile raises what broke, for its old bytes are gone.
    """

    __slots__ = ("_how", "_reopen", "_source", "_start", "_wait")

    def __init__(
        self,
        source: Source,
        how: ReadOptions,
        reopen: Callable[[ReadOptions], Awaitable[Source]],
        wait: Callable[[StorageError, int], Awaitable[None]],
    ) -> None:
        self._source = source
        self._how = how
        self._start = how.start
        self._reopen = reopen
        self._wait = wait

    async def __anext__(self) -> bytes:
        try:
            chunk = await anext(self._source)
        except StorageError as error:
            chunk = await self._again(error)
        self._start += len(chunk)
        return chunk

    async def aclose(self) -> None:
        await self._source.aclose()

    async def _again(self, error: StorageError) -> bytes:
        failures = 0
        while True:
            failures += 1
            await self._source.aclose()
            await self._wait(error, failures)
            try:
                self._source = await self._reopen(replace(self._how, start=self._start))
                return await anext(self._source)
            except PreconditionFailed:
                raise error from None
            except StorageError as another:
                error = another


class Place:
    """How far a listing has come; right for any order in which a path is never far from its place.

    Services differ in where a folder `a` sorts: as `a`, or as `a/` and so behind `a.txt`. Going on
    behind the greatest path loses nothing in either order, and what came since may come again.
    """

    __slots__ = ("_greatest", "_since")

    def __init__(self) -> None:
        self._greatest: str | None = None
        self._since: set[tuple[str, bool]] = set()

    def passed(self, entry: Stat | Folder, /) -> bool:
        """Note an entry: whether it is a new one."""
        known = (entry.path, isinstance(entry, Folder))
        if self._greatest is None or entry.path > self._greatest:
            self._greatest = entry.path
            self._since.clear()
        elif known in self._since:
            return False
        self._since.add(known)
        return True

    def onward(self, how: ScanOptions, /) -> ScanOptions:
        """The options of a listing that goes on from here."""
        return how if self._greatest is None else replace(how, after=self._greatest)

    @property
    def begun(self) -> bool:
        """Whether an entry has come."""
        return self._greatest is not None
