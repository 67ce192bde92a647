"""Entries as files of another disk, under a folder of the namespace's own."""

import asyncio
import hashlib
import logging
import secrets
import time
from collections import Counter, OrderedDict
from contextlib import aclosing
from typing import Final

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import NotFound, StorageError
from storeroom.contracts.values import Stat
from storeroom.files._bounded import each, listed
from storeroom.layers._cache.debts import Debts
from storeroom.layers._cache.entry import Change, Entry
from storeroom.layers._cache.fills import Fill, Fills
from storeroom.layers._cache.packing import TOKEN, Packed, packed, unpacked
from storeroom.layers._cache.store import NOTHING, Found

__all__ = ["DiskStore"]

_EPOCH: Final = bytes(TOKEN)
_AHEAD: Final = 5.0
_AT_ONCE: Final = 16
_log = logging.getLogger("storeroom")


class DiskStore(Fills):
    """Entries up to `max_bytes` and `max_entries`; the least recently used make room.

    What lies there from before is found at the first use. Several processes on one disk each keep to
    the budget. The disk is the caller's, and is not closed here.
    """

    def __init__(
        self,
        disk: StorageDriver,
        namespace: str,
        /,
        *,
        ttl: float,
        max_bytes: int,
        max_entries: int,
    ) -> None:
        super().__init__()
        self.errors = 0
        self.evictions = 0
        self.weight = 0
        self._disk = disk
        self._folder = f"cache/{hashlib.sha256(namespace.encode()).hexdigest()[:32]}"
        self._ttl = ttl
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._looked = False
        self._storing: Counter[str] = Counter()
        self._debts = Debts()
        self._failing = False

    @property
    def entries(self) -> int:
        """How many are held, as far as this process knows."""
        return len(self._sizes)

    async def get(self, path: str, /) -> Found:
        """What is held of a file."""
        if self._debts.owes(path):
            await self.settle()
            if self._debts.owes(path):
                return NOTHING
        key = self._key(path)
        blob = await self._read(key)
        found = None if blob is None else await unpacked(key.encode(), blob)
        if found is None or self._debts.owes(path):
            return NOTHING
        with self.lock:
            if key in self._sizes:
                self._sizes.move_to_end(key)
        return Found(Entry(found.stat, found.content, self._until(found)))

    async def put(self, path: str, entry: Entry, fill: Fill, found: Found, /) -> None:
        """Hold it, unless the file was changed since the fill began; that there is none is not held."""
        if entry.stat is None:
            return
        key, token = self._key(path), secrets.token_bytes(TOKEN)
        born = time.time() - (time.monotonic() - fill.begun)
        blob = await packed(key.encode(), token, _EPOCH, entry.stat, entry.content, born)
        if len(blob) > self._max_bytes:
            return
        await self._look()
        with self.lock:
            if fill.is_spoiled() or self._debts.owes(path):
                return
            self._storing[path] += 1
        try:
            await self._write(key, blob)
        finally:
            with self.lock:
                self._storing[path] -= 1
                self._storing += Counter()  # without what is at 0
            if fill.is_spoiled():
                await self.settle()
        await self._make_room()

    def change(self, change: Change, /) -> None:
        """Forget these files, here at once."""
        with self.lock:
            self.spoil(change)
        self._debts.owe(change)

    async def announce(self, change: Change, /) -> None:
        """Nobody else looks here without looking at the clock."""

    async def settle(self) -> None:
        """Remove what was changed; what does not go now goes before the next look at it."""
        due = self._debts.due()
        if due is None:
            return
        for path in due.paths:
            if not await self._remove(self._key(path)):
                return
        if due.folders and not await self._remove_all():
            return
        with self.lock:
            # What is being written now must go too, once it is there.
            self._debts.paid(due.without(self._storing))

    async def aclose(self) -> None:
        """Remove what is still to go."""
        await self.settle()

    def _until(self, found: Packed) -> float:
        """Until when it may be believed; by the clock of the wall, which others set too."""
        age = time.time() - found.born
        if not self.is_believed or age < -_AHEAD:
            return 0.0
        return time.monotonic() + self._ttl - age

    async def _read(self, key: str) -> bytes | None:
        try:
            async with await self._disk.read(key) as source:
                blob = await source.read(self._max_bytes + 1)
            return blob if len(blob) <= self._max_bytes else None  # nothing of ours
        except NotFound:
            return None
        except StorageError as error:
            self._failed(error)
            return None

    async def _write(self, key: str, blob: bytes) -> None:
        try:
            await self._disk.write(key, Body(blob))
            self._failing = False
        except StorageError as error:
            self._failed(error)
        finally:  # it may be there, however that ended
            with self.lock:
                if not self._failing or len(self._sizes) < self._max_entries:
                    self.weight += len(blob) - self._sizes.pop(key, 0)
                    self._sizes[key] = len(blob)

    async def _remove(self, key: str) -> bool:
        try:
            await self._disk.remove(key)
        except StorageError as error:
            self._failed(error)
            return False
        with self.lock:
            self.weight -= self._sizes.pop(key, 0)
        return True

    async def _remove_all(self) -> bool:
        await self._look(again=True)
        keys = listed(list(self._sizes))
        removed = await each(keys, str, self._remove, concurrency=_AT_ONCE)
        return removed.ok and all(removed.done.values())

    async def _look(self, *, again: bool = False) -> None:
        """Find what lies there from before, the oldest first."""
        if self._looked and not again:
            return
        self._looked = True  # who stores meanwhile need not look too
        there: list[Stat] = []
        try:
            async with aclosing(self._disk.scan(self._folder)) as entries:
                there += [entry async for entry in entries if isinstance(entry, Stat)]
        except StorageError as error:
            self._looked = False
            self._failed(error)
            return
        except asyncio.CancelledError:
            self._looked = False
            raise
        there.sort(key=lambda stat: stat.modified.timestamp() if stat.modified else 0.0)
        with self.lock:
            for stat in there:
                if stat.path not in self._sizes:
                    self._sizes[stat.path] = stat.size or 0
                    self.weight += stat.size or 0

    async def _make_room(self) -> None:
        while self.weight > self._max_bytes or len(self._sizes) > self._max_entries:
            with self.lock:
                oldest = next(iter(self._sizes), None)
            if oldest is None or not await self._remove(oldest):
                return
            self.evictions += 1

    def _failed(self, error: StorageError) -> None:
        self.errors += 1
        if not self._failing:
            self._failing = True
            _log.warning(
                "the cache's disk (%s) failed (%s); it is passed over",
                self._disk.traits.service,
                type(error).__name__,
            )

    def _key(self, path: str) -> str:
        name = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self._folder}/{name[:2]}/{name}"
