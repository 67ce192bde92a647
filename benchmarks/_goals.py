"""The rows of a table over races: what must be reached, against whom, and what was."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from _contender import OURS
from _race import Pace
from _table import Reached

VERBS = ("put", "get", "head")
FLIGHTS = (1, 16)
SMALL_WORK = "4 KiB put / get / head, each 1 and 16 in flight"

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
    """One row with a unit: how much a thing of ours may take at most; without, it is shown."""

    work: str
    cell: str
    unit: str
    at_most: float | None = None
    aim: float | None = None


def small_cells(place: str, /) -> tuple[str, ...]:
    """The cells of all small work on one server."""
    return tuple(f"{verb} {place} {count}" for verb in VERBS for count in FLIGHTS)


def judged(
    goals: Iterable[Goal], limits: Iterable[Limit], paces: Paces, figures: Figures, /
) -> list[Reached]:
    """Every row of which something was measured."""
    rows = [_judged(goal, paces) for goal in goals if set(goal.cells) & set(paces)]
    return [*rows, *(_kept(limit, figures) for limit in limits if limit.cell in figures)]


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
    at_most = "-" if limit.at_most is None else f"{limit.at_most:g} {limit.unit} at most"
    aim = "-" if limit.aim is None else f"{limit.aim:g} {limit.unit}"
    if spent is None:
        return Reached(limit.work, "-", "not installed", at_most, aim, "-")
    reached, ratios = f"{spent:.1f} {limit.unit}", {limit.cell: spent}
    if limit.at_most is None or limit.aim is None:
        return Reached(limit.work, "-", reached, at_most, aim, "-", ratios)
    missed, aimed = spent > limit.at_most, spent <= limit.aim
    verdict = "missed" if missed else "aim" if aimed else "reached"
    return Reached(limit.work, "-", reached, at_most, aim, verdict, ratios)


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}x"
