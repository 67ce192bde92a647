"""256 MiB in and out, never more than a few MiB of it in memory, with progress on the way."""

import asyncio
import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator, Callable

from storeroom import Storage

SIZE = 256 << 20
PIECE = os.urandom(1 << 20)
LIMIT = 32 << 20


async def generated(hasher: "hashlib._Hash") -> AsyncIterator[bytes]:
    """Bytes as they would come from a network: one piece at a time, each a new one."""
    for number in range(SIZE // len(PIECE)):
        piece = number.to_bytes(8, "big") + PIECE[8:]
        hasher.update(piece)
        yield piece


def progress(word: str) -> Callable[[int, int | None], None]:
    shown = 0

    def show(done: int, total: int | None) -> None:
        nonlocal shown
        percent = 100 * done // (total or SIZE)
        if percent >= shown + 25:
            shown = percent - percent % 25
            print(f"  {word} {shown:3} %  {done >> 20:4} MiB")

    return show


async def main() -> None:
    tracemalloc.start()
    sent = hashlib.sha256()
    await Storage.put("large.bin", generated(sent), size=SIZE, progress=progress("stored"))

    read, show, done = hashlib.sha256(), progress("read  "), 0
    async with Storage.read_stream("large.bin", chunk_size=256 << 10) as stream:
        async for chunk in stream:
            read.update(chunk)
            done += len(chunk)
            show(done, stream.stat.size)

    async with Storage.open_writer(
        "lines.txt"
    ) as writer:  # appears whole at the end, or not at all
        for number in range(100_000):
            await writer.write(f"line {number}\n")
    async with Storage.read_stream("lines.txt") as stream:
        lines = [line async for line in stream.lines() if line.endswith(b"99\n")]
    print(f"  {len(lines):,} of 100,000 lines end in 99")

    peak = tracemalloc.get_traced_memory()[1]
    print(f"  at most {peak / (1 << 20):.1f} MiB of memory in use at any moment")
    await Storage.delete_many(["large.bin", "lines.txt"])
    if sent.digest() != read.digest() or peak > LIMIT:
        raise SystemExit("the bytes differ, or too many were held at once")


if __name__ == "__main__":
    asyncio.run(main())
