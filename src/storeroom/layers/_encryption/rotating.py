"""Rotation: a file's own key is locked anew, or the file is written anew under a key of its own."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar

from storeroom.contracts.abilities import Attributes, Tags, Visibility, find
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    Corrupted,
    InvalidArgument,
    PreconditionFailed,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import ReadOptions, ScanOptions, Stat, Visible, WriteOptions
from storeroom.files.carrying import carried
from storeroom.layers._encryption.lock import read_header
from storeroom.layers._encryption.moving import TRIES, change, facts, looked
from storeroom.layers._encryption.vault import Found, Vault, with_entry_of
from storeroom.layers._together import ended

__all__ = ["Rotated", "described", "each_in_order", "key_id", "paths_in", "rotated"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rotated:
    """What `rotate` did to one file: `key` is the id of the key that opens it now.

    `changed` is False where it was that key's already. In `rotate_all` `error` is why a file stayed
    as it was, and `key` then is None.
    """

    path: str
    key: str | None
    changed: bool
    error: StorageError | None = None


async def rotated(
    vault: Vault, layer: StorageDriver, inner: StorageDriver, path: str, *, rewrite: bool
) -> Rotated:
    """Lock a file with the current key; a write that comes between wins, and is looked at again."""
    for _ in range(TRIES):
        found, stat = await facts(vault, inner, path)
        if await _is_done(vault, found, path, rewrite=rewrite):
            return Rotated(path, found.lock.mark.id, changed=False)
        try:
            await _renew(vault, layer, inner, path, found, stat, rewrite=rewrite)
        except PreconditionFailed:
            continue
        found, _ = await facts(vault, inner, path)
        return Rotated(path, found.lock.mark.id, changed=True)
    raise Unavailable("the file was replaced again and again while it was rotated", path=path)


async def key_id(vault: Vault, inner: StorageDriver, path: str) -> str:
    """The id of the key that opens a file, also of one that was moved by something else."""
    header, stat = await looked(inner, path)
    anywhere = Vault(vault.ring, binds=False)
    try:
        return anywhere.found(path, header, stat.metadata).lock.mark.id
    except Corrupted:
        return read_header(header).mark.id


async def described(inner: StorageDriver, path: str, how: WriteOptions) -> Stat:
    """Change attributes, and keep our entry in the metadata, which is replaced as a whole."""
    native = find(inner, Attributes)
    if native is None:
        raise Unsupported("the service changes no attributes in place", path=path)
    if how.metadata is None:
        return await native.change_attributes(path, how)
    pins = how.if_match is None and "if_match" in inner.traits.conditions
    for _ in range(TRIES):
        before = await inner.stat(path)
        ours = with_entry_of(before, how)
        if not pins:
            return await native.change_attributes(path, ours)
        try:
            return await native.change_attributes(path, replace(ours, if_match=before.etag))
        except PreconditionFailed:
            continue
        except Unsupported:
            pins = False
    raise Unavailable("the file was replaced again and again while it was changed", path=path)


async def paths_in(inner: StorageDriver, folder: str, after: str | None) -> AsyncGenerator[str]:
    """The files of a folder in order, those behind `after`."""
    found = _files(inner, folder, ScanOptions(after=after))
    async with aclosing(found):
        if inner.traits.ordered:
            async for path in found:
                yield path
            return
        for path in sorted([path async for path in found], key=str.encode):
            yield path


async def each_in_order(
    paths: AsyncIterator[str], work: Callable[[str], Awaitable[T]], concurrency: int
) -> AsyncGenerator[T]:
    """What `work` gives for each path, in their order, so many of them at once."""
    if type(concurrency) is not int or concurrency < 1:
        raise InvalidArgument(f"concurrency is 1 or more, not {concurrency!r}")
    running: deque[asyncio.Future[T]] = deque()
    try:
        async for path in paths:
            running.append(asyncio.ensure_future(work(path)))
            if len(running) == concurrency:
                yield await running[0]
                del running[0]
        while running:
            yield await running[0]
            del running[0]
    finally:
        await ended(*running)


async def _is_done(vault: Vault, found: Found, path: str, *, rewrite: bool) -> bool:
    if not rewrite:
        return await vault.is_current(found, path)
    own = replace(found, lock=read_header(found.header))
    return not found.has_entry and await vault.is_current(own, path)


async def _renew(
    vault: Vault,
    layer: StorageDriver,
    inner: StorageDriver,
    path: str,
    found: Found,
    stat: Stat,
    *,
    rewrite: bool,
) -> None:
    if not rewrite:
        lock = await vault.relocked(await vault.open(found), found, path)
        try:
            await change(inner, path, stat, lock)
        except Unsupported:  # no metadata in place, or no room in it
            pass
        else:
            return
    await _rewritten(layer, inner, path, stat)


async def _rewritten(layer: StorageDriver, inner: StorageDriver, path: str, stat: Stat) -> None:
    """Write the file anew from what is read of it, with all that belongs to it."""
    visible = await _visibility(inner, path)
    try:
        await _written_anew(layer, inner, path, stat, visible)
    except Unsupported:
        if visible is None:
            raise
        # A bucket without access lists tells one of each file, and takes none.
        await _written_anew(layer, inner, path, stat, None)


async def _written_anew(
    layer: StorageDriver, inner: StorageDriver, path: str, stat: Stat, visible: Visible | None
) -> None:
    pins = "if_match" in inner.traits.conditions
    how = ReadOptions(if_match=stat.etag if pins else None)
    async with await layer.read(path, how) as source:
        kept = carried(source.stat, conditions=inner.traits.conditions)
        kept = await _with_tags(inner, path, replace(kept, visibility=visible))

        async def chunks() -> AsyncGenerator[bytes]:
            async for chunk in source:
                yield chunk
            if not pins and not _is_same(stat, await inner.stat(path)):
                raise PreconditionFailed("the file changed while it was rotated", path=path)

        await layer.write(path, Body(chunks, size=source.size), kept)


async def _visibility(inner: StorageDriver, path: str) -> Visible | None:
    native = find(inner, Visibility)
    if native is None or "visibility" not in inner.traits.keeps:
        return None
    try:
        return await native.read_visibility(path)
    except Unsupported:
        return None


async def _with_tags(inner: StorageDriver, path: str, how: WriteOptions) -> WriteOptions:
    """With what stands beside a file and is not told by every read."""
    keeps, native = inner.traits.keeps, find(inner, Tags)
    if native is not None and "tags" in keeps:
        how = replace(how, tags=await native.read_tags(path))
    return replace(how, tier=(await inner.stat(path)).tier if "tier" in keeps else None)


def _is_same(before: Stat, after: Stat) -> bool:
    names = ("etag", "size", "modified")
    return all(getattr(before, name) == getattr(after, name) for name in names)


async def _files(inner: StorageDriver, folder: str, how: ScanOptions) -> AsyncGenerator[str]:
    async with aclosing(inner.scan(folder, how)) as entries:
        async for entry in entries:
            if isinstance(entry, Stat):
                yield entry.path
