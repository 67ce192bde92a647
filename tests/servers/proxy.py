"""A way to a server on which things go wrong: for any protocol over TCP."""

import asyncio
import socket
import struct
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Self

from tests.servers.process import HOST

Direction = Literal["up", "down"]
Ending = Literal["fin", "rst"]

_PIECE = 1 << 16
_TURNS = 5  # of the loop, from a connection that the system took to the task that serves it
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER, on, for no time: closing sends RST


@dataclass(slots=True)
class _Cut:
    left: int
    ending: Ending


@dataclass(slots=True)
class _Lost:
    left: int
    ending: Ending


@dataclass(slots=True, eq=False)
class _Link:
    """A connection of a client and the one to the server that it stands for."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    turn: Direction = "down"
    is_lost: Ending | None = None

    def end(self, ending: Ending) -> None:
        for side in (self.client, self.server):
            if ending == "rst":
                _reset(side)
            else:
                side.close()


@dataclass(slots=True)
class Proxy:
    """`async with Proxy(port) as proxy:` passes what comes to `proxy.port` on to the server's port.

    "up" is towards the server. `latency` is what every turn of the conversation takes, in seconds,
    `bandwidth` in bytes a second for each direction of each connection, `slow_close` how late the
    end of a side is passed on. All may be changed at any time.
    """

    target: int
    latency: float = 0.0
    bandwidth: float | None = None
    slow_close: float = 0.0
    port: int = 0
    connections: int = 0
    requests: int = 0
    passed: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    _cuts: dict[Direction, list[_Cut]] = field(default_factory=lambda: {"up": [], "down": []})
    _lost: list[_Lost] = field(default_factory=list[_Lost])
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _listener: asyncio.Server | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    async def __aenter__(self) -> Self:
        self._open.set()
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before."""
        self._listener = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections, and reset those there are."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await self.reset()
        await listener.wait_closed()

    async def reset(self) -> None:
        """End every connection with RST; new ones are taken."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self, direction: Direction, /, *, after: int, ending: Ending = "rst") -> None:
        """End the connection, on both sides, over which byte `after` + 1 from now would go."""
        self._cuts[direction].append(_Cut(after, ending))

    def lose_reply(self, number: int = 1, /, *, ending: Ending = "rst") -> None:
        """The server does what the request says, and its reply is lost; 1 is the next request.

        For protocols of requests and replies without TLS: a request is what goes up after a reply.
        """
        self._lost.append(_Lost(number, ending))

    def black_hole(self) -> None:
        """Connections are taken and stay, and nothing passes."""
        self._open.clear()

    def let_pass(self) -> None:
        """The end of the black hole: what was on its way arrives."""
        self._open.set()

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.latency, self.bandwidth, self.slow_close = 0.0, None, 0.0
        self._lost.clear()
        for cuts in self._cuts.values():
            cuts.clear()
        self.let_pass()

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        if self._listener is None:  # taken by the system just before the stop
            return _reset(client)
        self._tasks.add(task)
        self.connections += 1
        try:
            up, server = await asyncio.open_connection(HOST, self.target)
            await self._link(reader, up, _Link(client, server))
        except OSError:
            _reset(client)
        except asyncio.CancelledError:
            _reset(client)  # by `reset`, which awaits this: asyncio would log it as an error
        finally:
            self._tasks.discard(task)

    async def _link(
        self, client: asyncio.StreamReader, server: asyncio.StreamReader, link: _Link
    ) -> None:
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(client, link.server, "up", link))
                pumps.create_task(self._pump(server, link.client, "down", link))
            link.end("fin")
        except asyncio.CancelledError:
            link.end("rst")
            raise
        finally:
            await _closed(link.client.wait_closed())
            await _closed(link.server.wait_closed())

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        direction: Direction,
        link: _Link,
    ) -> None:
        try:
            while piece := await reader.read(self._piece()):
                await self._turn(direction, link)
                await self._open.wait()
                if link.is_lost and direction == "down":
                    link.end(link.is_lost)
                    return
                if not await self._pass(piece, writer, direction, link):
                    return
        except ConnectionError:
            link.end("rst")
            return
        if self.slow_close:
            await asyncio.sleep(self.slow_close)
        await self._open.wait()
        with suppress(OSError):
            writer.write_eof()

    async def _turn(self, direction: Direction, link: _Link) -> None:
        if link.turn == direction:
            return
        link.turn = direction
        if direction == "up":
            self.requests += 1
            self._count_lost(link)
        if self.latency:
            await asyncio.sleep(self.latency)

    def _count_lost(self, link: _Link) -> None:
        for lost in list(self._lost):
            lost.left -= 1
            if not lost.left:
                self._lost.remove(lost)
                link.is_lost = lost.ending

    async def _pass(
        self, piece: bytes, writer: asyncio.StreamWriter, direction: Direction, link: _Link
    ) -> bool:
        """Whether the connection goes on."""
        cut, part = self._cut(direction, len(piece))
        if self.bandwidth:
            await asyncio.sleep(part / self.bandwidth)
        writer.write(piece[:part])
        await writer.drain()
        self.passed[direction] += part
        if cut:
            link.end(cut.ending)
        return cut is None

    def _cut(self, direction: Direction, size: int) -> tuple[_Cut | None, int]:
        due = None
        for cut in self._cuts[direction]:
            if cut.left < size and (due is None or cut.left < due.left):
                due = cut
        part = size if due is None else due.left
        if due:
            self._cuts[direction].remove(due)
        for cut in self._cuts[direction]:
            cut.left -= part
        return due, part

    def _piece(self) -> int:
        return _PIECE if not self.bandwidth else max(1, min(_PIECE, int(self.bandwidth / 20)))


def _reset(side: asyncio.StreamWriter) -> None:
    raw = side.get_extra_info("socket")
    if raw is not None and raw.fileno() != -1:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    side.transport.abort()


async def _closed(waiting: Awaitable[None]) -> None:
    with suppress(OSError):
        await waiting
