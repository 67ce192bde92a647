"""Counted: a disk that keeps its sum of bytes and files, and refuses what would go beyond a limit."""

import asyncio
import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, nullcontext
from random import sample

from storeroom.contracts.abilities import (
    Append,
    Attributes,
    BulkRemove,
    Checksum,
    Copy,
    CopyFrom,
    Folders,
    Leases,
    Move,
    Origin,
    PresignRead,
    PublicUrl,
    Sweep,
    Tags,
    Tiers,
    Times,
    VerifyUrl,
    Versions,
    Visibility,
    find,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    AlreadyExists,
    ConfigError,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Unsupported,
)
from storeroom.contracts.source import Source
from storeroom.contracts.turns import Turns
from storeroom.contracts.values import (
    ANY,
    DEEP,
    PLAIN,
    WHOLE,
    ReadOptions,
    RemoveOptions,
    ScanOptions,
    Stat,
    Version,
    Visible,
    WriteOptions,
)
from storeroom.layers._base import Layer
from storeroom.layers._quota.books import Books, Change, Region

__all__ = ["Counted"]

_BATCH = 1000
_AT_ONCE = 16
_DOUBTS = 64


class Counted(Layer, Copy, CopyFrom, Move, BulkRemove, Append, Folders, Versions):
    """What stores is counted before it happens and settled after; the first use counts what is there."""

    keeps = frozenset(
        (
            *(PublicUrl, PresignRead, VerifyUrl, Origin, Visibility, Checksum, Sweep),
            *(Attributes, Times, Tags, Tiers, Leases),
        )
    )
    adapts = frozenset((Copy, CopyFrom, Move, BulkRemove, Append, Folders, Versions))

    def __init__(
        self,
        inner: StorageDriver,
        /,
        *,
        max_bytes: int | None = None,
        max_files: int | None = None,
    ) -> None:
        for name, value in (("max_bytes", max_bytes), ("max_files", max_files)):
            if value is not None and (type(value) is not int or value < 0):
                raise ConfigError(f"{name} is a number from 0, or None for no limit: {value!r}")
        super().__init__(inner)
        self._books = Books(max_bytes, max_files)
        self._counting = Turns(1)
        self._counted_in: int | None = None

    async def counted(self, *, anew: bool = False) -> tuple[int, int]:
        """The bytes and files that are there, or on their way; `anew` lists them all again."""
        books = await self._opened(anew=anew)
        await self._look_again()
        return max(0, books.bytes), max(0, books.files)  # less, if others' files were removed here

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        Body.checked(body)
        async with self._changing(path, how) as change:
            stat = await self._sent(change, body, lambda sent: self.inner.write(path, sent, how))
            change.settle(_told(stat, change.sent))
            return stat

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        async with self._changing(path) as change:
            change.begun = True
            answer = await self.inner.remove(path, how)
            change.settle(None)
            return answer

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Copy)
        if path == to:
            return await native.copy_within(path, to, how)
        async with (
            self._changing(to, how) as change,
            self._pinned(path),
        ):
            size = _size(await self.inner.stat(path))
            await self._reserve(change, size)
            change.begun = True
            stat = await native.copy_within(path, to, how)
            change.settle(_told(stat, size))
            return stat

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        native = self.inner_ability(CopyFrom)
        own = self._own(source, path, to)
        kept = nullcontext() if own is None else self._pinned(own)
        async with self._changing(to, how) as change, kept:
            size = _size(await source.stat(path))
            await self._reserve(change, size)
            change.begun = True
            stat = await native.copy_from(source, path, to, how)
            change.settle(_told(stat, size))
            return stat

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Move)
        if path == to:
            return await native.rename(path, to, how)
        async with (
            self._changing(to) as target,
            self._pinned(path),
            self._changing(path, pinned=True) as source,
        ):
            source.begun = target.begun = True
            source.moves_to = target
            stat = await native.rename(path, to, how)
            self._books.moved(source, target, _told(stat, source.old or 0))
            return stat

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        return await self._removed(paths)

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Append)
        Body.checked(body)
        async with self._changing(path, WriteOptions(if_match=how.if_match)) as change:
            stat = await self._sent(
                change, body, lambda sent: native.extend(path, sent, how), adds=True
            )
            change.settle(_told(stat, (change.old or 0) + change.sent))
            return stat

    async def has_folder(self, folder: str, /) -> bool:
        return await self.inner_ability(Folders).has_folder(folder)

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        await self.inner_ability(Folders).make_folder(folder, visibility)

    async def remove_folder(self, folder: str, /) -> bool:
        native = self.inner_ability(Folders)
        books = await self._opened(folder)
        region = books.enter(folder)
        try:
            emptied = await self._emptied(folder, region)
            removed = await native.remove_folder(folder)
        finally:
            books.depart(region)
        await self._look_again(*region.held)
        return removed or emptied

    def list_versions(self, path: str, /) -> AsyncIterator[Version]:
        return self.inner_ability(Versions).list_versions(path)

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        return await self.inner_ability(Versions).read_version(path, version, how)

    async def restore_version(self, path: str, version: str, /) -> Stat:
        native = self.inner_ability(Versions)
        async with self._changing(path) as change:
            async with await native.read_version(path, version) as source:
                size = _size(source.stat) if source.size is None else source.size
            await self._reserve(change, size)
            change.begun = True
            stat = await native.restore_version(path, version)
            change.settle(_told(stat, size))
            return stat

    async def remove_version(self, path: str, version: str, /) -> None:
        async with self._changing(path) as change:
            change.begun = True  # and never settled: an older version may be the current one now
            await self.inner_ability(Versions).remove_version(path, version)

    async def _opened(self, path: str | None = None, *, anew: bool = False) -> Books:
        """The books, once what is there was counted, for a call on `path`; `anew` does that again."""
        if self._counted_in == os.getpid() and not anew:
            return self._books
        async with self._counting:
            here = self._counted_in == os.getpid()
            if not here:
                self._books = Books(self._books.max_bytes, self._books.max_files)
            if anew or not here:
                await self._count(self._books, path)
                self._counted_in = os.getpid()
        return self._books

    async def _count(self, books: Books, path: str | None) -> None:
        books.begin_audit(ordered=self.inner.traits.ordered)
        complete = False
        try:
            async with aclosing(self.inner.scan("", DEEP)) as entries:
                async for entry in entries:
                    if isinstance(entry, Stat) and (size := await self._listed(entry)) is not None:
                        books.listed(entry.path, size)
            complete = True
        except StorageError as error:
            about = f"{error.path!r}: " if error.path else ""
            error.reason = (
                f"what is stored could not be counted for the quota: {about}{error.reason}"
            )
            error.operation, error.path = None, path
            raise
        finally:
            books.end_audit(complete=complete)

    async def _listed(self, entry: Stat) -> int | None:
        return await self._looked(entry.path) if entry.size is None else entry.size

    async def _looked(self, path: str) -> int | None:
        """The size of a file, None where there is none."""
        stat = await self._found(path)
        return None if stat is None else _size(stat)

    async def _found(self, path: str) -> Stat | None:
        try:
            return await self.inner.stat(path)
        except NotFound:
            return None

    @asynccontextmanager
    async def _changing(
        self, path: str, how: WriteOptions = PLAIN, *, pinned: bool = False
    ) -> AsyncGenerator[Change]:
        """A change of one path, known before and counted after, however it ends."""
        change = await self._joined(path, pinned=pinned)
        try:
            stat = await self._found(path)
            self._books.know(change, None if stat is None else _size(stat))
            change.creates = not how.overwrite
            etag = None if stat is None else stat.etag or how.if_match
            change.stale = how.if_match not in (None, etag)
            yield change
        except StorageError:
            if self._books.leave(change):
                await self._look_again(path)
            raise
        except BaseException:  # what is in doubt then is looked at when it matters
            self._books.leave(change)
            raise
        if self._books.leave(change):
            await self._look_again(path)

    async def _joined(self, path: str, *, of: Region | None = None, pinned: bool = False) -> Change:
        books = await self._opened(path)
        doubts = [*books.doubts()]
        if len(doubts) > _DOUBTS:  # a few of them at each change, so that they grow no further
            await self._look_again(*sample(doubts, 2))
        while isinstance(joined := books.join(path, of=of, pinned=pinned), Turns):
            async with joined:
                pass
        return joined

    @asynccontextmanager
    async def _pinned(self, path: str) -> AsyncGenerator[None]:
        """Keeps a path as it is while the service copies it, for its size is what is counted."""
        if not self._books.pin(path):
            raise Unsupported("the file is being changed; copy it as a stream", path=path)
        try:
            yield
        finally:
            self._books.unpin(path)

    def _own(self, source: StorageDriver, path: str, to: str) -> str | None:
        """What a file of another driver is called here, where that lies beneath this disk."""
        native = find(self.inner, Origin)
        if native is None:
            return None
        driver, there = native.origin(to)
        prefix = there.removesuffix(to)
        if driver is not source or not path.startswith(prefix) or path == there:
            return None
        return path.removeprefix(prefix)

    async def _sent(
        self,
        change: Change,
        body: Body,
        send: Callable[[Body], Awaitable[Stat]],
        *,
        adds: bool = False,
    ) -> Stat:
        counting = await self._reserving(change, body, adds=adds)
        change.begun = True
        try:
            return await send(counting)
        finally:
            if counting is not body:
                await counting.aclose()

    async def _reserving(self, change: Change, body: Body, *, adds: bool = False) -> Body:
        """The body, whose size was reserved, or is as it comes."""
        if body.size is not None:
            await self._reserve(change, body.size, adds=adds)
            return body

        async def chunks() -> AsyncGenerator[bytes]:
            sent = 0
            async with aclosing(body.__aiter__()) as pulled:
                async for chunk in pulled:
                    sent += len(chunk)
                    await self._reserve(change, sent, adds=adds, least="at least ")
                    yield chunk
            await self._reserve(change, sent, adds=adds)

        return Body(chunks, replayable=body.replayable)

    async def _reserve(
        self, change: Change, size: int, *, adds: bool = False, least: str = ""
    ) -> None:
        books = self._books
        reserve = books.append if adds else books.reserve
        if not reserve(change, size):
            await self._look_again()
            if not reserve(change, size):
                if change.creates and change.old is not None:
                    raise AlreadyExists("there is a file already", path=change.path)
                if change.stale:
                    raise PreconditionFailed(
                        "the file is not the one that if_match names", path=change.path
                    )
                asked = (
                    f"{least}{size:,} more bytes" if adds else f"a file of {least}{size:,} bytes"
                )
                raise QuotaExceeded(books.full(asked), path=change.path)
        change.sent = size

    async def _look_again(self, *paths: str) -> None:
        """Find out about what is in doubt: these paths, or all, unless the disk is away."""
        books = self._books
        for path, mark in books.doubts(*paths).items():
            try:
                size = await self._looked(path)
            except StorageError as error:  # it stays in doubt, and counted as its largest
                if error.retryable:
                    return
                continue
            books.resolve(path, mark, size)

    async def _removed(self, paths: Iterable[str]) -> dict[str, bool | StorageError | None]:
        native = self.inner_ability(BulkRemove)
        changes: dict[str, Change] = {}
        try:
            for path in dict.fromkeys(paths):
                changes[path] = await self._joined(path)
            refused = await self._sized(changes.values())
            answers = await _bulk(native, [c for c in changes.values() if c.path not in refused])
            return {path: refused.get(path, answers.get(path)) for path in changes}
        finally:
            for change in changes.values():
                self._books.leave(change)

    async def _sized(self, changes: Iterable[Change]) -> dict[str, StorageError]:
        """Ask for the sizes, some at a time; what is refused is told by path."""
        refused: dict[str, StorageError] = {}
        turns = Turns(_AT_ONCE)

        async def one(change: Change) -> None:
            async with turns:
                try:
                    self._books.know(change, await self._looked(change.path))
                except StorageError as error:
                    refused[change.path] = error

        async with asyncio.TaskGroup() as group:
            for change in changes:
                group.create_task(one(change))
        return refused

    async def _emptied(self, folder: str, region: Region) -> bool:
        """Remove the files in a folder, each counted: whether there were any."""
        if self.inner.traits.strict_paths:
            await self._refuse_strangers(folder)
        found = False
        async with aclosing(self.inner.scan(folder, DEEP)) as entries:
            batch: list[Stat] = []
            async for entry in entries:
                if not isinstance(entry, Stat):
                    continue
                found = True
                batch.append(entry)
                if len(batch) == _BATCH:
                    await self._emptied_of(batch, region)
                    batch = []
            await self._emptied_of(batch, region)
        return found

    async def _refuse_strangers(self, folder: str) -> None:
        async with aclosing(self.inner.scan(folder, ScanOptions(strangers="refuse"))) as entries:
            async for _ in entries:
                pass

    async def _emptied_of(self, files: list[Stat], region: Region) -> None:
        changes: list[Change] = []
        try:
            for file in files:
                change = await self._joined(file.path, of=region)
                changes.append(change)
                self._books.know(change, await self._listed(file))
            native = find(self.inner, BulkRemove)
            answers = await _bulk(native or _OneByOne(self.inner), changes)
            for answer in answers.values():
                if isinstance(answer, Exception):
                    raise answer
        finally:
            for change in changes:
                self._books.leave(change)


class _OneByOne:
    """Removes many where the driver has no request for it."""

    def __init__(self, driver: StorageDriver) -> None:
        self._driver = driver

    async def remove_many(self, paths: Sequence[str], /) -> Mapping[str, bool | None]:
        return {path: await self._driver.remove(path) for path in paths}


async def _bulk(
    native: "BulkRemove | _OneByOne", changes: list[Change]
) -> Mapping[str, bool | StorageError | None]:
    if not changes:
        return {}
    for change in changes:
        change.begun = True
    answers = await native.remove_many([change.path for change in changes])
    for change in changes:
        if not isinstance(answers.get(change.path), Exception):
            change.settle(None)
    return answers


def _size(stat: Stat) -> int:
    if stat.size is None:
        raise Unsupported("its size is not told, so a quota cannot count it", path=stat.path)
    return stat.size


def _told(stat: Stat, size: int) -> int:
    return size if stat.size is None else stat.size
