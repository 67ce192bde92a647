"""Work that a server may be doing already, from which a cancelled caller does not just walk away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

__all__ = ["PATIENCE", "settled"]

T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds that a cancellation waits for what was begun."""


async def settled(work: Coroutine[Any, Any, T], /) -> T:
    """What the work returns; a cancellation waits for its end first, though not for ever."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _ended(task)
        raise


async def _ended(task: "asyncio.Task[Any]") -> None:
    """Wait through further cancellations; after that the work is cancelled."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while not task.done():
        left = until - loop.time()
        if left <= 0:
            task.cancel()
        try:
            await asyncio.wait([task], timeout=max(left, 1.0))
        except asyncio.CancelledError:
            continue
    if not task.cancelled():
        task.exception()
