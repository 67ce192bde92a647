"""What locks and opens the files of one disk: its keys, and how a file is bound to its path."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from storeroom.contracts.errors import Corrupted, InvalidArgument
from storeroom.contracts.values import Stat, WriteOptions
from storeroom.layers._encryption.keys import Ring
from storeroom.layers._encryption.lock import (
    ENTRY,
    UNBOUND,
    Lock,
    bound_to,
    context_of,
    entries_in,
    entry_of,
    header_of,
    locked,
    read_header,
    unlocked,
)
from storeroom.layers._encryption.sealing import Sealer
from storeroom.layers._encryption.secret import Secret
from storeroom.layers._encryption.sizes import plain_size

__all__ = ["Found", "Vault", "for_others", "shown", "with_entry", "with_entry_of"]


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it was opened: its header, the lock that fits here, and what else its entry holds."""

    header: bytes
    lock: Lock
    is_entry: bool
    has_entry: bool

    @property
    def context(self) -> bytes:
        return context_of(self.lock.object_id)

    @property
    def bound_header(self) -> bytes:
        """The header as the lock knows it."""
        return self.header if self.is_entry else b""


class Vault:
    """The keys, and whether a file belongs to its path."""

    def __init__(self, ring: Ring, *, binds: bool) -> None:
        self.ring = ring
        self.binds = binds

    def binding(self, path: str) -> bytes:
        """What a lock for this path is bound to."""
        return bound_to(path) if self.binds else UNBOUND

    async def sealer(self, path: str) -> Sealer:
        """What encrypts one body, under a key of its own."""
        key = await self.ring.current()
        file_key, object_id = Secret(os.urandom(32)), os.urandom(16)
        lock = locked(file_key, key.secret, key.mark, object_id, self.binding(path))
        return Sealer(header_of(lock), file_key, context_of(object_id))

    def found(self, path: str, header: bytes, metadata: Mapping[str, str] | None) -> Found:
        """Which lock is for this path: one of the metadata goes before the header's.

        An entry of another object is left alone: a write overtook a rotation.
        """
        own = read_header(header)
        text = (metadata or {}).get(ENTRY)
        entries = [] if text is None else entries_in(text)
        mine = [lock for lock in entries if lock.object_id == own.object_id]
        for lock in [*mine, own]:
            if lock.binding in (UNBOUND, bound_to(path)):
                return Found(header, lock, lock is not own, text is not None)
        if self.binds:
            raise Corrupted(
                "the file was written under another path, and moved or swapped by something else "
                'than this layer; a disk with bind="none" opens it'
            )
        return Found(header, [*mine, own][0], bool(mine), text is not None)

    async def open(self, found: Found) -> Secret:
        """The file's own key."""
        return unlocked(found.lock, await self.ring.find(found.lock.mark), found.bound_header)

    async def relocked(self, file_key: Secret, found: Found, path: str) -> Lock:
        """A lock for the metadata: by the key that is current now, for that path."""
        key = await self.ring.current()
        object_id, binding = found.lock.object_id, self.binding(path)
        return locked(file_key, key.secret, key.mark, object_id, binding, found.header)

    async def is_current(self, found: Found, path: str) -> bool:
        """Whether the lock is as a new file's would be."""
        return found.lock.binding == self.binding(path) and await self.ring.is_current(
            found.lock.mark
        )


def shown(stat: Stat) -> Stat:
    """The facts of the plain file; a size that no encrypted file has is unknown."""
    size = None if stat.size is None else plain_size(stat.size)
    metadata = stat.metadata
    if metadata is not None and ENTRY in metadata:
        metadata = {name: text for name, text in metadata.items() if name != ENTRY}
    return replace(stat, size=size, metadata=metadata)


def for_others(how: WriteOptions) -> WriteOptions:
    """The options as they are stored: the entry's name is not for users, in no capitals either."""
    pairs = how.metadata or {}
    taken = [name for name in pairs if name.lower() == ENTRY]
    if not taken:
        return how
    if not how.carried:
        raise InvalidArgument(f"the metadata name {ENTRY!r} is the encryption's own; take another")
    return replace(how, metadata={name: pairs[name] for name in pairs if name not in taken})


def with_entry_of(before: Stat, how: WriteOptions) -> WriteOptions:
    """The options, whose metadata takes the place of the file's, with the entry that stands there."""
    entry = (before.metadata or {}).get(ENTRY)
    if entry is None or how.metadata is None:
        return how
    return replace(how, metadata={**how.metadata, ENTRY: entry}, carried=False)


def with_entry(metadata: Mapping[str, str] | None, *locks: Lock) -> dict[str, str]:
    """Users' metadata and the entry."""
    return {**(metadata or {}), ENTRY: entry_of(*locks)}
