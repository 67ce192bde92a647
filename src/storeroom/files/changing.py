"""Removing, copying and moving, files and folders, on one disk and across disks."""

import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeAlias

from storeroom.contracts.abilities import BulkRemove, Copy, Folders, Move, find, why_absent
from storeroom.contracts.body import Progress
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import InvalidArgument, InvalidPath, Unsupported
from storeroom.contracts.paths import inside
from storeroom.contracts.values import (
    Folder,
    Report,
    ScanOptions,
    Stat,
    WriteOptions,
)
from storeroom.files._bounded import each
from storeroom.files._verb import (
    Held,
    checked,
    checked_folder,
    is_one_place,
    is_there,
    ready,
    verb,
    writable,
)
from storeroom.files.copying import copied_across, moved_by_copy, streamed

__all__ = ["Changing", "Target"]

Target: TypeAlias = Held | StorageDriver | str | None
"""Another disk: itself, its driver, or its name where a manager knows it; None for the same."""

_BULK = 1000


class Changing(Held):
    """The verbs that remove, copy and move; see `Files`."""

    __slots__ = ()

    @verb
    async def delete(self, path: str | os.PathLike[str], /) -> bool:
        """Remove a file: whether one was there."""
        if isinstance(path, (list, tuple, set)):
            raise TypeError("delete takes one path; for several use delete_many(paths)")
        driver = writable(await self._ready())
        text = checked(driver, path)
        if not driver.traits.tells_removed and not await is_there(driver, text):
            return False
        return await driver.remove(text) is not False

    @verb
    async def copy(
        self,
        path: str | os.PathLike[str],
        to: str | os.PathLike[str],
        /,
        *,
        disk: Target = None,
        overwrite: bool = True,
    ) -> str:
        """Copy a file with its type and metadata, at the service where it can; returns the target.

        `disk` is the disk to copy to: a disk, its name, or a driver.
        """
        driver = await self._ready()
        target = writable(driver if disk is None else await self._other(disk))
        source, destination = checked(driver, path), checked(target, to)
        how = WriteOptions(overwrite=overwrite)
        await _copied(driver, source, target, destination, how)
        return destination

    @verb
    async def move(
        self,
        path: str | os.PathLike[str],
        to: str | os.PathLike[str],
        /,
        *,
        disk: Target = None,
        overwrite: bool = True,
    ) -> str:
        """Move a file with all that belongs to it, and return the target.

        Where it has to be copied, the source is removed only after the copy was verified.
        """
        driver = writable(await self._ready())
        target = writable(driver if disk is None else await self._other(disk))
        source, destination = checked(driver, path), checked(target, to)
        await _moved(driver, source, target, destination, WriteOptions(overwrite=overwrite))
        return destination

    @verb
    async def make_directory(self, folder: str | os.PathLike[str], /) -> None:
        """Make a folder and its parents; `Unsupported` where folders are only implied by files."""
        driver = writable(await self._ready())
        text = checked_folder(driver, folder)
        native = find(driver, Folders)
        if native is None:
            raise Unsupported(f"folders are only implied by files: {why_absent(driver, Folders)}")
        await native.make_folder(text)

    @verb
    async def delete_directory(self, folder: str | os.PathLike[str], /) -> bool:
        """Remove a folder with all that is in it: whether it was there."""
        driver = writable(await self._ready())
        text = _no_root(checked_folder(driver, folder))
        native = find(driver, Folders)
        if native is not None:
            return await native.remove_folder(text)
        await _refuse_strangers(driver, text)
        return await _emptied(driver, text)

    @verb
    async def copy_directory(
        self,
        folder: str | os.PathLike[str],
        to: str | os.PathLike[str],
        /,
        *,
        disk: Target = None,
        concurrency: int = 8,
        overwrite: bool = True,
        progress: Progress | None = None,
    ) -> Report[str]:
        """Copy every file under a folder; the report has the new path of each.

        `progress` is called with the number of files done, and None.
        """
        driver = await self._ready()
        target = writable(driver if disk is None else await self._other(disk))
        source, destination = checked_folder(driver, folder), checked_folder(target, to)
        _refuse_nesting(driver, source, target, destination)
        how = WriteOptions(overwrite=overwrite)

        async def one(path: str) -> str:
            new = checked(target, _rebased(path, source, destination))
            await _copied(driver, path, target, new, how)
            return new

        files = _files(driver, source, target, destination)
        return await each(files, str, one, concurrency=concurrency, progress=progress)

    @verb
    async def move_directory(
        self,
        folder: str | os.PathLike[str],
        to: str | os.PathLike[str],
        /,
        *,
        disk: Target = None,
        concurrency: int = 8,
        overwrite: bool = True,
        progress: Progress | None = None,
    ) -> Report[str]:
        """Move every file under a folder; the emptied folder goes when nothing failed."""
        driver = writable(await self._ready())
        target = writable(driver if disk is None else await self._other(disk))
        source, destination = checked_folder(driver, folder), checked_folder(target, to)
        _refuse_nesting(driver, _no_root(source), target, destination)
        await _refuse_strangers(driver, source)
        how = WriteOptions(overwrite=overwrite)

        async def one(path: str) -> str:
            new = checked(target, _rebased(path, source, destination))
            await _moved(driver, path, target, new, how)
            return new

        files = _files(driver, source, target, destination)
        report = await each(files, str, one, concurrency=concurrency, progress=progress)
        if report.ok:
            await _remove_emptied(driver, source)
        return report

    async def _other(self, disk: Any) -> StorageDriver:
        """The driver of the disk named or given as the target, this one's where none is."""
        if disk is None:
            return await self._ready()
        if isinstance(disk, Held):
            return await ready(disk)
        if isinstance(disk, StorageDriver):
            return disk
        if isinstance(disk, str):
            raise TypeError(
                f"only a manager's disks know others by name; give the disk {disk!r} itself"
            )
        raise TypeError(f"disk is a disk or a driver, not {type(disk).__name__}")


