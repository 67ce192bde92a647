"""Interleaved rounds with the ratios of both times: on the wall, and of this process's processors."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from _harness import Lap, timed


@dataclass(frozen=True, slots=True)
class Pace:
    """One contender's medians per call, in microseconds.

    `wall_ratio` and `cpu_ratio` say how many times as long as the first contender it takes: the
    medians of the ratios of each round.
    """

    name: str
    wall: float
    cpu: float
    wall_ratio: float
    cpu_ratio: float


async def paced(laps: Mapping[str, Lap], /, *, rounds: int) -> list[Pace]:
    """Run every contender's lap once per round, in reversed order on odd rounds."""
    names = list(laps)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            spent[name].append(await timed(laps[name]))
    first = spent[names[0]]
    return [
        Pace(
            name,
            median(wall for wall, _ in spent[name]) * 1e6,
            median(cpu for _, cpu in spent[name]) * 1e6,
            median(mine[0] / base[0] for mine, base in zip(spent[name], first, strict=True)),
            median(mine[1] / base[1] for mine, base in zip(spent[name], first, strict=True)),
        )
        for name in names
    ]


def show(title: str, paces: list[Pace], /) -> None:
    """Print one cell: microseconds per call, and how many times as much as the first."""
    print(f"\n{title}\n  {'':26} {'wall us':>12} {'cpu us':>12} {'wall':>8} {'cpu':>8}")
    for p in paces:
        ratios = f"{p.wall_ratio:7.2f}x {p.cpu_ratio:7.2f}x"
        print(f"  {p.name:26} {p.wall:12.1f} {p.cpu:12.1f} {ratios}", flush=True)
