"""A body on its way in: frame after frame is compressed in threads while the last ones are stored."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from storeroom.contracts import threads
from storeroom.contracts.body import Body, Piece
from storeroom.contracts.errors import InvalidArgument
from storeroom.contracts.values import WriteOptions
from storeroom.layers._compression.format import Format, Packer
from storeroom.layers._compression.kinds import is_compressed
from storeroom.layers._compression.marks import MOST, SMALLEST, Mark
from storeroom.layers._compression.table import Tabled
from storeroom.layers._together import ended

__all__ = ["Packed", "Way", "packed_whole"]

_SMALL = 64 << 10
_TINY = 4 << 10


@dataclass(frozen=True, slots=True)
class Way:
    """How a file is compressed."""

    format: Format
    level: int
    frame_size: int
    encoded: bool = False
    max_size: int | None = None

    @property
    def mark(self) -> Mark:
        """What stands before the data."""
        return Mark(self.format.code, self.frame_size, self.encoded)

    def is_brief(self, size: int, /) -> bool:
        """Whether so many bytes are compressed so fast that the loop need not be left."""
        return size <= (_SMALL if self.level <= self.format.brisk else _TINY)

    def is_worth_trying(self, size: int | None, how: WriteOptions, /) -> bool:
        """Whether a file may shrink: neither tiny, nor compressed by its type or its Content-Encoding."""
        small = size is not None and size <= SMALLEST
        return not small and how.content_encoding is None and not is_compressed(how.content_type)

    def shrinks(self, stored: int, plain: int, /) -> bool:
        """Whether it is worth it: a sixteenth is saved."""
        return stored <= plain - plain // 16 - 1

    def check(self, size: int | None, /) -> None:
        """Refuse what is more than could be read again."""
        if size is None:
            return
        if self.max_size is not None and size > self.max_size:
            raise InvalidArgument(f"the body is larger than max_size, {self.max_size} bytes")
        if size > MOST * self.frame_size:
            raise InvalidArgument(
                f"the body is larger than {MOST} frames of {self.frame_size} bytes; "
                "set a larger frame_size"
            )


async def packed_whole(way: Way, content: bytes, /) -> bytes:
    """All of a small file."""
    if way.is_brief(len(content)):
        return _whole(way, content)
    return await threads.run(_whole, way, content)


def _whole(way: Way, content: bytes) -> bytes:
    packer, table = way.format.packer(way.level), Tabled()
    parts = [way.format.head(way.mark)]
    view = memoryview(content)
    for start in range(0, len(content), way.frame_size):
        block = view[start : start + way.frame_size]
        stored, check = packer.frame(block)
        table.add(len(stored), len(block), check)
        parts.append(stored)
    return b"".join((*parts, _end(way, packer, table)))


def _end(way: Way, packer: Packer, table: Tabled) -> bytes:
    """What stands behind the frames."""
    foot, entries = table.foot(way.mark)
    return way.format.tail(foot, entries) + packer.close()


class Packed:
    """A large body, of which the first frame was compressed to see whether it shrinks.

    `size` is how many plain bytes came, when all of them did.
    """

    def __init__(self, way: Way, body: Body, /) -> None:
        self._way = way
        self._plain = body
        self._tried: tuple[Packer, tuple[bytes, int]] | None = None
        self.size = 0
        self.body = Body(self._chunks, replayable=body.replayable)

    async def shrinks(self, first: bytes, /) -> bool:
        """Whether the first frame gets smaller."""
        packer = self._way.format.packer(self._way.level)
        frame = await threads.run(packer.frame, first)
        self._tried = packer, frame
        return self._way.shrinks(len(frame[0]), len(first))

    async def _chunks(self) -> AsyncGenerator[bytes]:
        way, table = self._way, Tabled()
        tried, self._tried = self._tried, None
        packer = tried[0] if tried else way.format.packer(way.level)
        yield way.format.head(way.mark)
        async with aclosing(self._frames(packer, tried[1] if tried else None)) as frames:
            async for size, (stored, check) in frames:
                table.add(len(stored), size, check)
                yield stored
        self.size = table.size
        yield await threads.run(_end, way, packer, table)

    async def _frames(
        self, packer: Packer, first: tuple[bytes, int] | None
    ) -> AsyncGenerator[tuple[int, tuple[bytes, int]]]:
        """The frames in order, each with its plain size; some are under way while one is given."""
        waiting: deque[tuple[int, asyncio.Future[tuple[bytes, int]]]] = deque()
        done = 0
        try:
            async with aclosing(_blocks(self._plain, self._way.frame_size)) as blocks:
                async for block in blocks:
                    done += len(block)
                    self._way.check(done)
                    ready = None
                    if len(waiting) == self._way.format.at_once:
                        size, frame = waiting[0]
                        ready = size, await frame
                        waiting.popleft()
                    work, first = _begun(packer, block, first), None
                    waiting.append((len(block), work))
                    if ready is not None:
                        yield ready
            while waiting:
                size, frame = waiting[0]
                ready = size, await frame
                waiting.popleft()
                yield ready
        finally:
            await ended(*(frame for _, frame in waiting))


async def _blocks(body: Body, size: int) -> AsyncGenerator[Piece]:
    if body.whole is None:
        async with aclosing(body.blocks(size)) as blocks:
            async for block in blocks:
                yield block
        return
    view = memoryview(body.whole)
    for start in range(0, len(view), size):
        yield view[start : start + size]


def _begun(
    packer: Packer, block: Piece, done: tuple[bytes, int] | None
) -> "asyncio.Future[tuple[bytes, int]]":
    """A frame under way, or the one that was made already."""
    if done is None:
        return asyncio.ensure_future(threads.run(packer.frame, block))
    future: asyncio.Future[tuple[bytes, int]] = asyncio.get_running_loop().create_future()
    future.set_result(done)
    return future
