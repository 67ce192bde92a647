"""Data connections the other way round, for `passive=False`: the server comes to us (RFC 2428)."""

import asyncio
from typing import Self

from storeroom.drivers._ftp.channel import Channel
from storeroom.drivers._http.wire import Lost

__all__ = ["Listener"]


class Listener:
    """Waits for the one connection of a transfer, and takes it from the server only."""

    def __init__(self, control: Channel, /) -> None:
        self._timeout = control.timeout
        self._host: str = control.about("sockname")[0]
        self._peer: str = control.about("peername")[0]
        self._coming: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
        self._server: asyncio.Server | None = None
        self.command = ""

    @classmethod
    async def opened(cls, control: Channel, /) -> Self:
        """Listening beside the control connection."""
        made = cls(control)
        loop = asyncio.get_running_loop()
        try:
            made._server = await loop.create_server(made._met, made._host, 0, backlog=1)
        except OSError as error:
            raise Lost("dropped", f"no port for data: {error.strerror or error}") from error
        port = made._server.sockets[0].getsockname()[1]
        if ":" in made._host:
            made.command = f"EPRT |2|{made._host}|{port}|"
        else:
            made.command = f"PORT {made._host.replace('.', ',')},{port >> 8},{port & 255}"
        return made

    async def accepted(self) -> Channel:
        """The connection, once it is there."""
        try:
            async with asyncio.timeout(self._timeout):
                channel = await self._coming
        except TimeoutError as error:
            raise Lost("idle", "the server did not open the data connection") from error
        self._coming = asyncio.get_running_loop().create_future()
        self.close()
        return channel

    def close(self) -> None:
        """Listen no more; a connection that nobody took is closed."""
        if self._server is not None:
            self._server.close()
        if not self._coming.cancel() and not self._coming.cancelled():
            self._coming.result().drop()

    def _met(self) -> Channel:
        return _Arriving(self._timeout, self._coming, self._peer)


class _Arriving(Channel):
    """A connection that somebody opened."""

    def __init__(self, timeout: float, coming: "asyncio.Future[Channel]", peer: str) -> None:
        super().__init__(timeout)
        self._coming = coming
        self._peer = peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.about("peername")[0] != self._peer or self._coming.done():
            self.drop()
        else:
            self._coming.set_result(self)
