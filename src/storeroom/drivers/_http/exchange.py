"""One connection, and the reply that comes over it."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, Protocol, cast

from storeroom.contracts.body import Piece
from storeroom.drivers._http.framing import Chunked, Counted, Framing, Malformed, UntilEnd, parsed
from storeroom.drivers._http.wire import Lost

__all__ = ["Connection", "Departing", "HttpReply", "Keeper"]

_SLICE: Final = 256 << 10
_HEAD: Final = 64 << 10
# Reading rests until somebody takes what is here, so that the system hands over much at once.
_HIGH: Final = 64 << 10
_BODYLESS: Final = frozenset((204, 304))


class Keeper(Protocol):
    """Who holds the connections."""

    def keep(self, connection: "Connection", /) -> None: ...
    def forget(self, connection: "Connection", /) -> None: ...


class Departing(Protocol):
    """Who wants to know whether a request has left, all of its body with it."""

    sent: bool


class HttpReply:
    """A reply whose body may still be coming."""

    __slots__ = (
        "_at_end",
        "_chunks",
        "_connection",
        "_held",
        "_lost",
        "headers",
        "status",
        "waiter",
    )

    def __init__(self, connection: "Connection", status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        self.waiter: asyncio.Future[None] | None = None
        self._connection = connection
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._at_end = False
        self._lost: Lost | None = None

    async def read(self, most: int | None = None, /) -> bytes:
        """All of the body; `Lost` where it breaks off, or is of more bytes than these."""
        if self._at_end and len(self._chunks) == 1:
            return self._chunks.popleft()
        pieces: list[bytes] = []
        held = 0
        while piece := await self.chunk():
            pieces.append(piece)
            held += len(piece)
            if most is not None and held > most:
                self.close()
                raise Lost("dropped", "its body does not end")
        return b"".join(pieces)

    async def chunk(self) -> bytes:
        """The bytes that are here, as soon as there are some, `b""` at the end; `Lost` where it breaks off."""
        while not self._chunks:
            if self._lost is not None:
                raise self._lost
            if self._at_end:
                return b""
            self.waiter = self._connection.awaited()
            try:
                await self.waiter
            finally:
                self.waiter = None
        piece = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        if not self._at_end:
            self._connection.go_on()
        return piece

    def close(self) -> None:
        """Drop the connection, unless the reply has come entirely."""
        if not self._at_end and self._lost is None:
            self._connection.drop(Lost("dropped", "the reply was closed"))

    def add(self, piece: bytes, /) -> bool:
        """Whether that is enough until somebody reads."""
        self._chunks.append(piece)
        self._held += len(piece)
        self._wake()
        return self._held >= _HIGH

    def end(self, lost: Lost | None = None, /) -> None:
        """No more will come."""
        self._lost = lost
        self._at_end = lost is None
        self._wake()

    def _wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Connection(asyncio.Protocol):
    """A connection that carries one exchange at a time."""

    def __init__(self, keeper: Keeper, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self.idle_since = 0.0
        self.closed = False
        self.parted: asyncio.Future[None] = loop.create_future()
        self._keeper = keeper
        self._loop = loop
        self._timeout = timeout
        self._transport: asyncio.Transport
        self._buffer = b""
        self._bodyless = False
        self._waiting: asyncio.Future[HttpReply] | None = None
        self._reply: HttpReply | None = None
        self._framing: Framing = UntilEnd()
        self._kept = False
        self._sending = False
        self._full: asyncio.Future[None] | None = None
        self._resting = False
        self._heard = 0.0
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None

    async def exchange(
        self, request: bytes, mark: Departing | None = None, /, *, bodyless: bool
    ) -> HttpReply:
        """Send a request that is written at once, and wait for the head of its reply."""
        waiting = self._begun(bodyless=bodyless)
        if mark is not None:
            mark.sent = True
        self._transport.write(request)
        return await self._answered(waiting)

    async def upload(
        self, head: bytes, pieces: Sequence[Piece], mark: Departing | None, /
    ) -> HttpReply:
        """Send a large body in slices, as fast as it is taken, until it is sent or answered."""
        waiting = self._begun(bodyless=False)
        self._sending = True
        if mark is not None:
            mark.sent = False
        self._transport.write(head)
        left = sum(map(len, pieces))
        try:
            for part in _slices(pieces):
                if self._full is not None:
                    await self._full
                if waiting.done():
                    break
                left -= len(part)
                if not left:
                    self._sending = False
                    if mark is not None:
                        mark.sent = True
                self._heard = self._loop.time()
                self._transport.write(part)
        except BaseException:
            waiting.cancel()
            self.drop(None)
            raise
        return await self._answered(waiting)

    def awaited(self) -> "asyncio.Future[None]":
        """A future for who waits for bytes; from now on it is idle time."""
        self._heard = self._loop.time()
        self._watch()
        return self._loop.create_future()

    def go_on(self) -> None:
        """What was held has been read."""
        if self._resting and not self.closed:
            self._resting = False
            self._transport.resume_reading()

    def drop(self, lost: Lost | None, /) -> None:
        """Close at once; whoever waits learns why."""
        self._failed(lost or Lost("dropped", "the connection was given up"))
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # What a stream protocol is given; a loop that is not asyncio's own has a class of its own for it.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        try:
            if self._reply is None:
                self._received_head(self._buffer + data if self._buffer else data)
            else:
                self._received(self._reply, data)
        except Malformed as error:
            self.drop(Lost("dropped", f"the reply is not HTTP: {error}"))

    def pause_writing(self) -> None:
        self._full = self._loop.create_future()

    def resume_writing(self) -> None:
        self._heard = self._loop.time()
        self._flow()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._reply is not None and exc is None and isinstance(self._framing, UntilEnd):
            self._reply.end()
            self._reply = None
        reason = str(exc) if exc is not None else "the service closed the connection"
        self._failed(Lost("dropped", reason))
        self._keeper.forget(self)
        if not self.parted.done():
            self.parted.set_result(None)

    def _begun(self, *, bodyless: bool) -> "asyncio.Future[HttpReply]":
        self._bodyless = bodyless
        self._waiting = waiting = self._loop.create_future()
        self._heard = self._loop.time()
        self._watch()
        return waiting

    async def _answered(self, waiting: "asyncio.Future[HttpReply]") -> HttpReply:
        try:
            return await waiting
        except BaseException:
            self.drop(None)
            raise

    def _received_head(self, data: bytes) -> None:
        waiting = self._waiting
        if waiting is None:
            self.drop(None)  # nothing was asked
            return
        while True:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                break
            status, headers, self._kept = parsed(head)
            if status >= 200:
                self._buffer = b""
                self._begin(waiting, HttpReply(self, status, headers), data)
                return
        if len(head) > _HEAD:
            raise Malformed("its headers do not end")
        self._buffer = head

    def _begin(self, waiting: "asyncio.Future[HttpReply]", reply: HttpReply, data: bytes) -> None:
        self._framing = self._framed(reply)
        self._waiting = None
        self._reply = reply
        if not waiting.done():
            waiting.set_result(reply)
        self._flow()
        self._received(reply, data)

    def _framed(self, reply: HttpReply) -> Framing:
        if self._bodyless or reply.status in _BODYLESS:
            return Counted(0)
        coding = reply.headers.get("transfer-encoding")
        if coding is not None:
            if coding.lower() != "chunked":
                raise Malformed("its transfer encoding is unknown")
            if "content-length" in reply.headers:
                self._kept = False
            return Chunked()
        length = reply.headers.get("content-length")
        if length is None:
            return UntilEnd()
        if not (length.isascii() and length.isdecimal()):
            raise Malformed("its length is no number")
        return Counted(int(length))

    def _received(self, reply: HttpReply, data: bytes) -> None:
        framing = self._framing
        enough = False
        for piece in framing.fed(data):
            enough = reply.add(piece)
        if framing.done:
            self._finish(reply, framing)
        elif enough and not self._resting:
            self._resting = True
            self._transport.pause_reading()

    def _finish(self, reply: HttpReply, framing: Framing) -> None:
        self._reply = None
        reply.end()
        if self._kept and not (self._sending or framing.surplus or self._unsent_bytes()):
            self.go_on()
            self._keeper.keep(self)
        else:
            self.drop(None)

    def _failed(self, lost: Lost) -> None:
        """This connection is over; whoever waits learns why."""
        self.closed = True
        waiting, self._waiting = self._waiting, None
        reply, self._reply = self._reply, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(lost)
        if reply is not None:
            reply.end(lost)
        self._flow()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flow(self) -> None:
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)

    def _unsent_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._look)

    def _look(self) -> None:
        """One timer for many exchanges: it finds out whether somebody waits for too long."""
        self._timer = None
        reply = self._reply
        if self._waiting is None and (reply is None or reply.waiter is None):
            return
        now, unsent = self._loop.time(), self._unsent_bytes()
        if unsent != self._unsent:  # the other side takes what we send
            self._unsent, self._heard = unsent, now
        due = self._heard + self._timeout
        if now < due:
            self._timer = self._loop.call_at(due, self._look)
            return
        self.drop(Lost("idle", f"nothing came for {self._timeout:g} s"))


def _slices(pieces: Sequence[Piece]) -> Iterator[memoryview]:
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _SLICE):
            yield view[start : start + _SLICE]
