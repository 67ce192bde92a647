"""The entries of an object's ACL, one by one.

https://cloud.google.com/storage/docs/json_api/v1/objectAccessControls
"""

import json

from tests.servers._strict.reply import Reply
from tests.servers._strict_gcs import acl
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused
from tests.servers._strict_gcs.state import Bucket, Store, Version


def list_all(store: Store, call: Call, /) -> Reply:
    bucket, version = _found(store, call, "get")
    listed = acl.shown(bucket, version)
    return Reply.json({"kind": "storage#objectAccessControls", "items": listed})


def get(store: Store, call: Call, /) -> Reply:
    bucket, version = _found(store, call, "get")
    entity = call.place["entity"]
    for one in acl.shown(bucket, version):
        if one["entity"] == entity:
            return Reply.json(one)
    raise _missing(call)


def insert(store: Store, call: Call, /) -> Reply:
    bucket, version = _found(store, call, "update")
    entity, role = acl.entry(bucket, json.loads(call.body or b"{}"))
    version.facts.acl[entity] = role
    version.metageneration += 1
    return Reply.json(acl.one(bucket, version, entity, role))


def delete(store: Store, call: Call, /) -> Reply:
    _, version = _found(store, call, "update")
    if version.facts.acl.pop(call.place["entity"], None) is None:
        raise _missing(call)
    version.metageneration += 1
    return Reply(204)


def _found(store: Store, call: Call, verb: str) -> tuple[Bucket, Version]:
    bucket = store.bucket(call.bucket)
    version = store.found(call.bucket, call.key, call.query.get("generation"))
    acl.check_has(bucket, verb)
    return bucket, version


def _missing(call: Call) -> Refused:
    return Refused(404, f"The specified entity was not found: {call.place['entity']}")
