"""Files in a bucket of Amazon S3, or of any service that speaks its language."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
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
    Tags,
    Tiers,
    Versions,
    Visibility,
    has,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    InvalidArgument,
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
from storeroom.drivers._http.failures import Table
from storeroom.drivers._http.listing import Scan, Strangers
from storeroom.drivers._http.place import public_address
from storeroom.drivers._http.reading import opened
from storeroom.drivers._http.wire import Refused
from storeroom.drivers._s3 import keeping, removing, settings, uploading
from storeroom.drivers._s3.bucket import Bucket
from storeroom.drivers._s3.connecting import Connecting, Transporting
from storeroom.drivers._s3.copying import copied
from storeroom.drivers._s3.guards import stored_digest
from storeroom.drivers._s3.listing import page_of
from storeroom.drivers._s3.presets import Checksum as Guard
from storeroom.drivers._s3.presets import Preset
from storeroom.drivers._s3.presigning import Presigning
from storeroom.drivers._s3.reading import S3Reading
from storeroom.drivers._s3.service import Service
from storeroom.files import Files

__all__ = ["S3Driver"]

A = TypeVar("A")

_PART: Final = 8 << 20
_TYPE_OF_FOLDERS: Final = "application/x-directory"


class S3Driver(
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
    Tags,
    Tiers,
    Versions,
):
    """The bucket `bucket`.

    `provider` names a preset (aws, minio, r2, spaces, b2, wasabi, ceph, gcs-interop; custom wherever
    only `endpoint_url` is given), `features` overrides it key by key, `account` is part of R2's
    address. Credentials: `access_key` with `secret_key` (and `session_token`), or a `profile`, or
    `anonymous`; without any of them what the SDK's chain finds, refreshed while running.

    `url` is what public addresses begin with, `temporary_url` what signed ones do. Writes take
    `visibility` or a canned `acl`, and `tier`, unless they say another; None sends nothing.
    `encryption` is "AES256" or "aws:kms" (with `kms_key_id`), `customer_key` 32 bytes in base64
    that never stay at the service. `verify` is False, or a file of authorities, for TLS;
    `verify_content` compares what is read with the checksum that the service keeps.

    Bodies of more than `multipart_threshold` bytes go up in parts of `part_size`, `concurrency` at a
    time; large files come down in such parts, `download_concurrency` at a time. `retries` are further tries of one request, `timeout` the longest silence in seconds.
    `transport="sdk"` sends everything through aioboto3 instead of our own client.

    With `cdn_key_id` and `cdn_private_key` (RSA, PEM) the domain of `url` is CloudFront's, and
    temporary URLs are signed for it.
    """

    def __init__(
        self,
        bucket: str,
        /,
        *,
        provider: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        session_token: str | None = None,
        profile: str | None = None,
        anonymous: bool = False,
        endpoint_url: str | None = None,
        account: str | None = None,
        path_style: bool | None = None,
        url: str | None = None,
        temporary_url: str | None = None,
        visibility: Visible | None = None,
        acl: str | None = None,
        tier: str | None = None,
        encryption: str | None = None,
        kms_key_id: str | None = None,
        customer_key: str | None = None,
        checksum: Guard | None = None,
        verify: bool | str = True,
        verify_content: bool = True,
        part_size: int = _PART,
        multipart_threshold: int = _PART,
        concurrency: int = 4,
        download_concurrency: int = 1,
        retries: int = 3,
        timeout: float = 60.0,
        paths: Literal["strict", "service"] = "strict",
        features: Mapping[str, Any] | None = None,
        transport: Transporting = "direct",
        cdn_key_id: str | None = None,
        cdn_private_key: str | None = None,
    ) -> None:
        target = settings.target_of(
            bucket,
            provider=provider,
            region=region,
            endpoint_url=endpoint_url,
            account=account,
            path_style=path_style,
            checksum=checksum,
            features=features,
        )
        keys, chain = settings.keys_of(
            access_key, secret_key, session_token, profile, anonymous=anonymous
        )
        signing = settings.Account(
            profile,
            anonymous,
            target.endpoint,
            target.region,
            target.preset.path_style,
            target.preset.checksum,
            verify,
            timeout,
        )
        encrypted = settings.encryption_of(encryption, kms_key_id, customer_key)
        connecting = Connecting(target, signing, chain, transport=transport)
        service = Service(target, keys, connecting.open, retries=retries, timeout=timeout)
        self.retries = retries
        self._traits = settings.traits_of(target.preset, paths)
        self._service = service
        self._bucket = Bucket(
            bucket,
            service,
            target.preset,
            self._traits,
            S3Reading(
                service,
                target.preset,
                encrypted.reading,
                verify=verify_content,
                concurrency=download_concurrency,
                piece=part_size,
            ),
            settings.rules_of(
                target.preset,
                encrypted,
                part_size=part_size,
                multipart_threshold=multipart_threshold,
                concurrency=concurrency,
                download_concurrency=download_concurrency,
            ),
            encrypted,
            settings.acl_of(target.preset, visibility, acl),
            settings.tier_of(target.preset, tier),
        )
        self._place = target.place()
        self._public = target.public(url, "url")
        self._presigning = Presigning(
            self._bucket,
            target.public(temporary_url, "temporary_url"),
            settings.cdn_of(self._public, cdn_key_id, cdn_private_key),
        )
        self._neighbours = (target.endpoint, access_key, profile, anonymous)
        self._page_of = partial(page_of, service)
        self._strangers = Strangers(strict=paths == "strict")
        self._lacks = _lacking(target.preset, anonymous=anonymous)
        self._failed = service.table()
        self._taken = service.table(creating=True)

    def __repr__(self) -> str:
        return f"S3Driver({self._bucket.name!r})"

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
        """Itself, but for what the provider lacks."""
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
            return await opened(self._bucket.reading, path, how)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        body, path = Body.checked(body), self._path(path)
        with translating(self._table(how), "write", path, body=body):
            conditions = self._bucket.conditions(how, "write")
            reply, size = await uploading.stored(
                self._service,
                path,
                body,
                self._bucket.described(how),
                conditions,
                self._bucket.rules,
            )
        return Stat(path, size, etag=reply.get("etag"), version=reply.get("x-amz-version-id"))

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        path = self._path(path)
        with translating(self._failed, "remove", path):
            headers: dict[str, str] = {}
            if how.if_match is not None:
                headers = self._bucket.conditions(WriteOptions(if_match=how.if_match), "remove")
            await removing.remove(self._service, path, headers)
        return None

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
        return public_address(self._public or self._service.spot.place, self._path(path))

    async def presign_read(self, grant: Grant, /) -> str:
        self._path(grant.path)
        with translating(self._failed, "presign_read", grant.path):
            return await self._presigning.read(grant)

    def signed_cookies(self, pattern: str, expires: datetime, /) -> dict[str, str]:
        """Cookies that let a browser read all paths of the CDN that match, such as `videos/42/*`."""
        return self._presigning.cookies(pattern, expires)

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
        if not isinstance(source, S3Driver) or source._neighbours != self._neighbours:
            raise Unsupported("the other disk is not of this service and account", path=to)
        with translating(self._table(how), "copy", path):
            return await copied(source._bucket, path, self._bucket, to, how)

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        path, to = self._path(path), self._path(to)
        with translating(self._table(how), "move", path):
            before = await self._bucket.stat(path)
            if path == to:
                return before
            done = await copied(self._bucket, path, self._bucket, to, how, before)
        conditions = RemoveOptions(before.etag if "if_match" in self._traits.conditions else None)
        await self.remove(path, conditions)
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
            answers.update(
                await removing.remove_many(self._service, doomed, self._bucket.preset.bulk)
            )
        return answers

    async def read_visibility(self, path: str, /) -> Visible:
        path = self._path(path)
        with translating(self._failed, "read_visibility", path):
            return await keeping.read_visibility(self._service, path)

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        path = self._path(path)
        check_visibility(visibility)
        with translating(self._failed, "change_visibility", path):
            await keeping.change_visibility(self._service, path, visibility)

    async def has_folder(self, folder: str, /) -> bool:
        folder = self._folder(folder)
        if not folder:
            return True
        with translating(self._failed, "has_folder", folder):
            return bool((await self._page_of(f"{folder}/", most="1")).objects)

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        folder = self._folder(folder)
        if not folder:
            return
        how = WriteOptions(content_type=_TYPE_OF_FOLDERS, visibility=visibility)
        with translating(self._failed, "make_folder", folder):
            await uploading.stored(
                self._service,
                f"{folder}/",
                Body(b""),
                self._bucket.described(how),
                {},
                self._bucket.rules,
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
            return await removing.remove_under(self._service, folder, self._bucket.preset.bulk)

    async def digest(self, path: str, algorithm: str, /) -> str:
        path = self._path(path)
        with translating(self._failed, "digest", path):
            headers = await self._bucket.headers_of(path)
            stored = stored_digest(headers, algorithm, md5_etags=self._bucket.preset.md5_etags)
        if stored is None:
            raise Unsupported(f"the service keeps no {algorithm} of this file", path=path)
        return stored

    async def start_parts(self, path: str, how: WriteOptions = PLAIN, /) -> str:
        path = self._path(path)
        with translating(self._failed, "start_parts", path):
            if not how.overwrite or how.if_match is not None:
                raise Unsupported("the condition belongs to the end of an upload, not its start")
            return await uploading.start(self._service, path, self._bucket.described(how))

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        body, path = Body.checked(body), self._path(path)
        _check_number(number, path)
        with translating(self._failed, "write_part", path, body=body):
            content, encrypted = await body.content(), self._bucket.rules.encryption
            return await uploading.send_part(
                self._service, path, upload, number, content, encrypted, unsummed=True
            )

    async def presign_part(
        self, path: str, upload: str, number: int, expires: datetime, /
    ) -> Upload:
        path = self._path(path)
        _check_number(number, path)
        with translating(self._failed, "presign_part", path):
            return await self._presigning.part(path, upload, number, expires)

    async def list_parts(self, path: str, upload: str, /) -> Mapping[int, str]:
        path = self._path(path)
        with translating(self._failed, "list_parts", path):
            return await keeping.list_parts(self._service, path, upload)

    async def complete_parts(self, path: str, upload: str, parts: Mapping[int, str], /) -> Stat:
        path = self._path(path)
        with translating(self._failed, "complete_parts", path):
            done = await uploading.complete(self._service, path, upload, parts, {})
        return Stat(path, etag=done.get("etag"))

    async def abort_parts(self, path: str, upload: str, /) -> None:
        path = self._path(path)
        with translating(self._failed, "abort_parts", path):
            await uploading.abort(self._service, path, upload)

    async def sweep(self, older_than: timedelta, /) -> int:
        """Throw away uploads in parts, of anybody to this bucket, begun longer ago than this."""
        with translating(self._failed, "sweep"):
            return await removing.sweep(self._service, datetime.now(UTC) - older_than)

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        path = self._path(path)
        with translating(self._failed, "change_attributes", path):
            stat = await self._bucket.stat(path)
            kept = replace(how, tier=how.tier or stat.tier)
            await copied(self._bucket, path, self._bucket, path, kept, stat)
        return await self.stat(path)

    async def read_tags(self, path: str, /) -> Mapping[str, str]:
        path = self._path(path)
        with translating(self._failed, "read_tags", path):
            return await keeping.read_tags(self._service, path)

    async def change_tags(self, path: str, tags: Mapping[str, str], /) -> None:
        path = self._path(path)
        with translating(self._failed, "change_tags", path):
            await keeping.change_tags(self._service, path, tags)

    async def change_tier(self, path: str, tier: str, /) -> None:
        await self.change_attributes(path, WriteOptions(tier=tier))

    async def restore_archived(
        self,
        path: str,
        /,
        *,
        days: int,
        speed: Literal["Standard", "Bulk", "Expedited"] = "Standard",
    ) -> None:
        """Ask for a readable copy of an archived file, for so many days; it takes minutes to hours."""
        path = self._path(path)
        with translating(self._failed, "restore_archived", path):
            await keeping.restore(self._service, path, days, speed)

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        path = self._path(path)
        pages = keeping.versions(self._service, path)
        async with aclosing(pages):
            while True:
                with translating(self._failed, "list_versions", path):
                    page = await anext(pages, None)
                if page is None:
                    return
                for version in page:
                    yield version

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        path = self._path(path)
        with translating(_of_version(self._failed), "read_version", path):
            return await opened(self._bucket.reading, path, how, version)

    async def restore_version(self, path: str, version: str, /) -> Stat:
        path = self._path(path)
        with translating(_of_version(self._failed), "restore_version", path):
            stat = await self._bucket.stat(path, version)
            await copied(self._bucket, path, self._bucket, path, PLAIN, stat, version)
        return await self.stat(path)

    async def remove_version(self, path: str, version: str, /) -> None:
        path = self._path(path)
        with translating(_of_version(self._failed), "remove_version", path):
            await removing.remove(self._service, path, {}, (("versionId", version),))

    def _table(self, how: WriteOptions) -> Table:
        return self._failed if how.overwrite else self._taken

    def _path(self, path: str) -> str:
        return check_path(path, strict=self._traits.strict_paths)

    def _folder(self, folder: str) -> str:
        return check_folder(folder, strict=self._traits.strict_paths)


def _lacking(preset: Preset, *, anonymous: bool) -> frozenset[Callable[..., Any]]:
    """The abilities that the provider has not."""
    has_it: dict[Callable[..., Any], bool] = {
        Visibility: preset.acl,
        Tags: preset.tags,
        Tiers: preset.tiers,
        Versions: preset.versions,
        BulkRemove: preset.bulk > 0,
        Folders: preset.folders,
        PresignRead: not anonymous,
        PresignWrite: not anonymous,
        PresignPost: preset.forms and not anonymous,
    }
    return frozenset(kind for kind, has_kind in has_it.items() if not has_kind)


def _of_version(table: Table) -> Table:
    """The same, for requests in which only the version's id can be what is invalid."""

    def versioned(error: Exception) -> StorageError | None:
        if isinstance(error, Refused) and error.status in (400, 405):
            return NotFound("there is no such version, or it is the mark of a removal")
        return table(error)

    return versioned


def _check_number(number: int, path: str) -> None:
    if not 1 <= number <= uploading.MOST_PARTS:
        raise InvalidArgument(f"parts are numbered from 1 to 10,000, not {number}", path=path)
