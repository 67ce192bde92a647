"""Reading: from the first disk that answers and has the file as it is."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import NotFound, StorageError
from storeroom.contracts.source import Source
from storeroom.contracts.values import DEEP, WHOLE, Folder, ReadOptions, ScanOptions, Stat
from storeroom.layers._several.noting import Noting
from storeroom.layers._several.restating import restated
from storeroom.layers._several.several import SILENT

__all__ = ["Reading"]

T = TypeVar("T")

_EARLIEST = datetime.min.replace(tzinfo=UTC)


class Reading(Noting):
    """The verbs that read."""

    async def stat(self, path: str, /) -> Stat:
        number, stat = await self._looked(path)
        return self._told(number, stat)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        return await self._served(path, lambda number: self._opened(number, path, how))

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        failures: dict[int, Exception] = {}
        while True:
            number = await self._lister(folder, failures)
            entries = self._disks[number].scan(folder, how)
            try:
                first = await self._ask(number, lambda _, entries=entries: anext(entries, None))  # type: ignore[misc]
            except SILENT as error:
                failures[number] = error
                await _closed(entries)
                continue
            except BaseException:
                await _closed(entries)
                raise
            async with aclosing(entries):
                if first is not None:
                    yield self._told_entry(number, first)
                    async for entry in entries:
                        yield self._told_entry(number, entry)
            return

    async def _served(self, path: str, work: Callable[[int], Awaitable[T]]) -> T:
        """What the first disk answers that has the file as it is."""
        failures: dict[int, Exception] = {}
        while True:
            number = await self._server(path, failures)
            try:
                return await work(number)
            except SILENT as error:
                failures[number] = error
            except NotFound as missing:
                number, _ = await self._elsewhere(path, {number: missing}, failures)
                return await work(number)

    async def _server(self, path: str, failures: dict[int, Exception]) -> int:
        if self._asked > 1:
            number, _ = await self._looked(path, failures)
            return number
        for number in self._readers(path, failures):
            return number
        raise self._nobody(path, failures)

    async def _answer(self, path: str, work: Callable[[StorageDriver], Awaitable[T]]) -> T:
        async def one(number: int) -> T:
            answer = await self._ask(number, work)
            self._seen(path, number)
            return answer

        return await self._served(path, one)

    async def _answer_of_folder(
        self, folder: str, work: Callable[[StorageDriver], Awaitable[T]]
    ) -> T:
        """What the first disk answers that misses nothing in the folder."""
        failures: dict[int, Exception] = {}
        while True:
            number = await self._lister(folder, failures)
            try:
                return await self._ask(number, work)
            except SILENT as error:
                failures[number] = error

    def _told_vaguely(self, number: int, stat: Stat) -> Stat:
        """The facts as one disk tells them, without an etag where a read may take another's file."""
        return replace(stat, etag=None) if self._asked > 1 else self._told(number, stat)

    def _told_entry(self, number: int, entry: Stat | Folder) -> Stat | Folder:
        return entry if isinstance(entry, Folder) else self._told_vaguely(number, entry)

    async def _opened(self, number: int, path: str, how: ReadOptions) -> Source:
        if how.if_match or how.if_none_match:
            other = how.if_none_match and self._etag_of(number, how.if_none_match)
            own = how.if_match and (self._etag_of(number, how.if_match) or how.if_match)
            if number:
                own = self._match(number, how.if_match, path)
            how = replace(how, if_match=own, if_none_match=other)
        source = await self._ask(number, lambda disk: disk.read(path, how))
        self._seen(path, number)
        told = self._told(number, source.stat)
        return source if told is source.stat else await restated(source, told)

    async def _looked(
        self, path: str, failures: dict[int, Exception] | None = None
    ) -> tuple[int, Stat]:
        """Who has the file as it is now, and its facts."""
        failures = {} if failures is None else failures
        may = self._readers(path, failures)
        known = self._ledger.knows(path)
        readers = list(may)
        if known and self._asked > 1:  # another process may know better
            readers += [n for n in self._up() if n not in may and n not in failures]
        stats: dict[int, Stat] = {}
        missing: dict[int, NotFound] = {}
        while readers and len(stats) + len(missing) < self._asked:
            count = self._asked - len(stats) - len(missing)
            turn, readers = readers[:count], readers[count:]
            await self._asked_for(path, turn, stats, missing, failures)
        if known and self._is_outdated(path, {**stats, **dict.fromkeys(missing)}):
            self._ledger.forget(path)
        elif known:
            stats = {number: stat for number, stat in stats.items() if number in may}
            missing = {number: error for number, error in missing.items() if number in may}
        if missing:
            return await self._elsewhere(path, missing, failures, stats)
        if not stats:
            raise self._nobody(path, failures)
        number = _newest(stats)
        self._seen(path, number)
        return number, stats[number]

    async def _elsewhere(
        self,
        path: str,
        missing: dict[int, NotFound],
        failures: dict[int, Exception],
        stats: dict[int, Stat] | None = None,
    ) -> tuple[int, Stat]:
        """Who has a file that others do not have, unless it is certain that there is none."""
        stats = {} if stats is None else stats
        (lacking, error), *_ = missing.items()
        if self._ledger.knows(path):
            self._seen(path, lacking)
            raise error
        others = self._readers(path, {*missing, *stats, *failures})
        await self._asked_for(path, others, stats, missing, failures)
        if not stats or len(missing) >= self._certain:
            raise error
        number = _newest(stats)
        return number, stats[number]

    async def _asked_for(
        self,
        path: str,
        numbers: Sequence[int],
        stats: dict[int, Stat],
        missing: dict[int, NotFound],
        failures: dict[int, Exception],
    ) -> None:
        refusals: list[StorageError] = []

        async def one(number: int) -> None:
            try:
                stats[number] = await self._ask(number, lambda disk: disk.stat(path))
            except NotFound as error:
                missing[number] = error
            except SILENT as error:
                failures[number] = error
            except StorageError as error:
                refusals.append(error)

        if len(numbers) == 1:
            await one(numbers[0])
        else:
            async with asyncio.TaskGroup() as group:
                for number in numbers:
                    group.create_task(one(number))
        if refusals:
            raise refusals[0]

    async def _lister(self, folder: str, failures: dict[int, Exception]) -> int:
        """Who can list the folder without leaving out or showing what others know better."""
        up = self._up()
        whole = [n for n in range(len(self._disks)) if self._ledger.is_whole(n, folder)]
        left = sorted(set(whole) - set(failures), key=lambda number: (number not in up, number))
        if self._repair:
            for number in set(up) - set(whole):
                self._send_return(number, folder)
        if self._repair and (not left or left[0] not in up):
            for number in (n for n in up if n not in failures and n not in self._ledger.out):
                await self._mend_all(folder, number)
                if self._ledger.is_whole(number, folder):
                    return number
        if not left:
            raise self._nobody(folder, failures)
        return left[0]


async def _closed(entries: AsyncGenerator[object]) -> None:
    with suppress(RuntimeError):  # it hangs, and so cannot be closed
        await entries.aclose()


def _newest(stats: dict[int, Stat]) -> int:
    """The number of the newest of files, the first of equal ones; by the services' own clocks."""
    return max(sorted(stats), key=lambda number: stats[number].modified or _EARLIEST)
