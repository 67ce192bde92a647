"""One large file up and down: everyone's own way with a stream."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from _content import Large
from _harness import Lap, Work
from _plan import Plan
from _race import Pace, paced
from _servers import Endpoint
from _service import Service, Streaming


async def large(service: Service, plan: Plan, place: Endpoint, /) -> dict[str, list[Pace]]:
    """The paces of an upload and a download of one large object; a call is one MiB of it."""
    cells: dict[str, list[Pace]] = {}
    if not plan.wants("upload") and not plan.wants("download"):
        return cells
    async with AsyncExitStack() as stack:
        uploads = await _made(service.uploads, plan, place, stack)
        if plan.wants("upload"):
            cells[f"upload {place.name}"] = await _raced(plan, place, "upload", uploads)
        if plan.wants("download"):
            await next(iter(uploads.values()))()
            works = await _made(service.downloads, plan, place, stack)
            cells[f"download {place.name}"] = await _raced(plan, place, "download", works)
    return cells


async def _made(
    makings: Mapping[str, Streaming], plan: Plan, place: Endpoint, stack: AsyncExitStack
) -> dict[str, Work]:
    works: dict[str, Work] = {}
    for name, make in makings.items():
        try:
            works[name] = await make(place, stack, Large(plan.mebibytes))
        except ImportError:
            continue
    return works


async def _raced(plan: Plan, place: Endpoint, kind: str, works: Mapping[str, Work]) -> list[Pace]:
    for name, work in works.items():
        count = await work()
        if kind == "download" and count != Large(plan.mebibytes).size:
            raise AssertionError(f"{name} read {count} bytes of {plan.mebibytes} MiB")
    laps = {name: Lap(work, plan.mebibytes) for name, work in works.items()}
    paces = await paced(laps, rounds=plan.large_rounds)
    plan.show(f"{kind} {plan.mebibytes} MiB, {place.name}, us per MiB", paces)
    return paces
