"""What layers are measured over: a driver that takes bytes and keeps none, and bytes to give it."""

import os
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

from _stub import MIB

from storeroom.contracts.body import Body
from storeroom.contracts.values import PLAIN, Stat, WriteOptions
from storeroom.drivers.memory import MemoryDriver

PATH = "bench/a.txt"
OURS = "storeroom"


class Sink(MemoryDriver):
    """Takes every chunk of a body, and forgets it."""

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        size = 0
        async for chunk in body:
            size += len(chunk)
        return Stat(path, size=size, etag=f"m-{size}")


@cache
def random_block() -> bytes:
    """A MiB in which there is nothing to find."""
    return os.urandom(MIB)


@cache
def text_block() -> bytes:
    """A MiB of a log, as it is compressed in practice: to about a quarter."""
    lines = (
        b'{"at": %d, "level": "info", "path": "/files/%x", "status": %d, "us": %d}\n'
        % (1_764_000_000 + number * 7, number * 2_654_435_761 % (1 << 32), 200 + number % 5, h)
        for number, h in enumerate(os.urandom(20_000))
    )
    return b"".join(lines)[:MIB]


async def chunks(block: bytes, count: int, /) -> AsyncIterator[bytes]:
    """The block so many times."""
    for _ in range(count):
        yield block


async def put(driver: Any, block: bytes, count: int, /) -> None:
    """Store the block so many times as one file, whose size is known before."""
    await driver.put(PATH, chunks(block, count), size=count * len(block), content_type="text/plain")


async def drained(driver: Any, /) -> int:
    """Read the whole file and count its bytes."""
    size = 0
    async with driver.read_stream(PATH) as source:
        async for chunk in source:
            size += len(chunk)
    return size
