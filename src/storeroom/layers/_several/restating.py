"""Restating: a source whose bytes stay and whose facts are told in another way."""

from collections.abc import AsyncIterator

from storeroom.contracts.source import Source
from storeroom.contracts.values import Stat

__all__ = ["is_here", "restated"]


async def restated(source: Source, stat: Stat) -> Source:
    """The same bytes with other facts."""
    if is_here(source):
        return Source(stat, await source.read(), chunk_size=source.chunk_size)
    return Source(stat, _Chunks(source), size=source.size, chunk_size=source.chunk_size)


def is_here(source: Source) -> bool:
    """Whether all of the bytes have come already."""
    return source.through(_Chunks) is source


class _Chunks(AsyncIterator[bytes]):
    """A class, not a generator: dropping it releases the source at once, without a loop."""

    __slots__ = ("_source",)

    def __init__(self, source: Source) -> None:
        self._source = source

    async def __anext__(self) -> bytes:
        return await anext(self._source)

    async def aclose(self) -> None:
        await self._source.aclose()
