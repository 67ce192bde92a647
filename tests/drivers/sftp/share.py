"""A folder on a server as the tests of faults see it: drivers of it, and what is really in there."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from storeroom.contracts.body import Body
from storeroom.contracts.values import Folder, Stat
from storeroom.drivers.sftp import SFTPDriver
from tests.drivers.s3.bucket import each, outcome
from tests.servers.sftp import SftpServer

__all__ = [
    "KEY",
    "MIB",
    "Share",
    "each",
    "listed",
    "outcome",
    "random_bytes",
    "read",
    "streamed",
    "until",
]

T = TypeVar("T")

MIB = 1 << 20
KEY = "a b/%2F ü+&=;'🦔.bin"


@dataclass(slots=True)
class Share:
    """The folder `name` on a server; a driver of it takes options of `SFTPDriver`, and is closed with it."""

    server: SftpServer
    name: str
    drivers: list[SFTPDriver] = field(default_factory=list[SFTPDriver])

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def path(self) -> Path:
        """The folder on this machine."""
        return self.server.folder / self.name

    def driver(self, port: int | None = None, /, **options: Any) -> SFTPDriver:
        """A driver of the folder, through a port where one is given."""
        server = self.server if port is None else self.server.at(port)
        made = SFTPDriver(server.host, **{"timeout": 10.0, **server.options(self.name), **options})
        self.drivers.append(made)
        return made

    async def aclose(self) -> None:
        for driver in self.drivers:
            await driver.aclose()

    def put(self, data: bytes, key: str = KEY) -> None:
        """Past every driver and proxy."""
        file = self.path / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def get(self, key: str = KEY) -> bytes | None:
        try:
            return (self.path / key).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, key: str = KEY) -> None:
        (self.path / key).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """All files that are really there, temporaries too."""
        return sorted(
            os.path.relpath(os.path.join(folder, name), self.path)
            for folder, _, names in os.walk(self.path)
            for name in names
        )

    def temporaries(self) -> list[str]:
        return [name for name in self.names() if ".storeroom-" in name]


@cache
def random_bytes(size: int, seed: str = "") -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)


def streamed(data: bytes, piece: int = MIB) -> Body:
    """A body of unknown size that can be read once."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), piece):
            yield data[start : start + piece]

    return Body(chunks)


async def read(driver: SFTPDriver, path: str = KEY) -> bytes:
    async with await driver.read(path) as source:
        return await source.read()


async def until(is_so: Callable[[], bool], /) -> None:
    """Wait for what another process does by itself."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.02)


async def listed(driver: SFTPDriver, folder: str = "") -> list[str]:
    return [entry.path async for entry in driver.scan(folder) if isinstance(entry, Stat | Folder)]
