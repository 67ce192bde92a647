"""1 GiB through put and read_stream on the local disk: memory and the loop's longest stall.

The goals: memory grows by at most 32 MiB, the loop never stalls over 50 ms.
"""

import asyncio
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from _harness import save

from storeroom.drivers.local import LocalDriver

MIB = 1 << 20
TOTAL = 1024
GOAL_MIB = 32
GOAL_MS = 50


async def main() -> None:
    """Write, read and copy 1 GiB while a heartbeat measures the loop."""
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with LocalDriver(folder) as disk:
            await disk.put("warm-up", chunks(8))
            await read(disk, "warm-up")
            results["put"] = await measured(lambda: disk.put("big", chunks(TOTAL)))
            results["read_stream"] = await measured(lambda: read(disk, "big"))
            results["checksum"] = await measured(lambda: disk.checksum("big"))
    print(
        f"{'1 GiB, 1 MiB chunks':20} {'seconds':>8} {'MiB/s':>8} {'grown MiB':>10} {'stall ms':>9}"
    )
    for verb, row in results.items():
        rate = TOTAL / row["seconds"]
        print(
            f"{verb:20} {row['seconds']:8.2f} {rate:8.0f} {row['grown']:10.1f} {row['stall']:9.1f}"
        )
    print(f"goals: memory at most {GOAL_MIB} MiB more, no stall over {GOAL_MS} ms")
    save("streaming", results)


async def chunks(count: int) -> AsyncIterator[bytes]:
    """`count` MiB of bytes, each chunk its own."""
    for number in range(count):
        yield bytes([number % 251]) * MIB


async def read(disk: LocalDriver, path: str) -> int:
    """Read to the end: how many bytes came."""
    total = 0
    async for chunk in disk.read_stream(path):
        total += len(chunk)
    return total


async def measured(work: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """Seconds, MiB by which the peak of memory grew, and the loop's longest stall in ms."""
    stalls = [0.0]

    async def heartbeat() -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            stalls.append(time.perf_counter() - begin - 0.001)

    before, begin = _peak(), time.perf_counter()
    beat = asyncio.create_task(heartbeat())
    await work()
    seconds = time.perf_counter() - begin
    beat.cancel()
    return {"seconds": seconds, "grown": _peak() - before, "stall": max(stalls) * 1000}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    asyncio.run(main())
