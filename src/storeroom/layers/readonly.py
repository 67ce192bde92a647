"""ReadOnly: a disk that can be looked at and nothing more."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import NoReturn

from storeroom.contracts.abilities import (
    Checksum,
    Folders,
    Origin,
    PresignRead,
    PublicUrl,
    Tags,
    VerifyUrl,
    Versions,
    Visibility,
)
from storeroom.contracts.body import Body
from storeroom.contracts.errors import PermissionDenied
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    ANY,
    PLAIN,
    WHOLE,
    Grant,
    ReadOptions,
    RemoveOptions,
    Stat,
    Traits,
    Version,
    Visible,
    WriteOptions,
)
from storeroom.layers._base import Layer

__all__ = ["ReadOnly"]


class ReadOnly(Layer, VerifyUrl, Visibility, Folders, Tags, Versions):
    """The same files; whatever would change one is `PermissionDenied`, before anything is touched.

    Abilities that only change are hidden; `LocalPath` too, for a path opens for writing as well.
    `Origin` stays: it lets other disks copy from here at the service.
    """

    keeps = frozenset((PublicUrl, PresignRead, Checksum, Origin))
    adapts = frozenset((VerifyUrl, Visibility, Folders, Tags, Versions))

    def described(self, inside: Traits, /) -> Traits:
        """The traits inside, but not writable."""
        return replace(inside, writable=False)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        Body.checked(body)
        self._refuse("write", path)

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        self._refuse("remove", path)

    async def verify_url(self, url: str, method: str, /) -> Grant:
        native = self.inner_ability(VerifyUrl)
        if method not in ("GET", "HEAD"):
            self._refuse("verify_url")
        return await native.verify_url(url, method)

    async def read_visibility(self, path: str, /) -> Visible:
        return await self.inner_ability(Visibility).read_visibility(path)

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        self._refuse("change_visibility", path)

    async def has_folder(self, folder: str, /) -> bool:
        return await self.inner_ability(Folders).has_folder(folder)

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        self._refuse("make_folder", folder)

    async def remove_folder(self, folder: str, /) -> bool:
        self._refuse("remove_folder", folder)

    async def read_tags(self, path: str, /) -> Mapping[str, str]:
        return await self.inner_ability(Tags).read_tags(path)

    async def change_tags(self, path: str, tags: Mapping[str, str], /) -> None:
        self._refuse("change_tags", path)

    def list_versions(self, path: str, /) -> AsyncIterator[Version]:
        return self.inner_ability(Versions).list_versions(path)

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        return await self.inner_ability(Versions).read_version(path, version, how)

    async def restore_version(self, path: str, version: str, /) -> Stat:
        self._refuse("restore_version", path)

    async def remove_version(self, path: str, version: str, /) -> None:
        self._refuse("remove_version", path)

    def _refuse(self, operation: str, path: str | None = None) -> NoReturn:
        service = self.inner.traits.service
        reason = f"this disk ({service}) is read-only"
        raise PermissionDenied(reason, operation=operation, path=path)
