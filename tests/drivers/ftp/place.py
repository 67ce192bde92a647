"""A folder on a server as the tests of faults see it: drivers of it, and what is really in there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from storeroom.contracts.values import Stat
from storeroom.drivers.ftp import FTPDriver
from tests.servers.ftp import FtpServer
from tests.servers.process import HOST
from tests.servers.proxy import Direction, Ending, Proxy

KEY = "a b/%2F ü+&=;'🦔.bin"
KIB, MIB = 1 << 10, 1 << 20
ELSEWHERE = "127.0.0.2"
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


@dataclass(slots=True)
class Way:
    """The way to a server on which things go wrong, for commands and for data."""

    control: Proxy
    data: list[Proxy]

    def cut_data(self, direction: Direction, /, *, after: int, ending: Ending) -> None:
        """End the next data connection, whichever port it takes."""
        self.data[0].cut(direction, after=after, ending=ending)

    def heal(self) -> None:
        for proxy in (self.control, *self.data):
            proxy.heal()

    def black_hole(self) -> None:
        for proxy in (self.control, *self.data):
            proxy.black_hole()


@asynccontextmanager
async def way_to(server: FtpServer, /) -> AsyncIterator[Way]:
    """Proxies before all ports of a server that has few of them for data."""
    async with AsyncExitStack() as stack:

        async def before(port: int) -> Proxy:
            return await stack.enter_async_context(_Elsewhere(port, port=port))

        way = Way(await before(server.port), [await before(port) for port in server.passive])
        for proxy in way.data:
            proxy._cuts = way.data[0]._cuts
        yield way


async def read(driver: FTPDriver, path: str = KEY) -> bytes:
    async with await driver.read(path) as source:
        return await source.read()


async def listed(driver: FTPDriver, folder: str = "") -> list[str]:
    return [entry.path async for entry in driver.scan(folder) if isinstance(entry, Stat)]
