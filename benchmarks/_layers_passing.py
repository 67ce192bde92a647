"""What a layer adds to a call, over a disk in memory that takes next to nothing."""

from collections.abc import Callable
from functools import partial
from typing import Any

from _harness import Lap, Work
from _layers_sink import OURS, PATH
from _plan import Plan
from _race import Pace, paced
from _stub import SMALL, pattern

from storeroom.contracts.body import Body
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around, Layer, ReadOnly, Retry, Scoped
from storeroom.layers.limit import Limit
from storeroom.layers.quota import Quota
from storeroom.layers.timeout import TimeLimit

BARE = "none"
CALLS = 2000
LAYERS: dict[str, Callable[[Any], Any]] = {
    OURS: Layer,
    "Around": Around,
    "ReadOnly": ReadOnly,
    "Retry": Retry,
    "TimeLimit": TimeLimit,
    "Limit, 64 calls": partial(Limit, concurrency=64),
    "Quota": partial(Quota, max_bytes=1 << 40),
    "Scoped": lambda driver: Scoped(driver, "bench"),
}
"""Each by its name; what passes calls on and does nothing else stands for us."""


async def passing(plan: Plan, /) -> tuple[dict[str, list[Pace]], dict[str, dict[str, float]]]:
    """The paces of a stat and of a 4 KiB read, and the processor's microseconds that each adds."""
    driver = MemoryDriver()
    await driver.write(PATH, Body(pattern(SMALL)))
    paces: dict[str, list[Pace]] = {}
    figures: dict[str, dict[str, float]] = {}
    for verb, work in {"stat": _stat, "read": _read}.items():
        laps = {BARE: _lap(partial(work, driver, PATH))}
        for name, make in LAYERS.items():
            path = PATH.removeprefix("bench/") if name == "Scoped" else PATH
            laps[name] = _lap(partial(work, make(driver), path))
        for lap in laps.values():
            await lap.run()
        paces[f"passing {verb}"] = found = await paced(laps, rounds=plan.rounds * 3)
        plan.show(f"{verb}{' 4 KiB' * (verb == 'read')}, memory, through a layer", found)
        # Nobody waits for anything here, and the processor's time is not that of other programs.
        figures[f"passing {verb}"] = {p.name: p.cpu - found[0].cpu for p in found[1:]}
    return paces, figures


async def _stat(driver: Any, path: str) -> None:
    await driver.stat(path)


async def _read(driver: Any, path: str) -> None:
    async with await driver.read(path) as source:
        await source.read()


def _lap(work: Work) -> Lap:
    async def run() -> None:
        for _ in range(CALLS):
            await work()

    return Lap(run, CALLS)
