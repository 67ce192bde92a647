"""Many removals where each is a request of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from storeroom.contracts.errors import StorageError
from storeroom.drivers._http.wire import Lost, Refused

__all__ = ["each_alone"]

T = TypeVar("T")

_AT_ONCE: Final = 16


async def each_alone(
    keys: Iterable[str],
    remove: Callable[[str], Awaitable[T]],
    kind_of: Callable[[Exception], StorageError | None],
    /,
) -> dict[str, T | StorageError]:
    """What became of each key, some of them at the same time."""
    turn = asyncio.Semaphore(_AT_ONCE)
    answers: dict[str, T | StorageError] = {}

    async def one(key: str) -> None:
        async with turn:
            try:
                answers[key] = await remove(key)
            except (Lost, Refused, StorageError) as error:
                known = error if isinstance(error, StorageError) else kind_of(error)
                if known is None:
                    raise
                known.located(operation="remove_many", path=key)
                answers[key] = known

    try:
        async with asyncio.TaskGroup() as group:
            for key in keys:
                group.create_task(one(key))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return answers
