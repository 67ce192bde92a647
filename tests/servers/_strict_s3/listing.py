"""Pages of names: objects, versions, uploads."""

import base64
import binascii
import bisect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from tests.servers._strict.reply import Reply, iso_date
from tests.servers._strict_s3 import access, xml
from tests.servers._strict_s3.call import Call
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.state import Store, Upload, Version

_OWNER = xml.node("Owner", [xml.tag("ID", "storeroom-tests-owner")])


@dataclass(slots=True)
class Page:
    """`entries` are XML; `last` is the key or prefix that the page ends with."""

    entries: list[str] = field(default_factory=list[str])
    prefixes: list[str] = field(default_factory=list[str])
    last: str = ""
    is_truncated: bool = False


def objects(store: Store, call: Call, /) -> Reply:
    """ListObjectsV2."""
    access.check_list(call)
    bucket, shown = store.bucket(call.bucket), _encoder(call)
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    token, after = call.query.get("continuation-token"), call.query.get("start-after", "")
    begin = after if token is None else _opened(token)
    most = _most(store, call, "max-keys")
    with_owner = call.query.get("fetch-owner") == "true"

    def entries(key: str) -> Iterator[str]:
        version = bucket.latest(key)
        if version:
            yield _content(version, shown, with_owner=with_owner)

    page = _page(bucket.keys, prefix, delimiter, begin, most, entries)
    told = [
        xml.tag("Name", bucket.name),
        xml.tag("Prefix", shown(prefix)),
        xml.tag("MaxKeys", most),
        xml.tag("KeyCount", len(page.entries) + len(page.prefixes)),
        *_given(call, shown, "delimiter", "Delimiter"),
        *_given(call, shown, "start-after", "StartAfter"),
        *_given(call, str, "encoding-type", "EncodingType"),
        *_given(call, str, "continuation-token", "ContinuationToken"),
    ]
    if page.is_truncated:
        told.append(xml.tag("NextContinuationToken", _token(page.last)))
    return _reply("ListBucketResult", told, page, shown)


def versions(store: Store, call: Call, /) -> Reply:
    """ListObjectVersions."""
    access.check_list(call)
    bucket, shown = store.bucket(call.bucket), _encoder(call)
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    marker, most = call.query.get("key-marker", ""), _most(store, call, "max-keys")
    behind = call.query.get("version-id-marker")

    def entries(key: str) -> Iterator[str]:
        every = bucket.versions[key]
        ids = [version.id for version in every]
        first = ids.index(behind) + 1 if key == marker and behind in ids else 0
        for index in range(first, len(every)):
            last_id.append(every[index].id)
            yield _version(every[index], shown, is_latest=index == 0)

    last_id: list[str] = []
    keys = bucket.keys
    page = _page(keys, prefix, delimiter, marker, most, entries, again=behind is not None)
    told = [
        xml.tag("Name", bucket.name),
        xml.tag("Prefix", shown(prefix)),
        xml.tag("KeyMarker", shown(marker)),
        xml.tag("VersionIdMarker", behind or ""),
        xml.tag("MaxKeys", most),
        *_given(call, shown, "delimiter", "Delimiter"),
        *_given(call, str, "encoding-type", "EncodingType"),
    ]
    if page.is_truncated:
        told.append(xml.tag("NextKeyMarker", shown(page.last)))
        if page.last in bucket.versions:
            told.append(xml.tag("NextVersionIdMarker", last_id[len(page.entries) - 1]))
    return _reply("ListVersionsResult", told, page, shown)


def uploads(store: Store, call: Call, /) -> Reply:
    """ListMultipartUploads."""
    access.check_list(call)
    bucket, shown = store.bucket(call.bucket), _encoder(call)
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    marker, most = call.query.get("key-marker", ""), _most(store, call, "max-uploads")
    behind = call.query.get("upload-id-marker")
    by_key: dict[str, list[Upload]] = {}
    for upload in bucket.uploads.values():
        by_key.setdefault(upload.key, []).append(upload)
    last_id: list[str] = []

    def entries(key: str) -> Iterator[str]:
        ids = [upload.id for upload in by_key[key]]
        first = ids.index(behind) + 1 if key == marker and behind in ids else 0
        for upload in by_key[key][first:]:
            last_id.append(upload.id)
            yield _upload(upload, shown)

    keys = sorted(by_key)
    page = _page(keys, prefix, delimiter, marker, most, entries, again=behind is not None)
    told = [
        xml.tag("Bucket", bucket.name),
        xml.tag("Prefix", shown(prefix)),
        xml.tag("KeyMarker", shown(marker)),
        xml.tag("UploadIdMarker", behind or ""),
        xml.tag("MaxUploads", most),
        *_given(call, shown, "delimiter", "Delimiter"),
        *_given(call, str, "encoding-type", "EncodingType"),
    ]
    if page.is_truncated:
        told.append(xml.tag("NextKeyMarker", shown(page.last)))
        if page.last in by_key:
            told.append(xml.tag("NextUploadIdMarker", last_id[len(page.entries) - 1]))
    return _reply("ListMultipartUploadsResult", told, page, shown)


