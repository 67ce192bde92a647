"""A reader sees an old file or a new one, whole, however fast another process overwrites it."""

import asyncio
from pathlib import Path

import pytest

from storeroom.drivers.local import LocalDriver
from tests.safety.children import begun, ended, running
from tests.safety.conftest import Counted
from tests.safety.overwriter import is_whole


@pytest.mark.rounds(600, 30_000)
async def test_no_read_is_torn_or_empty(
    kind: str, root: Path, disk: LocalDriver, rounds: int, counted: Counted
) -> None:
    reads = torn = empty = 0
    seen: set[bytes] = set()
    with running("overwriter", kind, root) as writer:
        begun(writer)
        while reads < rounds or len(seen) < 4:
            names = ["small.txt"] * 8 + ["middle.txt"] * 5 + ["large.txt"]
            found = await asyncio.gather(*(read(disk, name, reads) for name in names))
            reads += len(found)
            for name, data in zip(names, found, strict=True):
                empty += not data
                torn += not is_whole(name, data)
                seen.add(data[:1])
        overwrites = ended(writer)["overwrites"]
    counted(reads=reads, overwrites=overwrites, torn=torn, empty=empty)
    assert torn == empty == 0


async def read(disk: LocalDriver, name: str, number: int) -> bytes:
    if number % 2:
        return await disk.get(name)
    async with disk.read_stream(name, chunk_size=1 << 16) as source:
        return await source.read()
