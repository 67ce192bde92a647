"""A container as the tests of faults see it: drivers of it, and what is really in there."""

from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from azure.core.exceptions import ResourceNotFoundError

from storeroom.contracts.values import Stat
from storeroom.drivers.azure import AzureDriver
from tests.drivers.s3.bucket import KEY, MIB
from tests.servers._strict.wire import Exchange, Wire
from tests.servers.azure import AzureServer
from tests.servers.strict_azure import AzureFault, StrictAzure

SMALL_PARTS: dict[str, Any] = {"part_size": MIB, "multipart_threshold": MIB}


@dataclass(slots=True)
class Container:
    """`name` on a server; a driver of it takes options of `AzureDriver`, and is closed with it."""

    server: AzureServer
    name: str
    drivers: list[AzureDriver] = field(default_factory=list[AzureDriver])

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition("/")[0].rpartition(":")[2])

    @property
    def strict(self) -> StrictAzure:
        assert isinstance(self.server, StrictAzure)
        return self.server

    def driver(self, port: int | None = None, /, **options: Any) -> AzureDriver:
        """A driver of the container, through a port where one is given, with the account's key."""
        server = self.server if port is None else self.server.at(port)
        whom: dict[str, Any] = {"account_key": server.key}
        if not {"account_key", "sas_token", "credential", "anonymous"}.isdisjoint(options):
            whom = {}
        if server.authority:
            whom["verify"] = str(server.authority)
        made = AzureDriver(
            self.name, **{"endpoint_url": server.url, "timeout": 10.0, **whom, **options}
        )
        self.drivers.append(made)
        return made

    def sibling(self) -> "Container":
        """Another empty one on the same server, closed with this one."""
        return replace(self, name=self.server.make_container())

    def neighbour(self) -> "Container":
        """An empty one of another account, closed with this one."""
        other = self.server.other()
        return replace(self, server=other, name=other.make_container())

    async def aclose(self) -> None:
        for driver in self.drivers:
            await driver.aclose()

    def put(self, data: bytes, key: str = KEY, **settings: Any) -> None:
        """Past every driver and proxy."""
        client = self.server.container(self.name)
        client.upload_blob(key, data, overwrite=True, **settings)

    def get(self, key: str = KEY) -> bytes | None:
        try:
            told = self.server.container(self.name).download_blob(key, decompress=False)
        except ResourceNotFoundError:
            return None
        data: bytes = told.readall()
        return data

    def remove(self, key: str = KEY) -> None:
        try:
            self.server.container(self.name).delete_blob(key)
        except ResourceNotFoundError:
            return

    def fail(self, fault: AzureFault, /) -> None:
        """The fault, for requests to this container."""
        self.strict.fail(replace(fault, path=rf"^/{self.name}/{fault.path or ''}"))

    def seen(self, wire: Wire, /) -> list[str]:
        """What was asked of this container, in order."""
        return [seen.operation for seen in wire.requests if f"/{self.name}" in seen.path]

    def hidden(self) -> list[str]:
        """Names that are no file's: what copies would leave behind."""
        names = [found.name for found in self.server.container(self.name).list_blobs()]
        return [name for name in names if name.startswith(".storeroom-")]


async def read(driver: AzureDriver, path: str = KEY) -> bytes:
    async with await driver.read(path) as source:
        return await source.read()


async def files(driver: AzureDriver) -> list[str]:
    return [entry.path async for entry in driver.scan() if isinstance(entry, Stat)]


def operations(wire: Wire, /, key: str = KEY) -> list[str]:
    """What was asked of a key, in order."""
    return [seen.operation for seen in wire.requests if unquote(seen.path).endswith(f"/{key}")]


def asked(wire: Wire, operation: str, /) -> list[Exchange]:
    """The requests of one kind."""
    return [seen for seen in wire.requests if seen.operation == operation]
