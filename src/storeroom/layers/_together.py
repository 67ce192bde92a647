"""Together: several calls at once, each of which is waited for."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

__all__ = ["ended", "through", "together"]

T = TypeVar("T")


async def together(calls: Iterable[Awaitable[T]], /) -> list[T]:
    """What all of them answer, in order; the first failure is raised when the others have ended."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await ended(*tasks)


async def through(calls: Iterable[Awaitable[object]], /) -> None:
    """Wait for all of them, also where some fail; the first failure is raised then."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def ended(*tasks: "asyncio.Future[Any]") -> None:
    """Stop tasks, and wait until they have, also through further cancellations; what else failed is no news."""
    again: asyncio.CancelledError | None = None
    for task in tasks:
        task.cancel()
    while not all(task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError as error:
            again = error
    for task in tasks:
        if not task.cancelled():
            task.exception()
    if again is not None:
        raise again
