"""Tags and tiers."""

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply
from tests.servers._strict.xml import document, node, tag
from tests.servers._strict_azure import blobs, conditions, facts, leases
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.parsing import parse
from tests.servers._strict_azure.state import Store


def get(store: Store, call: Call, /) -> Reply:
    _, blob = blobs.found(store, call)
    conditions.check_read(call, blob)
    return Reply.xml(document("Tags", [tag_set(blob.tags)]))


def tag_set(tags: dict[str, str], /) -> str:
    """As it stands in an answer of its own, and in lists."""
    return node(
        "TagSet",
        [node("Tag", [tag("Key", key), tag("Value", value)]) for key, value in tags.items()],
    )


def put(store: Store, call: Call, /) -> Reply:
    """Set Blob Tags: all of them, and neither the ETag nor the time changes."""
    entry, blob = blobs.found(store, call)
    conditions.check_read(call, blob)
    if blob is entry.current:
        leases.check(call, entry.lease, store.now())
    blobs.check_md5(call)
    found = parse(call.body, "Tags").iterfind("TagSet/Tag")
    said = [(item.findtext("Key") or "", item.findtext("Value") or "") for item in found]
    blob.tags = facts.checked_tags(said)
    return Reply(204)


def set_tier(store: Store, call: Call, /) -> Reply:
    """Set Blob Tier; out of the archive it takes until `rehydrate()`."""
    _, blob = blobs.found(store, call)
    if blob.kind != "BlockBlob":
        raise Refused("InvalidBlobType", "The blob type is invalid for this operation.")
    asked = facts.tier(call)
    if asked is None:
        raise Refused("MissingRequiredHeader", HeaderName="x-ms-access-tier")
    if blob.rehydrates_to:
        raise Refused("BlobBeingRehydrated", "It is already being rehydrated.")
    if blob.is_archived and asked != "Archive":
        blob.rehydrates_to = asked
        return Reply(202)
    blob.tier, blob.tier_changed = asked, store.now()
    return Reply(200, headers=CIMultiDict())


def rehydrate(store: Store, /) -> None:
    """Every blob on its way out of the archive has arrived."""
    for container in store.containers.values():
        for entry in container.entries.values():
            for blob in [*entry.older, *([entry.current] if entry.current else [])]:
                if blob.rehydrates_to:
                    blob.tier, blob.rehydrates_to = blob.rehydrates_to, None
