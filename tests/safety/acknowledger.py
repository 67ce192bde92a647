"""Puts files and says which put has returned, until the disk fails: `acknowledger KIND ROOT DURABILITY`.

Each of some tasks overwrites one file and makes new ones, in turns. A line is `path number`: the
put of this version has returned.
"""

import asyncio
import os
import sys
from contextlib import suppress

from storeroom.contracts.errors import StorageError
from storeroom.drivers.local import LocalDriver
from tests.safety.disks import KINDS

TASKS = 8


def content(path: str, number: int) -> bytes:
    return (f"{path} {number}\n" * (60 + number % 200)).encode()


async def working(disk: LocalDriver, task: int) -> None:
    for number in range(1_000_000):
        path = f"over/{task}.txt" if number % 2 else f"new/{task}/{number}.txt"
        await disk.put(path, content(path, number))
        os.write(1, f"{path} {number}\n".encode())


async def main(kind: str, root: str, durability: str) -> None:
    disk = KINDS[kind](root, durability=durability)
    os.write(1, b"begun\n")
    with suppress(StorageError):
        async with asyncio.timeout(60):
            await asyncio.gather(*(working(disk, task) for task in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
