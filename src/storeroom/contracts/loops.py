"""One client per event loop: opened once, closed on its own loop, and anew after a fork."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from storeroom.contracts.errors import Closed

__all__ = ["PerLoop"]


class _Closing(Protocol):
    async def aclose(self) -> None: ...


C = TypeVar("C", bound=_Closing)

_PATIENCE = 5.0
_inherited: list[object] = []


class PerLoop(Generic[C]):
    """Clients by loop; `make` opens one on the running loop.

    A loop that ends as `asyncio.run` ends it closes its client by itself: an async generator holds the
    client, and loops close theirs. What a fork inherits is never used and never closed.
    """

    def __init__(self, make: Callable[[], Awaitable[C]], /) -> None:
        self._make = make
        self._clients: dict[asyncio.AbstractEventLoop, C] = {}
        self._keepers: dict[asyncio.AbstractEventLoop, AsyncGenerator[None]] = {}
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        self._process = os.getpid()
        self._closed = False

    def here(self) -> C | None:
        """The running loop's client, None where it has to be opened."""
        if self._process != os.getpid():
            return None
        return self._clients.get(asyncio.get_running_loop())

    async def open(self) -> C:
        """The running loop's client, opened now if need be."""
        self._forget()
        loop = asyncio.get_running_loop()
        async with self._opening.setdefault(loop, asyncio.Lock()):
            client = self._clients.get(loop)
            if client is None:
                self._check()
                client = await self._opened(loop)
        return client

    async def aclose(self) -> None:
        """Close all clients, each on its loop; final."""
        self._closed = True
        self._forget()
        here = asyncio.get_running_loop()
        for loop in list(self._keepers):
            self._clients.pop(loop, None)
            keeper = self._keepers.pop(loop, None)
            if keeper is None:
                continue
            if loop is here:
                await keeper.aclose()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(keeper.aclose(), loop)
                await asyncio.wait([asyncio.wrap_future(closing)], timeout=_PATIENCE)

    async def _opened(self, loop: asyncio.AbstractEventLoop) -> C:
        client = await self._make()
        keeper = _kept(client)
        await anext(keeper)
        if self._closed:
            await keeper.aclose()
            self._check()
        self._keepers[loop], self._clients[loop] = keeper, client
        return client

    def _forget(self) -> None:
        """Drop what belongs to closed loops, and after a fork what is the parent's."""
        if self._process != os.getpid():
            _inherited.append((self._clients, self._keepers))  # its sockets are not ours to close
            self._clients, self._keepers, self._opening = {}, {}, {}
            self._process = os.getpid()
        for held in (self._clients, self._keepers, self._opening):
            for loop in list(held):
                if loop.is_closed():
                    held.pop(loop, None)

    def _check(self) -> None:
        if self._closed:
            raise Closed("this disk was closed; build a new one")


async def _kept(client: _Closing) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await client.aclose()
