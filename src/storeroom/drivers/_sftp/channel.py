"""One SFTP channel: many requests under way, each reply to the one that asked."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from typing import Final, Generic, Protocol, TypeVar

import asyncssh

from storeroom.contracts.body import Piece
from storeroom.drivers._sftp import wire
from storeroom.drivers._sftp.failures import Lost, Refused, readable
from storeroom.drivers._sftp.wire import Malformed, Words

__all__ = ["Answer", "Channel", "expect"]

T = TypeVar("T")

Reply = tuple[int, bytes] | Lost
"""The type of a reply and its content behind the id: for DATA, the bytes themselves."""

_LONGEST: Final = 4 << 20
_LARGE: Final = 16 << 10


class _Stream(Protocol):
    """What is used of asyncssh's channel."""

    def write(self, data: bytes, /) -> None: ...
    def abort(self) -> None: ...
    def get_write_buffer_size(self) -> int: ...


class Answer(Generic[T]):
    """A request that is sent already; awaiting it gives what its reply says."""

    __slots__ = ("_channel", "_parse", "future")

    def __init__(
        self, channel: "Channel", future: "asyncio.Future[Reply]", parse: Callable[[int, bytes], T]
    ) -> None:
        self.future = future
        self._channel = channel
        self._parse = parse

    def __await__(self) -> Generator[object, None, T]:
        try:
            reply = yield from self.future
        except BaseException:
            self.drop()
            raise
        if isinstance(reply, Lost):
            raise reply
        try:
            return self._parse(*reply)
        except Malformed as error:
            raise self._channel.drop(Lost("dropped", f"that is no SFTP: {error}")) from error

    def drop(self) -> None:
        """Nobody waits for it any more; a handle that it brings is closed."""
        if not self.future.done():
            self.future.cancel()
        elif not self.future.cancelled():
            self._channel.unwanted(self.future.result())


