"""Copies and renames at the service: the file's key gets a lock for the new path.

At every moment each path has a lock that fits: a rename that a crash ends leaves a file that can be
read, under the old name or the new one.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final

from storeroom.contracts.abilities import Attributes, Copy, Move, find
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    AlreadyExists,
    Corrupted,
    InvalidArgument,
    NotFound,
    PreconditionFailed,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import ReadOptions, Stat, WriteOptions
from storeroom.layers._encryption.lock import Lock
from storeroom.layers._encryption.sizes import HEADER
from storeroom.layers._encryption.vault import Found, Vault, with_entry, with_entry_of

__all__ = ["TRIES", "can_hold", "change", "copied", "facts", "looked", "moved"]

TRIES: Final = 5


async def copied(vault: Vault, inner: StorageDriver, path: str, to: str, how: WriteOptions) -> Stat:
    """Copy at the service, under a lock for the new path where locks are bound to one."""
    native = find(inner, Copy)
    if native is None:
        raise Unsupported("the service copies nothing", path=path)
    if not vault.binds:
        return await native.copy_within(path, to, await _keeping(inner, path, how))
    if not _keeps_metadata(inner):
        raise Unsupported("a copy needs a lock for its path in its metadata", path=path)
    found, stat = await facts(vault, inner, path)
    lock = await vault.relocked(await vault.open(found), found, to)
    given = stat.metadata if how.metadata is None else how.metadata
    how = replace(how, metadata=with_entry(given, lock), carried=False)
    with _where_is_room(to):
        copy = await native.copy_within(path, to, how)
    await _settle(vault, inner, path, to)
    return copy


async def moved(vault: Vault, inner: StorageDriver, path: str, to: str, how: WriteOptions) -> Stat:
    """Rename at the service; the lock for the new path is there before the file is."""
    native = find(inner, Move)
    if native is None:
        raise Unsupported("the service renames nothing", path=path)
    if not vault.binds or path == to:
        return await native.rename(path, to, await _keeping(inner, path, how))
    if not how.overwrite and await _exists(inner, to):  # else a lock for it would stay behind
        raise AlreadyExists("something is there already", path=to)
    lock = await _announced(vault, inner, path, to)
    if how.metadata is not None:
        how = replace(how, metadata=with_entry(how.metadata, lock))
    with _where_is_room(to):
        stat = await native.rename(path, to, how)
    await _settle(vault, inner, path, to)
    return stat


def can_hold(inner: StorageDriver, kind: Callable[..., Any]) -> bool:
    """Whether a copy, or a file before its rename, can be given a lock for its new path."""
    return _keeps_metadata(inner) and (kind is Copy or find(inner, Attributes) is not None)


async def facts(vault: Vault, inner: StorageDriver, path: str) -> tuple[Found, Stat]:
    """What opens a file, and the facts of what is stored."""
    header, stat = await looked(inner, path)
    return vault.found(path, header, stat.metadata), stat


async def change(inner: StorageDriver, path: str, stat: Stat, *locks: Lock) -> Stat:
    """Put locks into the metadata of the file that `stat` is of; `Unsupported` where they cannot stand."""
    native = find(inner, Attributes)
    if native is None or not _keeps_metadata(inner):
        raise Unsupported("the service changes no metadata in place", path=path)
    pin = stat.etag if "if_match" in inner.traits.conditions else None
    how = WriteOptions(metadata=with_entry(stat.metadata, *locks), if_match=pin)
    with _where_is_room(path):
        return await native.change_attributes(path, how)


async def _announced(vault: Vault, inner: StorageDriver, path: str, to: str) -> Lock:
    """A lock for the path that a file will have, put beside the one that it needs until then."""
    for _ in range(TRIES):
        found, stat = await facts(vault, inner, path)
        lock = await vault.relocked(await vault.open(found), found, to)
        needed = [found.lock] if found.is_entry else []
        try:
            await change(inner, path, stat, *needed, lock)
        except PreconditionFailed:
            continue
        return lock
    raise Unavailable("the file was replaced again and again while it was moved", path=path)


async def _settle(vault: Vault, inner: StorageDriver, path: str, to: str) -> None:
    """See that what arrived is locked for its new path: a write may have come between."""
    for _ in range(TRIES):
        try:
            header, stat = await looked(inner, to)
        except NotFound:  # and went on from there already
            return
        try:
            vault.found(to, header, stat.metadata)
        except Corrupted:
            found = vault.found(path, header, stat.metadata)
            lock = await vault.relocked(await vault.open(found), found, to)
            with suppress(PreconditionFailed):
                await change(inner, to, stat, lock)
        else:
            return
    raise Unavailable("the file was replaced again and again where it arrived", path=to)


async def looked(inner: StorageDriver, path: str) -> tuple[bytes, Stat]:
    """The header of a file and its facts, with the metadata also where a read does not tell it."""
    async with await inner.read(path, ReadOptions(0, HEADER)) as source:
        header, stat = await source.read(HEADER), source.stat
    if stat.metadata is None and _keeps_metadata(inner):
        stat = replace(stat, metadata=(await inner.stat(path)).metadata)
    return header, stat


async def _keeping(inner: StorageDriver, path: str, how: WriteOptions) -> WriteOptions:
    """The options; with metadata of their own the file's lock comes along all the same."""
    return how if how.metadata is None else with_entry_of(await inner.stat(path), how)


async def _exists(inner: StorageDriver, path: str) -> bool:
    try:
        await inner.stat(path)
    except NotFound:
        return False
    return True


@contextmanager
def _where_is_room(path: str) -> Generator[None]:
    """A context in which metadata that is too large is `Unsupported`: writing anew needs no lock in it."""
    try:
        yield
    except InvalidArgument as error:
        raise Unsupported("the metadata has no room for a lock", path=path) from error


def _keeps_metadata(inner: StorageDriver) -> bool:
    return "metadata" in inner.traits.keeps