def _page(
    keys: list[str],
    prefix: str,
    delimiter: str,
    begin: str,
    most: int,
    entries: Callable[[str], Iterable[str]],
    *,
    again: bool = False,
) -> Page:
    """Names behind `begin` (`again`: from it on), those with a delimiter rolled up, at most `most`."""
    page = Page()
    if not most:
        return page
    find = bisect.bisect_left if again else bisect.bisect_right
    first = max(find(keys, begin), bisect.bisect_left(keys, prefix))
    for key in keys[first:]:
        if not key.startswith(prefix):
            break
        rolled = _rolled(key, prefix, delimiter)
        if rolled and (rolled <= begin or rolled in page.prefixes[-1:]):
            continue
        for entry in entries(key):
            if len(page.entries) + len(page.prefixes) == most:
                page.is_truncated = True
                return page
            page.last = rolled or key
            if rolled:
                page.prefixes.append(rolled)
                break
            page.entries.append(entry)
    return page


def _rolled(key: str, prefix: str, delimiter: str) -> str:
    found = key.find(delimiter, len(prefix)) if delimiter else -1
    return "" if found < 0 else key[: found + len(delimiter)]


def _reply(name: str, told: list[str], page: Page, shown: Callable[[str], str]) -> Reply:
    prefixes = [
        xml.node("CommonPrefixes", [xml.tag("Prefix", shown(prefix))]) for prefix in page.prefixes
    ]
    truncated = xml.tag("IsTruncated", page.is_truncated)
    return Reply.xml(xml.document(name, [*told, truncated, *page.entries, *prefixes]))


def _content(version: Version, shown: Callable[[str], str], *, with_owner: bool) -> str:
    facts = [
        xml.tag("Key", shown(version.key)),
        xml.tag("LastModified", iso_date(version.modified)),
        xml.tag("ETag", f'"{version.etag}"'),
        xml.tag("Size", len(version.data)),
        xml.tag("StorageClass", version.facts.storage_class),
    ]
    return xml.node("Contents", [*facts, _OWNER] if with_owner else facts)


def _version(version: Version, shown: Callable[[str], str], *, is_latest: bool) -> str:
    facts = [
        xml.tag("Key", shown(version.key)),
        xml.tag("VersionId", version.id),
        xml.tag("IsLatest", is_latest),
        xml.tag("LastModified", iso_date(version.modified)),
        _OWNER,
    ]
    if version.is_marker:
        return xml.node("DeleteMarker", facts)
    body = [
        xml.tag("ETag", f'"{version.etag}"'),
        xml.tag("Size", len(version.data)),
        xml.tag("StorageClass", version.facts.storage_class),
    ]
    return xml.node("Version", [*facts, *body])


def _upload(upload: Upload, shown: Callable[[str], str]) -> str:
    facts = (
        xml.tag("Key", shown(upload.key)),
        xml.tag("UploadId", upload.id),
        _OWNER,
        xml.tag("StorageClass", upload.facts.storage_class),
        xml.tag("Initiated", iso_date(upload.initiated)),
    )
    return xml.node("Upload", facts)


def _encoder(call: Call) -> Callable[[str], str]:
    asked = call.query.get("encoding-type")
    if asked not in (None, "url"):
        raise Refused("InvalidArgument", "Invalid Encoding Method specified in Request")
    return _url_encoded if asked else str


def _url_encoded(name: str) -> str:
    return quote_plus(name, safe="/")


def _given(call: Call, shown: Callable[[str], str], key: str, name: str) -> list[str]:
    return [xml.tag(name, shown(call.query[key]))] if key in call.query else []


def _most(store: Store, call: Call, name: str) -> int:
    asked = call.query.get(name, "1000")
    if not asked.isdigit():
        raise Refused("InvalidArgument", f"Provided {name} not an integer or within integer range")
    return min(int(asked), store.settings.page)


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(b"\x01" + last.encode("utf-8", "surrogateescape")).decode()


def _opened(token: str) -> str:
    try:
        raw = base64.urlsafe_b64decode(token)
    except binascii.Error:
        raw = b""
    if not raw.startswith(b"\x01"):
        raise Refused("InvalidArgument", "The continuation token provided is incorrect")
    return raw[1:].decode("utf-8", "surrogateescape")
