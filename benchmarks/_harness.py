"""One run, interleaved contenders, medians over rounds; client CPU beside wall time."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

Work = Callable[[], Awaitable[object]]
PathWork = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Timing:
    """One contender's medians per call, in microseconds, and the ratio of its wall time to the first's."""

    name: str
    wall: float
    cpu: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Lap:
    """What a contender does in one round: `run` is timed, `prepare` before it is not."""

    run: Work
    calls: int = 1
    prepare: Callable[[], object] | None = None


async def interleaved(
    contenders: Mapping[str, Work], /, *, rounds: int = 25, calls: int = 1000
) -> list[Timing]:
    """Time every contender once per round, in reversed order on odd rounds."""
    for work in contenders.values():
        await _repeated(work, calls // 10 + 1)
    laps = {name: Lap(partial(_repeated, work, calls), calls) for name, work in contenders.items()}
    return await raced(laps, rounds=rounds)


async def raced(laps: Mapping[str, Lap], /, *, rounds: int) -> list[Timing]:
    """Run every contender's lap once per round, in reversed order on odd rounds."""
    names = list(laps)
    walls: dict[str, list[float]] = {name: [] for name in names}
    cpus: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            wall, cpu = await timed(laps[name])
            walls[name].append(wall)
            cpus[name].append(cpu)
    first = walls[names[0]]
    return [
        Timing(
            name,
            median(walls[name]) * 1e6,
            median(cpus[name]) * 1e6,
            median(mine / base for mine, base in zip(walls[name], first, strict=True)),
        )
        for name in names
    ]


async def timed(lap: Lap, /) -> tuple[float, float]:
    """Wall and CPU seconds per call of one lap; the CPU is that of all threads of this process."""
    if lap.prepare is not None:
        lap.prepare()
    wall, cpu = time.perf_counter(), time.process_time()
    await lap.run()
    return (
        (time.perf_counter() - wall) / lap.calls,
        (time.process_time() - cpu) / lap.calls,
    )


async def in_flight(work: PathWork, paths: Iterable[str], count: int, /) -> None:
    """Do the work for every path, `count` of them at any moment."""
    left = iter(paths)

    async def worker() -> None:
        for path in left:
            await work(path)

    if count == 1:
        await worker()
        return
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(worker())


def show(title: str, timings: list[Timing], /) -> None:
    """Print a table: microseconds of wall and CPU time per call, and the ratio to the first row."""
    print(f"\n{title}")
    print(f"  {'':32} {'wall us':>9} {'cpu us':>9} {'ratio':>7} {'over first us':>14}")
    for t in timings:
        over = t.wall - timings[0].wall
        print(f"  {t.name:32} {t.wall:9.2f} {t.cpu:9.2f} {t.ratio:7.2f} {over:14.2f}")


def save(name: str, results: object, /) -> Path:
    """Write the results as JSON beside the benchmarks."""
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(f"{json.dumps(results, indent=1, default=asdict)}\n")
    return file


async def _repeated(work: Work, calls: int) -> None:
    for _ in range(calls):
        await work()
