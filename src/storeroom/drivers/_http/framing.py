"""Where a reply's head and its body end (RFC 9112, 6)."""

import re
from collections.abc import Iterable
from typing import Final, Protocol

__all__ = ["Chunked", "Counted", "Framing", "Headers", "Malformed", "UntilEnd", "parsed"]

_STATUS: Final = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?")
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
_LINE: Final = 4096


class Malformed(Exception):
    """A reply that is not HTTP."""


class Headers(dict[str, str]):
    """Headers by lower-case name; `lines` are those they came in, for who wants to see a name's capitals."""

    __slots__ = ("lines",)

    lines: list[str]

    @property
    def status(self) -> int:
        """The status of the reply they came with."""
        return int(self.lines[0].split(" ", 2)[1])


class Framing(Protocol):
    """What of the incoming bytes is body; `surplus` says that more came than belongs to it."""

    done: bool
    surplus: bool

    def fed(self, data: bytes, /) -> Iterable[bytes]:
        """The pieces of the body in the data."""
        ...


class Counted:
    """So many bytes."""

    __slots__ = ("_left", "done", "surplus")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.surplus = False

    def fed(self, data: bytes, /) -> Iterable[bytes]:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            return (data,) if data else ()
        self.done = True
        if left < 0:
            self.surplus = True
            data = data[:left]
        return (data,) if data else ()


class UntilEnd:
    """All that comes until the connection ends."""

    __slots__ = ("done", "surplus")

    def __init__(self) -> None:
        self.done = False
        self.surplus = False

    def fed(self, data: bytes, /) -> Iterable[bytes]:
        return (data,) if data else ()


class Chunked:
    """Chunks, each with its size before it; extensions and trailers are passed over."""

    __slots__ = ("_after", "_held", "_left", "_trailing", "done", "surplus")

    def __init__(self) -> None:
        self.done = False
        self.surplus = False
        self._held = b""
        self._left = 0
        self._after = False
        self._trailing = False

    def fed(self, data: bytes, /) -> Iterable[bytes]:
        if self._held:
            data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at = 0
        while not self.done:
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if piece:
                    pieces.append(piece)
                if self._left:
                    return pieces
                self._after = True
            end = data.find(b"\r\n", at)
            if end < 0:
                self._hold(data[at:])
                return pieces
            self._line(data[at:end])
            at = end + 2
        self.surplus = at < len(data)
        return pieces

    def _line(self, line: bytes) -> None:
        if self._after:
            if line:
                raise Malformed("a chunk is longer than it says")
            self._after = False
        elif self._trailing:
            self.done = not line
        else:
            size = _SIZE.fullmatch(line)
            if size is None:
                raise Malformed("a chunk has no size")
            self._left = int(size[1], 16)
            self._trailing = self._left == 0

    def _hold(self, data: bytes) -> None:
        if len(data) > _LINE:
            raise Malformed("a line of its chunks does not end")
        self._held = data


def parsed(head: bytes, /) -> tuple[int, Headers, bool]:
    """Status, headers by lower-case name, and whether the connection stays."""
    lines = head.decode(errors="surrogateescape").split("\r\n")
    if head.count(b"\n") != len(lines) - 1:
        raise Malformed("a line ends in the wrong way")
    status = _STATUS.fullmatch(lines[0])
    if status is None:
        raise Malformed("its first line is no status")
    headers = Headers()
    headers.lines = lines
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Malformed("a header has no name")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    stays = headers.get("connection", "").lower()
    return int(status[2]), headers, "close" not in stays and status[1] == "1"
