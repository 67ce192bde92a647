"""Replicated: what of the abilities disks with the same files have together."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from storeroom.contracts.abilities import (
    Attributes,
    Checksum,
    Copy,
    Folders,
    Move,
    Origin,
    PresignRead,
    PublicUrl,
    Shared,
    Sweep,
    Tags,
    Tiers,
    Times,
    VerifyUrl,
    Visibility,
    find,
    why_absent,
)
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import InvalidPath, PermissionDenied, StorageError, Unsupported
from storeroom.contracts.values import (
    DEEP,
    PLAIN,
    Grant,
    ScanOptions,
    Stat,
    Visible,
    WriteOptions,
)
from storeroom.files._bounded import each
from storeroom.files._verb import checked_folder
from storeroom.files.copying import streamed
from storeroom.layers._several.mending import remove_empty
from storeroom.layers._several.replicas import Replicas
from storeroom.layers._several.several import SILENT
from storeroom.signing import UrlSigner

__all__ = ["Replicated"]

A = TypeVar("A")

_AT_ONCE = 8
_AS_IT_IS: frozenset[Callable[..., Any]] = frozenset((Copy, Move, Attributes, Times, Tiers))
"""What a disk makes of the file it has, which may be old where a read asks more than one."""

_ON_ONE: frozenset[Callable[..., Any]] = frozenset(
    (PublicUrl, PresignRead, VerifyUrl, Origin, Checksum, Sweep)
)
"""What one disk can do for all; the rest is there if all of them have it."""


class Replicated(
    Replicas,
    PublicUrl,
    PresignRead,
    VerifyUrl,
    Copy,
    Origin,
    Move,
    Visibility,
    Folders,
    Checksum,
    Sweep,
    Attributes,
    Times,
    Tags,
    Tiers,
):
    """The abilities over replicas.

    Hidden is what would reach one disk only (`PresignWrite`, `PresignPost`, `Multipart`, `LocalPath`,
    `Leases`), what each does in its own way (`Versions`, `CopyFrom`), `Append`, which two processes
    could do in another order on each disk, and `BulkRemove`, which would be one by one anyway.
    """

    adapts = _ON_ONE | {Copy, Move, Visibility, Folders, Attributes, Times, Tags, Tiers}

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """This layer where one disk has the ability and that is enough, or all have it."""
        if kind not in self.adapts or (kind in _AS_IT_IS and self._asked > 1):
            return None
        enough = any if kind in _ON_ONE else all
        if not enough(_native(disk, kind) is not None for disk in self._disks):
            return None
        if kind is Tiers and len({disk.traits.service for disk in self._disks}) > 1:
            return None
        return self  # type: ignore[return-value]  # by its declaration

    def public_url(self, path: str, /) -> str:
        return self._one(PublicUrl, path).public_url(path)

    async def presign_read(self, grant: Grant, /) -> str:
        return await self._one(PresignRead, grant.path).presign_read(grant)

    async def verify_url(self, url: str, method: str, /) -> Grant:
        _ = self.inner
        denied: StorageError = Unsupported("none of the disks verifies addresses")
        for disk in self._disks:
            native = _native(disk, VerifyUrl)
            if native is not None:
                try:
                    return await native.verify_url(url, method)
                except PermissionDenied as error:
                    denied = error
        raise denied

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        found = [native.origin(path) for disk in self._disks if (native := find(disk, Origin))]
        if self._asked > 1:  # one disk alone may have an older file
            return Shared(self, path, found)
        return Shared(*self._one(Origin, path).origin(path), found)

    async def digest(self, path: str, algorithm: str, /) -> str:
        able = {id(disk) for disk in self._disks if find(disk, Checksum) is not None}

        async def one(disk: StorageDriver) -> str:
            if id(disk) not in able:
                raise Unsupported(why_absent(disk, Checksum), path=path)
            return await _of(disk, Checksum).digest(path, algorithm)

        return await self._answer(path, one)

    async def sweep(self, older_than: timedelta, /) -> int:
        _ = self.inner
        count = 0
        for number, disk in enumerate(self._disks):
            native = find(disk, Sweep)
            if native is not None:
                sweep = native.sweep
                count += await self._ask(number, lambda _, sweep=sweep: sweep(older_than))  # type: ignore[misc]
        return count

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        plain = replace(how, overwrite=True, if_match=None)

        def first(disk: StorageDriver, number: int) -> Awaitable[Stat]:
            own = replace(how, if_match=self._match(number, how.if_match, to))
            return _of(disk, Copy).copy_within(path, to, own)

        async def then(disk: StorageDriver, _: int) -> Stat:
            try:
                return await _of(disk, Copy).copy_within(path, to, plain)
            except Unsupported:
                await streamed(disk, path, disk, to, plain)
                return await disk.stat(to)

        self._accept(how)
        return await self._told_change((to,), first, then, how, based_on=path)

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        plain = replace(how, overwrite=True, if_match=None)

        def first(disk: StorageDriver, number: int) -> Awaitable[Stat]:
            own = replace(how, if_match=self._match(number, how.if_match, to))
            return _of(disk, Move).rename(path, to, own)

        async def then(disk: StorageDriver, _: int) -> Stat:
            try:
                return await _of(disk, Move).rename(path, to, plain)
            except Unsupported:
                await streamed(disk, path, disk, to, plain)
                await disk.remove(path)
                return await disk.stat(to)

        self._accept(how)
        return await self._told_change((path, to), first, then, how, based_on=path)

    async def read_visibility(self, path: str, /) -> Visible:
        return await self._answer(path, lambda disk: _of(disk, Visibility).read_visibility(path))

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        await self._everywhere(
            path, lambda disk: _of(disk, Visibility).change_visibility(path, visibility)
        )

    async def has_folder(self, folder: str, /) -> bool:
        folder = checked_folder(self, folder)
        return await self._answer_of_folder(
            folder, lambda disk: _of(disk, Folders).has_folder(folder)
        )

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        folder = checked_folder(self, folder)
        if not folder:
            return
        self._accept(WriteOptions())

        def make(disk: StorageDriver, _: int) -> Awaitable[None]:
            return _of(disk, Folders).make_folder(folder, visibility)

        await self._changed((f"{folder}/",), make, make)

    async def remove_folder(self, folder: str, /) -> bool:
        """Remove its files one by one, each noted where it is missed, and then the empty folder."""
        folder = checked_folder(self, folder)
        if not folder:
            raise InvalidPath("this names the root, the whole disk; name a folder on it", path="")
        self._accept(WriteOptions())
        careful = ScanOptions(strangers="refuse")
        async with aclosing(self.scan(folder, careful)) as entries:  # before anything is touched
            async for _ in entries:
                pass
        report = await each(self._files(folder), str, self.remove, concurrency=_AT_ONCE)
        for error in report.failed.values():
            raise error
        left = await self._left(folder)
        for path in left:
            await self.remove(path)

        def remove(disk: StorageDriver, _: int) -> Awaitable[bool]:
            return remove_empty(disk, folder)

        change = await self._changed((f"{folder}/",), remove, remove)
        return bool(report.done or left) or True in change.answers.values()

    async def _files(self, folder: str) -> AsyncGenerator[str]:
        async with aclosing(self.scan(folder, DEEP)) as entries:
            async for entry in entries:
                if isinstance(entry, Stat):
                    yield entry.path

    async def _left(self, folder: str) -> list[str]:
        """The files in a folder that the disk which lists it did not have."""

        async def files(disk: StorageDriver) -> set[str]:
            async with aclosing(disk.scan(folder, DEEP)) as entries:
                return {entry.path async for entry in entries if isinstance(entry, Stat)}

        found: set[str] = set()
        for number in self._up():
            with suppress(*SILENT):
                found |= await self._ask(number, files)
        return sorted(found)

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        plain = replace(how, overwrite=True, if_match=None)

        def first(disk: StorageDriver, number: int) -> Awaitable[Stat]:
            own = replace(how, if_match=self._match(number, how.if_match, path))
            return _of(disk, Attributes).change_attributes(path, own)

        def then(disk: StorageDriver, _: int) -> Awaitable[Stat]:
            return _of(disk, Attributes).change_attributes(path, plain)

        self._accept(how)
        return await self._told_change((path,), first, then, how, based_on=path)

    async def change_time(self, path: str, modified: datetime, /) -> None:
        await self._everywhere(path, lambda disk: _of(disk, Times).change_time(path, modified))

    async def read_tags(self, path: str, /) -> Mapping[str, str]:
        return await self._answer(path, lambda disk: _of(disk, Tags).read_tags(path))

    async def change_tags(self, path: str, tags: Mapping[str, str], /) -> None:
        await self._everywhere(path, lambda disk: _of(disk, Tags).change_tags(path, tags))

    async def change_tier(self, path: str, tier: str, /) -> None:
        await self._everywhere(path, lambda disk: _of(disk, Tiers).change_tier(path, tier))

    def _one(self, kind: Callable[..., A], path: str) -> A:
        """The ability of the first disk that has it and may be read from."""
        for number in self._readers(path):
            found = _native(self._disks[number], kind)
            if found is not None:
                return found
        name = getattr(kind, "__name__", str(kind))
        raise Unsupported(f"none of the disks that have this file as it is has {name}", path=path)

    async def _everywhere(
        self, path: str, work: Callable[[StorageDriver], Awaitable[None]]
    ) -> None:
        self._accept(WriteOptions())

        def one(disk: StorageDriver, _: int) -> Awaitable[None]:
            return work(disk)

        await self._changed((path,), one, one, based_on=path)

    async def _told_change(
        self,
        paths: tuple[str, ...],
        first: Callable[[StorageDriver, int], Awaitable[Stat]],
        then: Callable[[StorageDriver, int], Awaitable[Stat]],
        how: WriteOptions,
        *,
        based_on: str,
    ) -> Stat:
        change = await self._changed(paths, first, then, how, based_on=based_on)
        number = min(change.answers)
        found: Stat = change.answers[number]
        return self._told_vaguely(number, found)


def _native(disk: StorageDriver, kind: Callable[..., A]) -> A | None:
    """The disk's ability; not its signer, for the disk that this layer is behind signs for all."""
    found = find(disk, kind)
    return None if isinstance(found, UrlSigner) else found


def _of(disk: StorageDriver, kind: Callable[..., A]) -> A:
    found = find(disk, kind)
    if found is None:
        raise Unsupported(why_absent(disk, kind))
    return found