async def _copied(
    driver: StorageDriver, path: str, target: StorageDriver, to: str, how: WriteOptions
) -> None:
    if not is_one_place(driver, target):
        await copied_across(driver, path, target, to, how)
        return
    if path == to:
        await driver.stat(path)
        return
    native = find(driver, Copy)
    if native is not None:
        try:
            await native.copy_within(path, to, how)
        except Unsupported:
            await streamed(driver, path, target, to, how)
        return
    await streamed(driver, path, target, to, how)


async def _moved(
    driver: StorageDriver, path: str, target: StorageDriver, to: str, how: WriteOptions
) -> None:
    here = is_one_place(driver, target)
    if here and path == to:
        await driver.stat(path)
        return
    native = find(driver, Move) if here else None
    if native is not None:
        try:
            await native.rename(path, to, how)
        except Unsupported:
            await moved_by_copy(driver, path, target, to, how)
        return
    await moved_by_copy(driver, path, target, to, how)


async def _files(
    driver: StorageDriver, folder: str, target: StorageDriver, to: str
) -> AsyncGenerator[str]:
    """The files under a folder; its empty folders are made at the target where both have such."""
    makers = find(target, Folders) if driver.traits.folders == "real" else None
    if target.traits.folders == "implied":
        makers = None
    async with aclosing(driver.scan(folder, ScanOptions())) as entries:
        async for entry in entries:
            if isinstance(entry, Stat):
                yield entry.path
            elif makers is not None:
                await makers.make_folder(_rebased(entry.path, folder, to))


async def _refuse_strangers(driver: StorageDriver, folder: str) -> None:
    """Refuse before anything is touched, where names would be left behind that cannot be shown."""
    if driver.traits.strict_paths:
        async with aclosing(driver.scan(folder, ScanOptions(strangers="refuse"))) as entries:
            async for _ in entries:
                pass


async def _emptied(driver: StorageDriver, folder: str) -> bool:
    bulk = find(driver, BulkRemove)
    found = False
    async with aclosing(driver.scan(folder, ScanOptions())) as entries:
        batch: list[str] = []
        async for entry in entries:
            if isinstance(entry, Folder):
                continue
            found = True
            batch.append(entry.path)
            if len(batch) == _BULK:
                await _remove_all(driver, bulk, batch)
                batch = []
        await _remove_all(driver, bulk, batch)
    return found


async def _remove_all(driver: StorageDriver, bulk: BulkRemove | None, paths: list[str]) -> None:
    if bulk is not None and paths:
        answers = await bulk.remove_many(paths)
        for answer in answers.values():
            if isinstance(answer, Exception):
                raise answer
        return
    for path in paths:
        await driver.remove(path)


async def _remove_emptied(driver: StorageDriver, folder: str) -> None:
    native = find(driver, Folders)
    async with aclosing(driver.scan(folder, ScanOptions())) as entries:
        async for entry in entries:
            if isinstance(entry, Stat):
                return
    if native is not None:
        await native.remove_folder(folder)


def _rebased(path: str, folder: str, to: str) -> str:
    relative = path[len(folder) + 1 :] if folder else path
    return f"{to}/{relative}" if to else relative


def _no_root(folder: str) -> str:
    if not folder:
        raise InvalidPath("this names the root, the whole disk; name a folder on it", path=folder)
    return folder


def _refuse_nesting(driver: StorageDriver, folder: str, target: StorageDriver, to: str) -> None:
    if is_one_place(driver, target) and (folder == to or inside(folder, to)):
        raise InvalidArgument(f"{to!r} lies inside {folder!r}; a folder cannot go into itself")
