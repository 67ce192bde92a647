"""Many at once, but not too many: bounded concurrency with a result per key."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from storeroom.contracts.errors import InvalidArgument
from storeroom.contracts.values import Report

__all__ = ["each", "listed"]

K = TypeVar("K")
T = TypeVar("T")


async def each(
    items: AsyncGenerator[K],
    key: Callable[[K], str],
    work: Callable[[K], Awaitable[T]],
    /,
    *,
    concurrency: int,
    progress: Callable[[int, int | None], object] | None = None,
    total: int | None = None,
) -> Report[T]:
    """A report of `work` on every item, at most `concurrency` at a time, items pulled as needed.

    A failure of one item is reported and stops no other; a failure of `items` itself is raised.
    """
    if concurrency < 1:
        raise InvalidArgument(f"concurrency is at least 1, not {concurrency}")
    done: dict[str, T] = {}
    failed: dict[str, Exception] = {}
    turn = asyncio.Lock()

    async def worker() -> None:
        while True:
            async with turn:
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            await attempt(item)
            if progress is not None:
                progress(len(done) + len(failed), total)

    async def attempt(item: K) -> None:
        try:
            result = await work(item)
        except Exception as error:  # noqa: BLE001 - any failure of one item belongs in the report
            failed[key(item)] = error
        else:
            done[key(item)] = result

    await _together(worker, concurrency, items)
    return Report(done, failed)


async def listed(items: Iterable[K], /) -> AsyncGenerator[K]:
    """An iterable as an async generator."""
    for item in items:
        yield item


async def _together(
    worker: Callable[[], Awaitable[None]], count: int, items: AsyncIterator[object]
) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(_coroutine(worker))
    except* Exception as failures:  # noqa: BLE001 - only `items` can fail; raised as it is
        raise failures.exceptions[0] from None
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _coroutine(worker: Callable[[], Awaitable[None]]) -> None:
    await worker()
