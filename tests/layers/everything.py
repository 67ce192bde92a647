"""A driver with every ability there is, so that a layer can be asked about each."""

from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from storeroom.contracts.abilities import (
    ABILITIES,
    Leases,
    LocalPath,
    Multipart,
    PresignPost,
    PresignRead,
    PresignWrite,
    Sweep,
    VerifyUrl,
    Versions,
    find,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import NotFound, PreconditionFailed
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    PLAIN,
    WHOLE,
    Grant,
    ReadOptions,
    Stat,
    Upload,
    Version,
    WriteOptions,
)
from storeroom.drivers.memory import MemoryDriver
from storeroom.signing import SigningKeys, UrlSigner

METHODS = {
    name: kind
    for kind in ABILITIES
    for name in vars(kind)
    if not name.startswith("_") and callable(getattr(kind, name))
}
"""Every method of every ability, with its ability."""


class Everything(
    MemoryDriver,
    PresignRead,
    PresignWrite,
    PresignPost,
    VerifyUrl,
    Multipart,
    Sweep,
    Versions,
    Leases,
    LocalPath,
):
    """A memory disk with all abilities; what it adds is only as good as these tests need."""

    def __init__(
        self, *, paths: Literal["strict", "service"] = "strict", root: str = "/srv"
    ) -> None:
        self.root = root
        super().__init__(paths=paths)
        self.closings = 0
        self.addressed: set[str] = set()
        self.parts: dict[tuple[str, str], dict[int, bytes]] = {}
        self.leases: dict[str, str] = {}
        self.former: dict[tuple[str, str], bytes] = {}
        self._signer = UrlSigner(SigningKeys("0123456789abcdef"), MemoryDriver(), "everything")

    def whole(self) -> dict[str, object]:
        """Everything that is stored, by path, for comparing."""
        found: dict[str, object] = dict(self._store.objects)
        for folder in self._store.folders:
            found[f"{folder}/"] = "folder"
        for path, upload in self.parts:
            found[f"{path}/ part {upload}"] = dict(self.parts[path, upload])
        for path, lease in self.leases.items():
            found[f"{path}/ lease"] = lease
        for path, version in self.former:
            found[f"{path}/ version {version}"] = self.former[path, version]
        return found

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        found = self._store.objects.get(path)
        stat = await super().write(path, body, how)
        if found is not None:
            self.former[path, found.stat.etag or ""] = found.content
        return stat

    async def aclose(self) -> None:
        self.closings += 1
        await super().aclose()

    async def presign_read(self, grant: Grant, /) -> str:
        return await self._signer.presign_read(self._granted(grant))

    async def presign_write(self, grant: Grant, /) -> Upload:
        return await self._signer.presign_write(self._granted(grant))

    async def presign_post(self, grant: Grant, /) -> Upload:
        return Upload("https://form", "POST", fields={"key": self._granted(grant).path})

    async def verify_url(self, url: str, method: str, /) -> Grant:
        return await self._signer.verify_url(url, method)

    async def start_parts(self, path: str, how: WriteOptions = PLAIN, /) -> str:
        upload = f"upload-{len(self.parts)}"
        self.parts[self._checked(path), upload] = {}
        return upload

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        self._upload(path, upload)[number] = await body.content()
        return f"part-{number}"

    async def presign_part(
        self, path: str, upload: str, number: int, expires: datetime, /
    ) -> Upload:
        self._upload(path, upload)
        return Upload(f"{self.public_url(path)}?upload={upload}&part={number}")

    async def list_parts(self, path: str, upload: str, /) -> Mapping[int, str]:
        return {number: f"part-{number}" for number in self._upload(path, upload)}

    async def complete_parts(self, path: str, upload: str, parts: Mapping[int, str], /) -> Stat:
        held = self._upload(path, upload)
        del self.parts[path, upload]
        return await self.write(path, Body(b"".join(held[number] for number in sorted(parts))))

    async def abort_parts(self, path: str, upload: str, /) -> None:
        self.parts.pop((self._checked(path), upload), None)

    async def sweep(self, older_than: timedelta, /) -> int:
        count = len(self.parts)
        self.parts.clear()
        return count

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        for at, version in reversed(self.former):
            if at == self._checked(path):
                yield Version(path, version)

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        return Source(Stat(path), self._version(path, version)[how.start : how.stop])

    async def restore_version(self, path: str, version: str, /) -> Stat:
        return await self.write(path, Body(self._version(path, version)))

    async def remove_version(self, path: str, version: str, /) -> None:
        self._version(path, version)
        del self.former[path, version]

    async def acquire_lease(self, path: str, duration: timedelta, /) -> str:
        if self._checked(path) in self.leases:
            raise PreconditionFailed("somebody holds a lease", path=path)
        return self.leases.setdefault(path, "lease")

    async def renew_lease(self, path: str, lease: str, /) -> None:
        if self.leases.get(self._checked(path)) != lease:
            raise PreconditionFailed("not the lease", path=path)

    async def release_lease(self, path: str, lease: str, /) -> None:
        await self.renew_lease(path, lease)
        del self.leases[path]

    def local_path(self, path: str, /) -> str:
        return f"{self.root}/{self._checked(path)}"

    def _checked(self, path: str) -> str:
        self.addressed.add(path)
        return super()._checked(path)

    def _granted(self, grant: Grant) -> Grant:
        self._checked(grant.path)
        return grant

    def _upload(self, path: str, upload: str) -> dict[int, bytes]:
        if (self._checked(path), upload) not in self.parts:
            raise NotFound("no such upload", path=path)
        return self.parts[path, upload]

    def _version(self, path: str, version: str) -> bytes:
        if (self._checked(path), version) not in self.former:
            raise NotFound("no such version", path=path)
        return self.former[path, version]


class Bare:
    """The six verbs of another driver and nothing else, as a third party writes them."""

    def __init__(self, driver: StorageDriver) -> None:
        self._driver = driver
        for verb in ("stat", "read", "write", "remove", "scan", "aclose"):
            setattr(self, verb, getattr(driver, verb))

    @property
    def traits(self) -> Any:
        return self._driver.traits


def fate(layer: Any, inner: Any, kind: Callable[..., Any]) -> str:
    """What becomes of an ability: "kept", "adapted", "added" or "hidden"."""
    found, inside = find(layer, kind), find(inner, kind)
    if found is None:
        return "hidden"
    if inside is None:
        return "added"
    return "kept" if found is inside else "adapted"


def fates(layer: Any, inner: Any) -> Mapping[str, set[str]]:
    """The names of the abilities by what becomes of them."""
    table: dict[str, set[str]] = {}
    for kind in ABILITIES:
        table.setdefault(fate(layer, inner, kind), set()).add(cast(Any, kind).__name__)
    return table


async def filled(driver: StorageDriver, *paths: str) -> None:
    """A file at each path, whose content is its path."""
    for path in paths:
        await driver.write(path, Body(path.encode()))
