"""Uploads in parts: each is an object out of sight until all of them are put together.

`.storeroom-parts/<upload>/start` keeps what the file is to be, `.storeroom-parts/<upload>/00001` and so
on are its parts. https://cloud.google.com/storage/docs/composite-objects
"""

import json
import logging
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidArgument, NotFound, StorageError
from storeroom.contracts.values import WHOLE, WriteOptions
from storeroom.drivers._gcs.bucket import Bucket
from storeroom.drivers._gcs.checksums import digest_of
from storeroom.drivers._gcs.conditions import Query, is_generation
from storeroom.drivers._gcs.facts import NO_TYPE
from storeroom.drivers._gcs.listing import PARTS, resources
from storeroom.drivers._gcs.removing import remove
from storeroom.drivers._gcs.replies import Resource, resource_in
from storeroom.drivers._gcs.uploading import stored
from storeroom.drivers._http.dates import iso_moment
from storeroom.drivers._http.many import each_alone
from storeroom.drivers._http.reading import opened
from storeroom.drivers._http.wire import Lost, Refused, Request

__all__ = ["MOST_PARTS", "abort", "complete", "list_parts", "signable", "start", "sweep", "write"]

MOST_PARTS: Final = 10_000
"""How many parts an upload takes."""

_TOGETHER: Final = 32
_log = logging.getLogger("storeroom")
_UPLOAD: Final = re.compile(r"[0-9a-f]{32}")


async def start(bucket: Bucket, path: str, how: WriteOptions, /) -> str:
    """Begin: the upload's id."""
    resource = {"contentType": NO_TYPE, **bucket.described(how)}
    query = bucket.writing(how)
    upload = secrets.token_hex(16)
    kept = {"path": path, "resource": resource, "query": query}
    body = Body(json.dumps(kept).encode())
    await stored(bucket.service, _marker(upload), body, _tier_of(resource), (), bucket.rules)
    return upload


async def write(bucket: Bucket, path: str, upload: str, number: int, body: Body, /) -> str:
    """Store one part: its etag."""
    key = _part_key(upload, number, path)
    kept = await _kept(bucket, path, upload)
    told = await stored(bucket.service, key, body, _tier_of(kept["resource"]), (), bucket.rules)
    return str(told["generation"])


async def signable(
    bucket: Bucket, path: str, upload: str, number: int, /
) -> tuple[str, dict[str, str]]:
    """The object that a part is, and the headers that put it into its tier."""
    key = _part_key(upload, number, path)
    tier = (await _kept(bucket, path, upload))["resource"].get("storageClass")
    return key, {} if tier is None else {"x-goog-storage-class": str(tier)}


async def list_parts(bucket: Bucket, path: str, upload: str, /) -> dict[int, str]:
    """The parts there are, with their etags."""
    await _kept(bucket, path, upload)
    found = await _objects(bucket, upload, versions=False)
    return {
        number: str(item["generation"])
        for item in found
        if (number := _number_in(item["name"])) is not None
    }


async def complete(bucket: Bucket, path: str, upload: str, parts: Mapping[int, str], /) -> Resource:
    """Make the parts the file: its resource."""
    kept = await _kept(bucket, path, upload)
    sources = await _sources(bucket, path, upload, parts)
    level = 0
    while len(sources) > _TOGETHER:
        level += 1
        sources = await _joined(bucket, f"{PARTS}{upload}/joined-{level}", sources, kept)
    query = tuple((_destined(name), value) for name, value in kept["query"])
    told = await _composed(bucket, path, sources, kept["resource"], query)
    try:
        await abort(bucket, path, upload)
    except (Lost, Refused, StorageError):  # the file is there all the same
        _log.warning("parts of an upload of %r are left behind; sweep clears them", path)
    return told


async def abort(bucket: Bucket, path: str, upload: str, /) -> None:
    """Throw the parts away; an unknown upload is no error."""
    if _UPLOAD.fullmatch(upload):
        await _cleared(bucket, await _objects(bucket, upload, versions=True))


async def sweep(bucket: Bucket, before: datetime, /) -> int:
    """Throw away the parts of uploads that were begun before a moment: how many uploads."""
    uploads: dict[str, list[Any]] = {}
    for item in await _objects(bucket, "", versions=True):
        uploads.setdefault(item["name"].removeprefix(PARTS).partition("/")[0], []).append(item)
    old = [items for items in uploads.values() if _begun(items) < before]
    for items in old:
        await _cleared(bucket, items)
    return len(old)


async def _kept(bucket: Bucket, path: str, upload: str) -> Mapping[str, Any]:
    """What was said at the start."""
    _check_upload(upload, path)
    try:
        source = await opened(bucket.reading, _marker(upload), WHOLE)
    except Refused as refused:
        if refused.status == 404:
            raise _unknown(path) from refused
        raise
    async with source:
        kept = resource_in(await source.read())
    if kept.get("path") != path:
        raise _unknown(path)
    return kept


