"""A driver whose calls do what a test says: answer, fail before or after their work, or hang."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Literal, TypeVar

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import Unavailable
from storeroom.contracts.values import DEEP, Folder, ScanOptions, Stat
from storeroom.layers import Around

T = TypeVar("T")

Mood = Literal["well", "down", "lost", "hangs", "stuck"]
"""`down` fails before the work and `lost` after it; what `hangs` can be cancelled, what is `stuck` not."""


class Moody(Around):
    """`mood` is asked at each call, by operation and path; `calls` are those that came."""

    def __init__(self, inner: StorageDriver, /) -> None:
        super().__init__(inner)
        self.mood: Callable[[str, str], Mood] = lambda operation, path: "well"
        self.calls: list[tuple[str, str]] = []
        self.freed = asyncio.Event()
        self._awaited: dict[tuple[str, str], asyncio.Event] = {}

    def be(self, mood: Mood, *operations: str) -> None:
        """Be in this mood at these operations, at all without any; else well."""
        self.mood = lambda operation, path: (
            mood if not operations or operation in operations else "well"
        )

    async def called(self, operation: str, path: str, /) -> None:
        """Wait for the next such call."""
        await self._awaited.setdefault((operation, path), asyncio.Event()).wait()

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        self.calls.append((operation, path))
        if (awaited := self._awaited.pop((operation, path), None)) is not None:
            awaited.set()
        mood = self.mood(operation, path)
        if mood == "down":
            raise Unavailable("the test has it down", path=path)
        if mood == "hangs":
            await asyncio.Event().wait()
        if mood == "stuck":
            await self._stuck()
        answer = await call()
        if mood == "lost":
            raise Unavailable("the test lost the answer", path=path)
        return answer

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        async with aclosing(super().scan(folder, how)) as entries:
            async for entry in entries:
                yield entry

    async def _stuck(self) -> None:
        """As a worker thread is: a cancellation waits until it ends."""
        waiting = asyncio.ensure_future(self.freed.wait())
        cancelled = False
        while not waiting.done():
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            await asyncio.sleep(0)
