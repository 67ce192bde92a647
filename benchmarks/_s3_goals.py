"""The rows of the table: what must be reached, against whom, and what was."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from _local_goals import Reached
from _s3_contenders import EACH, LITESTAR, OBSTORE, OURS, RAW, SHARED
from _s3_race import Pace

Paces = Mapping[str, list[Pace]]
Figures = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Goal:
    """One row: a ratio for every cell, with what it must and should reach; without, it is shown.

    A ratio is how many times as long the rival takes, or its processor works; with `is_cost`, how
    many times as long ours does.
    """

    work: str
    rival: str
    cells: tuple[str, ...]
    of: Literal["wall", "cpu"]
    at_least: float | None = None
    aim: float | None = None
    is_cost: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """One row with a unit: how much a thing of ours may take at most."""

    work: str
    cell: str
    unit: str
    at_most: float
    aim: float


VERBS = ("put", "get", "head")
STUB = tuple(f"{verb} stub {count}" for verb in VERBS for count in (1, 16))
RCLONE = tuple(f"{verb} rclone {count}" for verb in VERBS for count in (1, 16))
SMALL = "4 KiB put / get / head, each 1 and 16 in flight"

GOALS = (
    Goal(f"{SMALL}, client CPU", SHARED, STUB, "cpu", 4, 6),
    Goal(f"{SMALL}, client CPU", OBSTORE, STUB, "cpu", 1.3, 1, is_cost=True),
    Goal(f"{SMALL}, wall", RAW, STUB, "wall", 0.7, 0.9),
    Goal(f"{SMALL}, wall", LITESTAR, STUB, "wall", 50, 100),
    Goal(f"{SMALL}, wall", EACH, STUB, "wall", 50, 100),
    Goal("list 10,000", SHARED, ("list stub",), "wall", 4, 8),
    Goal("256 MiB upload, http", SHARED, ("upload stub",), "wall", 2.5, 4),
    Goal("256 MiB download", RAW, ("download stub",), "wall", 0.8, 0.95),
    Goal(f"{SMALL}, wall, rclone", SHARED, RCLONE, "wall"),
    Goal("256 MiB upload, http, rclone", SHARED, ("upload rclone",), "wall"),
    Goal("256 MiB download, rclone", RAW, ("download rclone",), "wall"),
)

LIMITS = (
    Limit("256 MiB download, growth of memory", "memory download stub", "MiB", 32, 8),
    Limit("first use of a disk: longest stall of the loop", "stall", "ms", 50, 20),
)


def judged(paces: Paces, figures: Figures, /) -> list[Reached]:
    """Every row of which something was measured."""
    rows = [_judged(goal, paces) for goal in GOALS if set(goal.cells) & set(paces)]
    return [*rows, *(_kept(limit, figures) for limit in LIMITS if limit.cell in figures)]


def _judged(goal: Goal, paces: Paces) -> Reached:
    ratios: dict[str, float] = {}
    for cell in goal.cells:
        found = {pace.name: pace for pace in paces.get(cell, ())}
        if OURS in found and goal.rival in found:
            rival = found[goal.rival]
            ratio = rival.wall_ratio if goal.of == "wall" else rival.cpu_ratio
            ratios[cell] = 1 / ratio if goal.is_cost else ratio
    return Reached(
        goal.work,
        goal.rival,
        " / ".join(_times(ratio) for ratio in ratios.values()) or "not installed",
        f"{_times(goal.at_least)}{' at most' if goal.is_cost else ''}",
        _times(goal.aim),
        _verdict(list(ratios.values()), goal),
        ratios,
    )


def _verdict(ratios: list[float], goal: Goal) -> str:
    if goal.at_least is None or goal.aim is None or not ratios:
        return "-"
    sign = -1 if goal.is_cost else 1
    worst = min(sign * ratio for ratio in ratios)
    if worst < sign * goal.at_least:
        return "missed"
    return "aim" if worst >= sign * goal.aim else "reached"


def _kept(limit: Limit, figures: Figures) -> Reached:
    spent = figures[limit.cell].get(OURS)
    words = (f"{limit.at_most:g} {limit.unit} at most", f"{limit.aim:g} {limit.unit}")
    if spent is None:
        return Reached(limit.work, "-", "not installed", *words, "-")
    missed, aimed = spent > limit.at_most, spent <= limit.aim
    verdict = "missed" if missed else "aim" if aimed else "reached"
    ratios = {limit.cell: spent}
    return Reached(limit.work, "-", f"{spent:.1f} {limit.unit}", *words, verdict, ratios)


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}x"
