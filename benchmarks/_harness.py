"""One run, interleaved contenders, medians over rounds; client CPU beside wall time."""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Timing:
    """One contender's medians per call, in microseconds, and the ratio of its wall time to the first's."""

    name: str
    wall: float
    cpu: float
    ratio: float


async def interleaved(
    contenders: Mapping[str, Work], /, *, rounds: int = 25, calls: int = 1000
) -> list[Timing]:
    """Time every contender once per round, in reversed order on odd rounds."""
    names = list(contenders)
    walls: dict[str, list[float]] = {name: [] for name in names}
    cpus: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        await _timed(contenders[name], calls // 10 + 1)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            wall, cpu = await _timed(contenders[name], calls)
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


def show(title: str, timings: list[Timing], /) -> None:
    """Print a table: microseconds of wall and CPU time per call, and the ratio to the first row."""
    print(f"\n{title}")
    print(f"  {'':32} {'wall us':>9} {'cpu us':>9} {'ratio':>7} {'over first us':>14}")
    for t in timings:
        over = t.wall - timings[0].wall
        print(f"  {t.name:32} {t.wall:9.2f} {t.cpu:9.2f} {t.ratio:7.2f} {over:14.2f}")


def save(name: str, results: object, /) -> None:
    """Write the results as JSON beside the benchmarks."""
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    text = json.dumps(results, indent=1, default=asdict)
    (folder / f"{name}.json").write_text(f"{text}\n")


async def _timed(work: Work, calls: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        await work()
    return (time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls
