"""4 KiB objects: put, get and head at 1 and 16 in flight; and a listing of 10,000."""

from collections.abc import Iterator, Mapping
from functools import partial

from _contender import DATA, OURS, Contender, contenders
from _goals import FLIGHTS, VERBS
from _harness import Lap, PathWork, in_flight, timed
from _plan import Plan
from _race import Pace, paced
from _servers import Endpoint
from _service import Service
from _stub import ENTRIES

FILES = [f"files/{number:04}.bin" for number in range(64)]
LAP_CALLS = (16, 2048)


async def small(service: Service, plan: Plan, place: Endpoint, /) -> dict[str, list[Pace]]:
    """The paces of every verb that is asked for, by `verb server in-flight`."""
    verbs = [verb for verb in VERBS if plan.wants(verb)]
    if not verbs:
        return {}
    async with contenders(service.contenders, place) as rivals:
        for name, rival in rivals.items():
            await _seen_to_work(name, rival)
        return {
            f"{verb} {place.name} {count}": await _cell(rivals, verb, count, plan, place)
            for verb in verbs
            for count in FLIGHTS
        }


async def listing(service: Service, plan: Plan, place: Endpoint, /) -> dict[str, list[Pace]]:
    """The paces of listing everything; a call is one listing."""
    if not plan.wants("list"):
        return {}
    async with contenders(service.contenders, place) as rivals:
        laps: dict[str, Lap] = {}
        for name, rival in rivals.items():
            if rival.listing is None:
                continue
            if (count := await rival.listing()) != ENTRIES:
                raise AssertionError(f"{name} lists {count} of {ENTRIES}")
            laps[name] = Lap(rival.listing)
        paces = await paced(laps, rounds=plan.large_rounds)
    plan.show(f"list {ENTRIES:,}, {place.name}", paces)
    return {f"list {place.name}": paces}


async def _seen_to_work(name: str, rival: Contender) -> None:
    for path in FILES if name == OURS else FILES[:1]:
        await rival.put(path)
    if bytes(memoryview(await rival.get(FILES[0]))) != DATA:
        raise AssertionError(f"{name} got something else than was put")
    await rival.head(FILES[0])


async def _cell(
    rivals: Mapping[str, Contender], verb: str, count: int, plan: Plan, place: Endpoint
) -> list[Pace]:
    laps = {name: await _lap(rival.verb(verb), count, plan) for name, rival in rivals.items()}
    paces = await paced(laps, rounds=plan.rounds)
    plan.show(f"{verb} 4 KiB, {place.name}, {count} in flight", paces)
    return paces


async def _lap(work: PathWork, count: int, plan: Plan) -> Lap:
    """A lap of about the same seconds for everyone, after one to warm up."""
    fewest, most = LAP_CALLS
    await timed(_repeating(work, fewest, count))
    one, _ = await timed(_repeating(work, fewest, count))
    return _repeating(work, max(fewest, min(most, int(plan.lap_seconds / one))), count)


def _repeating(work: PathWork, calls: int, count: int) -> Lap:
    return Lap(partial(_run, work, calls, count), calls)


async def _run(work: PathWork, calls: int, count: int) -> None:
    await in_flight(work, _some(calls), count)


def _some(calls: int) -> Iterator[str]:
    return (FILES[number % len(FILES)] for number in range(calls))
