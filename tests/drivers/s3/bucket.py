"""A bucket as the tests of faults see it: drivers of it, and what is really in there."""

import asyncio
import base64
import hashlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeVar
from urllib.parse import unquote

from storeroom.contracts.body import Body
from storeroom.contracts.errors import StorageError
from storeroom.contracts.values import Stat
from storeroom.drivers.s3 import S3Driver
from tests.servers._strict_s3.wire import Exchange
from tests.servers.s3 import S3Server
from tests.servers.strict_s3 import Fault, StrictS3, Wire

T = TypeVar("T")

MIB = 1 << 20
KEY = "a b/%2F ü+&=;'🦔.bin"
AMAZON: dict[str, Any] = {"provider": "aws", "path_style": True}
SMALL_PARTS = {"part_size": 5 * MIB, "multipart_threshold": 5 * MIB}


@dataclass(slots=True)
class Bucket:
    """`name` on a server; a driver of it takes options of `S3Driver`, and is closed with it."""

    server: S3Server
    name: str
    drivers: list[S3Driver] = field(default_factory=list[S3Driver])

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    @property
    def strict(self) -> StrictS3:
        assert isinstance(self.server, StrictS3)
        return self.server

    def driver(self, port: int | None = None, /, **options: Any) -> S3Driver:
        """A driver of the bucket, through a port where one is given; to the strict server as to Amazon's."""
        server = self.server if port is None else self.server.at(port)
        if isinstance(server, StrictS3):
            options = AMAZON | options
        keys: dict[str, Any] = {"access_key": server.access_key, "secret_key": server.secret_key}
        options = keys | {"timeout": 10.0, "region": server.region} | options
        made = S3Driver(self.name, endpoint_url=server.url, **options)
        self.drivers.append(made)
        return made

    def sibling(self) -> "Bucket":
        """Another empty one on the same server, closed with this one."""
        return replace(self, name=self.server.make_bucket())

    async def aclose(self) -> None:
        for driver in self.drivers:
            await driver.aclose()

    def put(self, data: bytes, key: str = KEY) -> None:
        """Past every driver and proxy."""
        checksum = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
        client(self.server).put_object(Bucket=self.name, Key=key, Body=data, ChecksumCRC32=checksum)

    def get(self, key: str = KEY) -> bytes | None:
        boto = client(self.server)
        try:
            told = boto.get_object(Bucket=self.name, Key=key)
        except boto.exceptions.NoSuchKey:
            return None
        data: bytes = told["Body"].read()
        return data

    def remove(self, key: str = KEY) -> None:
        client(self.server).delete_object(Bucket=self.name, Key=key)

    def fail(self, fault: Fault, /) -> None:
        """The fault, for requests to this bucket."""
        self.strict.fail(replace(fault, path=rf"^/{self.name}/{fault.path or ''}"))

    def seen(self, wire: Wire, /) -> list[str]:
        """What was asked of this bucket, in order: `GET`, `PUT`, `create`, `part`, `complete` ..."""
        return [named(seen) for seen in wire.requests if seen.path.startswith(f"/{self.name}")]

    def open_uploads(self) -> list[str]:
        return self.strict.open_uploads(self.name)


@cache
def client(server: S3Server) -> Any:
    """boto3's, that waits long enough for a busy machine."""
    return server.client(retries={"max_attempts": 3})


@cache
def random_bytes(size: int, seed: str = "") -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)


def streamed(data: bytes, piece: int = MIB) -> Body:
    """A body of unknown size that can be read once."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), piece):
            yield data[start : start + piece]

    return Body(chunks)


async def read(driver: S3Driver, path: str = KEY) -> bytes:
    async with await driver.read(path) as source:
        return await source.read()


async def files(driver: S3Driver) -> list[str]:
    return [entry.path async for entry in driver.scan() if isinstance(entry, Stat)]


async def outcome(work: Awaitable[T], /, *, within: float = 20.0) -> T | StorageError:
    """What came of it, or which kind of error; anything else, and being late, fails the test."""
    try:
        async with asyncio.timeout(within):
            return await work
    except StorageError as error:
        return error


async def each(
    cases: Iterable[T], work: Callable[[T], Awaitable[None]], /, *, at_once: int = 4
) -> None:
    """The work for all cases, some side by side."""
    free = asyncio.Semaphore(at_once)

    async def one(case: T) -> None:
        async with free:
            await work(case)

    async with asyncio.TaskGroup() as group:
        for case in cases:
            group.create_task(one(case))


def named(seen: Exchange, /) -> str:
    """A request by what it does: `GET`, `PUT`, `create`, `part`, `complete`, `abort` ..."""
    if seen.has("uploads"):
        return "create"
    if seen.has("partNumber"):
        return "part"
    if seen.has("uploadId"):
        return {"POST": "complete", "DELETE": "abort"}.get(seen.method, "parts")
    return seen.method


def operations(wire: Wire, /, key: str = KEY) -> list[str]:
    """What was asked of a key, in order."""
    return [named(seen) for seen in wire.requests if unquote(seen.path).endswith(f"/{key}")]


def asked(wire: Wire, operation: str, /, key: str = KEY) -> list[Exchange]:
    """The requests of one kind for a key."""
    return [
        seen
        for seen in wire.requests
        if named(seen) == operation and unquote(seen.path).endswith(f"/{key}")
    ]
