"""A clock over what is awaited: it ends the wait, with `Timeout`, when nothing came for so long."""

import asyncio
from collections.abc import Awaitable, Generator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from storeroom.contracts.errors import Timeout

__all__ = ["Clock", "promptly"]

T = TypeVar("T")


class Clock:
    """`async with Clock(30, "read", path):` cancels what it holds, and makes that a `Timeout`."""

    __slots__ = ("_limit", "_operation", "_path", "_seconds")

    def __init__(self, seconds: float, operation: str, path: str, /) -> None:
        self._seconds = seconds
        self._operation = operation
        self._path = path
        self._limit: asyncio.Timeout | None = None

    async def __aenter__(self) -> Self:
        self._limit = await asyncio.timeout(self._seconds).__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        limit, self._limit = self._limit, None
        try:
            if limit is not None:
                await limit.__aexit__(kind, error, trace)
        except TimeoutError as expired:
            raise Timeout(
                f"nothing came of it for {self._seconds:g} seconds",
                operation=self._operation,
                path=self._path or None,
            ) from expired

    def pause(self) -> None:
        """Let time pass that is not the disk's."""
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(None)

    def restart(self) -> None:
        """Count from now on."""
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + self._seconds)


async def promptly(step: Awaitable[T], clock: Clock, /) -> T:
    """What the step gives, under a clock that is wound up only if there is something to wait for."""
    begun = step.__await__()
    try:
        waiting = next(begun)
    except StopIteration as done:
        answer: T = done.value
        return answer
    async with clock:
        return await _Begun(waiting, begun)


class _Begun(Awaitable[T], Generic[T]):
    """The rest of a step whose first wait was handed out already."""

    __slots__ = ("_begun", "_waiting")

    def __init__(self, waiting: Any, begun: Generator[Any, Any, T]) -> None:
        self._waiting = waiting
        self._begun = begun

    def __await__(self) -> Generator[Any, Any, T]:
        try:
            yield self._waiting
        except BaseException as error:  # noqa: BLE001 - the step itself decides what it means
            try:
                waiting = self._begun.throw(error)
            except StopIteration as done:
                answer: T = done.value
                return answer
            return (yield from _Begun(waiting, self._begun).__await__())
        return (yield from self._begun)
