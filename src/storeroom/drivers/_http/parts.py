"""A body in parts: cut without being copied, and sent side by side."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from itertools import count

from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidArgument
from storeroom.drivers._http.wire import Content, size_of

__all__ = ["parts_of", "rejoined", "send_all"]


def parts_of(body: Body, size: int, /) -> AsyncGenerator[Content]:
    """Parts of `size` bytes, the last of what remains; an empty body has none."""
    whole = body.whole
    if whole is None:
        return body.parts(size)

    async def slices() -> AsyncGenerator[Content]:
        view = memoryview(whole)
        for start in range(0, len(whole), size):
            yield [view[start : start + size]]

    return slices()


async def rejoined(held: list[Content], rest: AsyncIterator[Content], /) -> AsyncGenerator[Content]:
    """The parts that were taken off, the last of `held` first, and then the others."""
    while held:
        yield held.pop()
    async for part in rest:
        yield part


async def send_all(
    parts: AsyncIterator[Content],
    send: Callable[[int, Content], Awaitable[None]],
    /,
    *,
    concurrency: int,
    most: int,
) -> int:
    """Send parts, numbered from 1, side by side: how many bytes there were.

    No more of them are in memory than are in flight and one.
    """
    free = asyncio.Semaphore(concurrency)
    size = 0

    async def one(number: int, part: Content) -> None:
        try:
            await send(number, part)
        finally:
            free.release()

    try:
        async with asyncio.TaskGroup() as group:
            for number in count(1):
                await free.acquire()
                part = await anext(parts, None)
                if part is None:
                    break
                if number > most:
                    raise InvalidArgument(
                        f"more than {most:,} parts; announce the size, or raise part_size"
                    )
                size += size_of(part)
                group.create_task(one(number, part))
                del part
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return size
