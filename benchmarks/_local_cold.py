"""How long the loop stands still while files come from the disk itself, not from its cache."""

import asyncio
import os
import selectors
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from _harness import in_flight
from _local_plan import Place, Plan

from storeroom.drivers.local import LocalDriver

DROP = "/proc/sys/vm/drop_caches"
SIZES = {"4 KiB": 4 << 10, "256 KiB": 256 << 10}


@dataclass(frozen=True, slots=True)
class Stall:
    """The loop's longest turn in ms, without and with waits for a processor; us per file."""

    name: str
    size: str
    longest: float
    with_waits: float
    per_file: float


class Watched(selectors.DefaultSelector):
    """A selector that knows how long the loop was away between two waits.

    Next to each turn stands how much of it the thread was ready and other programs had the
    processor, as Linux counts it: https://docs.kernel.org/scheduler/sched-stats.html
    """

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[tuple[float, float]] = []
        self._back = self._now()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        now, waited = self._now()
        self.turns.append((now - self._back[0], waited - self._back[1]))
        found = super().select(timeout)
        self._back = self._now()
        return found

    def _now(self) -> tuple[float, float]:
        with open("/proc/thread-self/schedstat", "rb", buffering=0) as file:
            waited = int(file.read().split()[1]) / 1e9
        return time.perf_counter(), waited


def cold(plan: Plan, place: Place, /) -> list[Stall]:
    """The stalls of cold gets, ours and of a plain read on the loop, and of warm ones; empty where it may not be."""
    if not os.access(DROP, os.W_OK):
        return []
    root = os.path.join(place.folder, "cold")
    for size, length in SIZES.items():
        os.makedirs(f"{root}/{size}", exist_ok=True)
        for number in range(plan.cold_files):
            with open(f"{root}/{size}/{number}", "wb") as file:
                file.write(os.urandom(length))
    return [
        *(
            _watched(name, size, plan, root, make)
            for size in SIZES
            for name, make in GETTERS.items()
        ),
        *(_watched("storeroom, warm", size, plan, root, _ours, is_cold=False) for size in SIZES),
    ]


def _ours(root: str) -> Callable[[str], Awaitable[object]]:
    return LocalDriver(root).get


def _plain(root: str) -> Callable[[str], Awaitable[object]]:
    async def get(path: str) -> bytes:
        with open(f"{root}/{path}", "rb", buffering=0) as file:
            return file.read()

    return get


GETTERS = {"storeroom": _ours, "plain read on the loop": _plain}


def _watched(
    name: str,
    size: str,
    plan: Plan,
    root: str,
    make: Callable[[str], Callable[[str], Awaitable[object]]],
    *,
    is_cold: bool = True,
) -> Stall:
    """One file after the other, in an order that no read-ahead helps, each get a turn of its own."""
    selector = Watched()
    paths = [f"{size}/{number * 7919 % plan.cold_files}" for number in range(plan.cold_files)]
    with asyncio.Runner(loop_factory=partial(asyncio.SelectorEventLoop, selector)) as runner:
        get = make(root)

        async def turn(path: str) -> None:
            await get(path)
            await asyncio.sleep(0)

        runner.run(in_flight(turn, paths[:16], 4))
        os.sync()
        if is_cold:
            with open(DROP, "w", encoding="ascii") as drop:
                drop.write("3")
        runner.run(asyncio.sleep(0.1))
        selector.turns.clear()
        begin = time.perf_counter()
        runner.run(in_flight(turn, paths, 4))
        spent = time.perf_counter() - begin
    return Stall(
        name,
        size,
        max(wall - waited for wall, waited in selector.turns) * 1e3,
        max(wall for wall, _ in selector.turns) * 1e3,
        spent / len(paths) * 1e6,
    )
