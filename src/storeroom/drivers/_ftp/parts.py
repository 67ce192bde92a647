"""The bytes of a body in pieces, again from the first one where that is possible."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Final

from storeroom.contracts.body import Body, Piece

__all__ = ["BLOCK", "Parts"]

BLOCK: Final = 256 << 10
_FEW: Final = 64 << 10
_NOTHING: Final[list[Piece]] = []


class Parts:
    """A body on its way; the first part is asked for before anything is done for it."""

    def __init__(self, body: Body, /) -> None:
        self._body = body
        self._rest: AsyncGenerator[list[Piece]] | None = None
        self._first: Sequence[Piece] = ()
        self._is_whole = False

    @property
    def is_replayable(self) -> bool:
        """Whether all of the bytes can be had once more."""
        return self._is_whole or self._body.replayable

    @property
    def early(self) -> bytes:
        """All of the bytes, where they are here and few; none otherwise."""
        whole = self._body.whole
        return whole if whole is not None and len(whole) <= _FEW else b""

    async def begin(self) -> None:
        """Go to the first part."""
        if self._is_whole:
            return
        if self._body.whole is not None:
            self._first = list(_sliced(self._body.whole))
        else:
            await self.aclose()
            self._rest = self._body.parts(BLOCK)
            nothing: list[Piece] = []
            self._first = await anext(self._rest, nothing)
        self._is_whole = True

    async def pieces(self) -> AsyncGenerator[Piece]:
        """All pieces, none of them much larger than a block."""
        for piece in self._first:
            yield piece
        if self._rest is None:
            return
        self._is_whole = False
        async for part in self._rest:
            for piece in part:
                yield piece

    async def aclose(self) -> None:
        """Stop the body."""
        rest, self._rest = self._rest, None
        if rest is not None:
            await rest.aclose()


def _sliced(content: bytes) -> Iterator[Piece]:
    if len(content) <= BLOCK:
        yield content
        return
    view = memoryview(content)
    for start in range(0, len(view), BLOCK):
        yield view[start : start + BLOCK]
