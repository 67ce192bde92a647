"""Content that shrinks, content that does not, and files put together by hand."""

import random
import zlib
from collections.abc import AsyncIterator, Sequence

from storeroom.contracts.body import Body
from storeroom.layers._compression.format import Format
from storeroom.layers._compression.formats import format_named
from storeroom.layers._compression.marks import Foot, Mark
from storeroom.layers._compression.table import Tabled

FORMATS = ("zstd", "gzip", "brotli")
SEEKABLE = ("zstd", "gzip")
FRAME = 64 << 10


def text(size: int, seed: int = 1) -> bytes:
    """So many bytes that shrink to about a third, without repeating themselves."""
    source = random.Random(seed)
    words = [source.randbytes(4).hex().encode() for _ in range(400)]
    return b" ".join(source.choices(words, k=size // 8 + 1))[:size]


def noise(size: int, seed: int = 1) -> bytes:
    """So many bytes that do not shrink."""
    return random.Random(seed).randbytes(size)


async def pieces(data: bytes, size: int = 50_000) -> AsyncIterator[bytes]:
    """The data as a stream of unknown size."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def streamed(data: bytes, *, size: int | None = None, replayable: bool = False) -> Body:
    """A body that comes in pieces."""
    return Body(lambda: pieces(data), size=size, replayable=replayable)


class File:
    """A stored file in its parts, to be put together wrongly."""

    def __init__(self, name: str, data: bytes, *, frame_size: int = FRAME) -> None:
        self.format: Format = format_named(name)
        self.mark = Mark(self.format.code, frame_size)
        packer = self.format.packer(self.format.level)
        starts = range(0, len(data), frame_size)
        self.blocks = [data[start : start + frame_size] for start in starts]
        made = [packer.frame(block) for block in self.blocks]
        self.frames = [stored for stored, _ in made]
        self.checks = [check for _, check in made]
        self.closing = packer.close()

    def entries(self) -> list[tuple[int, int, int]]:
        """The true table."""
        sizes = map(len, self.frames), map(len, self.blocks)
        return list(zip(*sizes, self.checks, strict=True))

    def together(
        self,
        *,
        frames: Sequence[bytes] | None = None,
        entries: Sequence[tuple[int, int, int]] | None = None,
        size: int | None = None,
        count: int | None = None,
    ) -> bytes:
        """The file, with other frames or a table that lies, whose checksums are right all the same."""
        table = Tabled()
        for entry in self.entries() if entries is None else entries:
            table.add(*entry)
        foot, listed = table.foot(self.mark)
        foot = Foot(
            self.mark,
            foot.size if size is None else size,
            foot.count if count is None else count,
            zlib.crc32(listed),
        )
        data = b"".join(self.frames if frames is None else frames)
        tail = self.format.tail(foot, listed)
        return self.format.head(self.mark) + data + tail + self.closing
