"""The sockets of one aiohttp session, so that none outlives it.

asyncio forgets a connection that is cancelled before the first greeting of TLS: nobody holds it then,
and it stays open until the service ends it, also when its loop is closed before.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

__all__ = ["Sockets"]

_WITHIN: Final = 1.0


class Sockets:
    """Give `make` to a connector as its `socket_factory`, and call `end` once its session is closed."""

    def __init__(self) -> None:
        self._open: set[_Socket] = set()
        self._none_is_open = asyncio.Event()

    def make(self, address: tuple[int, int, int, str, object], /) -> socket.socket:
        """A socket for an address as `getaddrinfo` tells it."""
        made = _Socket(self._closed, *address[:3])
        self._open.add(made)
        self._none_is_open.clear()
        return made

    async def end(self) -> None:
        """Shut down what is still open; the loop hears of it and closes it."""
        for one in self._open:
            with suppress(OSError):  # not connected yet, or no more
                one.shutdown(socket.SHUT_RDWR)
        if self._open:
            with suppress(TimeoutError):
                async with asyncio.timeout(_WITHIN):
                    await self._none_is_open.wait()

    def _closed(self, one: "_Socket") -> None:
        self._open.discard(one)
        if not self._open:
            self._none_is_open.set()


class _Socket(socket.socket):
    """A socket that tells when it is closed."""

    def __init__(
        self, told: Callable[["_Socket"], None], family: int, kind: int, protocol: int, /
    ) -> None:
        super().__init__(family, kind, protocol)
        self._told = told

    def close(self) -> None:
        super().close()
        self._told(self)
