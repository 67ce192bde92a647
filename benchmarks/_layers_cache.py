"""A small file of S3, held in memory and not: on canned replies, and on servers of this machine."""

from functools import partial

from _harness import Lap, Work, timed
from _layers_sink import OURS, PATH
from _plan import Plan
from _race import Pace, paced
from _s3_contenders import driver
from _s3_servers import moto, rclone
from _servers import Endpoint, stub
from _stub import SMALL, pattern

from storeroom.layers.cache import Cache

UNCACHED = "the same disk without it"


async def cache(plan: Plan, /) -> dict[str, list[Pace]]:
    """The paces of a get on each server that is there."""
    paces: dict[str, list[Pace]] = {}
    for server in (partial(stub, "_s3_stub.py"), moto, rclone):
        with server() as place:
            if place is not None:
                paces[f"cached get {place.name}"] = await _raced(plan, place)
    return paces


async def _raced(plan: Plan, place: Endpoint) -> list[Pace]:
    plain, cached = driver(place), Cache(driver(place), ttl=3600)
    try:
        await plain.put(PATH, pattern(SMALL))
        for disk in (plain, cached):
            if len(await disk.get(PATH)) != SMALL:
                raise AssertionError(f"{disk} does not give what was put")
        disks = {OURS: cached, UNCACHED: plain}
        laps = {name: await _lap(partial(disk.get, PATH), plan) for name, disk in disks.items()}
        paces = await paced(laps, rounds=plan.rounds)
    finally:
        await plain.aclose()
        await cached.aclose()
    plan.show(f"get 4 KiB of S3, {place.name}, held in memory", paces)
    return paces


async def _lap(work: Work, plan: Plan) -> Lap:
    """A lap of about the same seconds for everyone, after one to warm up."""
    await timed(_repeating(work, 16))
    one, _ = await timed(_repeating(work, 16))
    return _repeating(work, max(16, min(20_000, int(plan.lap_seconds / one))))


def _repeating(work: Work, calls: int) -> Lap:
    async def run() -> None:
        for _ in range(calls):
            await work()

    return Lap(run, calls)
