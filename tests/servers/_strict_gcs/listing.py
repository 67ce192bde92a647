"""The objects of a bucket, in the order of their names' UTF-8.

https://cloud.google.com/storage/docs/json_api/v1/objects/list
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.servers._strict.reply import Reply
from tests.servers._strict_gcs import resource
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused, invalid
from tests.servers._strict_gcs.state import Bucket, Store, Version, number

_KNOWN = {
    *("prefix", "delimiter", "includeTrailingDelimiter", "startOffset", "endOffset", "pageToken"),
    *("maxResults", "versions", "projection", "fields", "alt", "prettyPrint", "userProject", "key"),
    *("quotaUser", "userIp"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An object or a prefix, and what the next page begins after."""

    mark: str
    version: Version | None = None
    prefix: str | None = None


def objects(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    _check(call)
    most = min(_most(call), store.settings.page)
    after = _unmarked(call.query.get("pageToken"))
    told: dict[str, Any] = {"kind": "storage#objects"}
    full = call.query.get("projection") == "full"
    items: list[Any] = []
    prefixes: list[str] = []
    last = ""
    for entry in _entries(call, bucket):
        if entry.mark.encode() <= after.encode():
            continue
        if len(items) + len(prefixes) >= most:
            told["nextPageToken"] = _marked(last)
            break
        if entry.prefix is not None:
            prefixes.append(entry.prefix)
        if entry.version:
            items.append(resource.shown(call.origin, bucket, entry.version, full=full))
        last = entry.mark
    # Where there is none, the answer has no such list.
    told |= {"prefixes": prefixes} if prefixes else {}
    told |= {"items": items} if items else {}
    return Reply.json(told)


def _check(call: Call) -> None:
    unknown = call.query.keys() - _KNOWN
    if unknown:
        raise Refused(501, f"This server knows no parameter {min(unknown)!r} of a listing.")


def _most(call: Call) -> int:
    value = call.query.get("maxResults") or "1000"
    if number("maxResults", value) < 1:
        raise invalid(f"Invalid value for: {value}", location="maxResults")
    return int(value)


def _entries(call: Call, bucket: Bucket) -> Iterator[Entry]:
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    trailing = call.says("includeTrailingDelimiter")
    told = None
    for version in _versions(call, bucket):
        cut = version.name.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            yield Entry(_mark(call, version), version)
            continue
        folder = version.name[: cut + len(delimiter)]
        is_folder = trailing and version.name == folder
        if folder != told or is_folder:
            # One entry where the object of a prefix's own name comes with it.
            shown = None if folder == told else folder
            told = folder
            yield Entry(folder + "\0", version if is_folder else None, shown)


def _versions(call: Call, bucket: Bucket) -> Iterator[Version]:
    prefix = call.query.get("prefix", "")
    start, end = call.query.get("startOffset", ""), call.query.get("endOffset")
    for name in sorted(bucket.versions, key=str.encode):
        is_before_end = not end or name.encode() < end.encode()
        if not name.startswith(prefix) or name.encode() < start.encode() or not is_before_end:
            continue
        if call.says("versions"):
            yield from reversed(bucket.versions[name])
        else:
            live = bucket.live(name)
            if live:
                yield live


def _mark(call: Call, version: Version) -> str:
    if call.says("versions"):
        return f"{version.name}\0{version.generation:020d}"
    return version.name


def _marked(mark: str) -> str:
    return base64.urlsafe_b64encode(mark.encode()).decode()


def _unmarked(token: str | None) -> str:
    if not token:
        return ""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError as exc:
        raise invalid("Invalid argument.", location="pageToken") from exc
