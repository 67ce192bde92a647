"""A folder on a server as the tests of faults see it: drivers of it, and what is really in there."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from storeroom.contracts.values import Stat
from storeroom.drivers.ftp import FTPDriver
from tests.servers.ftp import FtpServer
from tests.servers.process import HOST, free_port
from tests.servers.proxy import Direction, Ending, Proxy

KEY = "a b/%2F ü+&=;'🦔.bin"
KIB, MIB = 1 << 10, 1 << 20
ELSEWHERE = "127.0.0.2"
_PASSIVE = re.compile(rb"\(\|\|\|(\d+)\|\)")
_numbers = count()


@dataclass(slots=True)
class Place:
    """A folder of its own; a driver of it takes options of `FTPDriver`, and is closed with it."""

    server: FtpServer
    name: str = field(default_factory=lambda: f"place {next(_numbers)}")
    drivers: list[FTPDriver] = field(default_factory=list[FTPDriver])

    @property
    def path(self) -> Path:
        return self.server.folder / self.name

    def driver(self, host: str = HOST, **options: Any) -> FTPDriver:
        made = self.server.driver(self.name, host=host, **{"timeout": 10.0, **options})
        self.drivers.append(made)
        return made

    async def aclose(self) -> None:
        for driver in self.drivers:
            await driver.aclose()

    def put(self, data: bytes, key: str = KEY) -> None:
        """Past every driver and proxy."""
        (self.path / key).parent.mkdir(parents=True, exist_ok=True)
        (self.path / key).write_bytes(data)

    def get(self, key: str = KEY) -> bytes | None:
        file = self.path / key
        return file.read_bytes() if file.exists() else None

    def remove(self, key: str = KEY) -> None:
        (self.path / key).unlink(missing_ok=True)

    def left_over(self) -> list[str]:
        """Temporaries that are still there."""
        return [str(file) for file in self.path.rglob(".storeroom-*")]


class _Elsewhere(Proxy):
    """On another address of loopback, so that its ports may be those of the server."""

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._accept, ELSEWHERE, self.port)


class _Commands(_Elsewhere):
    """For the control connection: it sees where data will go, and has a proxy there in time."""

    way: "Way"

    async def _pass(
        self, piece: bytes, writer: asyncio.StreamWriter, direction: Direction, link: Any
    ) -> bool:
        for found in _PASSIVE.finditer(piece) if direction == "down" else ():
            try:
                await self.way.open(int(found[1]))
            except OSError as error:  # taken on this address: one more cut connection
                raise ConnectionResetError from error
        return await super()._pass(piece, writer, direction, link)


@dataclass(slots=True)
class Way:
    """The way to a server on which things go wrong, for commands and for data."""

    control: Proxy
    data: dict[int, Proxy]
    _stack: AsyncExitStack
    _hole: bool = False

    async def open(self, port: int) -> None:
        """Have a proxy before a port of data connections; they all share their faults."""
        if port in self.data:
            return
        made = _Elsewhere(port, port=port)
        for first in list(self.data.values())[:1]:
            made._cuts, made._open, made.bandwidth = first._cuts, first._open, first.bandwidth
        self.data[port] = await self._stack.enter_async_context(made)
        if self._hole:
            made.black_hole()

    def cut_data(self, direction: Direction, /, *, after: int, ending: Ending) -> None:
        """End the next data connection, whichever port it takes."""
        next(iter(self.data.values())).cut(direction, after=after, ending=ending)

    def slow_data(self, bandwidth: float) -> None:
        for proxy in self.data.values():
            proxy.bandwidth = bandwidth

    def passed(self, direction: Direction) -> int:
        return sum(proxy.passed[direction] for proxy in self.data.values())

    def heal(self) -> None:
        for proxy in self.everything():
            proxy.heal()

    def black_hole(self) -> None:
        self._hole = True
        for proxy in self.everything():
            proxy.black_hole()

    def everything(self) -> list[Proxy]:
        return [self.control, *self.data.values()]


@asynccontextmanager
async def way_to(server: FtpServer, /) -> AsyncIterator[Way]:
    """Proxies before all ports of a server; under TLS they have to be known before (`passive`)."""
    async with AsyncExitStack() as stack:
        control = await stack.enter_async_context(_Commands(server.port, port=server.port))
        assert isinstance(control, _Commands)
        control.way = way = Way(control, {}, stack)
        for port in server.passive or [free_port()]:
            await way.open(port)
        yield way


async def read(driver: FTPDriver, path: str = KEY) -> bytes:
    async with await driver.read(path) as source:
        return await source.read()


async def listed(driver: FTPDriver, folder: str = "") -> list[str]:
    return [entry.path async for entry in driver.scan(folder) if isinstance(entry, Stat)]
