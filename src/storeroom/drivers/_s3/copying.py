"""Copies that the service makes by itself, of any size."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from storeroom.contracts.errors import Corrupted, Unsupported
from storeroom.contracts.values import Stat, WriteOptions
from storeroom.drivers._http.canonical import encoded_path, encoded_query
from storeroom.drivers._http.failures import check_settled
from storeroom.drivers._http.wire import Refused, Request
from storeroom.drivers._s3.bucket import Bucket
from storeroom.drivers._s3.headers import describing
from storeroom.drivers._s3.keeping import read_tags
from storeroom.drivers._s3.uploading import (
    MOST_PARTS,
    Overtaken,
    abort,
    complete,
    start,
)
from storeroom.drivers._s3.xml import read_copied

__all__ = ["copied"]

_LARGEST: Final = 5 << 30
_PART: Final = 512 << 20
_CHANGES: Final = (
    *("content_type", "cache_control", "content_disposition", "content_encoding"),
    *("content_language", "metadata"),
)


async def copied(
    source: Bucket,
    path: str,
    target: Bucket,
    to: str,
    how: WriteOptions,
    stat: Stat | None = None,
    version: str | None = None,
    /,
) -> Stat:
    """Copy at the service; `stat` is the source's where it is known, and then it must still be that."""
    conditions = target.conditions(how, "copy")
    options = target.kept(how)
    if stat is None and any(getattr(options, name) is not None for name in _CHANGES):
        stat = await source.stat(path)
    copying = _Copying(source, path, target, to, version)
    if stat is None or stat.size is None or stat.size <= _LARGEST:
        try:
            etag = await copying.plain(options, conditions, stat)
        except Refused as refused:
            if not _says_too_large(refused):
                raise
        else:
            return Stat(to, None if stat is None else stat.size, etag=etag)
    if conditions and "complete" not in target.preset.conditions:
        raise Unsupported("the service honours no conditions on copies in parts", path=to)
    stat = stat or await source.stat(path)
    tags = await read_tags(source.service, path) if source.preset.tags else None
    etag = await copying.in_parts(options, conditions, stat, tags or None)
    return Stat(to, stat.size, etag=etag)


class _Copying:
    """One copy."""

    def __init__(
        self, source: Bucket, path: str, target: Bucket, to: str, version: str | None
    ) -> None:
        address = encoded_path(f"/{source.name}/{path}")
        chosen = "" if version is None else f"?{encoded_query({'versionId': version})}"
        self._source = {"x-amz-copy-source": f"{address}{chosen}", **source.encryption.copying}
        self._target = target
        self._service = target.service
        self._to = to

    async def plain(
        self, how: WriteOptions, conditions: Mapping[str, str], stat: Stat | None
    ) -> str | None:
        """Copy an object of up to 5 GiB: its new etag; `stat` is the source's, where `how` changes facts."""
        headers = {**self._source, **conditions, **self._target.encryption.writing}
        if stat is None:
            headers |= describing(replace(how, tags=None), self._target.acl)
            headers["x-amz-metadata-directive"] = "COPY"
        else:
            headers |= describing(replace(_changed(stat, how), tags=None), self._target.acl)
            headers["x-amz-metadata-directive"] = "REPLACE"
        if how.tags is not None:
            headers["x-amz-tagging-directive"] = "REPLACE"
            headers |= describing(WriteOptions(tags=how.tags), None)
        if stat is not None and stat.etag is not None:
            headers["x-amz-copy-source-if-match"] = stat.etag
        request = Request("CopyObject", "PUT", self._to, (), headers)
        try:
            _, body = await self._service.commit(request)
        except Refused as refused:
            if refused.code == "NotImplemented" and conditions:
                raise Unsupported("the service honours no conditions on copies") from refused
            check_settled(request, refused, conditional=bool(conditions))
            raise
        return read_copied(body).etag

    async def in_parts(
        self,
        how: WriteOptions,
        conditions: Mapping[str, str],
        stat: Stat,
        tags: Mapping[str, str] | None,
    ) -> str | None:
        """Copy an object of any size by ranges, with the tags that a plain copy would have taken along."""
        if stat.size is None:
            raise Corrupted("the service does not tell the size of the file", path=self._to)
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._by_ranges(how, conditions, stat, stat.size, tags)
            except Overtaken as overtaken:
                await self._service.anew(overtaken, attempt)

    async def _by_ranges(
        self,
        how: WriteOptions,
        conditions: Mapping[str, str],
        stat: Stat,
        size: int,
        tags: Mapping[str, str] | None,
    ) -> str | None:
        options = _changed(stat, how)
        if options.tags is None and tags:
            options = replace(options, tags=tags)
        headers = {**describing(options, self._target.acl), **self._target.encryption.writing}
        upload = await start(self._service, self._to, headers)
        try:
            parts = await self._parts(upload, stat, size)
            done = await complete(self._service, self._to, upload, parts, conditions)
        except BaseException:
            aborting = asyncio.create_task(abort(self._service, self._to, upload))
            await self._service.ended(aborting)
            raise
        return done.get("etag")

    async def _parts(self, upload: str, stat: Stat, size: int) -> dict[int, str]:
        step = max(_PART, -(-size // MOST_PARTS))
        free = asyncio.Semaphore(self._target.rules.concurrency)
        parts: dict[int, str] = {}

        async def one(number: int, first: int) -> None:
            async with free:
                parts[number] = await self._part(
                    upload, number, first, min(first + step, size), stat
                )

        try:
            async with asyncio.TaskGroup() as group:
                for number, first in enumerate(range(0, size, step), 1):
                    group.create_task(one(number, first))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return parts

    async def _part(self, upload: str, number: int, first: int, stop: int, stat: Stat) -> str:
        headers = {
            **self._source,
            **self._target.rules.encryption,
            "x-amz-copy-source-range": f"bytes={first}-{stop - 1}",
        }
        if stat.etag is not None:
            headers["x-amz-copy-source-if-match"] = stat.etag
        query = (("partNumber", str(number)), ("uploadId", upload))
        _, body = await self._service.commit(
            Request("UploadPartCopy", "PUT", self._to, query, headers)
        )
        return read_copied(body).etag or ""


def _changed(stat: Stat, how: WriteOptions) -> WriteOptions:
    """What the source has, but for what `how` says."""
    kept = {name: getattr(stat, name) for name in _CHANGES if getattr(how, name) is None}
    return replace(how, **kept)


def _says_too_large(refused: Refused) -> bool:
    if refused.code == "EntityTooLarge":
        return True
    return refused.code == "InvalidRequest" and "larger than" in refused.failure.message
