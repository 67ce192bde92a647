"""A request is judged, finds its handler, and is answered."""

import secrets
from collections.abc import Callable

from multidict import CIMultiDict

from tests.servers._strict import xml
from tests.servers._strict.reply import Reply, http_date
from tests.servers._strict_gcs import (
    access,
    buckets,
    compose,
    form,
    grants,
    insert,
    listing,
    objects,
    read,
    resumable,
    rewrite,
    tokens,
)
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused
from tests.servers._strict_gcs.state import Store

Handler = Callable[[Store, Call], Reply]

HANDLERS: dict[str, Handler] = {
    "create-bucket": buckets.create,
    "list-buckets": buckets.list_all,
    "get-bucket": buckets.get,
    "patch-bucket": buckets.patch,
    "delete-bucket": buckets.delete,
    "get-iam": buckets.get_policy,
    "set-iam": buckets.set_policy,
    "list": listing.objects,
    "get": objects.get,
    "media": read.media,
    "patch": objects.patch,
    "update": objects.update,
    "delete": objects.delete,
    "compose": compose.compose,
    "rewrite": rewrite.rewrite,
    "copy": rewrite.copy,
    "move": rewrite.move,
    "list-acl": grants.list_all,
    "insert-acl": grants.insert,
    "get-acl": grants.get,
    "delete-acl": grants.delete,
    "insert": insert.insert,
    "start": resumable.start,
    "chunk": resumable.chunk,
    "query": resumable.chunk,
    "abort": resumable.abort,
    "xml-get": read.get,
    "xml-head": read.get,
    "xml-put": insert.put,
    "xml-delete": objects.delete,
    "xml-start": resumable.start_xml,
    "xml-form": form.post,
    "token": tokens.token,
    "exchange": tokens.exchange,
    "signBlob": tokens.sign_blob,
    "generateAccessToken": tokens.generate,
    "metadata": tokens.metadata,
}
_PLAIN = ("media", "chunk", "query", "abort", "")


def judged(store: Store, call: Call, /) -> Call:
    """The call with its caller, refused if its headers alone are wrong."""
    call = call.by(access.caller(store, call))
    access.check(store, call)
    has_length = call.header("Content-Length") or "chunked" in call.headers.get(
        "Transfer-Encoding", ""
    )
    if call.method in ("POST", "PUT") and not has_length:
        raise Refused(411, "Content-Length is required.")
    return call


def answered(store: Store, call: Call, raw: bytes, /) -> Reply:
    """What the handler of the call says to this body."""
    handler = HANDLERS.get(call.operation)
    if handler is None:
        raise Refused(404, "Not Found")
    return handler(store, call.carrying(raw))


def refusal(call: Call, refused: Refused, /) -> Reply:
    """An error as Google words it; HEAD and 304 have no words, data has plain ones."""
    headers = CIMultiDict(refused.headers)
    if refused.status == 304 or call.method == "HEAD":
        return Reply(refused.status, headers=headers, size=None if refused.status == 304 else 0)
    if refused.told is not None:
        reply = Reply.json(refused.told, refused.status)
    elif call.is_xml:
        reply = Reply(refused.status, _xml(refused), _kind("application/xml; charset=UTF-8"))
    elif call.operation in _PLAIN:
        reply = Reply(refused.status, refused.message.encode(), _kind("text/html; charset=UTF-8"))
    else:
        reply = Reply.json(_json(refused), refused.status)
    reply.headers.update(headers)
    return reply


def _kind(content_type: str) -> CIMultiDict[str]:
    return CIMultiDict({"Content-Type": content_type})


def _xml(refused: Refused) -> bytes:
    told = [xml.tag("Code", refused.code), xml.tag("Message", refused.message)]
    if refused.details:
        told.append(xml.tag("Details", refused.details))
    return xml.document("Error", told)


def _json(refused: Refused) -> dict[str, object]:
    one = {"message": refused.message, "domain": "global", "reason": refused.reason}
    if refused.location:
        kind = "header" if refused.location[0].isupper() else "parameter"
        one |= {"locationType": kind, "location": refused.location}
    return {"error": {"code": refused.status, "message": refused.message, "errors": [one]}}


def identified(store: Store, reply: Reply, /) -> Reply:
    """The reply with the headers that every reply has."""
    reply.headers.setdefault("X-GUploader-UploadID", secrets.token_urlsafe(24))
    reply.headers["Date"] = http_date(store.now())
    reply.headers["Server"] = "UploadServer"
    return reply
