"""A data connection in the clear: a few calls of the system, and the loop only where one has to wait."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any, Final, Self

from storeroom.contracts.body import Piece
from storeroom.drivers._ftp.channel import SMALL, on_its_way
from storeroom.drivers._http.wire import Lost

__all__ = ["Plain"]

_BLOCK: Final = 256 << 10
_TURN: Final = 1 << 20  # bytes after which others get their turn, though nobody had to wait


class Plain:
    """As `Channel`, without TLS; its waits end after `timeout` seconds in which nothing moved."""

    def __init__(self, raw: socket.socket, timeout: float, /) -> None:
        self._raw = raw
        self._number = raw.fileno()
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._lost: Lost | None = None
        self._moved = 0
        self._block = SMALL
        self._is_closed = False

    @classmethod
    async def reached(cls, peer: Any, port: int, timeout: float, /) -> Self:
        """A connection to another port of a peer; `Lost` where nobody answers."""
        try:
            raw = socket.socket(socket.AF_INET6 if len(peer) > 2 else socket.AF_INET)
        except OSError as error:
            raise Lost("unreachable", error.strerror or str(error)) from error
        made = cls(raw, timeout)
        try:
            raw.setblocking(False)
            await made._connect((peer[0], port, *peer[2:]))
        except OSError as error:
            made.drop()
            raise Lost("unreachable", error.strerror or str(error)) from error
        except BaseException:
            made.drop()
            raise
        return made

    @property
    def is_quiet(self) -> bool:
        """Whether it is open, and the other side has sent nothing."""
        return not self._is_closed and self._peeked() is None

    @property
    def is_broken(self) -> bool:
        """Whether it ended in an error."""
        if self._is_closed:
            return self._lost is not None
        return isinstance(self._peeked(), OSError)

    async def chunk(self) -> bytes:
        """The bytes that are here, as soon as there are some, `b""` at the end; `Lost` where it breaks off."""
        while not self._is_closed:
            if self._moved >= _TURN:  # before anything is taken, which a cancellation would lose
                await self._turn()
                continue
            try:
                piece = self._raw.recv(self._block)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
                continue
            except OSError as error:
                raise self._broken(error) from error
            if not piece:
                self._close()  # a server may wait for this before it says that all is well
            self._moved += len(piece)
            if len(piece) == self._block:
                self._block = _BLOCK
            return piece
        self._check()
        return b""

    async def send(self, piece: Piece, /) -> None:
        """Send all of it; `Lost` where the other side takes no more."""
        left = memoryview(piece)
        while left:
            if self._moved >= _TURN:
                await self._turn()
            self._check()
            try:
                count = self._raw.send(left)
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer)
            except OSError as error:
                raise self._broken(error) from error
            else:
                left = left[count:]
                self._moved += count

    def offer(self, piece: Piece, /) -> int:
        """Send as much as goes without waiting: how many bytes; a failure shows when more is sent."""
        try:
            return self._raw.send(piece)
        except OSError:
            return 0

    def finish(self) -> None:
        """No more will be sent; what is on its way still arrives."""
        self._check()
        try:
            self._raw.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._broken(error) from error

    def unsent(self) -> int:
        """How many bytes the other side has not taken, as far as this side knows."""
        return on_its_way(self._raw)

    def drop(self, lost: Lost | None = None, /) -> None:
        """Close at once; whoever waits learns why. Also when the loop has ended."""
        if self._is_closed:
            return
        self._lost = lost or Lost("dropped", "the connection was given up")
        if self._waiter is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._number)
            self._loop.remove_writer(self._number)
            if not self._waiter.done():
                self._waiter.set_exception(self._lost)
        self._close()

    async def _connect(self, address: Any) -> None:
        """On this machine and near it, the second look finds that it is done."""
        for under_way in (errno.EINPROGRESS, errno.EALREADY):
            code = self._raw.connect_ex(address)
            if code in (0, errno.EISCONN):
                return
            if code not in (under_way, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
        await self._ready(self._loop.add_writer, self._loop.remove_writer)
        code = self._raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))

    async def _ready(self, watch: Callable[..., object], unwatch: Callable[[int], object]) -> None:
        """Wait until the system has something, or room."""
        self._moved = 0
        waiter = self._waiter = self._loop.create_future()
        self._timer = self._loop.call_later(self._timeout, self._late, self.unsent())
        try:
            watch(self._number, _arrived, waiter)
            await waiter
        finally:
            self._waiter = None
            self._timer.cancel()
            if not self._is_closed:
                unwatch(self._number)

    def _peeked(self) -> bytes | OSError | None:
        """What would be read next: nothing yet, a byte, the end, or an error."""
        try:
            return self._raw.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError as error:
            return error

    def _late(self, unsent: int) -> None:
        if self._waiter is None or self._waiter.done():
            return  # a loop that was held up finds both at once
        left = self.unsent()
        if left != unsent:  # it moves, though the system tells of room only when there is much
            self._timer = self._loop.call_later(self._timeout, self._late, left)
            return
        self.drop(Lost("idle", f"nothing came for {self._timeout:g} s"))

    def _close(self) -> None:
        self._is_closed = True
        self._raw.close()

    async def _turn(self) -> None:
        self._moved = 0
        await asyncio.sleep(0)

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _broken(self, error: OSError) -> Lost:
        lost = Lost("dropped", error.strerror or str(error))
        self.drop(lost)
        return lost


def _arrived(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
