"""Overwrites files again and again until its input ends: `overwriter KIND ROOT`."""

import asyncio
import json
import select
import sys
from collections.abc import AsyncIterator

from tests.safety.disks import KINDS

SIZES = {"small.txt": 4096, "middle.txt": 200_000, "large.txt": 3 << 20}
"""Each file's size at its shortest; every write is of one letter, and some bytes longer."""


def content(name: str, number: int) -> bytes:
    return bytes([65 + number % 26]) * (SIZES[name] + number % 97)


def is_whole(name: str, data: bytes) -> bool:
    number = len(data) - SIZES[name]
    return 0 <= number < 97 and data == data[:1] * len(data)


async def halves(data: bytes) -> AsyncIterator[bytes]:
    middle = len(data) // 2
    yield data[:middle]
    yield data[middle:]


async def main(kind: str, root: str) -> None:
    disk, number = KINDS[kind](root, durability="none"), 0
    for name in SIZES:
        await disk.put(name, content(name, 0))
    print("begun", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        number += 1
        for name in ("small.txt", "middle.txt", "small.txt", "large.txt")[
            : 4 if number % 8 == 0 else 3
        ]:
            data = content(name, number)
            await disk.put(name, data if number % 3 else halves(data))
    print(json.dumps({"overwrites": number * 3 + number // 8}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
