"""Mending: one file as one disk has it, copied to another; a folder made or removed."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from storeroom.contracts.abilities import Folders, Tags, Visibility, find
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import NotFound, PermissionDenied, Unsupported
from storeroom.contracts.source import Source
from storeroom.contracts.values import DEEP, RemoveOptions, Stat, WriteOptions
from storeroom.files.carrying import carried
from storeroom.layers._several.taking import Taking

__all__ = [
    "CLOCKS_DIFFER",
    "Asking",
    "has_folder",
    "is_younger",
    "mend",
    "mend_folder",
    "remove_empty",
]

T = TypeVar("T")

CLOCKS_DIFFER = timedelta(seconds=2)
"""By how much the clocks of services may be ahead of ours."""


class Asking(Protocol):
    """Calls a disk by its number and looks after the call."""

    async def __call__(
        self,
        number: int,
        work: Callable[[StorageDriver], Awaitable[T]],
        /,
        *,
        changes: bool = False,
        body: Body | None = None,
    ) -> T: ...


async def mend(ask: Asking, path: str, source: int, target: int, over: Stat | None, /) -> None:
    """Make the target's file, or its lack of one, that of the source: bytes, headers, metadata, tags.

    `over` is what the target has there; what somebody else stored since stays, if the service can tell.
    """
    try:
        opened = await ask(source, lambda disk: disk.read(path))
    except NotFound:
        if over is not None:
            await ask(target, lambda disk: disk.remove(path, _same(disk, over)), changes=True)
        return
    async with opened:
        facts = await ask(source, lambda disk: _beside(disk, path))
        how = replace(carried(opened.stat), carried=True)
        body = Taking(lambda: _chunks(opened), size=opened.size)

        async def write(disk: StorageDriver) -> Stat:
            return await disk.write(path, body, _for(disk, how, facts, over))

        await ask(target, write, changes=True, body=body)


async def mend_folder(ask: Asking, folder: str, source: int, target: int, /) -> None:
    """Make the folder on the target if the source has it; else remove it there, if it is empty."""
    native = await ask(source, lambda disk: has_folder(disk, folder))
    work = _make_folder if native else remove_empty
    await ask(target, lambda disk: work(disk, folder), changes=True)


async def remove_empty(disk: StorageDriver, folder: str, /) -> bool:
    """Remove a folder in which there is no file: whether it was there."""
    native = find(disk, Folders)
    async with aclosing(disk.scan(folder, DEEP)) as entries:
        async for entry in entries:
            if isinstance(entry, Stat):
                return True
    return native is not None and await native.remove_folder(folder)


async def has_folder(disk: StorageDriver, folder: str, /) -> bool:
    """Whether the disk has such a folder."""
    native = find(disk, Folders)
    return native is not None and await native.has_folder(folder)


def is_younger(stat: Stat | None, since: datetime, /) -> bool:
    """Whether somebody stored the file after this moment of ours, by a clock that may be off."""
    return stat is not None and stat.modified is not None and stat.modified > since + CLOCKS_DIFFER


async def _make_folder(disk: StorageDriver, folder: str) -> bool:
    native = find(disk, Folders)
    if native is not None:
        await native.make_folder(folder)
    return True


async def _beside(disk: StorageDriver, path: str) -> WriteOptions:
    """What a disk keeps beside a file that no `Stat` tells."""
    how = WriteOptions()
    tags, visibility = find(disk, Tags), find(disk, Visibility)
    with suppress(Unsupported, PermissionDenied, NotFound):
        if tags is not None:
            how = replace(how, tags=await tags.read_tags(path) or None)
    with suppress(Unsupported, PermissionDenied, NotFound):
        if visibility is not None:
            how = replace(how, visibility=await visibility.read_visibility(path))
    return how


def _for(
    disk: StorageDriver, how: WriteOptions, facts: WriteOptions, over: Stat | None
) -> WriteOptions:
    keeps, conditions = disk.traits.keeps, disk.traits.conditions
    return replace(
        how,
        metadata=how.metadata if "metadata" in keeps else None,
        tags=facts.tags if "tags" in keeps else None,
        visibility=facts.visibility if "visibility" in keeps else None,
        overwrite=over is not None or "overwrite" not in conditions,
        if_match=None if over is None else _same(disk, over).if_match,
    )


def _same(disk: StorageDriver, over: Stat) -> RemoveOptions:
    return RemoveOptions(over.etag if "if_match" in disk.traits.conditions else None)


async def _chunks(opened: Source) -> AsyncGenerator[bytes]:
    async for chunk in opened:
        yield chunk
