"""What stands inside a cache in these tests: it counts what it is asked, and can be held up."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from storeroom.contracts.source import Source
from storeroom.contracts.values import WHOLE, ReadOptions
from storeroom.layers import Around

T = TypeVar("T")


class Inside(Around):
    """Counts calls by operation. `hold(operation)` lets a call do its work and then wait."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.calls: Counter[str] = Counter()
        self.reached = asyncio.Event()
        self._held: str | None = None
        self._released = asyncio.Event()
        self._error: Exception | None = None
        self._failing = ""

    def hold(self, operation: str) -> None:
        """The next calls of this operation wait for `release`, once inside has answered."""
        self._held = operation
        self.reached.clear()
        self._released.clear()

    def release(self) -> None:
        self._held = None
        self._released.set()

    def fail(self, error: Exception, operation: str = "") -> None:
        """The next call (of this operation) fails after its work is done: the reply is lost."""
        self._error = error
        self._failing = operation

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        self.calls[operation] += 1
        try:
            return await call()
        finally:
            if self._held == operation:
                self.reached.set()
                await self._released.wait()
            error = self._error
            if error is not None and self._failing in ("", operation):
                self._error = None
                raise error


class Delayed(Around):
    """Every call waits a moment before and after it, as over a network."""

    def __init__(self, inner: Any, seed: int) -> None:
        super().__init__(inner)
        self._random = random.Random(seed)

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        await self._moment()
        try:
            return await call()
        finally:
            await self._moment()

    async def _moment(self) -> None:
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)


class Sizeless(Around):
    """Tells no size of what comes, as of a stream that is made while it is read."""

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        source = await self.inner.read(path, how)
        return Source(source.stat, source)
