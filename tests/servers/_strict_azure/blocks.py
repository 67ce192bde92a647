"""Blocks: staged one by one, and made a blob by a list of them."""

import base64

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply
from tests.servers._strict.xml import document, node, tag
from tests.servers._strict_azure import blobs, conditions, facts, leases
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.parsing import parse
from tests.servers._strict_azure.state import Store

_MOST_STAGED = 100_000


def stage(store: Store, call: Call, /) -> Reply:
    """Put Block."""
    blobs.check_md5(call)
    return keep(store, call, call.body)


def keep(store: Store, call: Call, body: bytes, /) -> Reply:
    """Stage a block, wherever its bytes come from."""
    container = store.container(call.account, call.bucket)
    entry, name = container.entry(call.key), call.query.get("blockid", "")
    _check_id(name, [*entry.staged, *(name for name, _ in _committed(entry.current))])
    if not body:
        raise Refused("InvalidHeaderValue", HeaderName="Content-Length", HeaderValue=0)
    if len(body) > store.settings.largest_block:
        raise Refused("RequestBodyTooLarge", MaxLimit=store.settings.largest_block)
    if len(entry.staged) >= _MOST_STAGED:
        raise Refused("BlockCountExceedsLimit")
    if entry.current and entry.current.kind != "BlockBlob":
        raise wrong_kind()
    leases.check(call, entry.lease, store.now())
    entry.staged[name] = body
    container.keep(call.key, entry)
    headers = CIMultiDict({"Content-MD5": blobs.md5(body)})
    headers["x-ms-request-server-encrypted"] = "true"
    return Reply(201, headers=headers)


def commit(store: Store, call: Call, /) -> Reply:
    """Put Block List: what is not in the list is forgotten."""
    entry = store.container(call.account, call.bucket).entry(call.key)
    blobs.check_md5(call)
    listed = [(item.tag, item.text or "") for item in parse(call.body, "BlockList")]
    if len(listed) > store.settings.most_blocks:
        raise Refused("BlockCountExceedsLimit")
    kept, staged = dict(_committed(entry.current)), entry.staged
    found: list[tuple[str, bytes]] = []
    for kind, name in listed:
        where = {"Committed": kept, "Uncommitted": staged, "Latest": {**kept, **staged}}.get(kind)
        if where is None:
            raise Refused("InvalidXmlDocument")
        if name not in where:
            raise Refused("InvalidBlockList", "The specified block list is invalid.")
        found.append((name, where[name]))
    data = b"".join(part for _, part in found)
    if entry.current and entry.current.kind != "BlockBlob":
        raise wrong_kind()
    blob = blobs.written(store, call, "BlockBlob", data, facts.content_headers(call))
    blob.blocks = found
    return blobs.done(blob, 201)


def listed(store: Store, call: Call, /) -> Reply:
    """Get Block List."""
    entry = store.container(call.account, call.bucket).entry(call.key)
    if not entry.current and not entry.staged:
        raise conditions.absent()
    asked = call.query.get("blocklisttype", "committed").lower()
    told = {
        "CommittedBlocks": _committed(entry.current) if asked != "uncommitted" else None,
        "UncommittedBlocks": list(entry.staged.items()) if asked != "committed" else None,
    }
    lists = [
        node(
            name,
            [node("Block", [tag("Name", key), tag("Size", len(part))]) for key, part in found],
        )
        for name, found in told.items()
        if found is not None
    ]
    headers: dict[str, str] = {}
    if entry.current:
        headers["ETag"] = entry.current.etag
        headers["x-ms-blob-content-length"] = str(len(entry.current.data))
    reply = Reply.xml(document("BlockList", lists))
    reply.headers.update(headers)
    return reply


def wrong_kind() -> Refused:
    return Refused("InvalidBlobType", "The blob type is invalid for this operation.")


def _committed(blob: object) -> list[tuple[str, bytes]]:
    return list(getattr(blob, "blocks", []))


def _check_id(name: str, others: list[str]) -> None:
    try:
        raw = base64.b64decode(name, validate=True)
    except ValueError:
        raw = b""
    if not 1 <= len(raw) <= 64:
        raise Refused("InvalidQueryParameterValue", QueryParameterName="blockid")
    if any(len(other) != len(name) for other in others):
        raise Refused("InvalidBlobOrBlock", "The specified blob or block content is invalid.")
