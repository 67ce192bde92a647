"""Sixteen tasks that create one file each round: `racer KIND ROOT NAME`; a round is a line of input."""

import asyncio
import json
import sys

from storeroom.contracts.errors import AlreadyExists
from storeroom.drivers.local import LocalDriver
from tests.safety.disks import KINDS

TASKS = 16


async def won(disk: LocalDriver, path: str, token: str) -> bool:
    try:
        await disk.put(path, token, overwrite=False)
    except AlreadyExists:
        return False
    return True


async def main(kind: str, root: str, name: str) -> None:
    disk = KINDS[kind](root, durability="none")
    print("begun", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        path = line.strip()
        tokens = [f"{name} {task}" for task in range(TASKS)]
        winners = await asyncio.gather(*(won(disk, path, token) for token in tokens))
        told = [token for token, is_winner in zip(tokens, winners, strict=True) if is_winner]
        print(json.dumps(told), flush=True)


asyncio.run(main(*sys.argv[1:]))
