"""A request is judged, finds its handler, and is answered."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from multidict import CIMultiDict

from tests.servers._strict.faults import Faults
from tests.servers._strict.reply import Reply, http_date
from tests.servers._strict.wire import Exchange
from tests.servers._strict_azure import (
    access,
    appends,
    batch,
    blobs,
    blocks,
    containers,
    copying,
    leases,
    listing,
    tagging,
)
from tests.servers._strict_azure.call import Call, exchange
from tests.servers._strict_azure.errors import Refused, document
from tests.servers._strict_azure.faults import AzureFault, wrong
from tests.servers._strict_azure.settings import Settings
from tests.servers._strict_azure.state import Store

Handler = Callable[[Store, Call], Reply]

HANDLERS: Final[dict[str, Handler]] = {
    "abort copy": copying.abort,
    "account": containers.account,
    "append": appends.append,
    "block": blocks.stage,
    "block from url": copying.stage,
    "commit": blocks.commit,
    "container": containers.head,
    "container metadata": containers.set_metadata,
    "containers": containers.list_all,
    "copy": copying.copy,
    "create append": blobs.put,
    "create container": containers.create,
    "delete": blobs.delete,
    "delete container": containers.delete,
    "get": blobs.get,
    "get acl": containers.get_acl,
    "get blocks": blocks.listed,
    "get tags": tagging.get,
    "head": blobs.head,
    "key": containers.key,
    "lease": leases.lease,
    "list": listing.blobs,
    "metadata": blobs.set_metadata,
    "properties": blobs.set_properties,
    "put": blobs.put,
    "put from url": copying.copy,
    "set acl": containers.set_acl,
    "tags": tagging.put,
    "tier": tagging.set_tier,
}
# Ignored, they would let a client believe that something was checked or done.
_UNKNOWN: Final = re.compile(
    r"x-ms-(content-crc64|structured-.*|encryption-.*|immutability-.*|legal-hold"
    r"|source-content-.*|seal-blob|expiry-.*)"
)
_DOTS = re.compile(r"(^|/)\.{1,2}(/|$)")


@dataclass(slots=True)
class AzureService:
    secure: bool
    store: Store = field(default_factory=Store)
    faults: Faults[AzureFault] = field(default_factory=Faults[AzureFault])

    def call(self, request: web.BaseRequest, /) -> Call:
        return Call.of(
            request.method,
            request.raw_path,
            request.headers,
            secure=self.secure,
            address=request.remote or "",
        )

    def exchange(self, call: Call, /) -> Exchange:
        return exchange(call)

    def judged(self, call: Call, /) -> Call:
        _check_name(call)
        call = access.judged(self.store, call)
        unknown = next((name for name in call.headers if _UNKNOWN.fullmatch(name.lower())), None)
        if unknown:
            raise Refused("UnsupportedHeader", HeaderName=unknown)
        strange = next(
            (name for name, value in call.headers.items() if _is_strange(name, value)), None
        )
        if strange:
            raise Refused("InvalidHeaderValue", HeaderName=strange)
        has_length = {"Content-Length", "Transfer-Encoding"} & set(call.headers)
        if call.method == "PUT" and not has_length:
            raise Refused("MissingContentLengthHeader")
        return call

    def answered(self, call: Call, raw: bytes, /) -> Reply:
        call = call.carrying(raw)
        if call.operation == "batch":
            return batch.submit(call, self._part)
        handler = HANDLERS.get(call.operation)
        if handler is None:
            raise Refused("UnsupportedHttpVerb", f"{call.operation} is not done here.")
        if call.bucket and call.operation != "create container" and call.caller.how != "nobody":
            self.store.container(call.account, call.bucket)
        access.check(self.store, call)
        return _echoing(call, handler(self.store, call))

    def _part(self, call: Call) -> Reply:
        try:
            reply = self.answered(self.judged(call), b"")
        except Refused as refused:
            reply = self.refusal(call, refused)
        return self.identified(reply)

    def broken_off(self, call: Call, raw: bytes, /) -> None:
        """A body that did not arrive is no body."""

    def refusal(self, call: Call, refused: Refused, /) -> Reply:
        headers = CIMultiDict({**refused.headers, "x-ms-error-code": refused.code})
        if refused.status == 304 or call.method == "HEAD":
            return _echoing(call, Reply(refused.status, headers=headers))
        headers["Content-Type"] = "application/xml"
        text = document(refused.code, refused.message, **refused.fields)
        return _echoing(call, Reply(refused.status, text, headers))

    def wrong(self, call: Call, fault: AzureFault, /) -> Reply:
        return wrong(call, fault)

    def identified(self, reply: Reply, /) -> Reply:
        reply.headers.setdefault("x-ms-request-id", str(uuid.uuid4()))
        reply.headers.setdefault("x-ms-version", "2026-10-06")
        reply.headers["Date"] = http_date(self.store.now())
        reply.headers["Server"] = "StrictAzure"
        return reply

    def fault(self, said: dict[str, Any], /) -> AzureFault:
        return AzureFault(**said)

    def settings(self, changes: dict[str, Any], /) -> None:
        for name, value in changes.items():
            setattr(self.store.settings, name, value)

    def reset(self) -> None:
        self.store.settings, self.faults = Settings(), Faults()

    def administer(self, path: str, said: Any, /) -> object:
        if path == "copies":
            copying.finish_all(self.store)
        elif path == "rehydrated":
            tagging.rehydrate(self.store)
        elif path == "staged":
            return [
                [container.name, name, len(entry.staged)]
                for container in self.store.containers.values()
                for name, entry in container.entries.items()
                if entry.staged
            ]
        else:
            raise LookupError(path)
        return None


def _echoing(call: Call, reply: Reply) -> Reply:
    said = call.header("x-ms-client-request-id")
    if said:
        reply.headers["x-ms-client-request-id"] = said
    return reply


def _is_strange(name: str, value: str) -> bool:
    # Metadata has a code of its own for this.
    is_ours = name.lower().startswith("x-ms-") and not name.lower().startswith("x-ms-meta-")
    return is_ours and not value.isascii()


def _check_name(call: Call) -> None:
    # The real service resolves dots, into another blob or container than the one that was meant.
    if _DOTS.search(call.path):
        raise Refused("InvalidUri", "The URL has a segment of dots.")
    if len(call.key) > 1024 or call.key.count("/") > 254:
        raise Refused("InvalidUri", "The name of the blob is too long.")