class Channel(asyncssh.SSHClientSession[bytes]):
    """The requests on one channel; `lost` says why it is over.

    Where replies are due and nothing has come for `timeout` seconds, it is over too.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self.loop = loop
        self.lost: Lost | None = None
        self.heard = loop.time()
        self.version: asyncio.Future[Reply] = loop.create_future()
        self._timeout = timeout
        self._chan: _Stream | None = None
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._next = 0
        self._held: list[bytes] = []
        self._parts: list[bytes] = []
        self._have = 0
        self._want = 0
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many replies are due."""
        return len(self._waiting)

    def begin(self) -> None:
        """Say which version is spoken; `version` has the reply."""
        self._write(wire.HEAD.pack(5, wire.INIT, 3))
        self._watch()

    def ask(
        self, kind: int, parts: Sequence[Piece], parse: Callable[[int, bytes], T], /
    ) -> Answer[T]:
        """Send a request now."""
        future: asyncio.Future[Reply] = self.loop.create_future()
        if self.lost is not None:
            future.set_result(self.lost)
            return Answer(self, future, parse)
        number, self._next = self._next, (self._next + 1) & 0xFFFFFFFF
        if not self._waiting:
            self.heard = self.loop.time()
            self._watch()
        self._waiting[number] = future
        self._write(wire.packet(kind, number, parts))
        return Answer(self, future, parse)

    def unwanted(self, reply: Reply, /) -> None:
        """A reply that nobody waits for: what it opened is closed."""
        if isinstance(reply, Lost) or reply[0] != wire.HANDLE:
            return
        try:
            self.close_handle(Words(reply[1]).text())
        except Malformed as error:
            self.drop(Lost("dropped", f"that is no SFTP: {error}"))

    def close_handle(self, handle: bytes, /) -> None:
        """Close a handle without waiting for the reply."""
        if self.lost is None:
            self.ask(wire.CLOSE, (wire.text(handle),), _ignored).future.cancel()

    def flush(self) -> None:
        """Send what waits for the end of the loop's turn."""
        held, self._held = self._held, []
        if not held or self.lost is not None or self._chan is None:
            return
        try:
            self._chan.write(held[0] if len(held) == 1 else b"".join(held))
        except OSError as error:
            self.drop(Lost("dropped", str(error)))

    def drop(self, lost: Lost, /) -> Lost:
        """End it; whoever waits learns why."""
        if self.lost is None:
            self.lost = lost
            if self._chan is not None:
                self._chan.abort()
        waiting, self._waiting = self._waiting, {}
        for future in (self.version, *waiting.values()):
            if not future.done():
                future.set_result(self.lost)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return self.lost

    def connection_made(self, chan: "asyncssh.SSHClientChannel[bytes]") -> None:
        self._chan = chan

    def connection_lost(self, exc: Exception | None) -> None:
        self.drop(Lost("dropped", str(exc) if exc else "the server closed the connection"))

    def eof_received(self) -> bool:
        self.drop(Lost("dropped", "the server ended the session"))
        return False

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self.heard = self.loop.time()
        self._parts.append(data)
        self._have += len(data)
        try:
            while self._have >= (self._want or self._length()):
                self._received(*self._cut())
        except Malformed as error:
            self.drop(Lost("dropped", f"that is no SFTP: {error}"))

    def _length(self) -> int:
        """The length of the packet that begins, as soon as its head is here."""
        if self._have < wire.HEAD.size:
            return wire.HEAD.size
        if len(self._parts[0]) < wire.HEAD.size:
            self._gather()
        self._want = 4 + int.from_bytes(self._parts[0][:4], "big")
        if not wire.HEAD.size <= self._want <= _LONGEST:
            raise Malformed(f"a packet of {self._want} bytes")
        return self._want

    def _gather(self) -> None:
        self._parts = [b"".join(self._parts)]

    def _cut(self) -> tuple[int, int, bytes]:
        """Take the packet that is here entirely: its type, its id, and the rest, copied once."""
        if len(self._parts[0]) < min(self._want, wire.DATA_HEAD):
            self._gather()
        first = self._parts[0]
        _, kind, number = wire.HEAD.unpack_from(first)
        surplus = self._have - self._want
        start = wire.DATA_HEAD if kind == wire.DATA else wire.HEAD.size
        if kind == wire.DATA and int.from_bytes(first[9:13], "big") != self._want - start:
            raise Malformed("bytes of another length than their packet")
        if len(self._parts) == 1:
            content = first[start : self._want]
            self._parts = [first[self._want :]] if surplus else []
        else:
            last = self._parts[-1]
            end = len(last) - surplus
            content = b"".join(
                (memoryview(first)[start:], *self._parts[1:-1], memoryview(last)[:end])
            )
            self._parts = [last[end:]] if surplus else []
        self._have, self._want = surplus, 0
        return kind, number, content

    def _received(self, kind: int, number: int, content: bytes) -> None:
        if not self.version.done():
            self.version.set_result((kind, wire.number(number) + content))
            return
        future = self._waiting.pop(number, None)
        if future is None:
            raise Malformed("a reply to nothing that was asked")
        if future.cancelled():
            self.unwanted((kind, content))
        else:
            future.set_result((kind, content))

    def _write(self, data: bytes) -> None:
        """Requests of one turn of the loop go into one packet."""
        if not self._held:
            self.loop.call_soon(self.flush)
        self._held.append(data)
        if len(data) >= _LARGE:
            self.flush()

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._timeout, self._look)

    def _look(self) -> None:
        """One timer for many requests: it finds out whether they wait for too long."""
        self._timer = None
        if self.version.done() and not self._waiting:
            return
        now = self.loop.time()
        unsent = self._chan.get_write_buffer_size() if self._chan is not None else 0
        if unsent != self._unsent:  # the other side takes what we send
            self._unsent, self.heard = unsent, now
        due = self.heard + self._timeout
        if now < due:
            self._timer = self.loop.call_at(due, self._look)
            return
        self.drop(Lost("idle", f"nothing came for {self._timeout:g} s"))


def expect(kind: int, wanted: int, content: bytes) -> Words:
    """The words of a reply of the wanted type; `Refused` where it is a status."""
    words = Words(content)
    if kind == wire.STATUS:
        code = words.number()
        if code != wire.OK or wanted != wire.STATUS:
            said = words.text().decode(errors="replace") if words else ""
            raise Refused(code, readable(said))
    elif kind != wanted:
        raise Malformed(f"a reply of type {kind} where {wanted} was due")
    return words


def _ignored(kind: int, content: bytes) -> None:
    return None
