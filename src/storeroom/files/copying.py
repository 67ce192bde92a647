"""Copies between disks: at the service where both sides allow it, else as a verified stream."""

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import replace

from storeroom.contracts.abilities import CopyFrom, Origin, Shared, find
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import Corrupted, PreconditionFailed, Unsupported
from storeroom.contracts.values import RemoveOptions, Stat, WriteOptions
from storeroom.files._places import spots
from storeroom.files.carrying import carried
from storeroom.files.facts import digested

__all__ = ["copied_across", "moved_by_copy", "streamed"]


async def copied_across(
    driver: StorageDriver, path: str, target: StorageDriver, to: str, how: WriteOptions, /
) -> None:
    """Copy to another driver, with type and metadata."""
    origins = _origins(driver, path)
    if origins and origins == _origins(target, to):
        await driver.stat(path)
        return
    if not await _at_the_service(driver, path, target, to, how):
        await streamed(driver, path, target, to, how)


async def streamed(
    driver: StorageDriver, path: str, target: StorageDriver, to: str, how: WriteOptions, /
) -> tuple[Stat, str]:
    """Copy through this process: the source's facts and the SHA-256 of what was sent."""
    hasher = hashlib.sha256()
    async with await driver.read(path) as source:

        async def chunks() -> AsyncGenerator[bytes]:
            async for chunk in source:
                hasher.update(chunk)
                yield chunk

        body = Body(chunks, size=source.size)
        await target.write(to, body, carried(source.stat, how=how))
        return source.stat, hasher.hexdigest()


async def moved_by_copy(
    driver: StorageDriver, path: str, target: StorageDriver, to: str, how: WriteOptions, /
) -> None:
    """Copy, compare, and only then remove the source, if it is still what was copied.

    Where source and target share a place, as a mirror and one of its disks do, or a layer and the
    disk inside it, nothing is removed.
    """
    if _origins(driver, path) & _origins(target, to) or spots(driver, path) & spots(target, to):
        await copied_across(driver, path, target, to, how)
        return
    before = stat = await driver.stat(path)
    if await _at_the_service(driver, path, target, to, how):
        sent = await digested(driver, path, "sha256")
    else:
        stat, sent = await streamed(driver, path, target, to, how)
        if stat.size is None:  # as a read of compressed bytes tells it
            stat = replace(stat, size=before.size)
    if await digested(target, to, "sha256") != sent:
        raise Corrupted(f"the copy at {to!r} differs from what was sent; the source stays", path=to)
    await _removed(driver, path, stat)


async def _removed(driver: StorageDriver, path: str, stat: Stat) -> None:
    """Remove what `stat` describes, and nothing that took its place since."""
    if stat.etag is not None and "if_match" in driver.traits.conditions:
        await driver.remove(path, RemoveOptions(stat.etag))
        return
    now = await driver.stat(path)
    if (now.etag, now.size, now.modified) != (stat.etag, stat.size, stat.modified):
        raise PreconditionFailed("the file changed while it was copied; both are kept", path=path)
    await driver.remove(path)


async def _at_the_service(
    driver: StorageDriver, path: str, target: StorageDriver, to: str, how: WriteOptions
) -> bool:
    origin, native = _origin(driver, path), find(target, CopyFrom)
    if origin is None or native is None:
        return False
    try:
        await native.copy_from(*origin, to, how)
    except Unsupported:
        return False
    return True


def _origin(driver: StorageDriver, path: str) -> tuple[StorageDriver, str] | None:
    native = find(driver, Origin)
    return None if native is None else native.origin(path)


def _origins(driver: StorageDriver, path: str) -> set[tuple[StorageDriver, str]]:
    """Where the bytes are, as far as that is known."""
    origin = _origin(driver, path)
    if origin is None:
        return set()
    return {(*origin,), *(origin.others if isinstance(origin, Shared) else ())}
