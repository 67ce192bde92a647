"""The rows of the table: what must be reached, against whom, and what was."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from _harness import Timing
from _table import Reached

Timings = Mapping[str, list[Timing]]


@dataclass(frozen=True, slots=True)
class Goal:
    """One row: a ratio for every cell and rival, each with what it must and should reach.

    A goal is how many times faster we are; with `is_cost`, how many times longer we take.
    """

    work: str
    against: str
    cells: tuple[str, ...]
    rivals: tuple[str, ...]
    at_least: tuple[float, ...]
    aim: tuple[float, ...]
    is_cost: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of milliseconds: how long a thing of ours may take at most."""

    work: str
    cells: tuple[str, ...]
    at_most: float | None
    aim: float


def _small(verb: str, place: str = "disk") -> tuple[str, ...]:
    return tuple(f"{verb} {place} {count}" for count in (1, 16, 64))


GOALS = (
    Goal(
        "get 4 KiB, warm, {disk}",
        "asyncio.to_thread, one open-read-close",
        _small("get"),
        ("asyncio.to_thread",),
        (3,),
        (5,),
    ),
    *(
        Goal("get 4 KiB, warm, {disk}", rival, _small("get")[:2], (rival,), (10,), (20,))
        for rival in ("obstore", "opendal", "litestar-storages")
    ),
    Goal("exists, warm, {disk}", "aiofiles.os", _small("exists"), ("aiofiles",), (2,), (5,)),
    Goal("metadata, warm, {disk}", "aiofiles.os", _small("metadata"), ("aiofiles",), (2,), (5,)),
    *(
        Goal(
            f'put 4 KiB atomic, durability "none", {{{place}}}',
            "aiofiles in place",
            _small("put none", place),
            ("aiofiles",),
            (1.5, 2, 2),
            (3, 4, 4),
        )
        for place in ("disk", "fresh", "memory")
    ),
    *(
        Goal(
            f'put 4 KiB atomic, durability "file", {{{place}}}',
            "aiofiles in place, then os.fsync in a thread",
            _small("put file", place),
            ("aiofiles",),
            (1.2,),
            (2,),
        )
        for place in ("disk", "fresh")
    ),
    *(
        Goal(
            f"delete, 16 in flight, {{{place}}}",
            "aiofiles.os",
            (f"delete {place} 16",),
            ("aiofiles",),
            (1.5,),
            (3,),
        )
        for place in ("disk", "fresh", "memory")
    ),
    Goal(
        "read {size} in 64 KiB / 1 MiB chunks",
        "the synchronous loop",
        ("read 64", "read 1024"),
        ("synchronous loop",),
        (0.2, 0.5),
        (0.5, 0.8),
    ),
    Goal(
        'write {size} of 64 KiB chunks, durability "none"',
        "aiofiles in place",
        ("write 64",),
        ("aiofiles",),
        (2,),
        (2.5,),
    ),
    Goal(
        'copy {size}, durability "none"',
        "shutil.copyfile in a thread",
        ("copy",),
        ("shutil.copyfile",),
        (0.95,),
        (1.1,),
    ),
    Goal(
        "list {entries} files, names checked, in 1 / 100 folders",
        "scandir + stat in one thread (time)",
        ("list", "list tree"),
        ("scandir + stat",),
        (2.0,),
        (1.5,),
        is_cost=True,
    ),
)

LIMITS = (
    Limit(
        "first entry of {entries} files, in 1 / 100 folders",
        ("list, first entry", "list tree, first entry"),
        None,
        5,
    ),
    Limit(
        "longest stall of the loop, cold get of 4 KiB / 256 KiB",
        ("cold 4 KiB", "cold 256 KiB"),
        5,
        5,
    ),
)


def judged(timings: Timings, words: Mapping[str, str], /) -> list[Reached]:
    """Every row of which something was measured."""
    rows = [_judged(goal, timings, words) for goal in GOALS if set(goal.cells) & set(timings)]
    limits = [limit for limit in LIMITS if set(limit.cells) & set(timings)]
    return [*rows, *(_kept(limit, timings, words) for limit in limits)]


def _judged(goal: Goal, timings: Timings, words: Mapping[str, str]) -> Reached:
    ratios: dict[str, float] = {}
    missed, aimed = False, True
    for number, cell in enumerate(goal.cells):
        for timing in timings.get(cell, ()):
            if timing.name in goal.rivals:
                ratio = 1 / timing.ratio if goal.is_cost else timing.ratio
                ratios[cell] = ratio
                missed |= not _meets(ratio, _at(goal.at_least, number), goal)
                aimed &= _meets(ratio, _at(goal.aim, number), goal)
    verdict = "missed" if missed else "aim" if aimed else "reached"
    return Reached(
        goal.work.format_map(words),
        goal.against,
        _shown(ratios.values()) or "not installed",
        f"{_shown(goal.at_least)}{' at most' if goal.is_cost else ''}",
        _shown(goal.aim),
        verdict if ratios else "-",
        ratios,
    )


def _kept(limit: Limit, timings: Timings, words: Mapping[str, str]) -> Reached:
    spent = {cell: timings[cell][0].wall / 1e3 for cell in limit.cells}
    worst = max(spent.values())
    missed = limit.at_most is not None and worst > limit.at_most
    verdict = "missed" if missed else "aim" if worst <= limit.aim else "over aim"
    return Reached(
        limit.work.format_map(words),
        "-",
        " / ".join(f"{value:.1f} ms" for value in spent.values()),
        "-" if limit.at_most is None else f"{limit.at_most:g} ms at most",
        f"{limit.aim:g} ms",
        verdict,
        spent,
    )


def _meets(ratio: float, goal: float, row: Goal) -> bool:
    return ratio <= goal if row.is_cost else ratio >= goal


def _at(values: tuple[float, ...], number: int) -> float:
    return values[min(number, len(values) - 1)]


def _shown(values: Iterable[float]) -> str:
    return " / ".join(f"{value:.3g}x" for value in values)
