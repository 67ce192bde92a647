"""What only a new process can tell: how memory grows, and how long the first call stops the loop.

`python _s3_fresh.py memory|stall WHO URL MEBIBYTES` prints the figures as JSON.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median

from _s3_contenders import ACCESS_KEY, BUCKET, OURS, REGION, SECRET_KEY, SHARED, contenders
from _s3_large import DOWNLOADS, UPLOADS
from _s3_plan import Plan
from _s3_servers import Endpoint

FILE = "files/0000.bin"


def fresh(plan: Plan, place: Endpoint, /) -> dict[str, dict[str, float]]:
    """By work, what everybody needs: MiB of memory, and milliseconds of the loop."""
    found: dict[str, dict[str, float]] = {}
    if plan.wants("memory"):
        for work, makings in (("download", DOWNLOADS), ("upload", UPLOADS)):
            cell = f"memory {work} {place.name}"
            found[cell] = _answers(f"memory-{work}", list(makings), plan, place, 1)
            _show(f"memory grown by a {work} of {plan.mebibytes} MiB, MiB", found[cell], plan)
    if plan.wants("stall"):
        found["stall"] = _answers("stall", list(FIRST_USES), plan, place, plan.fresh)
        _show("longest stop of the loop at first use, ms", found["stall"], plan)
    return found


def _answers(
    what: str, names: list[str], plan: Plan, place: Endpoint, times: int
) -> dict[str, float]:
    """The medians over processes, of those that can be imported."""
    told: dict[str, list[float]] = {}
    for _ in range(times):
        for name in names:
            done = subprocess.run(
                [sys.executable, __file__, what, name, place.url, str(plan.mebibytes)],
                capture_output=True,
                text=True,
                check=False,
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


async def _grown(what: str, who: str, place: Endpoint, mebibytes: int) -> float:
    """By how many MiB the process was larger at most than before, once it was warm."""
    makings = DOWNLOADS if what == "download" else UPLOADS
    async with AsyncExitStack() as stack:
        work = await makings[who](place, stack, mebibytes)
        async with contenders(place) as rivals:
            for rival in rivals:
                if rival.name in who:
                    await rival.get(FILE)
        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins here
        await work()
        return _resident("VmHWM") - before


def _resident(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


async def _stalled(use: Callable[[Endpoint], Awaitable[object]], place: Endpoint) -> float:
    """Milliseconds."""
    async with _heartbeat() as gaps:
        await use(place)
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


def _configured(place: Endpoint) -> None:
    """A program configures before its loop runs; pydantic alone takes 80 ms to import."""
    from storeroom import Storage

    words = {"endpoint": place.url, "key": ACCESS_KEY, "secret": SECRET_KEY, "region": REGION}
    disk = {"driver": "s3", "bucket": BUCKET, **words}
    Storage.configure({"default": "s3", "disks": {"s3": disk}})


async def _our_first_use(place: Endpoint) -> None:
    from storeroom import Storage

    await Storage.get(FILE)
    await Storage.aclose()


async def _boto_first_use(place: Endpoint) -> None:
    async with contenders(place) as rivals:
        await next(rival for rival in rivals if rival.name == SHARED).get(FILE)


FIRST_USES = {OURS: _our_first_use, SHARED: _boto_first_use}


def main(what: str, who: str, url: str, mebibytes: str) -> None:
    """Print one figure."""
    place = Endpoint("stub", url)
    if what == "stall":
        if who == OURS:
            _configured(place)
        print(json.dumps(asyncio.run(_stalled(FIRST_USES[who], place))))
        return
    _, _, work = what.partition("-")
    print(json.dumps(asyncio.run(_grown(work, who, place, int(mebibytes)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
