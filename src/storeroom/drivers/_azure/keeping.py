"""What a container keeps beside the bytes: headers, metadata, tags, tiers, versions, leases."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal
from uuid import uuid4

from storeroom.contracts.errors import InvalidArgument, PreconditionFailed, Unsupported
from storeroom.contracts.values import Stat, Version, WriteOptions
from storeroom.drivers._azure.client import Client
from storeroom.drivers._azure.container import Container
from storeroom.drivers._azure.headers import describing
from storeroom.drivers._azure.listing import page_of
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.settling import Doubtful
from storeroom.drivers._http.reading import looked_at
from storeroom.drivers._http.wire import Lost, Refused

__all__ = [
    "HEADERS",
    "Speed",
    "acquire",
    "carried_tags",
    "change",
    "change_tags",
    "change_tier",
    "dress",
    "read_tags",
    "release",
    "renew",
    "versions",
]

Speed = Literal["Standard", "High"]

HEADERS: Final = (
    *("content_type", "cache_control", "content_disposition", "content_encoding"),
    "content_language",
)
"""The options that are content headers."""

_SHORTEST: Final = 15
_LONGEST: Final = 60
_FOR_EVER: Final = -1


async def change(container: Container, client: Client, path: str, how: WriteOptions, /) -> None:
    """Change what `how` names, one request for each kind of it."""
    describing(how)  # refuses before anything is done what cannot be kept
    headers = await looked_at(container.reading, path)
    stat = container.stat_in(path, headers)
    # Requests for tags and tiers take no such condition.
    if how.if_match not in (None, stat.etag):
        raise PreconditionFailed("the file is not the one that if_match names", path=path)
    await dress(client, path, how, stat, headers.get("content-md5"))
    if how.tags is not None:
        await change_tags(client, path, how.tags)
    if how.tier is not None:
        await change_tier(client, path, how.tier)


async def dress(
    client: Client, path: str, how: WriteOptions, stat: Stat, md5: str | None, /
) -> str | None:
    """Set the headers and metadata that `how` names of the very file of `stat`: its new etag.

    The service takes content headers all together, and forgets those it is not told.
    """
    etag = stat.etag
    changes = any(getattr(how, name) is not None for name in HEADERS)
    if not changes and how.metadata is None:
        return etag
    blob = await client.blob(path)
    if changes:
        told = {name: getattr(how, name) or getattr(stat, name) for name in HEADERS}
        headers = describing(WriteOptions(**told))
        if md5 is not None:
            headers["x-ms-blob-content-md5"] = md5
        done = await blob.set_http_headers(headers={**headers, **_only(etag)})
        etag = done["etag"]
    if how.metadata is not None:
        pairs = describing(WriteOptions(metadata=how.metadata))
        done = await blob.set_blob_metadata(headers={**pairs, **_only(etag)})
        etag = done["etag"]
    return etag


async def read_tags(client: Client, path: str, /) -> Mapping[str, str]:
    """All tags."""
    tags: dict[str, str] = await (await client.blob(path)).get_blob_tags()
    return tags


async def carried_tags(
    client: Client, path: str, headers: Mapping[str, str], /
) -> Mapping[str, str] | None:
    """The tags that go along with a copy; None where there are none, or it may not be known."""
    if headers.get("x-ms-tag-count", "0") == "0":
        return None
    try:
        return await read_tags(client, path)
    except Refused as refused:
        if refused.status != 403:
            raise
        return None


async def change_tags(client: Client, path: str, tags: Mapping[str, str], /) -> None:
    """Replace all tags."""
    await (await client.blob(path)).set_blob_tags(dict(tags))


async def change_tier(client: Client, path: str, tier: str, speed: Speed | None = None, /) -> None:
    """Move the file to a tier; out of the archive that takes hours, or one at "High" speed."""
    blob = await client.blob(path)
    await blob.set_standard_blob_tier(tier, rehydrate_priority=speed)


async def versions(service: AzureService, path: str, /) -> list[Version]:
    """The kept versions of one file, newest first."""
    found: list[Version] = []
    token: str | None = None
    while True:
        blobs, _, token = await page_of(service, path, token=token, include="versions")
        for blob in blobs:
            if blob.key == path and blob.version is None:
                raise Unsupported("the account keeps no versions; switch versioning on there")
            if blob.key == path and blob.version is not None:
                found.append(Version(path, blob.version, blob.size, blob.modified, blob.is_current))
        if token is None or any(blob.key != path for blob in blobs):
            break
    return sorted(found, key=lambda version: version.id, reverse=True)


async def acquire(service: AzureService, client: Client, path: str, duration: timedelta, /) -> str:
    """Take the lease: its id, chosen here, so that asking again for it takes no second one.

    One that nobody will learn of is given back, if it was taken.
    """
    seconds = _seconds(duration)
    blob, lease = await client.blob(path), str(uuid4())
    try:
        await blob.acquire_lease(seconds, lease)
    except (asyncio.CancelledError, Lost):
        await service.ended(asyncio.create_task(release(client, path, lease)))
        raise
    return lease


async def renew(client: Client, path: str, lease: str, /) -> None:
    """Hold the lease for its duration from now."""
    await (await client.lease(path, lease)).renew()


async def release(client: Client, path: str, lease: str, /) -> None:
    """Give the lease back."""
    held = await client.lease(path, lease)
    try:
        await held.release()
    except Doubtful as refused:
        if not refused.code.startswith("Lease"):
            raise


def _only(etag: str | None) -> dict[str, str]:
    return {} if etag is None else {"if-match": etag}


def _seconds(duration: timedelta) -> int:
    """What the service takes: `timedelta.max` is for ever."""
    if duration == timedelta.max:
        return _FOR_EVER
    seconds = round(duration.total_seconds())
    if not _SHORTEST <= seconds <= _LONGEST:
        raise InvalidArgument(
            f"a lease lasts {_SHORTEST} to {_LONGEST} seconds, or for ever (timedelta.max), not "
            f"{duration.total_seconds():g} s; take a short one and renew it"
        )
    return seconds
