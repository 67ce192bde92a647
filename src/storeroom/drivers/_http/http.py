"""HTTP/1.1 for one service on one event loop (RFC 9112).

A connection carries one exchange at a time and is kept for the next. Nothing is sent twice, no
redirect followed, no body unpacked, no proxy asked.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from aiohappyeyeballs import start_connection  # pyright: ignore[reportUnknownVariableType]

from storeroom.drivers._http.exchange import Connection, Departing, HttpReply
from storeroom.drivers._http.wire import Content, Lost, size_of

__all__ = ["Http"]

_KEPT: Final = 15.0  # seconds; S3 closes what was idle for longer than about 20, others later
_AT_ONCE: Final = 256 << 10
_EAGER: Final = 0.25
_PARTING: Final = 1.0
_PORTS: Final = {"http": 80, "https": 443}


class Http:
    """The connections to `origin` (`https://host[:port]`); `timeout` is idle time, not the whole."""

    def __init__(self, origin: str, tls: ssl.SSLContext | None, /, *, timeout: float) -> None:
        place = urlsplit(origin)
        self._name = place.hostname or ""
        self._port = place.port or _PORTS[place.scheme]
        secure = place.scheme == "https"
        self._tls = (tls or ssl.create_default_context()) if secure else None
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._closed = False

    async def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Content = b"",
        mark: Departing | None = None,
        /,
    ) -> HttpReply:
        """The reply once its headers are here; `Lost` where none comes.

        `target` is the encoded path and query; `headers` name the host, and the body's length where
        there is one, which may come in pieces. `mark` is told when the last of the body leaves.
        """
        head = _head(method, target, headers)
        pieces = (body,) if isinstance(body, bytes) else body
        connection = self._kept() or await self._opened()
        if size_of(body) > _AT_ONCE:
            return await connection.upload(head, pieces, mark)
        whole = b"".join((head, *pieces))
        return await connection.exchange(whole, mark, bodyless=method == "HEAD")

    async def aclose(self) -> None:
        """Drop every connection, also those in use; one that is being opened goes when it is there."""
        self._closed = True
        parting = [connection.parted for connection in self._all]
        for connection in list(self._all):
            connection.drop(Lost("dropped", "the driver was closed"))
        if parting:
            await asyncio.wait(parting, timeout=_PARTING)

    def keep(self, connection: Connection, /) -> None:
        """Take a connection back whose exchange has ended well."""
        connection.idle_since = self._loop.time()
        self._idle.append(connection)

    def forget(self, connection: Connection, /) -> None:
        """A connection is gone."""
        self._all.discard(connection)

    def _kept(self) -> Connection | None:
        """The connection that was used last, unless it is closed or about to be."""
        while self._idle:
            connection = self._idle.pop()
            if connection.closed:
                continue
            if self._loop.time() - connection.idle_since < _KEPT:
                return connection
            connection.drop(None)
        return None

    async def _opened(self) -> Connection:
        connection = Connection(self, self._loop, self._timeout)
        try:
            async with asyncio.timeout(self._timeout):
                await self._connect(connection)
        except ssl.SSLCertVerificationError as error:
            raise Lost("certificate", str(error)) from error
        except TimeoutError as error:
            reason = f"no connection within {self._timeout:g} s"
            raise Lost("unreachable", reason) from error
        except OSError as error:
            raise Lost("unreachable", error.strerror or str(error)) from error
        if self._closed:
            connection.drop(None)
            raise Lost("dropped", "the driver was closed")
        self._all.add(connection)
        return connection

    async def _connect(self, connection: Connection) -> None:
        """By the family that answers first; asyncio's own race loses a socket when it is cancelled."""
        found = await self._loop.getaddrinfo(self._name, self._port, type=socket.SOCK_STREAM)
        made = await start_connection(found, happy_eyeballs_delay=_EAGER, interleave=1)
        try:
            plain, _ = await self._loop.create_connection(lambda: connection, sock=made)
        except BaseException:
            made.close()
            raise
        if self._tls is not None:
            await self._secure(connection, plain, self._tls)

    async def _secure(
        self, connection: Connection, plain: asyncio.Transport, tls: ssl.SSLContext
    ) -> None:
        """Speak TLS; asyncio forgets to close a socket that is cancelled before the first greeting."""
        try:
            secure = await self._loop.start_tls(plain, connection, tls, server_hostname=self._name)
        except BaseException:
            plain.abort()
            raise
        if secure is None:
            raise ConnectionAbortedError("the service closed the connection")
        connection.connection_made(secure)


def _head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    if not {"\r", "\n", " "}.isdisjoint(target):
        raise ValueError("the address holds a line break or a space")
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if not lines.count("\r") == lines.count("\n") == len(headers):
        raise ValueError("a header holds a line break")
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode()
