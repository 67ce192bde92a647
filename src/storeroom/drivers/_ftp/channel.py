"""One TCP connection, in the clear or under TLS, read and written in large pieces."""

import asyncio
import ssl
import sys
from collections import deque
from contextlib import suppress
from typing import Any, Final, cast

from storeroom.contracts.body import Piece
from storeroom.drivers._ftp.data import Data
from storeroom.drivers._http.wire import Lost

__all__ = ["SMALL", "Channel", "on_its_way"]

# Reading rests until somebody takes what is here, so that the system hands over much at once.
_HIGH: Final = 64 << 10
SMALL: Final = 64 << 10
"""Bytes to ask for where few are to come: for more than twice as many, C's `malloc` may go to the system each time."""

_PARTING: Final = 1.0


class Channel(asyncio.Protocol):
    """A connection whose waits end after `timeout` seconds in which nothing moved.

    Where an answer is waited for, what moves on the connection `beside` this one counts as well.
    """

    def __init__(self, timeout: float, /) -> None:
        self.at_end = False
        self.closed = False
        self.beside: Data | None = None
        self._loop = asyncio.get_running_loop()
        self._parted: asyncio.Future[None] = self._loop.create_future()
        self.timeout = timeout
        self._transport: asyncio.Transport
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._lost: Lost | None = None
        self._reader: asyncio.Future[None] | None = None
        self._full: asyncio.Future[None] | None = None
        self._resting = False
        self._heard = 0.0
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether it is open, and nothing came that nobody asked for."""
        return not (self.closed or self.at_end or self._chunks)

    @property
    def holds(self) -> bool:
        """Whether something came that nobody has taken."""
        return bool(self._chunks)

    @property
    def is_broken(self) -> bool:
        """Whether it ended in an error."""
        return self._lost is not None

    def about(self, name: str, /) -> Any:
        """What the transport knows by this name: `peername`, `ssl_object` ..."""
        return self._transport.get_extra_info(name)

    async def chunk(self) -> bytes:
        """The bytes that are here, as soon as there are some, `b""` at the end; `Lost` where it breaks off."""
        while not self._chunks:
            if self._lost is not None:
                raise self._lost
            if self.at_end:
                return b""
            self._reader = self._loop.create_future()
            self._watch()
            try:
                await self._reader
            finally:
                self._reader = None
        piece = self._chunks.popleft()
        self._held -= len(piece)
        if self._resting and not self._chunks:
            self._resting = False
            self._transport.resume_reading()
        return piece

    async def send(self, piece: Piece, /) -> None:
        """Send, once what was sent before is nearly gone; `Lost` where the other side takes no more."""
        if self._full is not None:
            self._watch()
            await self._full
        self.write(piece)

    def write(self, piece: Piece, /) -> None:
        """Send without waiting."""
        if self._lost is not None:
            raise self._lost
        if self.at_end:
            raise Lost("dropped", "the server closed the connection")
        self._transport.write(piece)

    async def secure(self, context: ssl.SSLContext, host: str, /) -> None:
        """Speak TLS from now on; bytes that came before it are somebody else's."""
        if self._chunks:
            raise Lost("dropped", "the server sent bytes in the clear where TLS begins")
        plain = self._transport
        try:
            secure = await self._loop.start_tls(
                plain,
                self,
                context,
                server_hostname=host,
                ssl_handshake_timeout=self.timeout,
                ssl_shutdown_timeout=self.timeout,
            )
        except ssl.SSLCertVerificationError as error:
            plain.abort()
            raise Lost("certificate", error.verify_message) from error
        except (
            ConnectionAbortedError
        ) as error:  # so asyncio tells that the handshake takes too long
            raise Lost("idle", str(error)) from error
        except OSError as error:
            plain.abort()
            raise Lost("dropped", f"TLS could not begin: {_words(error)}") from error
        except BaseException:
            plain.abort()
            raise
        if secure is None:
            raise Lost("dropped", "the server closed the connection before TLS began")
        self._transport = secure

    def finish(self) -> None:
        """No more will be sent; what is on its way still arrives."""
        if self._transport.can_write_eof():
            self._transport.write_eof()  # the socket stays, and tells what is on its way
        else:
            self._transport.close()

    def unsent(self) -> int:
        """How many bytes the other side has not taken, as far as this side knows."""
        if self._parted.done():
            return 0
        return self._transport.get_write_buffer_size() + on_its_way(self.about("socket"))

    def drop(self, lost: Lost | None = None, /) -> None:
        """Close at once; whoever waits learns why. Also when the loop has ended."""
        self._ended(lost or Lost("dropped", "the connection was given up"))
        if not (self._parted.done() or self._loop.is_closed()):
            self._transport.abort()

    async def parted(self) -> None:
        """Wait, not for long, until the socket is closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PARTING):
                await asyncio.shield(self._parted)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # What a stream protocol is given; a loop that is not asyncio's own has a class of its own for it.
        self._transport = cast("asyncio.Transport", transport)
        if hasattr(transport, "max_size"):  # asyncio's own
            cast(Any, transport).max_size = SMALL

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._chunks.append(data)
        self._held += len(data)
        self._wake()
        if self._held >= _HIGH and not self._resting:
            self._resting = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        self.at_end = True
        self._wake()

    def pause_writing(self) -> None:
        self._full = self._loop.create_future()

    def resume_writing(self) -> None:
        self._heard = self._loop.time()
        self._flow()

    def connection_lost(self, exc: Exception | None) -> None:
        reason = _words(exc) if exc is not None else "the connection was closed"
        if exc is not None or not self.at_end:
            self._ended(Lost("dropped", reason))
        self.closed = True
        self._flow()
        if not self._parted.done():
            self._parted.set_result(None)

    def _ended(self, lost: Lost) -> None:
        self.closed = True
        if self._lost is None:
            self._lost = lost
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._loop.is_closed():
            self._wake()
            self._flow()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _flow(self) -> None:
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)

    def _watch(self) -> None:
        """Somebody waits: from now on it is idle time."""
        self._heard = self._loop.time()
        if self._timer is None and not self.closed:
            self._timer = self._loop.call_later(self.timeout / 2, self._look)

    def _look(self) -> None:
        """One timer for many waits: it finds out whether somebody waits for too long, or in vain."""
        self._timer = None
        if self._reader is None and self._full is None:
            return
        if self.beside is not None and self.beside.is_broken:
            self.drop(Lost("dropped", "the data connection broke, and the server did not notice"))
            return
        now, unsent = self._loop.time(), self.unsent()
        if self.beside is not None:
            unsent += self.beside.unsent()
        if unsent != self._unsent:  # the other side takes what we send
            self._unsent, self._heard = unsent, now
        due = self._heard + self.timeout
        if now < due:
            self._timer = self._loop.call_at(min(due, now + self.timeout / 2), self._look)
            return
        self.drop(Lost("idle", f"nothing came for {self.timeout:g} s"))


def _words(error: BaseException) -> str:
    """What the system says, without addresses of ours."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


if sys.platform == "linux":
    import fcntl
    import termios

    def on_its_way(raw: Any) -> int:
        """How many bytes the system has of a socket that the other side has not taken."""
        if raw is None or raw.fileno() < 0:
            return 0
        return int.from_bytes(fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)

else:

    def on_its_way(raw: Any) -> int:
        """Nobody knows here."""
        return 0
