"""A request is judged, finds its handler, and is answered."""

import os
from collections.abc import Callable
from typing import Final

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply, http_date
from tests.servers._strict_s3 import (
    access,
    buckets,
    form,
    listing,
    many,
    multipart,
    objects,
    payload,
    signature,
    tagging,
    xml,
)
from tests.servers._strict_s3.call import Call
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.state import Store
from tests.servers.keys import REGION

Handler = Callable[[Store, Call], Reply]

SUBRESOURCES: Final = (
    "uploads",
    "uploadId",
    "tagging",
    "acl",
    "restore",
    "attributes",
    "versions",
    "versioning",
    "location",
    "delete",
    "list-type",
    "lifecycle",
    "policy",
    "cors",
    "object-lock",
    "retention",
    "legal-hold",
    "select",
    "torrent",
)
OBJECT: dict[tuple[str, str], Handler] = {
    ("GET", ""): objects.get,
    ("HEAD", ""): objects.get,
    ("PUT", ""): objects.put,
    ("DELETE", ""): objects.delete,
    ("POST", "restore"): objects.restore,
    ("GET", "tagging"): tagging.get_tags,
    ("PUT", "tagging"): tagging.put_tags,
    ("DELETE", "tagging"): tagging.delete_tags,
    ("GET", "acl"): tagging.get_acl,
    ("PUT", "acl"): tagging.put_acl,
    ("GET", "attributes"): tagging.get_attributes,
    ("POST", "uploads"): multipart.create,
    ("PUT", "uploadId"): multipart.upload_part,
    ("POST", "uploadId"): multipart.complete,
    ("DELETE", "uploadId"): multipart.abort,
    ("GET", "uploadId"): multipart.list_parts,
}
BUCKET: dict[tuple[str, str], Handler] = {
    ("PUT", ""): buckets.create,
    ("DELETE", ""): buckets.delete,
    ("HEAD", ""): buckets.head,
    ("POST", ""): form.post,
    ("GET", "location"): buckets.location,
    ("GET", "versioning"): buckets.get_versioning,
    ("PUT", "versioning"): buckets.put_versioning,
    ("GET", "list-type"): listing.objects,
    ("GET", "versions"): listing.versions,
    ("GET", "uploads"): listing.uploads,
    ("POST", "delete"): many.delete,
}
_COPIES: dict[Handler, Handler] = {
    objects.put: objects.copy,
    multipart.upload_part: multipart.copy_part,
}


def judged(store: Store, call: Call, /) -> Call:
    """The call with its signer, refused if its headers alone are wrong."""
    region = REGION
    if call.bucket in store.buckets:
        region = store.buckets[call.bucket].region
    elif call.method == "PUT" and not call.key:
        region = _claimed_region(call)  # a bucket is made from any region
    if not _is_form(call):
        call = call.by(signature.verify(call, region, store.settings, store.now()))
    payload.check_announcement(call)
    return call


def _claimed_region(call: Call) -> str:
    parts = (call.header("Authorization") or "").split("/")
    return parts[2] if len(parts) > 4 else REGION


def answered(store: Store, call: Call, raw: bytes, /) -> Reply:
    """What the handler of the call says to this body."""
    call = payload.opened(call, raw)
    handler = _handler(call)
    if call.bucket and handler is not buckets.create and not _is_form(call):
        access.check(call, store.bucket(call.bucket))
    return handler(store, call)


def _is_form(call: Call) -> bool:
    kind = call.header("Content-Type") or ""
    return call.method == "POST" and not call.key and kind.startswith("multipart/form-data")


def _handler(call: Call) -> Handler:
    if not call.bucket:
        return buckets.list_all
    sub = next((name for name in SUBRESOURCES if name in call.query), "")
    handler = (OBJECT if call.key else BUCKET).get((call.method, sub))
    if handler is None:
        raise Refused(
            "NotImplemented", "A header you provided implies functionality that is not implemented"
        )
    if call.header("x-amz-copy-source") is None:
        return handler
    return _COPIES.get(handler, handler)


def refusal(call: Call, refused: Refused, /) -> Reply:
    """An error as S3 words it; HEAD and 304 have no words."""
    request_id = _request_id()
    headers = CIMultiDict({**refused.headers, "x-amz-request-id": request_id})
    if refused.status == 304 or call.method == "HEAD":
        return Reply(refused.status, headers=headers, size=None if refused.status == 304 else 0)
    told = [
        xml.tag("Code", refused.code),
        xml.tag("Message", refused.message),
        *(xml.tag(name, value) for name, value in refused.fields.items()),
        xml.tag("Resource", call.path),
        xml.tag("RequestId", request_id),
    ]
    headers["Content-Type"] = "application/xml"
    return Reply(refused.status, xml.document("Error", told, plain=True), headers)


def identified(store: Store, reply: Reply, /) -> Reply:
    """The reply with the headers that every reply has."""
    reply.headers.setdefault("x-amz-request-id", _request_id())
    reply.headers.setdefault("x-amz-id-2", os.urandom(24).hex())
    reply.headers["Date"] = http_date(store.now())
    reply.headers["Server"] = "StrictS3"
    return reply


def _request_id() -> str:
    return os.urandom(8).hex().upper()
