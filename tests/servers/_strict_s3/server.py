"""The process: connections, faults, and a way in for tests under `/_admin/`."""

import asyncio
import json
import signal
import ssl
import sys
from dataclasses import asdict, dataclass, field
from urllib.parse import parse_qs

from aiohttp import web
from multidict import CIMultiDict

from tests.servers._strict_s3 import objects, service
from tests.servers._strict_s3.call import Call, Reply
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.faults import Fault, Faults
from tests.servers._strict_s3.settings import Settings
from tests.servers._strict_s3.state import Store
from tests.servers._strict_s3.wire import Exchange, exchange
from tests.servers.process import HOST

_ADMIN = "/_admin/"
_LONG = 1 << 16


@dataclass(slots=True)
class Server:
    secure: bool
    store: Store = field(default_factory=Store)
    faults: Faults = field(default_factory=Faults)
    wire: list[Exchange] = field(default_factory=list[Exchange])

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path.startswith(_ADMIN):
            return await self._administer(request)
        call = Call.of(request.method, request.raw_path, request.headers, secure=self.secure)
        seen = exchange(call)
        self.wire.append(seen)
        fault = self.faults.take(call)
        try:
            reply = await self._reply(request, call, seen, fault)
        except (ConnectionError, web.RequestPayloadError):
            return _hung_up(request)
        if reply is None:
            return _hung_up(request)
        seen.status = None if fault and fault.kind in ("lose", "stall") else reply.status
        if fault and fault.kind == "stall":
            await asyncio.Event().wait()
        return await _send(request, service.identified(self.store, reply), fault)

    async def _reply(
        self, request: web.BaseRequest, call: Call, seen: Exchange, fault: Fault | None
    ) -> Reply | None:
        try:
            if fault and fault.kind == "answer" and "Expect" in request.headers:
                return _wrong(call, fault)
            if not fault or fault.kind not in ("answer", "close"):
                call = service.judged(self.store, call)
            await _continue(request)
            raw = await _body(request)
            seen.size = len(raw)
            if fault and fault.kind == "close":
                return None
            if fault and fault.kind == "answer":
                return _wrong(call, fault)
            if fault and fault.kind == "flip-upload":
                raw = _flipped(raw)
            return service.answered(self.store, call, raw)
        except Refused as refused:
            return service.refusal(call, refused)

    async def _administer(self, request: web.BaseRequest) -> web.Response:
        said = json.loads(await _body(request) or b"null")
        path, _, query = request.raw_path.removeprefix(_ADMIN).partition("?")
        told: object = None
        if path == "reset":
            self.store.settings, self.faults = Settings(), Faults()
        elif path == "settings":
            for name, value in said.items():
                setattr(self.store.settings, name, value)
        elif path == "fault":
            self.faults.add(Fault(**said))
        elif path == "faults":
            told = len(self.faults.waiting)
        elif path == "restored":
            objects.finish_restores(self.store)
        elif path == "seen":
            told = len(self.wire)
        elif path == "requests":
            told = [asdict(seen) for seen in self.wire[int(parse_qs(query)["since"][0]) :]]
        elif path == "uploads":
            told = [
                [bucket.name, upload.key, upload.id]
                for bucket in self.store.buckets.values()
                for upload in bucket.uploads.values()
            ]
        else:
            return web.Response(status=404)
        return web.json_response(told)


async def _continue(request: web.BaseRequest) -> None:
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def _body(request: web.BaseRequest) -> bytes:
    chunks = [chunk async for chunk in request.content.iter_any()]
    return b"".join(chunks)


def _wrong(call: Call, fault: Fault) -> Reply:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    reply = service.refusal(call, Refused(fault.code, "A fault on demand.", headers=headers))
    return reply if fault.status is None else Reply(fault.status, reply.body, reply.headers)


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body


async def _send(request: web.BaseRequest, reply: Reply, fault: Fault | None) -> web.StreamResponse:
    if fault and fault.kind == "lose":
        return _hung_up(request)
    body = _flipped(reply.body) if fault and fault.kind == "flip" else reply.body
    answer = web.StreamResponse(status=reply.status, headers=CIMultiDict(reply.headers))
    if reply.status not in (204, 304):
        answer.content_length = len(reply.body) if reply.size is None else reply.size
    if not request.content.at_eof():
        answer.force_close()  # the client may send the body, or not: what follows is unknown
    await answer.prepare(request)
    if fault and fault.kind == "cut":
        await answer.write(body[: fault.after])
        return _hung_up(request)
    if body:
        await answer.write(body)
    await answer.write_eof()
    return answer


def _hung_up(request: web.BaseRequest) -> web.Response:
    if request.transport:
        request.transport.close()
    return web.Response()


async def serve(port: int, tls: ssl.SSLContext | None, /) -> None:
    """Answer on the port until the process is asked to end."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = web.Server(
        Server(tls is not None).handle,
        access_log=None,
        auto_decompress=False,
        max_line_size=_LONG,
        max_field_size=_LONG,
    )
    listener = await loop.create_server(server, HOST, port, ssl=tls, backlog=512)
    await ended.wait()
    listener.close()
    await server.shutdown(0.1)


def _tls(files: list[str]) -> ssl.SSLContext | None:
    if not files:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    return context


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), _tls(sys.argv[2:])))
