"""The process of a strict server: connections, faults, and a way in for tests under `/_admin/`."""

import asyncio
import json
import signal
import ssl
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs

from aiohttp import web
from multidict import CIMultiDict

from tests.servers._strict.faults import Fault, Faults
from tests.servers._strict.reply import Refusal, Reply
from tests.servers._strict.wire import Exchange
from tests.servers.process import HOST

_ADMIN = "/_admin/"
_LONG = 1 << 16


class Service(Protocol):
    """What is served; a call is whatever the service makes of a request."""

    faults: Faults[Any]

    def call(self, request: web.BaseRequest, /) -> Any: ...

    def exchange(self, call: Any, /) -> Exchange: ...

    def judged(self, call: Any, /) -> Any:
        """The call with its caller, `Refusal` if its headers alone are wrong."""

    def answered(self, call: Any, raw: bytes, /) -> Reply: ...

    def broken_off(self, call: Any, raw: bytes, /) -> None:
        """The connection ended in the body, of which this came."""

    def refusal(self, call: Any, refused: Any, /) -> Reply: ...

    def wrong(self, call: Any, fault: Any, /) -> Reply:
        """The answer that a fault asks for."""

    def identified(self, reply: Reply, /) -> Reply:
        """The reply with the headers that every reply has."""

    def fault(self, said: dict[str, Any], /) -> Fault: ...

    def settings(self, changes: dict[str, Any], /) -> None: ...

    def reset(self) -> None: ...

    def administer(self, path: str, said: Any, /) -> object:
        """What the service's own lever tells, `LookupError` where there is none."""


@dataclass(slots=True)
class Server:
    service: Service
    wire: list[Exchange] = field(default_factory=list[Exchange])

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path.startswith(_ADMIN):
            return await self._administer(request)
        call = self.service.call(request)
        seen = self.service.exchange(call)
        self.wire.append(seen)
        fault = self.service.faults.take(call)
        try:
            reply = await self._reply(request, call, seen, fault)
        except (ConnectionError, web.RequestPayloadError):
            return _hung_up(request)
        if reply is None:
            return _hung_up(request)
        seen.status = None if fault and fault.kind in ("lose", "stall") else reply.status
        if fault and fault.kind == "stall":
            await asyncio.Event().wait()
        return await _send(request, self.service.identified(reply), fault)

    async def _reply(
        self, request: web.BaseRequest, call: Any, seen: Exchange, fault: Fault | None
    ) -> Reply | None:
        try:
            if fault and fault.kind == "answer" and "Expect" in request.headers:
                return self.service.wrong(call, fault)
            if not fault or fault.kind not in ("answer", "close"):
                call = self.service.judged(call)
            await _continue(request)
            raw = await self._body(request, call, fault)
            if raw is None:
                return None
            seen.size = len(raw)
            if fault and fault.kind == "close":
                return None
            if fault and fault.kind == "answer":
                return self.service.wrong(call, fault)
            if fault and fault.kind == "flip-upload":
                raw = _flipped(raw)
            return self.service.answered(call, raw)
        except Refusal as refused:
            return self.service.refusal(call, refused)

    async def _body(self, request: web.BaseRequest, call: Any, fault: Fault | None) -> bytes | None:
        """None where a fault cut it."""
        heard: list[bytes] = []
        limit = fault.after if fault and fault.kind == "cut-upload" else None
        try:
            async for chunk in request.content.iter_any():
                heard.append(chunk)
                if limit is not None and sum(map(len, heard)) >= limit:
                    break
        except (ConnectionError, web.RequestPayloadError):
            self.service.broken_off(call, b"".join(heard))
            raise
        raw = b"".join(heard)
        if limit is None:
            return raw
        self.service.broken_off(call, raw[:limit])
        return None

    async def _administer(self, request: web.BaseRequest) -> web.Response:
        chunks = [chunk async for chunk in request.content.iter_any()]
        said = json.loads(b"".join(chunks) or b"null")
        path, _, query = request.raw_path.removeprefix(_ADMIN).partition("?")
        told: object = None
        if path == "reset":
            self.service.reset()
        elif path == "settings":
            self.service.settings(said)
        elif path == "fault":
            self.service.faults.add(self.service.fault(said))
        elif path == "faults":
            told = len(self.service.faults.waiting)
        elif path == "seen":
            told = len(self.wire)
        elif path == "requests":
            told = [asdict(seen) for seen in self.wire[int(parse_qs(query)["since"][0]) :]]
        else:
            try:
                told = self.service.administer(path, said)
            except LookupError:
                return web.Response(status=404)
        return web.json_response(told)


async def _continue(request: web.BaseRequest) -> None:
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body


async def _send(request: web.BaseRequest, reply: Reply, fault: Fault | None) -> web.StreamResponse:
    if fault and fault.kind == "lose":
        return _hung_up(request)
    body = _flipped(reply.body) if fault and fault.kind == "flip" else reply.body
    answer = web.StreamResponse(status=reply.status, headers=CIMultiDict(reply.headers))
    if reply.sized and reply.status not in (204, 304):
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


async def serve(service: Service, port: int, tls: ssl.SSLContext | None, /) -> None:
    """Answer on the port until the process is asked to end."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = web.Server(
        Server(service).handle,
        access_log=None,
        auto_decompress=False,
        max_line_size=_LONG,
        max_field_size=_LONG,
    )
    listener = await loop.create_server(server, HOST, port, ssl=tls, backlog=512)
    await ended.wait()
    listener.close()
    await server.shutdown(0.1)


def server_tls(files: Sequence[str], /) -> ssl.SSLContext | None:
    """What the certificate and key of these files make; None where there are none."""
    if not files:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    return context
