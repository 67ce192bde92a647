"""The way to the server: what is written in one turn of the loop leaves in one piece.

asyncssh writes every packet by itself, and another small one before it; a system call for each of
them costs more than all else that a small request does. It takes this in place of a tunnel.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

__all__ = ["Together"]

_ENOUGH: Final = 128 << 10


class Together:
    """Opens connections for asyncssh."""

    async def create_connection(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int, /
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """A transport and the protocol that uses it."""
        loop = asyncio.get_running_loop()
        _, gate = await loop.create_connection(lambda: _Gate(factory(), loop), host, port)
        return gate.gathering, gate.protocol

    def close(self) -> None:
        """There is nothing to close: each connection is its own."""


class _Gate(asyncio.Protocol):
    """Puts a transport that gathers between the real one and a protocol, and steps aside."""

    gathering: "_Gathering"

    def __init__(self, protocol: asyncio.Protocol, loop: asyncio.AbstractEventLoop) -> None:
        self.protocol = protocol
        self._loop = loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # What a stream protocol is given; a loop that is not asyncio's own has a class of its own for it.
        given = cast("asyncio.Transport", transport)
        given.set_protocol(self.protocol)
        self.gathering = _Gathering(given, self._loop)
        self.protocol.connection_made(self.gathering)


class _Gathering(asyncio.Transport):
    """A transport whose small writes wait for the end of the loop's turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: list[bytes | bytearray | memoryview] = []
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size >= _ENOUGH:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._flush()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # as asyncio has it
        return self._transport.get_extra_info(name, default)

    def _flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held and not self._transport.is_closing():
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))
