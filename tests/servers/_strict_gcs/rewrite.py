"""Copies and moves in the service.

https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite
"""

import secrets

from tests.servers._strict.reply import Reply
from tests.servers._strict_gcs import acl, conditions, insert, names, resource
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused, invalid
from tests.servers._strict_gcs.state import Bucket, Facts, Rewrite, Store, Version, number

_MEBIBYTE = 1 << 20


def rewrite(store: Store, call: Call, /) -> Reply:
    """As many bytes as one call copies; then a token for the next call, or the new object."""
    source, bucket, facts = _asked(store, call)
    size = len(source.data)
    under_way = _under_way(store, call, source)
    under_way.done = min(size, under_way.done + _portion(store, call, size))
    told = {
        "kind": "storage#rewriteResponse",
        "totalBytesRewritten": str(under_way.done),
        "objectSize": str(size),
        "done": under_way.done == size,
    }
    if not told["done"]:
        token = secrets.token_urlsafe(24)
        store.rewrites[token] = under_way
        return Reply.json({**told, "rewriteToken": token})
    version = _stored(store, call, source, bucket, facts)
    full = call.query.get("projection") == "full"
    return Reply.json({**told, "resource": resource.shown(call.origin, bucket, version, full=full)})


def copy(store: Store, call: Call, /) -> Reply:
    source, bucket, facts = _asked(store, call)
    version = _stored(store, call, source, bucket, facts)
    return insert.shown(call, bucket, version)


def move(store: Store, call: Call, /) -> Reply:
    """One step within a bucket, where the server is set to have it."""
    if not store.settings.moves:
        raise invalid("This bucket does not support moving objects.")
    bucket = store.bucket(call.bucket)
    source = store.found(call.bucket, call.key, call.query.get("sourceGeneration"))
    asked = conditions.asked(call)
    conditions.check(asked, source, of="Source")
    conditions.check(asked, bucket.live(call.place["to_key"]))
    names.check(call.place["to_key"])
    version = _stored(store, call, source, bucket, source.facts.copied())
    bucket.retire(source.name, store.now())
    return insert.shown(call, bucket, version)


def _asked(store: Store, call: Call) -> tuple[Version, Bucket, Facts]:
    source = store.found(call.bucket, call.key, call.query.get("sourceGeneration"))
    bucket = store.bucket(call.place["to_bucket"])
    names.check(call.place["to_key"])
    asked = conditions.asked(call)
    conditions.check(asked, source, of="Source")
    conditions.check(asked, bucket.live(call.place["to_key"]))
    return source, bucket, _facts(call, source, bucket)


def _facts(call: Call, source: Version, bucket: Bucket) -> Facts:
    """With a resource in the body, all of the new object's; else the source's, but for its ACL."""
    said = resource.parsed(call.body)
    predefined = call.query.get("destinationPredefinedAcl")
    if not said:
        facts = source.facts.copied()
        facts.acl, facts.storage_class = acl.asked(bucket, predefined, None), None
        return facts
    if "bucket" in said and not ("name" in said and "contentType" in said):
        raise Refused(400, "Required", reason="required")
    return resource.asked(said, bucket, predefined)


def _under_way(store: Store, call: Call, source: Version) -> Rewrite:
    """What the token stands for, given with the same request again."""
    asked = (source.generation, call.place["to_bucket"], call.place["to_key"], call.body)
    token = call.query.get("rewriteToken")
    if token is None:
        return Rewrite(asked)
    found = store.rewrites.get(token)
    if found is None or found.asked != asked:
        raise invalid("The rewrite token is not valid for this request.", location="rewriteToken")
    return found


def _portion(store: Store, call: Call, size: int) -> int:
    portion = store.settings.rewrite_per_call or size
    limit = call.query.get("maxBytesRewrittenPerCall")
    if limit is None:
        return portion
    most = number("maxBytesRewrittenPerCall", limit)
    if most < _MEBIBYTE or most % _MEBIBYTE:
        raise invalid("maxBytesRewrittenPerCall must be an integral multiple of 1 MiB.")
    return min(portion, most)


def _stored(store: Store, call: Call, source: Version, bucket: Bucket, facts: Facts) -> Version:
    name = call.place["to_key"]
    return insert.stored(store, bucket, name, source.data, facts, components=source.components)
