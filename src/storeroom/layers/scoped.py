"""Scoped: a folder of a disk as a disk of its own."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta

from storeroom.contracts.abilities import (
    ABILITIES,
    Append,
    Attributes,
    BulkRemove,
    Checksum,
    Copy,
    CopyFrom,
    Folders,
    Leases,
    LocalPath,
    Move,
    Multipart,
    Origin,
    PresignPost,
    PresignRead,
    PresignWrite,
    PublicUrl,
    Sweep,
    Tags,
    Tiers,
    Times,
    VerifyUrl,
    Versions,
    Visibility,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import StorageError
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    ANY,
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    Grant,
    ReadOptions,
    RemoveOptions,
    ScanOptions,
    Stat,
    Traits,
    Upload,
    Version,
    Visible,
    WriteOptions,
)
from storeroom.layers._base import Layer
from storeroom.layers._scope import Scope

__all__ = ["Scoped"]


class Scoped(
    Layer,
    PublicUrl,
    PresignRead,
    PresignWrite,
    PresignPost,
    VerifyUrl,
    Copy,
    CopyFrom,
    Origin,
    Move,
    BulkRemove,
    Append,
    Visibility,
    Folders,
    Checksum,
    Multipart,
    Attributes,
    Times,
    Tags,
    Tiers,
    Versions,
    Leases,
    LocalPath,
):
    """The files under the folder `prefix`, which is the root here: nothing outside can be reached.

    Scopes nest, and failures name paths as they are in here. `Sweep` is hidden, for it clears the
    whole disk; `.` and `..` are refused also where `paths = "service"` allows them.
    """

    adapts = frozenset(ABILITIES) - {Sweep}

    def __init__(self, inner: StorageDriver, /, prefix: str) -> None:
        super().__init__(inner)
        self._scope = Scope(prefix)

    def __repr__(self) -> str:
        return f"Scoped({self._inner!r}, {self.prefix!r})"

    @property
    def prefix(self) -> str:
        """The folder that is the root here."""
        return self._scope.prefix

    def described(self, inside: Traits, /) -> Traits:
        """The traits inside, with so much less room for paths."""
        size, depth = self._scope.size, self._scope.depth
        return replace(
            inside,
            path_bytes=max(0, inside.path_bytes - size),
            segments=max(0, inside.segments - depth) if inside.strict_paths else inside.segments,
        )

    async def stat(self, path: str, /) -> Stat:
        with self._scope.told(path):
            return self._scope.inside(await self.inner.stat(self._outside(path)))

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        with self._scope.told(path):
            return self._scope.source(await self.inner.read(self._outside(path), how), path)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        Body.checked(body)
        with self._scope.told(path, body=body):
            return self._scope.inside(await self.inner.write(self._outside(path), body, how))

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        with self._scope.told(path):
            return await self.inner.remove(self._outside(path), how)

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        scope = self._scope
        with scope.told(folder):
            outside, options = self._outside_folder(folder), scope.outside_scan(how)
            async with aclosing(self.inner.scan(outside, options)) as entries:
                async for entry in entries:
                    if scope.holds(entry.path):
                        yield scope.inside(entry)

    def public_url(self, path: str, /) -> str:
        with self._scope.told(path):
            return self.inner_ability(PublicUrl).public_url(self._outside(path))

    async def presign_read(self, grant: Grant, /) -> str:
        with self._scope.told(grant.path):
            return await self.inner_ability(PresignRead).presign_read(self._granting(grant))

    async def presign_write(self, grant: Grant, /) -> Upload:
        with self._scope.told(grant.path):
            return await self.inner_ability(PresignWrite).presign_write(self._granting(grant))

    async def presign_post(self, grant: Grant, /) -> Upload:
        with self._scope.told(grant.path):
            return await self.inner_ability(PresignPost).presign_post(self._granting(grant))

    async def verify_url(self, url: str, method: str, /) -> Grant:
        with self._scope.told(None):
            grant = await self.inner_ability(VerifyUrl).verify_url(url, method)
            return self._scope.granted(grant)

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        with self._scope.told(path):
            source, target = self._outside(path), self._outside(to)
            return self._scope.inside(
                await self.inner_ability(Copy).copy_within(source, target, how)
            )

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        native, target = self.inner_ability(CopyFrom), self._outside(to)
        with self._scope.told(None):
            return self._scope.inside(await native.copy_from(source, path, target, how))

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        with self._scope.told(path):
            return self.inner_ability(Origin).origin(self._outside(path))

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        with self._scope.told(path):
            source, target = self._outside(path), self._outside(to)
            return self._scope.inside(await self.inner_ability(Move).rename(source, target, how))

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        names: dict[str, str] = {}
        answers: dict[str, bool | StorageError | None] = {}
        for path in paths:
            try:
                names[self._outside(path)] = path
            except StorageError as error:
                answers[path] = error
        with self._scope.told(None):
            found = await self.inner_ability(BulkRemove).remove_many(list(names))
        for outside, path in names.items():
            answer = answers[path] = found[outside]
            if isinstance(answer, StorageError):
                self._scope.retell(answer, path)
        return answers

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        with self._scope.told(path, body=body):
            stat = await self.inner_ability(Append).extend(self._outside(path), body, how)
            return self._scope.inside(stat)

    async def read_visibility(self, path: str, /) -> Visible:
        with self._scope.told(path):
            return await self.inner_ability(Visibility).read_visibility(self._outside(path))

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        with self._scope.told(path):
            native = self.inner_ability(Visibility)
            await native.change_visibility(self._outside(path), visibility)

    async def has_folder(self, folder: str, /) -> bool:
        with self._scope.told(folder):
            native, outside = self.inner_ability(Folders), self._outside_folder(folder)
            return outside == self.prefix or await native.has_folder(outside)

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        with self._scope.told(folder):
            native = self.inner_ability(Folders)
            await native.make_folder(self._outside_folder(folder), visibility)

    async def remove_folder(self, folder: str, /) -> bool:
        with self._scope.told(folder):
            return await self.inner_ability(Folders).remove_folder(self._outside_folder(folder))

    async def digest(self, path: str, algorithm: str, /) -> str:
        with self._scope.told(path):
            return await self.inner_ability(Checksum).digest(self._outside(path), algorithm)

    async def start_parts(self, path: str, how: WriteOptions = PLAIN, /) -> str:
        with self._scope.told(path):
            return await self.inner_ability(Multipart).start_parts(self._outside(path), how)

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        with self._scope.told(path, body=body):
            native = self.inner_ability(Multipart)
            return await native.write_part(self._outside(path), upload, number, body)

    async def presign_part(
        self, path: str, upload: str, number: int, expires: datetime, /
    ) -> Upload:
        with self._scope.told(path):
            native = self.inner_ability(Multipart)
            return await native.presign_part(self._outside(path), upload, number, expires)

    async def list_parts(self, path: str, upload: str, /) -> Mapping[int, str]:
        with self._scope.told(path):
            return await self.inner_ability(Multipart).list_parts(self._outside(path), upload)

    async def complete_parts(self, path: str, upload: str, parts: Mapping[int, str], /) -> Stat:
        with self._scope.told(path):
            native = self.inner_ability(Multipart)
            stat = await native.complete_parts(self._outside(path), upload, parts)
            return self._scope.inside(stat)

    async def abort_parts(self, path: str, upload: str, /) -> None:
        with self._scope.told(path):
            await self.inner_ability(Multipart).abort_parts(self._outside(path), upload)

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        with self._scope.told(path):
            native = self.inner_ability(Attributes)
            return self._scope.inside(await native.change_attributes(self._outside(path), how))

    async def change_time(self, path: str, modified: datetime, /) -> None:
        with self._scope.told(path):
            await self.inner_ability(Times).change_time(self._outside(path), modified)

    async def read_tags(self, path: str, /) -> Mapping[str, str]:
        with self._scope.told(path):
            return await self.inner_ability(Tags).read_tags(self._outside(path))

    async def change_tags(self, path: str, tags: Mapping[str, str], /) -> None:
        with self._scope.told(path):
            await self.inner_ability(Tags).change_tags(self._outside(path), tags)

    async def change_tier(self, path: str, tier: str, /) -> None:
        with self._scope.told(path):
            await self.inner_ability(Tiers).change_tier(self._outside(path), tier)

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        with self._scope.told(path):
            outside = self._outside(path)
            async for version in self.inner_ability(Versions).list_versions(outside):
                if version.path == outside:
                    yield self._scope.inside(version)

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        with self._scope.told(path):
            native = self.inner_ability(Versions)
            source = await native.read_version(self._outside(path), version, how)
            return self._scope.source(source, path)

    async def restore_version(self, path: str, version: str, /) -> Stat:
        with self._scope.told(path):
            native = self.inner_ability(Versions)
            return self._scope.inside(await native.restore_version(self._outside(path), version))

    async def remove_version(self, path: str, version: str, /) -> None:
        with self._scope.told(path):
            await self.inner_ability(Versions).remove_version(self._outside(path), version)

    async def acquire_lease(self, path: str, duration: timedelta, /) -> str:
        with self._scope.told(path):
            return await self.inner_ability(Leases).acquire_lease(self._outside(path), duration)

    async def renew_lease(self, path: str, lease: str, /) -> None:
        with self._scope.told(path):
            await self.inner_ability(Leases).renew_lease(self._outside(path), lease)

    async def release_lease(self, path: str, lease: str, /) -> None:
        with self._scope.told(path):
            await self.inner_ability(Leases).release_lease(self._outside(path), lease)

    def local_path(self, path: str, /) -> str:
        with self._scope.told(path):
            return self.inner_ability(LocalPath).local_path(self._outside(path))

    def _granting(self, grant: Grant) -> Grant:
        return replace(grant, path=self._outside(grant.path))

    def _outside(self, path: str) -> str:
        return self._scope.outside(path, strict=self._inner.traits.strict_paths)

    def _outside_folder(self, folder: str) -> str:
        return self._scope.outside_folder(folder, strict=self._inner.traits.strict_paths)
