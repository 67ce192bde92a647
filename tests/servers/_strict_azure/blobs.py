"""Blobs: written whole, read, looked at, deleted, and told other facts."""

import base64
import hashlib

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply, http_date
from tests.servers._strict_azure import conditions, facts, leases
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.state import Blob, Container, Copy, Entry, Store, new_etag

_MOST_HASHED = 4 << 20


def put(store: Store, call: Call, /) -> Reply:
    """Put Blob, also of an empty one to append to."""
    kind = call.header("x-ms-blob-type")
    if kind is None:
        raise Refused("MissingRequiredHeader", HeaderName="x-ms-blob-type")
    if kind not in ("BlockBlob", "AppendBlob"):
        raise Refused("InvalidHeaderValue", HeaderName="x-ms-blob-type", HeaderValue=kind)
    if kind == "AppendBlob" and call.body:
        raise Refused("InvalidHeaderValue", HeaderName="Content-Length")
    if len(call.body) > store.settings.largest_put:
        raise Refused("RequestBodyTooLarge", MaxLimit=store.settings.largest_put)
    check_md5(call)
    headers = facts.content_headers(call, plain=True)
    if kind == "BlockBlob":
        headers.setdefault("content-md5", md5(call.body))
    blob = written(store, call, kind, call.body, headers)
    reply = done(blob, 201)
    reply.headers["Content-MD5"] = md5(call.body)
    return reply


def written(store: Store, call: Call, kind: str, data: bytes, headers: dict[str, str], /) -> Blob:
    """The new current version, where the conditions and the lease of the old one let it be."""
    container = store.container(call.account, call.bucket)
    entry = container.entry(call.key)
    check_writable(store, call, entry, creates=True)
    if entry.current and entry.current.is_archived:
        raise archived()
    now = store.now()
    blob = Blob(call.key, kind, data, now, now, new_etag(), headers)
    blob.headers.setdefault("content-type", "application/octet-stream")
    blob.metadata, blob.tags, blob.tier = facts.metadata(call), facts.tags(call), facts.tier(call)
    blob.tier_changed = now if blob.tier else None
    replace(store, call, container, entry, blob)
    return blob


def replace(store: Store, call: Call, container: Container, entry: Entry, blob: Blob, /) -> None:
    """Put it in the place of the current version, which is kept where there are versions."""
    old = entry.current
    if store.has_versions(call.account):
        if old:
            old.version_id = old.version_id or store.stamp()
        blob.version_id = store.stamp()
    if old:
        blob.created = old.created if not store.has_versions(call.account) else blob.created
        if old.version_id and old is not blob:
            entry.older.insert(0, old)
    entry.current, entry.staged = blob, {}
    container.keep(call.key, entry)


def check_writable(store: Store, call: Call, entry: Entry, /, *, creates: bool = False) -> None:
    if "versionid" in call.query:
        raise Refused("InvalidQueryParameterValue", QueryParameterName="versionid")
    conditions.check_write(call, entry.current, creates=creates)
    leases.check(call, entry.lease, store.now())
    copy = entry.current.copy if entry.current else None
    if copy and copy.status == "pending":
        raise Refused("PendingCopyOperation", "There is currently a pending copy operation.")


def get(store: Store, call: Call, /) -> Reply:
    """Get Blob, of any version, and of a part."""
    entry, blob = found(store, call)
    conditions.check_read(call, blob)
    leases.check_read(call, entry.lease, store.now())
    if blob.is_archived:
        raise archived()
    headers = facts.told(blob, entry, store.now())
    part = conditions.asked_range(call, len(blob.data))
    headers.update(call.caller.overrides)
    if part is None:
        return Reply(200, blob.data, headers)
    body = blob.data[part.start : part.stop]
    if "content-md5" in headers:
        headers["x-ms-blob-content-md5"] = headers.pop("content-md5")
    if (call.header("x-ms-range-get-content-md5") or "").lower() == "true":
        if len(body) > _MOST_HASHED:
            raise Refused("OutOfRangeInput", status=400)
        headers["Content-MD5"] = md5(body)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(blob.data)}"
    return Reply(206, body, headers)


def head(store: Store, call: Call, /) -> Reply:
    """Get Blob Properties; each counts for a copy that pends."""
    entry, blob = found(store, call)
    conditions.check_read(call, blob)
    leases.check_read(call, entry.lease, store.now())
    if blob.copy:
        advance(store, blob, blob.copy)
    headers = facts.told(blob, entry, store.now())
    headers.update(facts.tiered(blob))
    headers.update(call.caller.overrides)
    return Reply(200, b"", headers, size=len(blob.data))


