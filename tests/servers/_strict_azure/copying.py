"""Copies inside the service, at once and in its own time.

https://learn.microsoft.com/rest/api/storageservices/copy-blob
https://learn.microsoft.com/rest/api/storageservices/copy-blob-from-url
"""

import uuid
from urllib.parse import urlsplit

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply
from tests.servers._strict_azure import access, blobs, blocks, conditions, facts
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.state import Blob, Copy, Store


def copy(store: Store, call: Call, /) -> Reply:
    """Copy Blob, Copy Blob From URL where `x-ms-requires-sync` is true, and Put Blob From URL."""
    at_once = call.operation == "put from url" or _is_true(call, "x-ms-requires-sync")
    source = _source(store, call, at_once=at_once)
    conditions.check_source(call, source)
    if source.is_archived and (at_once or facts.tier(call) is None):
        raise blobs.archived()
    if at_once and len(source.data) > store.settings.largest_copy:
        raise Refused("InvalidInput", "The source is too large to be copied at once.")
    data = source.data
    headers = dict(source.headers)
    headers |= facts.content_headers(call) if call.operation == "put from url" else {}
    pends = not at_once and store.settings.pending_copies != 0
    blob = blobs.written(store, call, source.kind, b"" if pends else data, headers)
    if not facts.metadata(call):
        blob.metadata = dict(source.metadata)
    if call.header("x-ms-copy-source-tag-option") == "COPY":
        blob.tags = dict(source.tags)
    blob.blocks, blob.appends = list(source.blocks), source.appends
    reply = blobs.done(blob, 201 if call.operation == "put from url" else 202)
    if call.operation != "put from url":
        blob.copy = _begun(store, call, data, pends=pends)
        reply.headers["x-ms-copy-id"] = blob.copy.id
        reply.headers["x-ms-copy-status"] = blob.copy.status
    return reply


def _begun(store: Store, call: Call, data: bytes, *, pends: bool) -> Copy:
    source = (call.header("x-ms-copy-source") or "").partition("?")[0]
    size = len(data)
    if not pends:
        copied = Copy(str(uuid.uuid4()), source, "success", progress=f"{size}/{size}")
        copied.finished = store.now()
        return copied
    settings = store.settings
    return Copy(
        str(uuid.uuid4()),
        source,
        "pending",
        data,
        settings.pending_copies,
        settings.failing_copies,
        progress=f"0/{size}",
    )


def stage(store: Store, call: Call, /) -> Reply:
    """Put Block From URL, of a part of the source where one is named."""
    source = _source(store, call, at_once=True)
    conditions.check_source(call, source)
    if source.is_archived:
        raise blobs.archived()
    part = conditions.parsed_range(call.header("x-ms-source-range"), len(source.data))
    data = source.data if part is None else source.data[part.start : part.stop]
    return blocks.keep(store, call, data)


def abort(store: Store, call: Call, /) -> Reply:
    """Abort Copy Blob: an empty blob is left."""
    _, blob = blobs.found(store, call)
    if blob.copy is None or blob.copy.status != "pending":
        raise Refused("NoPendingCopyOperation", "There is currently no pending copy operation.")
    if blob.copy.id != call.query.get("copyid"):
        raise Refused("CopyIdMismatch")
    if (call.header("x-ms-copy-action") or "").lower() != "abort":
        raise Refused("MissingRequiredHeader", HeaderName="x-ms-copy-action")
    blob.copy.status, blob.copy.finished, blob.copy.data = "aborted", store.now(), b""
    return Reply(204)


def finish_all(store: Store, /) -> None:
    """Every copy that pends is done."""
    for container in store.containers.values():
        for entry in container.entries.values():
            blob = entry.current
            if blob and blob.copy and blob.copy.status == "pending":
                blobs.finish(store, blob, blob.copy)


def _source(store: Store, call: Call, *, at_once: bool) -> Blob:
    url = call.header("x-ms-copy-source") or ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.path.isascii():
        raise Refused("InvalidHeaderValue", HeaderName="x-ms-copy-source", HeaderValue=url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    asked = Call.of("GET", target, _read_headers(call), secure=call.secure, address=call.address)
    try:
        if not _is_owner(store, call, asked, at_once=at_once):
            asked = access.judged(store, asked)
            access.check(store, asked)
        return blobs.found(store, asked)[1]
    except Refused as refused:
        raise _unreadable(refused) from refused


def _read_headers(call: Call) -> CIMultiDict[str]:
    headers = CIMultiDict({"x-ms-version": call.header("x-ms-version") or ""})
    said = call.header("x-ms-copy-source-authorization")
    if said:
        headers["Authorization"] = said
    return headers


def _is_owner(store: Store, call: Call, asked: Call, *, at_once: bool) -> bool:
    # Only the copy that may pend reads its own account by who asks for it.
    may = not at_once or store.settings.open_sources
    return (
        may
        and "sig" not in asked.query
        and call.caller.how in ("key", "token")
        and call.account == asked.account
    )


def _is_true(call: Call, header: str) -> bool:
    return (call.header(header) or "").lower() == "true"


def _unreadable(refused: Refused) -> Refused:
    if refused.code in ("BlobNotFound", "ContainerNotFound"):
        return Refused("CannotVerifyCopySource", refused.message, status=404)
    return Refused("CannotVerifyCopySource", refused.message, status=refused.status)
