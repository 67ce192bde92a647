"""4 KiB files: every verb at 1, 16 and 64 in flight, on a disk and in memory."""

import os
from collections.abc import Iterator
from functools import partial

from _harness import Lap, PathWork, Timing, in_flight, raced, timed
from _local_contenders import BLOCKING, DATA, Contender, contenders
from _local_plan import Place, Plan

VERBS = {
    "disk": ("get", "exists", "metadata", "put none", "put file", "delete"),
    "fresh": ("put none", "put file", "delete"),
    "memory": ("get", "exists", "put none", "delete"),
}
FLIGHTS = (1, 16, 64)
FILES = [f"files/{number:04}.bin" for number in range(256)]
LAP_SECONDS = 0.03
LAP_CALLS = (64, 2048)


async def small(plan: Plan, place: Place, /) -> dict[str, list[Timing]]:
    """The timings of every verb that is asked for, by `verb place in-flight`."""
    verbs = [verb for verb in VERBS[place.name] if plan.wants(verb.partition(" ")[0])]
    if not verbs:
        return {}
    rivals = contenders(os.path.join(place.folder, "small"))
    for rival in rivals:
        await _filled(rival)
    return {
        f"{verb} {place.name} {count}": await _cell(rivals, verb, count, plan, place)
        for verb in verbs
        for count in FLIGHTS
    }


async def _filled(rival: Contender) -> None:
    """All files there, and every verb seen to do its work."""
    root = rival.root
    _make(root, FILES)
    verbs = rival.verbs
    if "get" in verbs and (got := await verbs["get"](FILES[0])) != DATA:
        raise AssertionError(f"{rival.name} got {type(got).__name__}, not the file's bytes")
    if "exists" in verbs and (
        await verbs["exists"](FILES[0]) is not True
        or await verbs["exists"]("files/no") is not False
    ):
        raise AssertionError(f"{rival.name} does not know what exists")
    if "delete" in verbs:
        await verbs["delete"](FILES[0])
        if os.path.exists(f"{root}/{FILES[0]}"):
            raise AssertionError(f"{rival.name} deletes nothing")
    for name in ("put none", "put file"):
        if name in verbs:
            await verbs[name](FILES[0])
            with open(f"{root}/{FILES[0]}", "rb") as file:
                if file.read() != DATA:
                    raise AssertionError(f"{rival.name} puts something else")


async def _cell(
    rivals: list[Contender], verb: str, count: int, plan: Plan, place: Place
) -> list[Timing]:
    laps: dict[str, Lap] = {}
    for rival in rivals:
        if verb in rival.verbs:
            laps[rival.name] = await _lap(rival, verb, count)
    timings = await raced(laps, rounds=plan.rounds)
    name, _, durability = verb.partition(" ")
    title = f"{name} 4 KiB, {place}, {count} in flight"
    if not durability:
        blocking = {who: "blocks the loop" for who, verbs in BLOCKING.items() if verb in verbs}
        plan.show(title, timings, notes=blocking)
        return timings
    writes = {rival.name: rival.writes for rival in rivals}
    plan.show(f'{title}, durability "{durability}"', timings, notes=writes)
    return timings


async def _lap(rival: Contender, verb: str, count: int) -> Lap:
    """A lap of about the same seconds for everyone, after one to warm up."""
    work = rival.verbs[verb]
    if verb == "delete":
        paths = [f"gone/{number:04}.bin" for number in range(LAP_CALLS[0] * 4)]
        lap = Lap(
            partial(in_flight, work, paths, count),
            len(paths),
            partial(_make, rival.root, paths),
        )
        await timed(lap)
        return lap
    await timed(_repeating(work, LAP_CALLS[0], count))
    one, _ = await timed(_repeating(work, LAP_CALLS[0] * 2, count))
    fewest, most = LAP_CALLS
    return _repeating(work, max(fewest, min(most, int(LAP_SECONDS / one))), count)


def _repeating(work: PathWork, calls: int, count: int) -> Lap:
    return Lap(lambda: in_flight(work, _some(calls), count), calls)


def _some(calls: int) -> Iterator[str]:
    return (FILES[number % len(FILES)] for number in range(calls))


def _make(root: str, paths: list[str]) -> None:
    os.makedirs(os.path.join(root, os.path.dirname(paths[0])), exist_ok=True)
    for path in paths:
        with open(f"{root}/{path}", "wb", buffering=0) as file:
            file.write(DATA)
