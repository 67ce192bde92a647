"""Work that a server may be doing already, from which a cancelled caller does not just walk away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from storeroom.contracts.patience import patience

__all__ = ["PATIENCE", "ended", "settled"]

T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds that a cancellation waits for what was begun."""


async def settled(work: Coroutine[Any, Any, T], /, within: float | None = None) -> T:
    """What the work returns; a cancellation waits for its end first, though not for ever."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await ended(task, PATIENCE if within is None else within)
        raise


async def ended(task: "asyncio.Task[Any]", within: float, /) -> None:
    """The task is over, whatever came of it, after a while by force; also under cancellation."""
    loop = asyncio.get_running_loop()
    within = patience(within)
    until = loop.time() + within
    while not task.done():
        try:
            await asyncio.wait([task], timeout=max(0.0, until - loop.time()))
        except asyncio.CancelledError:
            continue
        if not task.done():
            task.cancel()
            until = loop.time() + within
    if not task.cancelled():
        task.exception()
