"""Someone between a client and a server of plain HTTP: it fails on demand and tells what it saw."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from multidict import CIMultiDict

from tests.servers._interposer.message import LIMIT, Head, body
from tests.servers._strict.faults import Fault, Faults
from tests.servers._strict.reply import Reply
from tests.servers._strict.wire import Exchange, Wire
from tests.servers.process import HOST

__all__ = ["Dialect", "Interposer"]


class Dialect(Protocol):
    """How a service reads a request, tells of it without its secrets, and words its errors."""

    def call(self, method: str, target: str, headers: CIMultiDict[str], /) -> Any: ...

    def exchange(self, call: Any, /) -> Exchange: ...

    def wrong(self, call: Any, fault: Any, /) -> Reply: ...


class _Ended(Exception):
    """A fault has ended the connection."""


@dataclass(slots=True)
class Interposer:
    """`async with Interposer(port) as between:` passes what comes to `between.port` on to the port.

    Every byte passes as it stands, but for the faults. `seen` has all requests since the start.
    """

    target: int
    dialect: Dialect
    port: int = 0
    seen: list[Exchange] = field(default_factory=list[Exchange])
    faults: Faults[Fault] = field(default_factory=Faults[Fault])
    _listener: asyncio.Server | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, HOST, self.port, limit=LIMIT)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener
        self._listener.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._listener.wait_closed()

    def fail(self, fault: Fault, /) -> None:
        """From now on; faults that are met often enough are gone."""
        self.faults.add(fault)

    def faults_left(self) -> int:
        return len(self.faults.waiting)

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.faults = Faults()

    @contextmanager
    def watching(self) -> Generator[Wire]:
        """The requests of the block, without their secrets; filled at its end."""
        wire, since = Wire(), len(self.seen)
        try:
            yield wire
        finally:
            wire.requests = self.seen[since:]

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            up, server = await asyncio.open_connection(HOST, self.target, limit=LIMIT)
        except OSError:
            client.transport.abort()
            self._tasks.discard(task)
            return
        try:
            await self._converse(_Link(reader, client, up, server))
        except (_Ended, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # who asked has gone, or shall think that the server has
        finally:
            self._tasks.discard(task)
            for side in (client, server):
                side.close()
                with suppress(OSError):
                    await side.wait_closed()

    async def _converse(self, link: "_Link") -> None:
        while request := await Head.read(link.reader):
            method, target, _ = request.first
            call = self.dialect.call(method, target, CIMultiDict(request.headers))
            seen = self.dialect.exchange(call)
            self.seen.append(seen)
            fault = self.faults.take(call)
            if fault and fault.kind in ("answer", "close"):
                await link.swallow(request, seen)
                if fault.kind == "close":
                    return
                await link.answer(self.dialect.wrong(call, fault), seen)
                continue
            if not await link.pass_on(request, seen, fault):
                return


@dataclass(slots=True)
class _Link:
    """A connection of a client, and the one to the server that it stands for."""

    reader: asyncio.StreamReader
    client: asyncio.StreamWriter
    up: asyncio.StreamReader
    server: asyncio.StreamWriter

    async def swallow(self, request: Head, seen: Exchange) -> None:
        if request.header("expect"):
            self.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async for piece, is_data in body(request, self.reader):
            seen.size += len(piece) * is_data

    async def answer(self, reply: Reply, seen: Exchange) -> None:
        seen.status = reply.status
        lines = [f"HTTP/1.1 {reply.status} On demand", f"Content-Length: {len(reply.body)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        self.client.write("\r\n".join([*lines, "", ""]).encode() + reply.body)
        await self.client.drain()

    async def pass_on(self, request: Head, seen: Exchange, fault: Fault | None) -> bool:
        """Whether the connection goes on."""
        self.server.write(request.raw)
        if fault and fault.kind == "cut-upload":
            await self._upload(request, seen, fault)
            return False
        upload = asyncio.ensure_future(self._upload(request, seen, fault))
        try:
            goes_on = await self._reply(request, seen, fault)
            if not upload.done() and not goes_on:
                return False
            await upload
        finally:
            upload.cancel()
            await asyncio.gather(upload, return_exceptions=True)
        return goes_on

    async def _upload(self, request: Head, seen: Exchange, fault: Fault | None) -> None:
        kind = fault.kind if fault else None
        flipped = (request.length or 0) // 2 if kind == "flip-upload" else None
        left = fault.after if fault and kind == "cut-upload" else None
        async for piece, is_data in body(request, self.reader):
            if is_data and left is not None:
                self.server.write(piece[:left])
                left -= len(piece)
                if left <= 0:
                    await self.server.drain()
                    return
                continue
            self.server.write(_flip(piece, flipped, seen.size) if is_data else piece)
            await self.server.drain()
            seen.size += len(piece) * is_data

    async def _reply(self, request: Head, seen: Exchange, fault: Fault | None) -> bool:
        while True:
            reply = await Head.read(self.up)
            if reply is None:
                return False
            if not reply.first[1].startswith("1"):
                break
            self.client.write(reply.raw)
        status, kind = int(reply.first[1]), fault.kind if fault else None
        is_bare = request.first[0] == "HEAD" or status in (204, 304)
        if kind in ("lose", "stall"):
            if not is_bare:
                async for _ in body(reply, self.up):
                    pass
            if kind == "stall":
                await self.reader.read(1)  # until the client gives up
            raise _Ended
        seen.status = status
        self.client.write(reply.raw)
        if not is_bare:
            await self._download(reply, fault)
        await self.client.drain()
        return (reply.header("connection") or "").lower() != "close"

    async def _download(self, reply: Head, fault: Fault | None) -> None:
        kind, passed = fault.kind if fault else None, 0
        flipped = (reply.length or 0) // 2 if kind == "flip" else None
        left = fault.after if fault and kind == "cut" else None
        async for piece, is_data in body(reply, self.up):
            if is_data and left is not None:
                if len(piece) >= left:
                    self.client.write(piece[:left])
                    raise _Ended
                left -= len(piece)
            self.client.write(_flip(piece, flipped, passed) if is_data else piece)
            await self.client.drain()
            passed += len(piece) * is_data


def _flip(piece: bytes, position: int | None, passed: int) -> bytes:
    if position is None or not passed <= position < passed + len(piece):
        return piece
    at = position - passed
    return piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
