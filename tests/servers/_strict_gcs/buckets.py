"""Buckets themselves."""

import json
import re
from typing import Any

from tests.servers._strict.reply import Reply, iso_date
from tests.servers._strict_gcs import conditions
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused, invalid
from tests.servers._strict_gcs.resource import CLASSES
from tests.servers._strict_gcs.state import Bucket, Store

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


def create(store: Store, call: Call, /) -> Reply:
    if "project" not in call.query:
        raise Refused(400, "Required parameter: project", reason="required", location="project")
    said: dict[str, Any] = json.loads(call.body or b"{}")
    name = str(said.pop("name", ""))
    if not _NAME.fullmatch(name):
        raise invalid(f"Invalid bucket name: '{name}'")
    if name in store.buckets:
        raise Refused(
            409,
            "Your previous request to create the named bucket succeeded and you already own it.",
        )
    if said.get("storageClass", "STANDARD") not in CLASSES:
        raise invalid("Invalid argument.", location="storageClass")
    bucket = store.buckets[name] = Bucket(name, store.now(), said)
    return Reply.json(_shown(call, bucket))


def get(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    return Reply.json(_shown(call, bucket))


def patch(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    conditions.asked(call)
    for name, value in json.loads(call.body or b"{}").items():
        if value is None:
            bucket.resource.pop(name, None)
        else:
            bucket.resource[name] = value
    bucket.metageneration += 1
    return Reply.json(_shown(call, bucket))


def delete(store: Store, call: Call, /) -> Reply:
    if store.bucket(call.bucket).versions:
        raise Refused(409, "The bucket you tried to delete is not empty.")
    del store.buckets[call.bucket]
    return Reply(204)


def list_all(store: Store, call: Call, /) -> Reply:
    listed = [_shown(call, store.buckets[name]) for name in sorted(store.buckets)]
    return Reply.json({"kind": "storage#buckets", "items": listed})


def get_policy(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    return Reply.json(
        {"kind": "storage#policy", "version": 1, "bindings": bucket.policy, "etag": "CAE="}
    )


def set_policy(store: Store, call: Call, /) -> Reply:
    """Who sets it may make the bucket public: `roles/storage.objectViewer` for `allUsers`."""
    store.bucket(call.bucket).policy = json.loads(call.body)["bindings"]
    return get_policy(store, call)


def _shown(call: Call, bucket: Bucket) -> dict[str, Any]:
    return {
        "kind": "storage#bucket",
        "id": bucket.name,
        "name": bucket.name,
        "selfLink": f"{call.origin}/storage/v1/b/{bucket.name}",
        "projectNumber": "1",
        "location": "US",
        "locationType": "multi-region",
        "storageClass": "STANDARD",
        "timeCreated": iso_date(bucket.created),
        "updated": iso_date(bucket.created),
        "metageneration": str(bucket.metageneration),
        "etag": "CAE=",
        **bucket.resource,
    }
