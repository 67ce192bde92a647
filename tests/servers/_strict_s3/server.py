"""The process: S3 behind the connections, faults and levers that every strict server has."""

import asyncio
import sys
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.servers._strict.faults import Faults
from tests.servers._strict.reply import Reply
from tests.servers._strict.server import serve, server_tls
from tests.servers._strict.wire import Exchange
from tests.servers._strict_s3 import objects, service
from tests.servers._strict_s3.call import Call
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.faults import Fault
from tests.servers._strict_s3.settings import Settings
from tests.servers._strict_s3.state import Store
from tests.servers._strict_s3.wire import exchange


@dataclass(slots=True)
class S3:
    secure: bool
    store: Store = field(default_factory=Store)
    faults: Faults[Fault] = field(default_factory=Faults[Fault])

    def call(self, request: web.BaseRequest, /) -> Call:
        return Call.of(request.method, request.raw_path, request.headers, secure=self.secure)

    def exchange(self, call: Call, /) -> Exchange:
        return exchange(call)

    def judged(self, call: Call, /) -> Call:
        return service.judged(self.store, call)

    def answered(self, call: Call, raw: bytes, /) -> Reply:
        return service.answered(self.store, call, raw)

    def broken_off(self, call: Call, raw: bytes, /) -> None:
        """Nothing is kept of it."""

    def refusal(self, call: Call, refused: Refused, /) -> Reply:
        return service.refusal(call, refused)

    def wrong(self, call: Call, fault: Fault, /) -> Reply:
        refused = Refused(fault.code, "A fault on demand.", headers=fault.headers)
        reply = service.refusal(call, refused)
        return reply if fault.status is None else Reply(fault.status, reply.body, reply.headers)

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
        if path == "restored":
            objects.finish_restores(self.store)
            return None
        if path == "uploads":
            return [
                [bucket.name, upload.key, upload.id]
                for bucket in self.store.buckets.values()
                for upload in bucket.uploads.values()
            ]
        raise LookupError(path)


if __name__ == "__main__":
    tls = server_tls(sys.argv[2:])
    asyncio.run(serve(S3(tls is not None), int(sys.argv[1]), tls))
