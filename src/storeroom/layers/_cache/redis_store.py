"""Entries in a Redis that several processes share.

One key per file. Its value is an entry, or a mark of a change that stands there for a while: who read
before the change meets the mark where the value was, and does not store. A key of the namespace names
the epoch of all entries, which a change of a whole folder ends.
"""

import hashlib
import math
import secrets
import time
from collections.abc import Sequence
from typing import Any, Final

from storeroom.layers._cache.debts import Debts
from storeroom.layers._cache.entry import Change, Entry
from storeroom.layers._cache.fills import Fill, Fills
from storeroom.layers._cache.packing import (
    CHANGED,
    CHANGING,
    HEAD,
    TOKEN,
    mark,
    packed,
    unpacked,
)
from storeroom.layers._cache.store import NOTHING, Found, Ticket
from storeroom.layers._cache.wire import REFUSED, Wire, WireDown

__all__ = ["RedisStore"]

_MARKED_MS: Final = 60_000
_KEPT: Final = 86_400.0
_LONGEST_FILL: Final = 30.0
_NEVER_BELIEVED: Final = 0.0
_STORE: Final = f"""
if redis.call('GETRANGE', KEYS[1], 0, {HEAD - 1}) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class RedisStore(Fills):
    """Entries under a namespace, believed for `ttl` seconds; kept for a day where it is 0.

    How much there may be in all is for Redis to say (`maxmemory`); each entry has an end.
    """

    is_shared = True
    evictions = 0
    entries = 0
    weight = 0

    def __init__(self, url: str, namespace: str, /, *, ttl: float) -> None:
        super().__init__()
        self._wire = Wire(url)
        self._prefix = f"storeroom:{hashlib.sha256(namespace.encode()).hexdigest()[:32]}:"
        self._epoch = f"{self._prefix}epoch"
        self._ttl = ttl
        self._debts = Debts()

    @property
    def errors(self) -> int:
        """How many calls failed."""
        return self._wire.errors

    async def get(self, path: str, /) -> Found:
        """What is held of a file; nothing, and nothing to be stored, where Redis does not answer."""
        if self._debts.owes(path):
            await self.settle()
            if self._debts.owes(path):
                return NOTHING
        key, asked = self._key(path), time.monotonic()
        try:
            held, epoch = await self._wire.ask(lambda redis: self._held(redis, key))
        except WireDown:
            return NOTHING
        ticket = Ticket(held[:HEAD], epoch, asked)
        found = await unpacked(key, held)
        if found is None or found.epoch != epoch or self._debts.owes(path):
            return Found(None, ticket)
        believed = math.inf if self._ttl and found.born else 0.0
        return Found(Entry(found.stat, found.content, believed), ticket)

    async def put(self, path: str, entry: Entry, fill: Fill, found: Found, /) -> None:
        """Hold it, unless anybody changed the file since `found` was, or is changing it."""
        if found.ticket is None or found.ticket.head[4:5] == CHANGING:
            return
        before, epoch, asked = found.ticket
        if time.monotonic() - asked > _LONGEST_FILL:  # a mark may have come and gone
            return
        lasts = entry.until - time.monotonic() if self._ttl else _KEPT
        if lasts <= 0:
            return
        key, token = self._key(path), secrets.token_bytes(TOKEN)
        born = time.time() if self._ttl else _NEVER_BELIEVED
        blob = await packed(key, token, epoch, entry.stat, entry.content, born)
        words = (key, before, blob, max(1, int(lasts * 1000)))
        if fill.is_spoiled():
            return
        try:
            await self._wire.ask(lambda redis: redis.eval(_STORE, 1, *words))
        except WireDown:
            return

    def change(self, change: Change, /) -> None:
        """Forget these files, here at once."""
        with self.lock:
            self.spoil(change)
        self._debts.owe(change)

    async def announce(self, change: Change, /) -> None:
        """Mark the files as being changed, so that nobody stores them until they are, if we live or not."""
        try:
            await self._mark([change], CHANGING)
        except WireDown:
            return

    async def settle(self) -> None:
        """Mark what was changed; if Redis does not answer, as soon as it does."""
        await self._wire.tell(self._settled)

    async def aclose(self) -> None:
        """Tell what can be told, and close."""
        await self._settled()
        await self._wire.aclose()

    async def _settled(self) -> bool:
        while (due := self._debts.due()) is not None:
            try:
                await self._mark(due.changes(), CHANGED)
            except WireDown:
                return False
            self._debts.paid(due)
        return True

    async def _mark(self, changes: Sequence[Change], kind: bytes) -> None:
        await self._wire.ask(lambda redis: self._marked(redis, changes, kind))

    async def _marked(self, redis: Any, changes: Sequence[Change], kind: bytes) -> None:
        keys = [self._key(path) for change in changes for path in change.paths]
        ends = any(change.folder is not None for change in changes)
        async with redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.set(key, mark(kind, secrets.token_bytes(TOKEN)), px=_MARKED_MS)
            if ends:
                pipe.set(self._epoch, secrets.token_bytes(TOKEN))
            try:
                await pipe.execute()
            except REFUSED:  # one that is full still lets go of what it holds
                await redis.unlink(*keys, *([self._epoch] if ends else []))
                raise

    async def _held(self, redis: Any, key: bytes) -> tuple[bytes, bytes]:
        """What lies at the key, and the epoch, which begins now if there is none."""
        held, epoch = await redis.mget(key, self._epoch)
        if epoch is None:
            await redis.set(self._epoch, secrets.token_bytes(TOKEN), nx=True)
            epoch = await redis.get(self._epoch)
        if not isinstance(epoch, bytes) or len(epoch) != TOKEN:
            epoch = secrets.token_bytes(TOKEN)
            await redis.set(self._epoch, epoch)
        return held if isinstance(held, bytes) else b"", epoch

    def _key(self, path: str) -> bytes:
        return f"{self._prefix}file:{path}".encode("utf-8", "surrogatepass")  # inside refuses it
