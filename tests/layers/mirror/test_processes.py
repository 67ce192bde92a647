"""Several processes and loops over the same disks."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import NotFound, StorageError
from storeroom.contracts.turns import Turns, _Line
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers._several import mending
from storeroom.layers.mirror import Mirror
from tests.layers.moody import Moody

PATHS = ("a", "b/é", "b/%2F")


class Process:
    """A mirror of its own over disks that others use too; its network is its own as well."""

    def __init__(self, stores: list[MemoryDriver], random: Random) -> None:
        self.random = random
        self.disks = [Moody(store.twin()) for store in stores]
        self.mirror = Mirror(*self.disks, write="quorum", trips=1000, patience=0.2)

    def set_weather(self) -> None:
        """At most one of three disks cannot be reached, now and then."""
        for disk in self.disks:
            disk.be("well")
        if self.random.random() < 0.7:
            self.random.choice(self.disks).be(self.random.choice(("down", "lost")))


@pytest.fixture
def clocks_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "CLOCKS_DIFFER", timedelta(0))


@pytest.mark.usefixtures("clocks_agree")
@pytest.mark.parametrize("part", range(4))
async def test_what_a_quorum_has_every_process_reads(part: int) -> None:
    """Any process reads the last acknowledged content, or one whose outcome is unknown."""
    for seed in range(part * 50, part * 50 + 50):
        random = Random(seed)
        stores = [MemoryDriver() for _ in range(3)]
        processes = [Process(stores, random) for _ in range(3)]
        may: dict[str, set[bytes | None]] = {path: {None} for path in PATHS}
        for number in range(40):
            process, path = random.choice(processes), random.choice(PATHS)
            process.set_weather()
            if random.random() < 0.5:
                content = b"%d" % number
                may[path].add(content)
                try:
                    await process.mirror.write(path, Body(content))
                except StorageError:
                    continue
                may[path] = {content}
                continue
            try:
                found: bytes | None = await process.mirror.get(path)
            except NotFound:
                found = None
            assert found in may[path], (seed, number)
        for process in processes:
            await process.mirror.aclose()


async def test_writes_of_several_loops_leave_the_disks_equal() -> None:
    mirror = Mirror(MemoryDriver(), MemoryDriver(), MemoryDriver())

    async def work(name: str) -> None:
        for number in range(60):
            await mirror.put("a", f"{name} {number}" * 10)
            await mirror.put(f"b/{number % 3}", name)

    def apart(name: str) -> None:
        asyncio.run(work(name))

    with ThreadPoolExecutor(3) as pool:
        loop = asyncio.get_running_loop()
        others = [loop.run_in_executor(pool, apart, name) for name in ("one", "two", "three")]
        await asyncio.gather(work("here"), *others)
    assert (await mirror.verify()).ok
    assert (await mirror.verify()).files == 4
    await mirror.aclose()


async def test_turns_are_passed_on_when_somebody_stops_waiting() -> None:
    gate = asyncio.Event()

    class Slow(MemoryDriver):
        async def remove(self, path: str, how: object = None, /) -> bool:
            await gate.wait()
            return await super().remove(path)

    mirror = Mirror(Slow(), MemoryDriver())
    first, second, third = (asyncio.ensure_future(mirror.delete("a")) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    gate.set()
    assert await asyncio.gather(first, third) == [False, False]
    with pytest.raises(asyncio.CancelledError):
        await second
    assert mirror._turns._lines == {}
    await mirror.aclose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are for POSIX")
def test_a_forked_process_waits_for_nobodys_turn() -> None:
    """A child that was forked in the middle of a write has nobody who would pass the turn on."""
    mirror = Mirror(MemoryDriver(), MemoryDriver())
    mirror._turns._lines["a"] = _Line(Turns(1, taken=1), 1)
    child = os.fork()
    if not child:
        code = 1
        try:
            asyncio.run(asyncio.wait_for(mirror.put("a", b"x"), 5))
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
