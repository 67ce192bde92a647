"""Blobs that grow: https://learn.microsoft.com/rest/api/storageservices/append-block"""

from tests.servers._strict.reply import Reply
from tests.servers._strict_azure import blobs, blocks, conditions
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.state import Store, new_etag


def append(store: Store, call: Call, /) -> Reply:
    """Append Block, which makes no version."""
    entry = store.container(call.account, call.bucket).entry(call.key)
    blob = entry.current
    if blob is None:
        raise conditions.absent()
    if blob.kind != "AppendBlob":
        raise blocks.wrong_kind()
    blobs.check_writable(store, call, entry)
    if not call.body:
        raise Refused("InvalidHeaderValue", HeaderName="Content-Length", HeaderValue=0)
    if len(call.body) > store.settings.largest_append:
        raise Refused("RequestBodyTooLarge", MaxLimit=store.settings.largest_append)
    blobs.check_md5(call)
    position, most = _asked(call, "appendpos"), _asked(call, "maxsize")
    if position is not None and position != len(blob.data):
        raise Refused("AppendPositionConditionNotMet")
    if most is not None and len(blob.data) + len(call.body) > most:
        raise Refused("MaxBlobSizeConditionNotMet")
    if blob.appends >= store.settings.most_appends:
        raise Refused("BlockCountExceedsLimit")
    offset, blob.data = len(blob.data), blob.data + call.body
    blob.appends += 1
    blob.modified, blob.etag = store.now(), new_etag()
    reply = blobs.done(blob, 201)
    reply.headers["x-ms-blob-append-offset"] = str(offset)
    reply.headers["x-ms-blob-committed-block-count"] = str(blob.appends)
    reply.headers["Content-MD5"] = blobs.md5(call.body)
    return reply


def _asked(call: Call, condition: str) -> int | None:
    said = call.header(f"x-ms-blob-condition-{condition}")
    if said is None:
        return None
    if not said.isdigit():
        raise Refused("InvalidHeaderValue", HeaderName=f"x-ms-blob-condition-{condition}")
    return int(said)
