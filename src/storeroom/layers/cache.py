"""Cache: files that were read lately, held in memory, in Redis or on another disk."""

import math
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from storeroom.contracts.abilities import (
    Append,
    Attributes,
    BulkRemove,
    Checksum,
    Copy,
    CopyFrom,
    Folders,
    Leases,
    LocalPath,
    Move,
    Multipart,
    Origin,
    PresignPost,
    PresignRead,
    PresignWrite,
    PublicUrl,
    Sweep,
    Tags,
    Tiers,
    Times,
    VerifyUrl,
    Versions,
    Visibility,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import NotFound, StorageError
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    WHOLE,
    ReadOptions,
    Stat,
)
from storeroom.layers._cache.building import Options, news_of, store_of
from storeroom.layers._cache.entry import Change, Entry, answer, is_settled
from storeroom.layers._cache.fills import Fill
from storeroom.layers._cache.flights import Flights
from storeroom.layers._cache.memory import MemoryStore
from storeroom.layers._cache.store import Found
from storeroom.layers._changing import Changing

__all__ = ["Cache", "CacheStats"]


class Cache(Changing):
    """What was read is held, and given again while it is current.

    Without `ttl` every read asks inside whether the file is still the one (a `stat`, by its etag);
    within `ttl` seconds nobody is asked, and that there is no file is believed for `negative_ttl` at
    most. `store` is "memory" (up to `max_bytes` and `max_entries`, the least recently used make room),
    "redis" at `url`, or another disk. Files over `max_object` bytes pass by. Changes through this
    layer are seen at once, through other processes too where they share Redis: as the store, or as
    `invalidate`, which tells of changes. `namespace` names the disk where the store is shared.
    """

    keeps = frozenset(
        (
            *(PublicUrl, PresignRead, PresignWrite, PresignPost, VerifyUrl),
            *(Origin, Checksum, Sweep, Leases, LocalPath),
        )
    )
    adapts = frozenset(
        (
            *(Copy, CopyFrom, Move, BulkRemove, Append, Visibility, Folders, Multipart),
            *(Attributes, Times, Tags, Tiers, Versions),
        )
    )

    def __init__(
        self,
        inner: StorageDriver,
        /,
        *,
        store: str | StorageDriver = "memory",
        ttl: float = 0,
        negative_ttl: float = 10,
        max_bytes: int = 64 << 20,
        max_entries: int = 10_000,
        max_object: int = 1 << 20,
        url: str = "redis://localhost:6379/0",
        namespace: str | None = None,
        invalidate: str | None = None,
    ) -> None:
        options = Options(
            ttl, negative_ttl, max_bytes, max_entries, max_object, url, namespace, invalidate
        )
        self._store = store_of(inner, store, options)
        self._news = news_of(inner, options, heard=self._heard, listening=self._listening)
        super().__init__(inner)
        self._where = store if isinstance(store, str) else store.traits.service
        self._options = options
        self._ttl = float(ttl)
        self._largest = max_object if store == "redis" else min(max_object, max_bytes)
        self._store.hears_until = math.inf if self._news is None else 0.0
        self._peek = self._store.peek if isinstance(self._store, MemoryStore) else _nothing
        self._flights: Flights[_Fetched] = Flights(_left)
        self._looks: Flights[Entry] = Flights(_left)
        self._hits = 0
        self._misses = 0
        self._bypassed = 0

    def __repr__(self) -> str:
        return f"Cache({self._inner!r}, store={self._where!r})"

    def stats(self) -> "CacheStats":
        """What this cache did so far, and what it holds in this process."""
        errors = self._store.errors + (0 if self._news is None else self._news.errors)
        return CacheStats(
            self._hits,
            self._misses,
            self._bypassed,
            self._store.evictions,
            errors,
            self._store.entries,
            self._store.weight,
        )

    async def stat(self, path: str, /) -> Stat:
        entry = self._peek(path)
        if entry is not None:
            self._hits += 1
            return entry.told()
        if not self._ttl:
            return await self.inner.stat(path)
        return await self._asked(path)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        entry = self._peek(path)
        if entry is not None and how is WHOLE and entry.at_once is not None:
            self._hits += 1
            return Source(entry.told, entry.at_once)
        return await self._read(path, how)

    async def aclose(self) -> None:
        """Close the store's connections and the driver inside; a disk that is the store stays open."""
        async with AsyncExitStack() as closing:  # also what comes last, when the first is cancelled
            closing.push_async_callback(super().aclose)
            if not self._closed:
                closing.push_async_callback(self._store.aclose)
                if self._news is not None:
                    closing.push_async_callback(self._news.aclose)

    async def _read(self, path: str, how: ReadOptions) -> Source:
        found = await self._found(path)
        entry = found.entry
        if entry is not None and entry.is_believed:
            if entry.stat is None:
                self._absent(path)
            if entry.content is not None and how.if_match in (None, entry.stat.etag):
                self._hits += 1
                return answer(entry, entry.content, how)
        elif entry is not None and entry.content is not None:
            now = await self._looked(path, found)
            if now.content is not None:
                self._hits += 1
                return answer(now, now.content, how)
        self._misses += 1
        if how.start or how.stop is not None or how.if_match or how.if_none_match:
            return await self.inner.read(path, how)
        return await self._joined(path, how, found)

    async def _asked(self, path: str) -> Stat:
        """The facts, which are held for a while."""
        found = await self._found(path)
        entry = found.entry
        if entry is not None and entry.is_believed:
            if entry.stat is None:
                self._absent(path)
            self._hits += 1
            return entry.told()
        self._misses += 1
        return (await self._looked(path, found)).told()

    async def _found(self, path: str) -> Found:
        _ = self.inner  # `Closed` after `aclose`
        if self._news is not None:
            await self._news.join()
        return await self._store.get(path)

    def _is_strict(self) -> bool:
        """Whether a change elsewhere must be seen by whoever asks later, so that nobody joins."""
        return not self._ttl or self._store.is_shared or not self._store.is_believed

    async def _looked(self, path: str, found: Found) -> Entry:
        """The facts of now, with the held bytes if they are still the file's."""
        if self._is_strict():
            return await self._look(path, found)
        looked, _ = await self._looks.join(path, lambda: self._look(path, found))
        if isinstance(looked, StorageError):
            raise looked
        return looked

    async def _look(self, path: str, found: Found) -> Entry:
        held = found.entry
        with self._store.filling(path) as fill:
            stat = await self._stat_inside(path, fill, found)
            same = held is not None and _is_same(held, stat)
            content = held.content if held is not None and same else None
            entry = Entry(stat, content, fill.begun + self._ttl)
            if self._ttl or (same and held is not None and stat != held.stat):
                await self._hold(path, entry, fill, found)
            return entry

    async def _stat_inside(self, path: str, fill: Fill, found: Found) -> Stat:
        try:
            return await self.inner.stat(path)
        except NotFound:
            await self._hold_absent(path, fill, found)
            raise

    async def _joined(self, path: str, how: ReadOptions, found: Found) -> Source:
        """The answer of the one reading of this file that is under way."""
        fetched, mine = await self._flights.join(path, lambda: self._fetched(path, how, found))
        if not mine and self._is_strict():
            return await self._late(path, how)
        if isinstance(fetched, StorageError):
            raise fetched
        entry = fetched.entry
        if mine and fetched.source is not None:
            return fetched.source
        if entry is None or entry.content is None:
            return await self.inner.read(path, how)
        return answer(entry, entry.content, how)

    async def _late(self, path: str, how: ReadOptions) -> Source:
        """For who joined a reading that may be older than the call: what is held, if it is current."""
        found = await self._store.get(path)
        entry = found.entry
        if entry is not None and entry.content is not None:
            now = entry if entry.is_believed else await self._look(path, found)
            if now.content is not None:
                return answer(now, now.content, how)
        return await self.inner.read(path, how)

    async def _fetched(self, path: str, how: ReadOptions, found: Found) -> "_Fetched":
        """The file from inside, held if that makes sense."""
        with self._store.filling(path) as fill:
            try:
                source = await self.inner.read(path, how)
            except NotFound:
                await self._hold_absent(path, fill, found)
                raise
            if source.size is None or source.size > self._largest:
                self._bypassed += 1
                return _Fetched(None, source)
            async with source:
                content = await source.read()
            until = fill.begun + self._ttl if self._ttl else 0.0
            entry = Entry(source.stat, content, until)
            await self._hold(path, entry, fill, found)
            return _Fetched(entry, None)

    async def _hold(self, path: str, entry: Entry, fill: Fill, found: Found) -> None:
        stat = entry.stat
        if stat is None or (
            entry.content is not None and stat.size not in (None, len(entry.content))
        ):
            return
        if is_settled(stat) or (stat.etag is None and self._ttl):
            await self._store.put(path, entry, fill, found)

    async def _hold_absent(self, path: str, fill: Fill, found: Found) -> None:
        """Hold that there is no file, or let go of what is held of one that was."""
        if self._options.absent:
            entry = Entry(None, None, fill.begun + self._options.absent)
            await self._store.put(path, entry, fill, found)
        elif found.entry is not None:
            self._store.change(Change((path,)))
            await self._store.settle()

    def _absent(self, path: str) -> NoReturn:
        self._hits += 1
        raise NotFound("there was no such file lately", path=path)

    @asynccontextmanager
    async def changing(
        self, *paths: str, folder: str | None = None, body: Body | None = None
    ) -> AsyncGenerator[None]:
        """Forget these files, before and after; also when it fails, for then nobody knows."""
        change = Change(paths, folder)
        self._heard(change)
        await self._store.announce(change)
        try:
            yield
        finally:
            self._heard(change)
            try:
                if self._news is not None:
                    self._news.change(change)
                    await self._news.settle()
            finally:
                await self._store.settle()

    def _heard(self, change: Change) -> None:
        self._store.change(change)
        self._flights.drop(change)
        self._looks.drop(change)

    def _listening(self, until: float) -> None:
        self._store.hears_until = until


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache did since it was made, and what it holds in this process.

    `hits` were answered without the bytes coming from inside, `misses` were not; `bypassed` is how
    many of those were too large or not to be kept. `errors` counts failures of the store.
    """

    hits: int = 0
    misses: int = 0
    bypassed: int = 0
    evictions: int = 0
    errors: int = 0
    entries: int = 0
    bytes: int = 0


class _Fetched(NamedTuple):
    """What came from inside: an entry, or a source too large to be one."""

    entry: Entry | None
    source: Source | None


async def _left(fetched: _Fetched | Entry) -> None:
    if isinstance(fetched, _Fetched) and fetched.source is not None:
        await fetched.source.aclose()


def _is_same(held: Entry, stat: Stat) -> bool:
    """Whether the held bytes are those of the file with these facts."""
    if held.content is None or held.stat is None or stat.etag is None:
        return False
    return held.stat.etag == stat.etag and stat.size in (None, len(held.content))


def _nothing(path: str, /) -> Entry | None:
    return None
