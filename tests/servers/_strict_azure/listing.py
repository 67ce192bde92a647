"""Pages of names: https://learn.microsoft.com/rest/api/storageservices/list-blobs"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from tests.servers._strict.reply import Reply, http_date
from tests.servers._strict.xml import document, node, tag
from tests.servers._strict_azure import tagging
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.state import Blob, Container, Entry, Store

_INCLUDE: Final = {
    "copy",
    "deleted",
    "deletedwithversions",
    "immutabilitypolicy",
    "legalhold",
    "metadata",
    "permissions",
    "snapshots",
    "tags",
    "uncommittedblobs",
    "versions",
}
_NOT_XML = re.compile(r"[\x00-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Item:
    """What a page has one of: a version of a blob, or a prefix. `key` orders them."""

    key: tuple[str, str]
    text: str


def blobs(store: Store, call: Call, /) -> Reply:
    """List Blobs: names in the order of their code points, prefixes among them."""
    container = store.container(call.account, call.bucket)
    include = {word for word in call.query.get("include", "").lower().split(",") if word}
    if not include <= _INCLUDE:
        raise Refused("InvalidQueryParameterValue", QueryParameterName="include")
    begin, most = _begin(call), _most(store, call)
    page: list[Item] = []
    marker = ""
    for item in _items(store, call, container, include):
        if item.key < begin:
            continue
        if len(page) == most:
            marker = _token(item.key)
            break
        page.append(item)
    told = [
        *(_given(call, "prefix", "Prefix")),
        *(_given(call, "marker", "Marker")),
        *(_given(call, "maxresults", "MaxResults")),
        *(_given(call, "delimiter", "Delimiter")),
        node("Blobs", [item.text for item in page]),
        tag("NextMarker", marker),
    ]
    body = document("EnumerationResults", told).replace(
        b"<EnumerationResults>",
        f'<EnumerationResults ServiceEndpoint="http://{call.header("Host")}/{call.account}/" '
        f'ContainerName="{container.name}">'.encode(),
    )
    return Reply.xml(body)


def _items(store: Store, call: Call, container: Container, include: set[str]) -> Iterator[Item]:
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    last = ""
    for name in sorted(container.entries):
        if not name.startswith(prefix) or name < call.query.get("startfrom", ""):
            continue
        shown = list(_shown(container.entries[name], include))
        if not shown:
            continue
        at = name.find(delimiter, len(prefix)) if delimiter else -1
        if at >= 0:
            rolled = name[: at + len(delimiter)]
            if rolled != last:
                last = rolled
                yield Item((rolled, ""), node("BlobPrefix", [_name(rolled)]))
            continue
        for blob in shown:
            yield Item((name, blob.version_id or ""), _blob(store, container, blob, include))


def _shown(entry: Entry, include: set[str]) -> Iterator[Blob]:
    if "versions" in include:
        yield from entry.versions()
        if entry.current and not entry.current.version_id:
            yield entry.current
    elif entry.current:
        yield entry.current


def _blob(store: Store, container: Container, blob: Blob, include: set[str]) -> str:
    entry = container.entries[blob.name]
    is_current = blob is entry.current
    told = [_name(blob.name)]
    if blob.version_id and "versions" in include:
        told.append(tag("VersionId", blob.version_id))
        if is_current:
            told.append(tag("IsCurrentVersion", "true"))
    told.append(node("Properties", _properties(store, blob, entry, include)))
    if "metadata" in include:
        told.append(node("Metadata", [tag(name, value) for name, value in blob.metadata.items()]))
    if "tags" in include and blob.tags:
        told.append(node("Tags", [tagging.tag_set(blob.tags)]))
    return node("Blob", told)


def _properties(store: Store, blob: Blob, entry: Entry, include: set[str]) -> Iterator[str]:
    yield tag("Creation-Time", http_date(blob.created))
    yield tag("Last-Modified", http_date(blob.modified))
    yield tag("Etag", blob.etag.strip('"'))
    yield tag("Content-Length", len(blob.data))
    for name in ("Type", "Encoding", "Language", "MD5", "Disposition"):
        yield tag(f"Content-{name}", blob.headers.get(f"content-{name.lower()}", ""))
    yield tag("Cache-Control", blob.headers.get("cache-control", ""))
    yield tag("BlobType", blob.kind)
    if blob.kind == "BlockBlob":
        yield tag("AccessTier", blob.tier or "Hot")
        if blob.tier is None:
            yield tag("AccessTierInferred", "true")
        if blob.rehydrates_to:
            yield tag("ArchiveStatus", f"rehydrate-pending-to-{blob.rehydrates_to.lower()}")
    if blob is entry.current:
        yield tag("LeaseState", entry.lease.state(store.now()))
    if "copy" in include and blob.copy:
        yield tag("CopyId", blob.copy.id)
        yield tag("CopyStatus", blob.copy.status)
        yield tag("CopyProgress", blob.copy.progress)
    yield tag("ServerEncrypted", "true")
    if blob.tags:
        yield tag("TagCount", len(blob.tags))


def _name(name: str) -> str:
    if _NOT_XML.search(name):
        return f'<Name Encoded="true">{quote(name, safe="/")}</Name>'
    return tag("Name", name)


def _given(call: Call, key: str, name: str) -> list[str]:
    return [tag(name, call.query[key])] if call.query.get(key) else []


def _most(store: Store, call: Call) -> int:
    asked = call.query.get("maxresults", "5000")
    if not asked.isdigit() or not int(asked):
        raise Refused("OutOfRangeQueryParameterValue", QueryParameterName="maxresults")
    return min(int(asked), store.settings.page)


def _begin(call: Call) -> tuple[str, str]:
    marker = call.query.get("marker", "")
    if not marker:
        return "", ""
    try:
        name, _, version = base64.urlsafe_b64decode(marker).decode().partition("\0")
    except ValueError:
        raise Refused("InvalidQueryParameterValue", QueryParameterName="marker") from None
    return name, version


def _token(key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode("\0".join(key).encode()).decode()
