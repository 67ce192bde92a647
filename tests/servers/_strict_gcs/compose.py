"""Objects put together in the service.

https://cloud.google.com/storage/docs/json_api/v1/objects/compose
"""

import json
from typing import Any

from tests.servers._strict.reply import Reply
from tests.servers._strict_gcs import conditions, insert, names, resource
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused, invalid
from tests.servers._strict_gcs.state import Bucket, Store, Version

_MOST = 32
_KNOWN = {"kind", "destination", "sourceObjects"}


def compose(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    names.check(call.key)
    said: dict[str, Any] = json.loads(call.body or b"{}")
    if said.keys() - _KNOWN:
        raise invalid(f'Invalid JSON payload received. Unknown name "{min(said.keys() - _KNOWN)}".')
    wanted = said.get("sourceObjects") or []
    if not wanted:
        raise invalid("You must provide at least one source component.")
    if len(wanted) > _MOST:
        raise invalid(
            f"The number of source components provided ({len(wanted)}) exceeds the maximum ({_MOST})"
        )
    sources = [_source(store, bucket, it) for it in wanted]
    made = resource.parsed(json.dumps(said.get("destination") or {}).encode())
    facts = resource.asked(made, bucket, call.query.get("destinationPredefinedAcl"))
    conditions.check(conditions.asked(call), bucket.live(call.key))
    data = b"".join(source.data for source in sources)
    count = sum(source.components or 1 for source in sources)
    version = insert.stored(store, bucket, call.key, data, facts, components=count)
    return insert.shown(call, bucket, version)


def _source(store: Store, bucket: Bucket, said: dict[str, Any]) -> Version:
    name, generation = said.get("name"), said.get("generation")
    if not name:
        raise Refused(400, "Required", reason="required")
    try:
        version = store.found(bucket.name, name, None if generation is None else str(generation))
    except Refused as refused:
        raise Refused(
            404, f"Object {bucket.name}/{name} (generation: {generation or 0}) not found."
        ) from refused
    asked = {key: str(value) for key, value in said.get("objectPreconditions", {}).items()}
    conditions.check(asked, version)
    return version
