"""One server as the verbs see it: work is done over a connection, however often it takes."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from storeroom.contracts.errors import ConfigError, StorageError
from storeroom.contracts.loops import PerLoop
from storeroom.contracts.turns import PathTurns
from storeroom.drivers._ftp.account import Account
from storeroom.drivers._ftp.connecting import connected, context_of
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.failures import explaining
from storeroom.drivers._ftp.pool import Lease, Pool
from storeroom.drivers._ftp.replies import Refused
from storeroom.drivers._ftp.server import Server
from storeroom.drivers._ftp.turns import Use
from storeroom.drivers._http.pace import pause
from storeroom.drivers._http.wire import Lost
from storeroom.drivers._tree.shielded import settled

__all__ = ["Attempts", "Service"]

T = TypeVar("T")

_sending: "ContextVar[Service | None]" = ContextVar("storeroom_ftp_sending", default=None)


class Attempts:
    """How often one piece of work was tried."""

    def __init__(self, retries: int, /) -> None:
        self.count = 0
        self._retries = retries

    async def rest(self, error: Exception, /) -> None:
        """Wait before the next try, or raise where there were enough, or it would be in vain.

        The second try comes at once: mostly a kept connection turned out to be dead.
        """
        if not _is_passing(error) or self.count >= self._retries:
            raise error
        self.count += 1
        if self.count > 1:
            await asyncio.sleep(pause(self.count - 2, {}))


class Service:
    """The connections to one server, by event loop, and what is known of it."""

    def __init__(self, account: Account, /, *, pool_size: int, retries: int) -> None:
        if retries < 0 or not account.timeout > 0:
            raise ConfigError("retries is 0 or more, and timeout more than 0 seconds")
        if pool_size < 2:
            raise ConfigError(
                f"pool_size is 2 or more, not {pool_size}: a copy reads while it writes"
            )
        self.account = account
        self.server = Server()
        self.failed = explaining(account.origin)
        self.pool_size = pool_size
        self._retries = retries
        self._pools: PerLoop[Pool] = PerLoop(self._pool)
        self.adding = PathTurns()  # what is added at once, some servers write over one another

    def attempts(self) -> Attempts:
        """A fresh count."""
        return Attempts(self._retries)

    async def is_open(self) -> bool:
        """True, unless this is closed."""
        await self._pools.open()
        return True

    async def lease(self, use: Use, /) -> Lease:
        """A connection, of which the caller takes care."""
        pool = self._pools.here() or await self._pools.open()
        return await pool.take(use, at_once=use == "read" and _sending.get() is self)

    @contextmanager
    def sending(self) -> Generator[None]:
        """While a body is asked for its bytes: what it reads of this disk never waits for writers."""
        token = _sending.set(self)
        try:
            yield
        finally:
            _sending.reset(token)

    async def run(self, work: Callable[[Control], Awaitable[T]], use: Use = "short", /) -> T:
        """What the work over a connection returns; it is done again where a connection is lost."""
        attempts = self.attempts()
        while True:
            try:
                return await self.once(work, use)
            except (Lost, Refused) as error:
                await attempts.rest(error)

    async def once(self, work: Callable[[Control], Awaitable[T]], use: Use = "short", /) -> T:
        """The same without a second try."""
        lease = await self.lease(use)
        try:
            done = await work(lease.control)
        except Lost:
            self.lost(lease)
            raise
        except (Refused, StorageError):  # an answer like any other: the connection is well
            lease.give()
            raise
        except BaseException:
            lease.drop()
            raise
        lease.give()
        return done

    async def change(self, work: Callable[[Control], Awaitable[T]], /) -> T:
        """As `run`, for commands that change something: a cancellation waits for their answers."""

        async def changed(control: Control) -> T:
            return await settled(_awaited(work, control))

        return await self.run(changed)

    def lost(self, lease: Lease, /) -> None:
        """A connection is lost: where it had served before, others may be dead with it."""
        if lease.control.used:
            pool = self._pools.here()
            if pool is not None:
                pool.doubt()
        lease.drop()

    async def aclose(self) -> None:
        """Close all connections; final."""
        await self._pools.aclose()

    async def _pool(self) -> Pool:
        tls = await context_of(self.account)

        async def connect() -> Control:
            return await connected(self.account, self.server, tls)

        return Pool(connect, self.pool_size, self.account.timeout)


async def _awaited(work: Callable[[Control], Awaitable[T]], control: Control) -> T:
    return await work(control)


def _is_passing(error: Exception) -> bool:
    if isinstance(error, Lost):
        return error.why != "certificate"
    return isinstance(error, Refused) and error.reply.is_passing