async def _sources(
    bucket: Bucket, path: str, upload: str, parts: Mapping[int, str]
) -> list[dict[str, Any]]:
    """The parts in their order; who uploaded to a signed address may know a part's MD5 only."""
    if not parts:
        raise InvalidArgument("an upload has at least one part", path=path)
    known: dict[str, str] = {}
    if not all(map(is_generation, parts.values())):
        for item in await _objects(bucket, upload, versions=False):
            known[f"{item['name']} {_plain(item)}"] = str(item["generation"])
    sources: list[dict[str, Any]] = []
    for number in sorted(parts):
        key, etag = _part_key(upload, number, path), parts[number]
        generation = etag if is_generation(etag) else known.get(f"{key} {etag.strip(chr(34))}")
        if generation is None:
            raise InvalidArgument(f"part {number} is not there, or its etag is another", path=path)
        sources.append(_source(key, {"generation": generation}))
    return sources


async def _joined(
    bucket: Bucket, key: str, sources: Sequence[dict[str, Any]], kept: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Objects of 32 sources each, for no more go together at once."""
    tier, joined = _tier_of(kept["resource"]), list[dict[str, Any]]()
    for first in range(0, len(sources), _TOGETHER):
        name, some = f"{key}-{first}", sources[first : first + _TOGETHER]
        joined.append(_source(name, await _composed(bucket, name, some, tier, ())))
    return joined


async def _composed(
    bucket: Bucket,
    key: str,
    sources: Sequence[Mapping[str, Any]],
    resource: Mapping[str, Any],
    query: Query,
) -> Resource:
    body = {"sourceObjects": sources, "destination": dict(resource)}
    request = Request(
        "compose",
        "POST",
        key,
        query,
        {"content-type": "application/json; charset=UTF-8"},
        json.dumps(body).encode(),
    )
    try:
        return resource_in((await bucket.service.commit(request))[1])
    except Refused as refused:
        if refused.status in (404, 412):
            raise InvalidArgument("a part is not there, or its etag is another") from refused
        raise


async def _objects(bucket: Bucket, upload: str, *, versions: bool) -> list[Any]:
    """All that is kept of an upload, or of all of them."""
    prefix = f"{PARTS}{upload}/" if upload else PARTS
    found: list[Any] = []
    token: str | None = None
    while True:
        page, token = await resources(bucket.service, prefix, token, versions=versions)
        found += page
        if token is None:
            return found


async def _cleared(bucket: Bucket, items: Sequence[Any]) -> None:
    """Remove generations for good, what was said at the start last, so that it can be done again."""

    async def one(name: str) -> bool | None:
        key, _, generation = name.rpartition(" ")
        return await remove(bucket, key, (("generation", generation),))

    names = [f"{item['name']} {item['generation']}" for item in items]
    markers = [name for name in names if "/start " in name]
    for some in ([name for name in names if name not in set(markers)], markers):
        answers = await each_alone(some, one, bucket.reading.failed)
        for answer in answers.values():
            if isinstance(answer, StorageError):
                raise answer


def _part_key(upload: str, number: int, path: str) -> str:
    """The object that is a part."""
    if not 1 <= number <= MOST_PARTS:
        raise InvalidArgument(f"parts are numbered from 1 to 10,000, not {number}", path=path)
    _check_upload(upload, path)
    return f"{PARTS}{upload}/{number:05}"


def _marker(upload: str) -> str:
    return f"{PARTS}{upload}/start"


def _source(key: str, told: Resource) -> dict[str, Any]:
    generation = int(told["generation"])
    return {
        "name": key,
        "generation": generation,
        "objectPreconditions": {"ifGenerationMatch": generation},
    }


def _number_in(key: str) -> int | None:
    name = key.rpartition("/")[2]
    return int(name) if name.isdecimal() else None


def _plain(item: Resource) -> str:
    """The MD5 in hex, which the XML API calls the etag."""
    return (digest_of(item.get("md5Hash")) or b"").hex()


def _begun(items: Sequence[Any]) -> datetime:
    """When the upload was begun: its oldest object is from then."""
    moments = [found for item in items if (found := iso_moment(item.get("timeCreated")))]
    return min(moments, default=datetime.max.replace(tzinfo=UTC))


def _tier_of(resource: Mapping[str, Any]) -> dict[str, Any]:
    """What is put together has to be of one tier."""
    tier = resource.get("storageClass")
    return {} if tier is None else {"storageClass": tier}


def _destined(name: str) -> str:
    return "destinationPredefinedAcl" if name == "predefinedAcl" else name


def _check_upload(upload: str, path: str) -> None:
    if not _UPLOAD.fullmatch(upload):
        raise _unknown(path)


def _unknown(path: str) -> NotFound:
    return NotFound("there is no such upload", path=path)
