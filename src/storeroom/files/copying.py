"""Copies between disks: at the service where both sides allow it, else as a verified stream."""

import hashlib
from collections.abc import AsyncGenerator

from storeroom.contracts.abilities import CopyFrom, Origin, find
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import Corrupted, Unsupported
from storeroom.contracts.values import ANY, RemoveOptions, Stat, WriteOptions
from storeroom.files.carrying import carried
from storeroom.files.facts import digested

__all__ = ["copied_across", "moved_by_copy", "streamed"]


async def copied_across(
    driver: StorageDriver, path: str, target: StorageDriver, to: str, how: WriteOptions, /
) -> None:
    """Copy to another driver, with type and metadata."""
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
    """Copy, compare, and only then remove the source, if it is still what was copied."""
    stat, sent = await streamed(driver, path, target, to, how)
    arrived = await digested(target, to, "sha256")
    if arrived != sent:
        raise Corrupted(f"the copy at {to!r} differs from what was sent; the source stays", path=to)
    conditional = stat.etag is not None and "if_match" in driver.traits.conditions
    await driver.remove(path, RemoveOptions(stat.etag) if conditional else ANY)


async def _at_the_service(
    driver: StorageDriver, path: str, target: StorageDriver, to: str, how: WriteOptions
) -> bool:
    origin, native = find(driver, Origin), find(target, CopyFrom)
    if origin is None or native is None:
        return False
    source, at = origin.origin(path)
    try:
        await native.copy_from(source, at, to, how)
    except Unsupported:
        return False
    return True
