"""The resource of an object: told, changed, deleted."""

from tests.servers._strict.reply import Reply
from tests.servers._strict_gcs import acl, conditions, insert, read, resource
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.state import Bucket, Facts, Store, Version


def get(store: Store, call: Call, /) -> Reply:
    bucket, version = read.found(store, call)
    return insert.shown(call, bucket, version)


def patch(store: Store, call: Call, /) -> Reply:
    """PATCH changes the fields that it has."""
    bucket, version = _changed(store, call)
    said = resource.parsed(call.body)
    facts = version.facts.copied()
    resource.patch(facts, said)
    if call.query.get("predefinedAcl") or "acl" in said:
        facts.acl = acl.asked(bucket, call.query.get("predefinedAcl"), said.get("acl"))
    return _put_on(store, call, bucket, version, facts)


def update(store: Store, call: Call, /) -> Reply:
    """PUT replaces all fields."""
    bucket, version = _changed(store, call)
    said = resource.parsed(call.body)
    facts = resource.asked(said, bucket, call.query.get("predefinedAcl"))
    facts.storage_class = version.facts.storage_class
    return _put_on(store, call, bucket, version, facts)


def _changed(store: Store, call: Call) -> tuple[Bucket, Version]:
    bucket = store.bucket(call.bucket)
    version = store.found(call.bucket, call.key, call.query.get("generation"))
    conditions.check(conditions.asked(call), version)
    return bucket, version


def _put_on(store: Store, call: Call, bucket: Bucket, version: Version, facts: Facts) -> Reply:
    version.facts = facts
    version.metageneration += 1
    version.updated = store.now()
    return insert.shown(call, bucket, version)


def delete(store: Store, call: Call, /) -> Reply:
    """With a generation it is gone for good; else it is old, where the bucket keeps versions."""
    bucket, version = _changed(store, call)
    if "generation" in call.query:
        bucket.drop(version)
    else:
        bucket.retire(version.name, store.now())
    return Reply(204)
