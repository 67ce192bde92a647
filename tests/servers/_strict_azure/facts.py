"""What a writer says about a blob, and what readers are told of it."""

import re
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus, unquote_plus

from multidict import CIMultiDict

from tests.servers._strict.reply import http_date
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.state import Blob, Entry

TIERS: Final = ("Hot", "Cool", "Cold", "Archive")
_CONTENT: Final = (
    "cache-control",
    "content-type",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-disposition",
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAG = re.compile(r"[A-Za-z0-9 +\-./:=_]*")
_MOST_METADATA = 8 << 10


def content_headers(call: Call, /, *, plain: bool = False) -> dict[str, str]:
    """`x-ms-blob-content-type` and its like; `plain`: Content-Type and its like where they lack."""
    found: dict[str, str] = {}
    for name in _CONTENT:
        value = call.header(f"x-ms-blob-{name}")
        if value is None and plain and name not in ("content-md5", "content-disposition"):
            value = call.header(name)
        if value:
            found[name] = value
    return found


def metadata(call: Call, /) -> dict[str, str]:
    """Of the headers `x-ms-meta-...`, whose names keep their letters as they are."""
    found: dict[str, str] = {}
    for header, value in call.headers.items():
        if not header.lower().startswith("x-ms-meta-"):
            continue
        name = header[len("x-ms-meta-") :]
        if not name:
            raise Refused("EmptyMetadataKey")
        if not _IDENTIFIER.fullmatch(name) or not value.isascii():
            raise Refused("InvalidMetadata", "It has characters that are not permitted.")
        if name.lower() in map(str.lower, found):
            raise Refused("InvalidMetadata", "A name came twice.")
        found[name] = value.strip()
    if sum(len(name) + len(value) for name, value in found.items()) > _MOST_METADATA:
        raise Refused("MetadataTooLarge")
    return found


def tags(call: Call, /) -> dict[str, str]:
    """Of the header `x-ms-tags`, which is a query string."""
    said = [pair.partition("=") for pair in (call.header("x-ms-tags") or "").split("&") if pair]
    return checked_tags([(unquote_plus(name), unquote_plus(value)) for name, _, value in said])


def checked_tags(said: list[tuple[str, str]], /) -> dict[str, str]:
    """https://learn.microsoft.com/rest/api/storageservices/set-blob-tags"""
    found = dict(said)
    wrong = len(found) != len(said) or len(found) > 10
    for name, value in said:
        wrong |= not 1 <= len(name) <= 128 or len(value) > 256
        wrong |= not _TAG.fullmatch(name) or not _TAG.fullmatch(value)
    if wrong:
        raise Refused("InvalidInput", "The tags specified are invalid.")
    return found


def tier(call: Call, /) -> str | None:
    asked = call.header("x-ms-access-tier")
    if asked is not None and asked not in TIERS:
        raise Refused("InvalidHeaderValue", HeaderName="x-ms-access-tier", HeaderValue=asked)
    return asked


def told(blob: Blob, entry: Entry, now: datetime, /) -> CIMultiDict[str]:
    """The headers of GET and HEAD, but for what is about the body."""
    headers = CIMultiDict(blob.headers)
    headers["ETag"] = blob.etag
    headers["Last-Modified"] = http_date(blob.modified)
    headers["Accept-Ranges"] = "bytes"
    headers["x-ms-blob-type"] = blob.kind
    headers["x-ms-creation-time"] = http_date(blob.created)
    headers["x-ms-server-encrypted"] = "true"
    for name, value in blob.metadata.items():
        headers[f"x-ms-meta-{name}"] = value
    if blob.tags:
        headers["x-ms-tag-count"] = str(len(blob.tags))
    if blob.version_id:
        headers["x-ms-version-id"] = blob.version_id
    if blob is entry.current:
        if blob.version_id:
            headers["x-ms-is-current-version"] = "true"
        headers.update(_leased(entry, now))
    if blob.kind == "AppendBlob":
        headers["x-ms-blob-committed-block-count"] = str(blob.appends)
    headers.update(_copied(blob))
    return headers


def tiered(blob: Blob, /) -> dict[str, str]:
    """What HEAD says beside."""
    if blob.kind != "BlockBlob":
        return {}
    headers = {"x-ms-access-tier": blob.tier or "Hot"}
    if blob.tier is None:
        headers["x-ms-access-tier-inferred"] = "true"
    if blob.tier_changed:
        headers["x-ms-access-tier-change-time"] = http_date(blob.tier_changed)
    if blob.rehydrates_to:
        headers["x-ms-archive-status"] = f"rehydrate-pending-to-{blob.rehydrates_to.lower()}"
    return headers


def _leased(entry: Entry, now: datetime) -> dict[str, str]:
    state = entry.lease.state(now)
    locked = entry.lease.is_locked(now)
    headers = {"x-ms-lease-state": state, "x-ms-lease-status": "locked" if locked else "unlocked"}
    if state == "leased":
        headers["x-ms-lease-duration"] = "fixed" if entry.lease.seconds > 0 else "infinite"
    return headers


def _copied(blob: Blob) -> dict[str, str]:
    if blob.copy is None:
        return {}
    headers = {
        "x-ms-copy-id": blob.copy.id,
        "x-ms-copy-source": quote_plus(blob.copy.source, safe=":/?&=%"),
        "x-ms-copy-status": blob.copy.status,
        "x-ms-copy-progress": blob.copy.progress,
    }
    if blob.copy.finished:
        headers["x-ms-copy-completion-time"] = http_date(blob.copy.finished)
    if blob.copy.status == "failed":
        headers["x-ms-copy-status-description"] = "500 InternalError when reading the source"
    return headers