def advance(store: Store, blob: Blob, copy: Copy, /) -> None:
    """One more look at a copy; the last one finds it done."""
    if copy.status != "pending":
        return
    if copy.left:
        copy.left -= 1
        return
    finish(store, blob, copy)


def finish(store: Store, blob: Blob, copy: Copy, /) -> None:
    copy.status, copy.finished = "failed" if copy.fails else "success", store.now()
    if not copy.fails:
        blob.data = copy.data
        copy.progress = f"{len(copy.data)}/{len(copy.data)}"
    blob.modified, blob.etag = store.now(), new_etag()


def found(store: Store, call: Call, /) -> tuple[Entry, Blob]:
    """The version that is asked for."""
    entry = store.container(call.account, call.bucket).entry(call.key)
    asked = call.query.get("versionid")
    if asked is None and entry.current:
        return entry, entry.current
    if "snapshot" in call.query:
        raise conditions.absent()
    for blob in entry.versions():
        if blob.version_id == asked:
            return entry, blob
    raise conditions.absent()


def delete(store: Store, call: Call, /) -> Reply:
    """Delete Blob: older versions stay, and one of them goes where it is asked for."""
    entry, blob = found(store, call)
    container = store.container(call.account, call.bucket)
    snapshots = call.header("x-ms-delete-snapshots")
    if snapshots not in (None, "include") or (snapshots and "versionid" in call.query):
        raise Refused("InvalidHeaderValue", HeaderName="x-ms-delete-snapshots")
    if "versionid" in call.query:
        conditions.check_read(call, blob)
        if blob is entry.current:
            raise Refused(
                "OperationNotAllowedOnRootBlob",
                "The specified operation is not allowed on root blob.",
            )
        entry.older.remove(blob)
    else:
        check_writable(store, call, entry)
        if blob.version_id:
            entry.older.insert(0, blob)
        entry.current, entry.lease = None, type(entry.lease)()
    container.keep(call.key, entry)
    return Reply(202, headers=CIMultiDict({"x-ms-delete-type-permanent": "true"}))


def set_metadata(store: Store, call: Call, /) -> Reply:
    """Set Blob Metadata, which makes a version."""
    container, entry, blob = _writable(store, call)
    named = facts.metadata(call)
    changed = Blob(**{name: getattr(blob, name) for name in Blob.__slots__})
    changed.metadata, changed.modified, changed.etag = named, store.now(), new_etag()
    replace(store, call, container, entry, changed)
    return done(changed, 200)


def set_properties(store: Store, call: Call, /) -> Reply:
    """Set Blob Properties: all of them, those that are not named are gone."""
    _, _, blob = _writable(store, call)
    blob.headers = facts.content_headers(call)
    blob.headers.setdefault("content-type", "application/octet-stream")
    blob.modified, blob.etag = store.now(), new_etag()
    return done(blob, 200)


def _writable(store: Store, call: Call) -> tuple[Container, Entry, Blob]:
    container = store.container(call.account, call.bucket)
    entry = container.entry(call.key)
    if entry.current is None:
        raise conditions.absent()
    check_writable(store, call, entry)
    if entry.current.is_archived:
        raise archived()
    return container, entry, entry.current


def archived() -> Refused:
    return Refused("BlobArchived", "This operation is not permitted on an archived blob.")


def done(blob: Blob, status: int, /) -> Reply:
    """The reply to a change."""
    headers = CIMultiDict({"ETag": blob.etag, "Last-Modified": http_date(blob.modified)})
    headers["x-ms-request-server-encrypted"] = "true"
    if blob.version_id:
        headers["x-ms-version-id"] = blob.version_id
    return Reply(status, headers=headers)


def check_md5(call: Call, /) -> None:
    """Refuse a body that is not the one its Content-MD5 is of."""
    said = call.header("Content-MD5")
    if said is None:
        return
    try:
        is_hash = len(base64.b64decode(said, validate=True)) == 16
    except ValueError:
        is_hash = False
    if not is_hash:
        raise Refused("InvalidMd5", "The MD5 value specified in the request is invalid.")
    if said != md5(call.body):
        raise Refused(
            "Md5Mismatch",
            "The MD5 value specified in the request did not match with the MD5 value calculated "
            "by the server.",
            UserSpecifiedMd5=said,
            ServerCalculatedMd5=md5(call.body),
        )


def md5(data: bytes, /) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()
