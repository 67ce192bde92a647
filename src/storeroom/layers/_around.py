"""Around: a layer with one hook, which every verb and every ability goes through."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import TypeVar

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
    Upload,
    Version,
    Visible,
    WriteOptions,
)
from storeroom.layers._base import Layer

__all__ = ["Around", "closed"]

T = TypeVar("T")


class Around(
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
    Sweep,
    Attributes,
    Times,
    Tags,
    Tiers,
    Versions,
    Leases,
    LocalPath,
):
    """A layer that changes when or whether things happen, never what: retries, limits, observation.

    A subclass overrides `around`. Every call that may wait goes through it, abilities' included; what
    is synchronous (`public_url`, `origin`, `local_path`) does not. A read goes through it until it is
    open, a listing until its first entry.
    """

    adapts = frozenset(ABILITIES)

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        """Do `call` and return its answer; it may be called again where `operation` allows it.

        `operation` is the method of the driver or ability, `path` the file or folder it is about, ""
        where it is about no single one.
        """
        return await call()

    async def stat(self, path: str, /) -> Stat:
        return await self.around("stat", path, lambda: self.inner.stat(path))

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        return await self.around("read", path, lambda: self.inner.read(path, how))

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        Body.checked(body)
        return await self.around("write", path, lambda: self.inner.write(path, body, how))

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        return await self.around("remove", path, lambda: self.inner.remove(path, how))

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        entries = self._begun("scan", folder, lambda: self.inner.scan(folder, how))
        async with aclosing(entries):
            async for entry in entries:
                yield entry

    def public_url(self, path: str, /) -> str:
        return self.inner_ability(PublicUrl).public_url(path)

    async def presign_read(self, grant: Grant, /) -> str:
        native = self.inner_ability(PresignRead)
        return await self.around("presign_read", grant.path, lambda: native.presign_read(grant))

    async def presign_write(self, grant: Grant, /) -> Upload:
        native = self.inner_ability(PresignWrite)
        return await self.around("presign_write", grant.path, lambda: native.presign_write(grant))

    async def presign_post(self, grant: Grant, /) -> Upload:
        native = self.inner_ability(PresignPost)
        return await self.around("presign_post", grant.path, lambda: native.presign_post(grant))

    async def verify_url(self, url: str, method: str, /) -> Grant:
        native = self.inner_ability(VerifyUrl)
        return await self.around("verify_url", "", lambda: native.verify_url(url, method))

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Copy)
        return await self.around("copy_within", path, lambda: native.copy_within(path, to, how))

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        native = self.inner_ability(CopyFrom)
        return await self.around("copy_from", to, lambda: native.copy_from(source, path, to, how))

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        return self.inner_ability(Origin).origin(path)

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Move)
        return await self.around("rename", path, lambda: native.rename(path, to, how))

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        native = self.inner_ability(BulkRemove)
        return await self.around("remove_many", "", lambda: native.remove_many(paths))

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Append)
        return await self.around("extend", path, lambda: native.extend(path, body, how))

    async def read_visibility(self, path: str, /) -> Visible:
        native = self.inner_ability(Visibility)
        return await self.around("read_visibility", path, lambda: native.read_visibility(path))

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        native = self.inner_ability(Visibility)
        await self.around(
            "change_visibility", path, lambda: native.change_visibility(path, visibility)
        )

    async def has_folder(self, folder: str, /) -> bool:
        native = self.inner_ability(Folders)
        return await self.around("has_folder", folder, lambda: native.has_folder(folder))

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        native = self.inner_ability(Folders)
        await self.around("make_folder", folder, lambda: native.make_folder(folder, visibility))

    async def remove_folder(self, folder: str, /) -> bool:
        native = self.inner_ability(Folders)
        return await self.around("remove_folder", folder, lambda: native.remove_folder(folder))

    async def digest(self, path: str, algorithm: str, /) -> str:
        native = self.inner_ability(Checksum)
        return await self.around("digest", path, lambda: native.digest(path, algorithm))

    async def start_parts(self, path: str, how: WriteOptions = PLAIN, /) -> str:
        native = self.inner_ability(Multipart)
        return await self.around("start_parts", path, lambda: native.start_parts(path, how))

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        native = self.inner_ability(Multipart)
        return await self.around(
            "write_part", path, lambda: native.write_part(path, upload, number, body)
        )

    async def presign_part(
        self, path: str, upload: str, number: int, expires: datetime, /
    ) -> Upload:
        native = self.inner_ability(Multipart)
        return await self.around(
            "presign_part", path, lambda: native.presign_part(path, upload, number, expires)
        )

    async def list_parts(self, path: str, upload: str, /) -> Mapping[int, str]:
        native = self.inner_ability(Multipart)
        return await self.around("list_parts", path, lambda: native.list_parts(path, upload))

    async def complete_parts(self, path: str, upload: str, parts: Mapping[int, str], /) -> Stat:
        native = self.inner_ability(Multipart)
        return await self.around(
            "complete_parts", path, lambda: native.complete_parts(path, upload, parts)
        )

    async def abort_parts(self, path: str, upload: str, /) -> None:
        native = self.inner_ability(Multipart)
        await self.around("abort_parts", path, lambda: native.abort_parts(path, upload))

    async def sweep(self, older_than: timedelta, /) -> int:
        native = self.inner_ability(Sweep)
        return await self.around("sweep", "", lambda: native.sweep(older_than))

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        native = self.inner_ability(Attributes)
        return await self.around(
            "change_attributes", path, lambda: native.change_attributes(path, how)
        )

    async def change_time(self, path: str, modified: datetime, /) -> None:
        native = self.inner_ability(Times)
        await self.around("change_time", path, lambda: native.change_time(path, modified))

    async def read_tags(self, path: str, /) -> Mapping[str, str]:
        native = self.inner_ability(Tags)
        return await self.around("read_tags", path, lambda: native.read_tags(path))

    async def change_tags(self, path: str, tags: Mapping[str, str], /) -> None:
        native = self.inner_ability(Tags)
        await self.around("change_tags", path, lambda: native.change_tags(path, tags))

    async def change_tier(self, path: str, tier: str, /) -> None:
        native = self.inner_ability(Tiers)
        await self.around("change_tier", path, lambda: native.change_tier(path, tier))

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        native = self.inner_ability(Versions)
        versions = self._begun("list_versions", path, lambda: native.list_versions(path))
        async with aclosing(versions):
            async for version in versions:
                yield version

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        native = self.inner_ability(Versions)
        return await self.around(
            "read_version", path, lambda: native.read_version(path, version, how)
        )

    async def restore_version(self, path: str, version: str, /) -> Stat:
        native = self.inner_ability(Versions)
        return await self.around(
            "restore_version", path, lambda: native.restore_version(path, version)
        )

    async def remove_version(self, path: str, version: str, /) -> None:
        native = self.inner_ability(Versions)
        await self.around("remove_version", path, lambda: native.remove_version(path, version))

    async def acquire_lease(self, path: str, duration: timedelta, /) -> str:
        native = self.inner_ability(Leases)
        return await self.around(
            "acquire_lease", path, lambda: native.acquire_lease(path, duration)
        )

    async def renew_lease(self, path: str, lease: str, /) -> None:
        native = self.inner_ability(Leases)
        await self.around("renew_lease", path, lambda: native.renew_lease(path, lease))

    async def release_lease(self, path: str, lease: str, /) -> None:
        native = self.inner_ability(Leases)
        await self.around("release_lease", path, lambda: native.release_lease(path, lease))

    def local_path(self, path: str, /) -> str:
        return self.inner_ability(LocalPath).local_path(path)

    async def _begun(
        self, operation: str, path: str, start: Callable[[], AsyncIterator[T]]
    ) -> AsyncGenerator[T]:
        """The items of `start()`, whose first one is waited for in the hook."""
        items, first = await self.around(operation, path, lambda: _opened(start()))
        try:
            if first:
                yield first[0]
                async for item in items:
                    yield item
        finally:
            await closed(items)


async def _opened(items: AsyncIterator[T]) -> tuple[AsyncIterator[T], list[T]]:
    try:
        return items, [await anext(items)]
    except StopAsyncIteration:
        return items, []
    except BaseException:
        await closed(items)
        raise


async def closed(items: AsyncIterator[object]) -> None:
    """Close an iteration that can be closed."""
    if isinstance(items, AsyncGenerator):
        await items.aclose()
