"""Changing: a layer with one hook, which whatever changes a file goes through."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from storeroom.contracts.abilities import (
    Append,
    Attributes,
    BulkRemove,
    Copy,
    CopyFrom,
    Folders,
    Move,
    Multipart,
    Tags,
    Tiers,
    Times,
    Versions,
    Visibility,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import StorageError
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    ANY,
    PLAIN,
    WHOLE,
    ReadOptions,
    RemoveOptions,
    Stat,
    Upload,
    Version,
    Visible,
    WriteOptions,
)
from storeroom.layers._base import Layer

__all__ = ["Changing"]


class Changing(
    Layer,
    Copy,
    CopyFrom,
    Move,
    BulkRemove,
    Append,
    Visibility,
    Folders,
    Multipart,
    Attributes,
    Times,
    Tags,
    Tiers,
    Versions,
):
    """A layer that must know which files change: what only reads is handed on.

    A subclass gives `changing`, and says in `adapts` for which abilities it wants to know.
    """

    def changing(
        self, *paths: str, folder: str | None = None, body: Body | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Around a change of these paths, and of all under `folder`; it may fail, or be cancelled.

        `body` is one whose failure changes nothing.
        """
        raise NotImplementedError

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        Body.checked(body)
        whole = self.inner.traits.atomic
        async with self.changing(path, body=body if whole else None):
            return await self.inner.write(path, body, how)

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        async with self.changing(path):
            return await self.inner.remove(path, how)

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Copy)
        async with self.changing(to):
            return await native.copy_within(path, to, how)

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        native = self.inner_ability(CopyFrom)
        async with self.changing(to):
            return await native.copy_from(source, path, to, how)

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Move)
        async with self.changing(path, to):
            return await native.rename(path, to, how)

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        native = self.inner_ability(BulkRemove)
        async with self.changing(*paths):
            return await native.remove_many(paths)

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Append)
        whole = self.inner.traits.atomic_append
        async with self.changing(path, body=body if whole else None):
            return await native.extend(path, body, how)

    async def read_visibility(self, path: str, /) -> Visible:
        return await self.inner_ability(Visibility).read_visibility(path)

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        native = self.inner_ability(Visibility)
        async with self.changing(path):
            await native.change_visibility(path, visibility)

    async def has_folder(self, folder: str, /) -> bool:
        return await self.inner_ability(Folders).has_folder(folder)

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        native = self.inner_ability(Folders)
        async with self.changing(folder):
            await native.make_folder(folder, visibility)

    async def remove_folder(self, folder: str, /) -> bool:
        native = self.inner_ability(Folders)
        async with self.changing(folder=folder):
            return await native.remove_folder(folder)

    async def start_parts(self, path: str, how: WriteOptions = PLAIN, /) -> str:
        return await self.inner_ability(Multipart).start_parts(path, how)

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        return await self.inner_ability(Multipart).write_part(path, upload, number, body)

    async def presign_part(
        self, path: str, upload: str, number: int, expires: datetime, /
    ) -> Upload:
        return await self.inner_ability(Multipart).presign_part(path, upload, number, expires)

    async def list_parts(self, path: str, upload: str, /) -> Mapping[int, str]:
        return await self.inner_ability(Multipart).list_parts(path, upload)

    async def complete_parts(self, path: str, upload: str, parts: Mapping[int, str], /) -> Stat:
        native = self.inner_ability(Multipart)
        async with self.changing(path):
            return await native.complete_parts(path, upload, parts)

    async def abort_parts(self, path: str, upload: str, /) -> None:
        await self.inner_ability(Multipart).abort_parts(path, upload)

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        native = self.inner_ability(Attributes)
        async with self.changing(path):
            return await native.change_attributes(path, how)

    async def change_time(self, path: str, modified: datetime, /) -> None:
        native = self.inner_ability(Times)
        async with self.changing(path):
            await native.change_time(path, modified)

    async def read_tags(self, path: str, /) -> Mapping[str, str]:
        return await self.inner_ability(Tags).read_tags(path)

    async def change_tags(self, path: str, tags: Mapping[str, str], /) -> None:
        native = self.inner_ability(Tags)
        async with self.changing(path):
            await native.change_tags(path, tags)

    async def change_tier(self, path: str, tier: str, /) -> None:
        native = self.inner_ability(Tiers)
        async with self.changing(path):
            await native.change_tier(path, tier)

    def list_versions(self, path: str, /) -> AsyncIterator[Version]:
        return self.inner_ability(Versions).list_versions(path)

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        return await self.inner_ability(Versions).read_version(path, version, how)

    async def restore_version(self, path: str, version: str, /) -> Stat:
        native = self.inner_ability(Versions)
        async with self.changing(path):
            return await native.restore_version(path, version)

    async def remove_version(self, path: str, version: str, /) -> None:
        native = self.inner_ability(Versions)
        async with self.changing(path):
            await native.remove_version(path, version)
