"""What the facade and a disk cost over the bare driver: the goal is at most 5 us a call."""

import asyncio
from functools import partial

from _harness import Timing, interleaved, save, show

from storeroom import Storage
from storeroom.contracts.body import Body
from storeroom.contracts.values import WriteOptions
from storeroom.drivers.memory import MemoryDriver

GOAL = 5.0


async def main() -> None:
    """Time get, put, exists and metadata through each door."""
    Storage.configure({"default": "memory", "disks": {"memory": {"driver": "memory"}}})
    disk = Storage.disk("memory")
    driver = disk.driver
    assert isinstance(driver, MemoryDriver)
    await driver.put("a.txt", b"x" * 4096)
    results: dict[str, list[Timing]] = {}
    typed = WriteOptions(content_type="text/plain")

    async def bare_get() -> bytes:
        async with await driver.read("a.txt") as source:
            return await source.read()

    async def bare_put() -> object:
        return await driver.write("a.txt", Body(b"x" * 4096), typed)

    doors = {"driver's people verb": driver, "disk": disk, "facade": Storage}
    bare = {"metadata": partial(driver.stat, "a.txt"), "get": bare_get, "put": bare_put}
    for verb, service in bare.items():
        contenders = {f"bare driver ({service_word(verb)})": service}
        for name, door in doors.items():
            arguments = ("a.txt", b"x" * 4096) if verb == "put" else ("a.txt",)
            contenders[name] = partial(getattr(door, verb), *arguments)
        results[verb] = await interleaved(contenders)
        show(verb, results[verb])
    worst = max(row.wall - rows[0].wall for rows in results.values() for row in rows)
    print(f"\nworst over the bare driver: {worst:.2f} us (goal: at most {GOAL} us)")
    save("facade", results)
    await Storage.aclose()


def service_word(verb: str) -> str:
    """The service's word for a people verb."""
    return {"metadata": "stat", "get": "read", "put": "write"}[verb]


if __name__ == "__main__":
    asyncio.run(main())
