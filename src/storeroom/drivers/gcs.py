"""Files in a bucket of Google Cloud Storage."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Literal, TypeVar

from storeroom.contracts.abilities import (
    Attributes,
    BulkRemove,
    Checksum,
    Copy,
    CopyFrom,
    Folders,
    Move,
    Multipart,
    Origin,
    PresignPost,
    PresignRead,
    PresignWrite,
    PublicUrl,
    Sweep,
    Tiers,
    Versions,
    Visibility,
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
from storeroom.contracts.paths import check_folder, check_path
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
    check_visibility,
)
from storeroom.drivers._gcs import composing, keeping, removing, settings, uploading
from storeroom.drivers._gcs.bucket import Bucket
from storeroom.drivers._gcs.checksums import digest_of
from storeroom.drivers._gcs.conditions import Query, generation_of, is_generation
from storeroom.drivers._gcs.connecting import Connecting, Transporting
from storeroom.drivers._gcs.copying import copied, moved, retiered
from storeroom.drivers._gcs.credentials import Bearer, Identity
from storeroom.drivers._gcs.facts import stat_of
from storeroom.drivers._gcs.listing import PARTS, any_under, page_of
from storeroom.drivers._gcs.presigning import Presigning
from storeroom.drivers._gcs.reading import GCSReading
from storeroom.drivers._gcs.service import Service
from storeroom.drivers._gcs.target import target_of
from storeroom.drivers._http.failures import Table
from storeroom.drivers._http.listing import Scan, Strangers
from storeroom.drivers._http.place import public_address
from storeroom.drivers._http.reading import opened
from storeroom.drivers._http.renewal import Keys
from storeroom.drivers._http.wire import Refused
from storeroom.files import Files

__all__ = ["GCSDriver"]

A = TypeVar("A")

_PART: Final = 8 << 20
_TYPE_OF_FOLDERS: Final = "application/x-directory"
_HASHES: Final = {"md5": "md5Hash", "crc32c": "crc32c"}


class GCSDriver(
    Files,
    PublicUrl,
    PresignRead,
    PresignWrite,
    PresignPost,
    Copy,
    CopyFrom,
    Origin,
    Move,
    BulkRemove,
    Visibility,
    Folders,
    Checksum,
    Multipart,
    Sweep,
    Attributes,
    Tiers,
    Versions,
):
    """The bucket `bucket`.

    Credentials: the file `credentials_path`, or its contents as `credentials` (a mapping, or JSON), or
    either of them as `key_file`, or `anonymous`; without any of them what Google's own clients find:
    GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, the machine's account. `user_project` pays for the
    requests where the bucket has it so; `project_id` is Laravel's, and a bucket is found without.

    `endpoint_url` is an emulator's or a private one; without it STORAGE_EMULATOR_HOST is heeded. `url`
    is what public addresses begin with, `temporary_url` what signed ones do. Writes take `visibility`,
    where `uniform_access` is False, and `tier`, unless they say another; None sends nothing. `verify`
    is False, or a file of authorities, for TLS; `verify_content` compares what is read with the
    checksum that the service keeps.

    Bodies of more than `multipart_threshold` bytes go up in a resumable session by chunks of
    `part_size`, a multiple of 256 KiB; large files come down in such parts, `download_concurrency` at
    a time. `retries` are further tries of one request, `timeout` the longest silence in seconds.
    `transport="sdk"` sends everything through gcloud-aio-storage's session instead of our own client.
    """

    def __init__(
        self,
        bucket: str,
        /,
        *,
        project_id: str | None = None,
        credentials_path: str | None = None,
        credentials: Mapping[str, Any] | str | None = None,
        key_file: Mapping[str, Any] | str | None = None,
        anonymous: bool = False,
        user_project: str | None = None,
        endpoint_url: str | None = None,
        url: str | None = None,
        temporary_url: str | None = None,
        visibility: Visible | None = None,
        uniform_access: bool = True,
        tier: str | None = None,
        verify: bool | str = True,
        verify_content: bool = True,
        part_size: int = _PART,
        multipart_threshold: int = _PART,
        download_concurrency: int = 1,
        retries: int = 3,
        timeout: float = 60.0,
        paths: Literal["strict", "service"] = "strict",
        transport: Transporting = "direct",
    ) -> None:
        target, emulated = target_of(bucket, endpoint_url, user_project)
        known = settings.known_of(
            credentials_path,
            credentials,
            key_file,
            target,
            anonymous=anonymous,
            emulated=emulated,
        )
        identity = None
        if not known.anonymous:
            identity = Identity(
                known.given,
                known.path,
                authority=verify if isinstance(verify, str) else None,
                proxied=transport == "sdk",
                retries=retries,
                timeout=timeout,
            )
        keys = Keys[Bearer](None, identity)
        connecting = Connecting(target, keys, transport=transport, verify=verify, timeout=timeout)
        service = Service(target, keys, connecting.open, retries=retries, timeout=timeout)
        rules = settings.rules_of(
            part_size=part_size,
            multipart_threshold=multipart_threshold,
            download_concurrency=download_concurrency,
        )
        reading = GCSReading(
            service, verify=verify_content, concurrency=download_concurrency, piece=part_size
        )
        self.retries = retries
        self._traits = settings.traits_of(paths, uniform=uniform_access)
        self._service = service
        self._bucket = Bucket(
            bucket,
            service,
            self._traits,
            reading,
            rules,
            settings.visibility_of(visibility, uniform=uniform_access),
            settings.tier_of(tier),
        )
        self._place = target.place
        self._public = target.public(url, "url") or target.place
        self._presigning = Presigning(
            service, identity, target.public(temporary_url, "temporary_url")
        )
        self._neighbours = (target.origin, target.base, user_project, *known.mark)
        self._page_of = partial(page_of, service)
        self._strangers = Strangers(strict=paths == "strict")
        self._lacks = _lacking(anonymous=known.anonymous, uniform=uniform_access)
        self._failed = service.table()
        self._taken = service.table(creating=True)

    def __repr__(self) -> str:
        return f"GCSDriver({self._bucket.name!r})"

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket.name

    @property
    def place(self) -> str:
        """Where its files are, whatever their public addresses; nothing secret."""
        return f"{self._place.origin}{self._place.base}"

    @property
    def traits(self) -> Traits:
        return self._traits

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """Itself, but for what the bucket or an anonymous disk lacks."""
        if kind in self._lacks or not has(type(self), kind):
            return None
        return self  # type: ignore[return-value]

    async def stat(self, path: str, /) -> Stat:
        path = self._path(path)
        with translating(self._failed, "stat", path):
            return await self._bucket.stat(path)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        path = self._path(path)
        with translating(self._failed, "read", path):
            return await self._opened(path, how)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        body, path = Body.checked(body), self._path(path)
        with translating(self._table(how), "write", path, body=body):
            return await self._stored(path, body, how)

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        path = self._path(path)
        with translating(self._failed, "remove", path):
            query: Query = ()
            if how.if_match is not None:
                query = (("ifGenerationMatch", generation_of(how.if_match)),)
            return await removing.remove(self._bucket, path, query)

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        folder = self._folder(folder)
        pages = Scan(self._page_of, folder, how, self._strangers).pages()
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

    def public_url(self, path: str, /) -> str:
        return public_address(self._public, self._path(path))

    async def presign_read(self, grant: Grant, /) -> str:
        self._path(grant.path)
        with translating(self._failed, "presign_read", grant.path):
            return await self._presigning.read(grant)

    async def presign_write(self, grant: Grant, /) -> Upload:
        self._path(grant.path)
        with translating(self._failed, "presign_write", grant.path):
            return await self._presigning.write(grant)

    async def presign_post(self, grant: Grant, /) -> Upload:
        path = self._path(grant.path)
        if not grant.overwrite:
            raise Unsupported("a form cannot keep what is there; give no max_size", path=path)
        with translating(self._failed, "presign_post", path):
            return await self._presigning.form(
                grant.expires,
                path=path,
                max_size=grant.max_size,
                content_type=grant.content_type,
            )

    async def presign_form(
        self,
        prefix: str,
        expires: datetime,
        /,
        *,
        min_size: int = 0,
        max_size: int | None = None,
        content_type: str | None = None,
    ) -> Upload:
        """A signed form for files of any name behind `prefix`; a type such as "image/" is a prefix too."""
        with translating(self._failed, "presign_form", prefix):
            return await self._presigning.form(
                expires,
                prefix=prefix,
                min_size=min_size,
                max_size=max_size,
                content_type=content_type,
            )

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        return self, self._path(path)

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        return await self.copy_from(self, path, to, how)

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        path, to = self._path(path), self._path(to)
        if not isinstance(source, GCSDriver) or source._neighbours != self._neighbours:
            raise Unsupported("the other disk is not of this service and account", path=to)
        with translating(self._table(how), "copy", path):
            return stat_of(to, await copied(source._bucket, path, self._bucket, to, how))

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        path, to = self._path(path), self._path(to)
        with translating(self._table(how), "move", path):
            if path == to:
                return await self._bucket.stat(path)
            generation, told = await moved(self._bucket, path, to, how)
        await self.remove(path, RemoveOptions(generation))
        return stat_of(to, told)

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
            answers.update(await removing.remove_many(self._bucket, doomed))
        return answers

    async def read_visibility(self, path: str, /) -> Visible:
        path = self._path(path)
        with translating(self._failed, "read_visibility", path):
            return await keeping.read_visibility(self._bucket, path)

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        path = self._path(path)
        check_visibility(visibility)
        with translating(self._failed, "change_visibility", path):
            await keeping.change_visibility(self._bucket, path, visibility)

    async def has_folder(self, folder: str, /) -> bool:
        folder = self._folder(folder)
        if not folder:
            return True
        with translating(self._failed, "has_folder", folder):
            return await any_under(self._service, f"{folder}/")

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        folder = self._folder(folder)
        if not folder:
            return
        how = WriteOptions(content_type=_TYPE_OF_FOLDERS, visibility=visibility)
        with translating(self._failed, "make_folder", folder):
            await self._stored(f"{folder}/", Body(b""), how)

    async def remove_folder(self, folder: str, /) -> bool:
        folder = self._folder(folder)
        if not folder:
            raise InvalidPath("this names the root, the whole disk; name a folder on it")
        if self._traits.strict_paths:
            async with aclosing(self.scan(folder, ScanOptions(strangers="refuse"))) as entries:
                async for _ in entries:
                    pass
        with translating(self._failed, "remove_folder", folder):
            return await removing.remove_under(self._bucket, folder)

    async def digest(self, path: str, algorithm: str, /) -> str:
        path = self._path(path)
        with translating(self._failed, "digest", path):
            told = await self._bucket.resource(path)
        stored = digest_of(told.get(_HASHES.get(algorithm, "")))
        if stored is None:
            raise Unsupported(f"the service keeps no {algorithm} of this file", path=path)
        return stored.hex()

    async def start_parts(self, path: str, how: WriteOptions = PLAIN, /) -> str:
        path = self._path(path)
        with translating(self._failed, "start_parts", path):
            if not how.overwrite or how.if_match is not None:
                raise Unsupported("the condition belongs to the end of an upload, not its start")
            return await composing.start(self._bucket, path, how)

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        body, path = Body.checked(body), self._path(path)
        with translating(self._failed, "write_part", path, body=body):
            return await composing.write(self._bucket, path, upload, number, body)

    async def presign_part(
        self, path: str, upload: str, number: int, expires: datetime, /
    ) -> Upload:
        path = self._path(path)
        with translating(self._failed, "presign_part", path):
            key, headers = await composing.signable(self._bucket, path, upload, number)
            return await self._presigning.put(key, expires, headers)

    async def list_parts(self, path: str, upload: str, /) -> Mapping[int, str]:
        path = self._path(path)
        with translating(self._failed, "list_parts", path):
            return await composing.list_parts(self._bucket, path, upload)

    async def complete_parts(self, path: str, upload: str, parts: Mapping[int, str], /) -> Stat:
        path = self._path(path)
        with translating(self._failed, "complete_parts", path):
            return stat_of(path, await composing.complete(self._bucket, path, upload, parts))

    async def abort_parts(self, path: str, upload: str, /) -> None:
        path = self._path(path)
        with translating(self._failed, "abort_parts", path):
            await composing.abort(self._bucket, path, upload)

    async def sweep(self, older_than: timedelta, /) -> int:
        """Throw away the parts of uploads to this bucket that were begun longer ago than this."""
        with translating(self._failed, "sweep"):
            return await composing.sweep(self._bucket, datetime.now(UTC) - older_than)

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        path = self._path(path)
        with translating(self._failed, "change_attributes", path):
            return stat_of(path, await keeping.change_attributes(self._bucket, path, how))

    async def change_tier(self, path: str, tier: str, /) -> None:
        path = self._path(path)
        with translating(self._failed, "change_tier", path):
            await retiered(self._bucket, path, tier)

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        path = self._path(path)
        with translating(self._failed, "list_versions", path):
            found = await keeping.versions(self._bucket, path)
        for version in found:
            yield version

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        path = self._path(path)
        with translating(_of_version(self._failed), "read_version", path):
            return await self._opened(path, how, _known(version))

    async def restore_version(self, path: str, version: str, /) -> Stat:
        path = self._path(path)
        with translating(_of_version(self._failed), "restore_version", path):
            return stat_of(path, await keeping.restore_version(self._bucket, path, _known(version)))

    async def remove_version(self, path: str, version: str, /) -> None:
        path = self._path(path)
        with translating(_of_version(self._failed), "remove_version", path):
            await removing.remove(self._bucket, path, (("generation", _known(version)),))

    async def _opened(self, path: str, how: ReadOptions, version: str | None = None) -> Source:
        try:
            return await opened(self._bucket.reading, path, how, version)
        except Refused as refused:
            await self._bucket.check_there(refused)
            raise

    async def _stored(self, path: str, body: Body, how: WriteOptions) -> Stat:
        bucket = self._bucket
        told = await uploading.stored(
            self._service, path, body, bucket.described(how), bucket.writing(how), bucket.rules
        )
        return stat_of(path, told)

    def _table(self, how: WriteOptions) -> Table:
        return self._failed if how.overwrite else self._taken

    def _path(self, path: str) -> str:
        path = check_path(path, strict=self._traits.strict_paths)
        if not self._traits.strict_paths:
            _check_name(path)
        return path

    def _folder(self, folder: str) -> str:
        return check_folder(folder, strict=self._traits.strict_paths)


def _lacking(*, anonymous: bool, uniform: bool) -> frozenset[Callable[..., Any]]:
    """The abilities that nobody in particular has, and those of buckets with access lists."""
    signing = (PresignRead, PresignWrite, PresignPost) if anonymous else ()
    return frozenset((*signing, *((Visibility,) if uniform else ())))


def _of_version(table: Table) -> Table:
    """The same, for requests in which only the version's id can be what is invalid."""

    def versioned(error: Exception) -> StorageError | None:
        if isinstance(error, Refused) and error.status == 400:
            return NotFound("there is no such version")
        return table(error)

    return versioned


def _known(version: str) -> str:
    """The version's id, if it can be any's."""
    if not is_generation(version):
        raise NotFound("there is no such version")
    return version


def _check_name(path: str) -> None:
    """Of the names that the path rule would have refused too."""
    if not {".", ".."}.isdisjoint(path.split("/")):
        raise InvalidPath("it holds the segment '.' or '..', which leads elsewhere in an address")
    if path.startswith(PARTS):
        raise InvalidPath(f"names beginning {PARTS!r} are storeroom's own; choose another name")
