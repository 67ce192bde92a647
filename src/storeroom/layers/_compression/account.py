"""What an unpacker keeps account of: each frame's plain bytes, and the end of the file."""

import zlib
from array import array
from collections import deque

from storeroom.contracts.errors import Corrupted
from storeroom.layers._compression.format import Format, table_in
from storeroom.layers._compression.marks import MOST, Mark

__all__ = ["Account"]


class Account:
    """The frames that came so far, to be held against the table at the end."""

    __slots__ = ("_at", "_check", "_format", "_last", "_mark", "checks", "pieces", "rest", "stored")

    def __init__(self, format_: Format, mark: Mark, /) -> None:
        self._format = format_
        self._mark = mark
        self._at = 0
        self._check = 0
        self._last = 0
        self.checks = array("I")
        self.pieces: deque[bytes] = deque()
        self.rest = bytearray()
        self.stored = format_.head_size

    @property
    def most_rest(self) -> int:
        """The most bytes that can stand behind the frames so far."""
        return self._format.tail_size(len(self.checks) + 1) + self._format.closing

    def came(self, piece: bytes, /) -> None:
        """Plain bytes of the frames in their order, wherever these begin and end."""
        view, full = memoryview(piece), self._mark.frame_size
        while view:
            part, view = view[: full - self._at], view[full - self._at :]
            self._check = zlib.crc32(part, self._check)
            self._at += len(part)
            if self._at == full:
                self.frame(full, self._check)
        if piece:
            self.pieces.append(piece)

    def frame(self, plain: int, check: int, /) -> None:
        """A frame that is complete; only the last one may be short."""
        if self._at not in (0, plain) or (self.checks and self._last != self._mark.frame_size):
            raise Corrupted("the compressed data goes on behind its last frame")
        if len(self.checks) == MOST:
            raise Corrupted(f"the compressed data has more than {MOST} frames")
        self.checks.append(check)
        self._last = plain
        self._at = self._check = 0

    def passed(self, data: bytes, /, *, settled: bool = True) -> None:
        """Stored bytes of frames or of what is behind them: the last ones of all are the table.

        `settled` says that all frames came that are in the bytes so far.
        """
        self.rest += data
        if settled:
            del self.rest[: -self.most_rest]

    def trailing(self, data: bytes | bytearray, /) -> None:
        """Bytes that are certainly behind the frames."""
        self.rest += data
        if len(self.rest) > self.most_rest:
            raise Corrupted("there is something behind the end of the compressed data")

    def settle(self) -> bytes:
        """Hold everything against the table: what stands behind that."""
        if self._at:
            self.frame(self._at, self._check)
        count, closing = len(self.checks), self._format.closing
        end = bytes(self.rest[-self._format.tail_size(count) - closing :])
        table = table_in(self._format, end)
        size = self._mark.frame_size * max(0, count - 1) + self._last
        same = table.checks == self.checks and table.size == size and table.mark == self._mark
        if not same or table.starts[-1] + len(end) != self.stored:
            raise Corrupted("the frames are not those of the seek table")
        return end[len(end) - closing :]
