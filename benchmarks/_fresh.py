"""What only a new process can tell: how memory grows, and how long the first call stops the loop.

`python _fresh.py SERVICE memory-upload|memory-download|stall WHO URL MEBIBYTES` prints the figure.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from statistics import median

from _contender import OURS, contenders
from _content import Large
from _plan import Plan
from _servers import Endpoint
from _service import Service

FILE = "files/0000.bin"


def fresh(service: Service, plan: Plan, place: Endpoint, /) -> dict[str, dict[str, float]]:
    """By work, what everybody needs: MiB of memory, and milliseconds of the loop."""
    found: dict[str, dict[str, float]] = {}
    if plan.wants("memory"):
        for work, makings in (("download", service.downloads), ("upload", service.uploads)):
            cell = f"memory {work} {place.name}"
            found[cell] = _answers(service, f"memory-{work}", makings, plan, place, 1)
            _show(f"memory grown by a {work} of {plan.growing} MiB, MiB", found[cell], plan)
    if plan.wants("stall"):
        names = (OURS, *service.stalls)
        found["stall"] = _answers(service, "stall", names, plan, place, plan.fresh)
        _show("longest stop of the loop at first use, ms", found["stall"], plan)
    return found


def _answers(
    service: Service, what: str, names: Iterable[str], plan: Plan, place: Endpoint, times: int
) -> dict[str, float]:
    """The medians over processes, of those that can be imported."""
    told: dict[str, list[float]] = {}
    for _ in range(times):
        for name in names:
            words = (service.name, what, name, place.url, str(plan.growing))
            done = subprocess.run(
                [sys.executable, __file__, *words], capture_output=True, text=True, check=False
            )
            if done.stdout:  # obstore may abort after its work is done
                told.setdefault(name, []).append(json.loads(done.stdout))
            elif "ModuleNotFoundError" not in done.stderr:
                raise RuntimeError(done.stderr)
    return {name: median(values) for name, values in told.items()}


def _show(title: str, values: Mapping[str, float], plan: Plan) -> None:
    if not plan.prints:
        return
    print(f"\n{title}")
    for name, value in values.items():
        print(f"  {name:36} {value:9.1f}", flush=True)


async def _grown(service: Service, what: str, who: str, place: Endpoint, mebibytes: int) -> float:
    """By how many MiB the process was larger at most than before, once it was warm."""
    makings = service.downloads if what == "download" else service.uploads
    async with AsyncExitStack() as stack:
        work = await makings[who](place, stack, Large(mebibytes, anew=True))
        warming = {name: make for name, make in service.contenders.items() if name in who}
        async with contenders(warming, place) as rivals:
            for rival in rivals.values():
                await rival.get(FILE)
        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins here
        await work()
        return _resident("VmHWM") - before


def _resident(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


async def _stalled(use: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds."""
    async with _heartbeat() as gaps:
        await use()
    return max(gaps) * 1000


@asynccontextmanager
async def _heartbeat() -> AsyncIterator[list[float]]:
    """By how many seconds each turn of the loop came late."""
    gaps = [0.0]

    async def beat() -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - begin - 0.001)

    task = asyncio.create_task(beat())
    await asyncio.sleep(0.01)
    gaps.clear()
    try:
        yield gaps
        await asyncio.sleep(0.005)
    finally:
        task.cancel()


def _our_first_use(service: Service, place: Endpoint) -> Callable[[], Awaitable[object]]:
    """A program configures before its loop runs; pydantic alone takes 80 ms to import."""
    from storeroom import Storage

    Storage.configure({"default": "disk", "disks": {"disk": service.disk(place)}})

    async def use() -> None:
        await Storage.get(FILE)
        await Storage.aclose()

    return use


def _first_use(service: Service, who: str, place: Endpoint) -> Callable[[], Awaitable[object]]:
    if who == OURS:
        return _our_first_use(service, place)

    async def use() -> None:
        async with AsyncExitStack() as stack:
            rival = await service.contenders[who](place, stack)
            await rival.get(FILE)

    return use


def main(name: str, what: str, who: str, url: str, mebibytes: str) -> None:
    """Print one figure."""
    service: Service = import_module(f"_{name}_service").SERVICE
    place = Endpoint("stub", url)
    if what == "stall":
        print(json.dumps(asyncio.run(_stalled(_first_use(service, who, place)))))
        return
    _, _, work = what.partition("-")
    print(json.dumps(asyncio.run(_grown(service, work, who, place, int(mebibytes)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
