"""The process: Google behind the connections, faults and levers that every strict server has."""

import asyncio
import sys
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.servers._strict.faults import Faults
from tests.servers._strict.reply import Reply
from tests.servers._strict.server import serve, server_tls
from tests.servers._strict.wire import Exchange
from tests.servers._strict_gcs import batch, resumable, service
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused
from tests.servers._strict_gcs.faults import Fault
from tests.servers._strict_gcs.settings import Settings
from tests.servers._strict_gcs.state import Store
from tests.servers._strict_gcs.wire import exchange
from tests.servers.google_keys import read_key


@dataclass(slots=True)
class Gcs:
    secure: bool
    store: Store
    faults: Faults[Fault] = field(default_factory=Faults[Fault])

    def call(self, request: web.BaseRequest, /) -> Call:
        return Call.of(request.method, request.raw_path, request.headers, secure=self.secure)

    def exchange(self, call: Call, /) -> Exchange:
        return exchange(call)

    def judged(self, call: Call, /) -> Call:
        return service.judged(self.store, call)

    def answered(self, call: Call, raw: bytes, /) -> Reply:
        if call.operation == "batch":
            return batch.run(call, raw, self._part)
        return service.answered(self.store, call, raw)

    def _part(self, call: Call, raw: bytes) -> Reply:
        """The answer to a part of a batch, which may be a fault's."""
        fault = self.faults.take(call)
        if fault and fault.kind == "answer":
            return self.wrong(call, fault)
        try:
            return self.answered(self.judged(call), raw)
        except Refused as refused:
            return self.refusal(call, refused)

    def broken_off(self, call: Call, raw: bytes, /) -> None:
        if call.operation == "chunk":
            resumable.broken_off(self.store, call, raw)

    def refusal(self, call: Call, refused: Refused, /) -> Reply:
        return service.refusal(call, refused)

    def wrong(self, call: Call, fault: Fault, /) -> Reply:
        return service.refusal(call, _refused(fault))

    def identified(self, reply: Reply, /) -> Reply:
        return service.identified(self.store, reply)

    def fault(self, said: dict[str, Any], /) -> Fault:
        return Fault(**said)

    def settings(self, changes: dict[str, Any], /) -> None:
        for name, value in changes.items():
            setattr(self.store.settings, name, value)

    def reset(self) -> None:
        self.store.settings, self.faults = Settings(), Faults[Fault]()

    def administer(self, path: str, said: Any, /) -> object:
        if path == "uploads":
            uploads = self.store.uploads.values()
            return [[it.bucket, it.name, len(it.data)] for it in uploads if it.state == "open"]
        levers = {"expire-uploads": self._expire_uploads, "expire-tokens": self.store.tokens.clear}
        levers[path]()
        return None

    def _expire_uploads(self) -> None:
        resumable.expire(self.store)


def _refused(fault: Fault) -> Refused:
    status = fault.status or 503
    return Refused(status, "A fault on demand.", reason=fault.reason, headers=fault.headers)


if __name__ == "__main__":
    tls = server_tls(sys.argv[3:])
    gcs = Gcs(tls is not None, Store(read_key(sys.argv[2])))
    asyncio.run(serve(gcs, int(sys.argv[1]), tls))
