"""Taking: a body as its disk takes it, so that a disk that waits for bytes is not taken for dead."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from storeroom.contracts.body import Body

__all__ = ["Taking"]


class Taking(Body):
    """A body that `waits` while the disk waits for it, and calls `heard` whenever it comes for more."""

    def __init__(self, chunks: Callable[[], AsyncGenerator[bytes]], /, *, size: int | None) -> None:
        super().__init__(lambda: self._taken(chunks()), size=size)
        self.waits = False
        self.heard: Callable[[], object] = lambda: None

    async def _taken(self, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        async with aclosing(chunks):
            while (chunk := await self._next(chunks)) is not None:
                yield chunk

    async def _next(self, chunks: AsyncGenerator[bytes]) -> bytes | None:
        self.heard()
        self.waits = True
        try:
            return await anext(chunks, None)
        finally:
            self.waits = False
