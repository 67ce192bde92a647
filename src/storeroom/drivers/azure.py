"""Files in a container of Azure Blob Storage."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any, Final, Literal, TypeVar

from storeroom.contracts import threads
from storeroom.contracts.abilities import (
    Append,
    Attributes,
    BulkRemove,
    Checksum,
    Copy,
    CopyFrom,
    Folders,
    Leases,
    Move,
    Origin,
    PresignRead,
    PresignWrite,
    PublicUrl,
    Tags,
    Tiers,
    Versions,
    has,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    InvalidPath,
    NotFound,
    StorageError,
    Unsupported,
    translating,
)
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
from storeroom.drivers._azure import keeping, removing, settings, uploading
from storeroom.drivers._azure.access import Access
from storeroom.drivers._azure.appending import Appending
from storeroom.drivers._azure.client import Client
from storeroom.drivers._azure.container import Container
from storeroom.drivers._azure.copying import copied
from storeroom.drivers._azure.direct import connected
from storeroom.drivers._azure.headers import conditions_of, md5_of, written
from storeroom.drivers._azure.listing import is_anything_under, scanned
from storeroom.drivers._azure.names import checked, checked_folder
from storeroom.drivers._azure.presigning import Presigning
from storeroom.drivers._azure.reading import AzureReading
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.target import target_of
from storeroom.drivers._http.failures import Table
from storeroom.drivers._http.listing import Strangers
from storeroom.drivers._http.place import public_address
from storeroom.drivers._http.reading import looked_at, opened
from storeroom.drivers._http.wire import Refused
from storeroom.files import Files

__all__ = ["AzureDriver"]

A = TypeVar("A")

_PART: Final = 8 << 20
_MINUTE: Final = timedelta(seconds=60)
_FOLDER: Final = {"hdi_isfolder": "true"}


class AzureDriver(
    Files,
    PublicUrl,
    PresignRead,
    PresignWrite,
    Copy,
    CopyFrom,
    Origin,
    Move,
    BulkRemove,
    Append,
    Folders,
    Checksum,
    Attributes,
    Tags,
    Tiers,
    Versions,
    Leases,
):
    """The container `container`.

    The account is `account_name`, or at `endpoint_url` (its URL; an emulator's has the account in its
    path). Who asks: `account_key`, or `sas_token`, or `credential` (an object with `get_token`, such
    as azure-identity's, also those for asyncio), or `anonymous`; a `connection_string` has the account
    and a key or signature. Without any of them, or with `credential="default"`, azure-identity's
    DefaultAzureCredential, which is closed with the driver; a credential that is given is not.

    `url` is what public addresses begin with, `temporary_url` what signed ones do. Writes go to `tier`
    unless they name another. `checksum` is what guards bodies on their way: "md5" all of them, "none"
    none; by itself those that go in one request. `verify` is False, or a file of authorities, for TLS;
    `verify_content` compares what is read with the MD5 that the service keeps.

    Bodies of more than `multipart_threshold` bytes go up in blocks of `part_size`, `concurrency` at a
    time; large files come down in such pieces, `download_concurrency` at a time. `retries` are further
    tries of one request, `timeout` the longest silence in seconds.
    """

    def __init__(
        self,
        container: str,
        /,
        *,
        account_name: str | None = None,
        account_key: str | None = None,
        connection_string: str | None = None,
        sas_token: str | None = None,
        credential: Any = None,
        anonymous: bool = False,
        endpoint_url: str | None = None,
        url: str | None = None,
        temporary_url: str | None = None,
        tier: str | None = None,
        checksum: uploading.Checksum = None,
        verify: bool | str = True,
        verify_content: bool = True,
        part_size: int = _PART,
        multipart_threshold: int = _PART,
        concurrency: int = 4,
        download_concurrency: int = 1,
        retries: int = 3,
        timeout: float = 60.0,
        paths: Literal["strict", "service"] = "strict",
    ) -> None:
        account, access = settings.account_and_access(
            account_name,
            account_key,
            connection_string,
            sas_token,
            credential,
            endpoint_url,
            anonymous=anonymous,
        )
        target = target_of(container, account)
        service = AzureService(
            target,
            access,
            lambda service: connected(service, verify=verify),
            retries=retries,
            timeout=timeout,
        )
        self.retries = retries
        self._traits = settings.traits_of(paths)
        self._service = service
        self._container = Container(
            container,
            service,
            AzureReading(
                service,
                verify=verify_content,
                concurrency=download_concurrency,
                piece=part_size,
            ),
            settings.rules_of(
                part_size=part_size,
                multipart_threshold=multipart_threshold,
                concurrency=concurrency,
                download_concurrency=download_concurrency,
                checksum=checksum,
            ),
            tier,
        )
        self._client = Client(service)
        self._appending = Appending(self._container, self._client)
        self._public = target.public(url, "url")
        self._presigning = Presigning(
            service, self._client, target.public(temporary_url, "temporary_url")
        )
        self._lacks = _lacking(access)
        self._strangers = Strangers(strict=paths == "strict")
        self._failed = service.table()
        self._taken = service.table(creating=True)

    def __repr__(self) -> str:
        return f"AzureDriver({self._container.name!r})"

    @property
    def container(self) -> str:
        """The container's name."""
        return self._container.name

    @property
    def place(self) -> str:
        """Where its files are, whatever their public addresses; nothing secret."""
        return f"{self._service.target.place.origin}{self._service.target.place.base}"

    @property
    def traits(self) -> Traits:
        return self._traits

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """Itself; but who has no key and no token signs nothing."""
        if kind in self._lacks or not has(type(self), kind):
            return None
        return self  # type: ignore[return-value]

    async def stat(self, path: str, /) -> Stat:
        path = self._path(path)
        with translating(self._failed, "stat", path):
            return await self._container.stat(path)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        path = self._path(path)
        with translating(self._failed, "read", path):
            return await opened(self._container.reading, path, how)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        body, path = Body.checked(body), self._path(path)
        with translating(self._table(how), "write", path, body=body):
            reply, size = await uploading.stored(
                self._service,
                path,
                body,
                self._container.described(how),
                conditions_of(how),
                self._container.rules,
            )
        return written(path, size, reply)

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        path = self._path(path)
        with translating(self._failed, "remove", path):
            conditions = conditions_of(WriteOptions(if_match=how.if_match))
            return await removing.remove(self._service, path, conditions)

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        folder = self._folder(folder)
        pages = scanned(self._service, folder, how, self._strangers)
        async with aclosing(pages):
            while True:
                with translating(self._failed, "scan", folder):
                    page = await anext(pages, None)
                if page is None:
                    return
                for entry in page:
                    yield entry

    async def aclose(self) -> None:
        await self._service.aclose()
        tokens = self._service.access.tokens
        if tokens is not None:
            await threads.run(tokens.close)

    def public_url(self, path: str, /) -> str:
        return public_address(self._public or self._service.target.place, self._path(path))

    async def presign_read(self, grant: Grant, /, *, ip: str | None = None) -> str:
        """A signed URL; `ip` is the only address, or range such as `10.0.0.1-10.0.0.9`, it serves."""
        self._path(grant.path)
        with translating(self._failed, "presign_read", grant.path):
            return await self._presigning.read(grant, ip)

    async def presign_write(self, grant: Grant, /, *, ip: str | None = None) -> Upload:
        """A signed upload; `ip` as for `presign_read`."""
        self._path(grant.path)
        with translating(self._failed, "presign_write", grant.path):
            return await self._presigning.write(grant, ip)

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        return self, self._path(path)

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        return await self.copy_from(self, path, to, how)

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        path, to = self._path(path), self._path(to)
        if not isinstance(source, AzureDriver):
            raise Unsupported("the other disk is not of this service", path=to)
        with translating(self._table(how), "copy", path):
            done, _ = await self._copied(source, path, to, how)
        return done

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        path, to = self._path(path), self._path(to)
        with translating(self._table(how), "move", path):
            if path == to:
                return await self._container.stat(path)
            done, before = await self._copied(self, path, to, how)
        await self.remove(path, RemoveOptions(before.etag))
        return done

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        answers: dict[str, bool | StorageError | None] = {}
        for path in paths:
            try:
                answers[self._path(path)] = None
            except InvalidPath as error:
                answers[path] = error
        doomed = [path for path, answer in answers.items() if answer is None]
        with translating(self._failed, "remove_many"):
            answers.update(await removing.remove_many(self._service, doomed, self._failed))
        return answers

    async def has_folder(self, folder: str, /) -> bool:
        folder = self._folder(folder)
        if not folder:
            return True
        with translating(self._failed, "has_folder", folder):
            if await is_anything_under(self._service, folder):
                return True
            return await removing.is_marked(self._service, folder)

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        folder = self._folder(folder)
        if not folder:
            return
        with translating(self._failed, "make_folder", folder):
            headers = self._container.described(
                WriteOptions(visibility=visibility, metadata=_FOLDER)
            )
            await uploading.put(
                self._service, f"{folder}/", b"", headers, {}, self._container.rules
            )

    async def remove_folder(self, folder: str, /) -> bool:
        folder = self._folder(folder)
        if not folder:
            raise InvalidPath("this names the root, the whole disk; name a folder on it")
        if self._traits.strict_paths:
            async with aclosing(self.scan(folder, ScanOptions(strangers="refuse"))) as entries:
                async for _ in entries:
                    pass
        with translating(self._failed, "remove_folder", folder):
            return await removing.remove_under(self._service, folder, self._failed)

    async def digest(self, path: str, algorithm: str, /) -> str:
        path = self._path(path)
        with translating(self._failed, "digest", path):
            headers = await looked_at(self._container.reading, path)
            self._container.stat_in(path, headers)
        stored = md5_of(headers) if algorithm == "md5" else None
        if stored is None:
            raise Unsupported(f"the service keeps no {algorithm} of this file", path=path)
        return stored.hex()

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        body, path = Body.checked(body), self._path(path)
        with translating(self._table(how), "extend", path, body=body):
            return await self._appending.extend(path, body, how)

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        path = self._path(path)
        with translating(self._failed, "change_attributes", path):
            await keeping.change(self._container, self._client, path, how)
        return await self.stat(path)

    async def read_tags(self, path: str, /) -> Mapping[str, str]:
        path = self._path(path)
        with translating(self._failed, "read_tags", path):
            return await keeping.read_tags(self._client, path)

    async def change_tags(self, path: str, tags: Mapping[str, str], /) -> None:
        path = self._path(path)
        with translating(self._failed, "change_tags", path):
            await keeping.change_tags(self._client, path, tags)

    async def change_tier(self, path: str, tier: str, /) -> None:
        path = self._path(path)
        with translating(self._failed, "change_tier", path):
            await keeping.change_tier(self._client, path, tier)

    async def rehydrate(
        self, path: str, tier: str = "Hot", /, *, speed: keeping.Speed = "Standard"
    ) -> None:
        """Have an archived file brought back to a tier; it takes hours, at "High" speed one or so."""
        path = self._path(path)
        with translating(self._failed, "rehydrate", path):
            await keeping.change_tier(self._client, path, tier, speed)

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        path = self._path(path)
        with translating(self._failed, "list_versions", path):
            found = await keeping.versions(self._service, path)
        for version in found:
            yield version

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        path = self._path(path)
        with translating(_of_version(self._failed), "read_version", path):
            return await opened(self._container.reading, path, how, _named(version))

    async def restore_version(self, path: str, version: str, /) -> Stat:
        path = self._path(path)
        with translating(_of_version(self._failed), "restore_version", path):
            await self._copied(self, path, path, PLAIN, _named(version))
        return await self.stat(path)

    async def remove_version(self, path: str, version: str, /) -> None:
        path = self._path(path)
        with translating(_of_version(self._failed), "remove_version", path):
            await removing.remove_version(self._service, path, _named(version))

    async def acquire_lease(self, path: str, duration: timedelta, /) -> str:
        """The lease's id; it lasts 15 to 60 seconds, or for ever with `timedelta.max`."""
        path = self._path(path)
        with translating(self._failed, "acquire_lease", path):
            return await keeping.acquire(self._service, self._client, path, duration)

    async def renew_lease(self, path: str, lease: str, /) -> None:
        path = self._path(path)
        with translating(self._failed, "renew_lease", path):
            await keeping.renew(self._client, path, lease)

    async def release_lease(self, path: str, lease: str, /) -> None:
        path = self._path(path)
        with translating(self._failed, "release_lease", path):
            await keeping.release(self._client, path, lease)

    @asynccontextmanager
    async def lease(self, path: str, /, duration: timedelta = _MINUTE) -> AsyncGenerator[str]:
        """Hold a lease while the block runs, at most for its duration, and give it back: its id."""
        held = await self.acquire_lease(path, duration)
        try:
            yield held
        except BaseException:  # which is what is told, whatever becomes of the lease
            await self._service.ended(asyncio.create_task(self.release_lease(path, held)))
            raise
        releasing = asyncio.create_task(self.release_lease(path, held))
        try:
            await asyncio.shield(releasing)
        finally:
            await self._service.ended(releasing)

    async def _copied(
        self,
        source: "AzureDriver",
        path: str,
        to: str,
        how: WriteOptions,
        version: str | None = None,
    ) -> tuple[Stat, Stat]:
        address = await source._presigning.address(path, self._service, version)
        origin = (source._container, source._client)
        target = (self._container, self._client)
        return await copied(origin, path, address, target, to, how, version)

    def _table(self, how: WriteOptions) -> Table:
        return self._failed if how.overwrite else self._taken

    def _path(self, path: str) -> str:
        return checked(path, strict=self._traits.strict_paths)

    def _folder(self, folder: str) -> str:
        return checked_folder(folder, strict=self._traits.strict_paths)


def _lacking(access: Access) -> frozenset[Callable[..., Any]]:
    """The abilities that not everybody has."""
    can_sign = access.key is not None or access.tokens is not None
    return frozenset(() if can_sign else (PresignRead, PresignWrite))


def _named(version: str) -> str:
    """The version's id; an empty one would be left out of the address, and the file itself be meant."""
    if not version:
        raise NotFound("there is no such version")
    return version


def _of_version(table: Table) -> Table:
    """The same, for requests in which only the version's id can be what is invalid."""

    def versioned(error: Exception) -> StorageError | None:
        if isinstance(error, Refused) and error.status == 400:
            return NotFound("there is no such version")
        return table(error)

    return versioned
