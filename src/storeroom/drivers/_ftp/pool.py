"""A few connections to one server on one event loop, opened on demand, and checked when idle."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from storeroom.contracts.errors import Closed
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.replies import Full
from storeroom.drivers._ftp.turns import Turns, Use
from storeroom.drivers._http.wire import Lost

__all__ = ["Lease", "Pool"]

_FRESH: Final = 15.0  # seconds in which a server hardly ever closes an idle connection
_PROMPT: Final = 5.0  # seconds for the answer to NOOP: a new connection is had sooner
_LEAST: Final = 2
_LATER: Final = 60.0  # seconds until a server that was full may have room again


class Lease:
    """One connection in use; given back or dropped exactly once, which does not wait."""

    def __init__(self, pool: "Pool", control: Control, use: Use, /) -> None:
        self.control = control
        self.use: Use = use
        self._pool: Pool | None = pool

    def give(self) -> None:
        """Give it back for others, unless the connection is in the middle of something."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.back(self.control, self.use)

    def drop(self) -> None:
        """Close it."""
        pool, self._pool = self._pool, None
        if pool is not None:
            self.control.drop()
            pool.gone(self.control, self.use)


class Pool:
    """At most `size` connections, for who has a turn."""

    def __init__(
        self, connect: Callable[[], Awaitable[Control]], size: int, timeout: float, /
    ) -> None:
        self._connect = connect
        self._timeout = timeout
        self._size = size
        self._grows_at = 0.0
        self._turns = Turns(size, timeout)
        self._loop = asyncio.get_running_loop()
        self._idle: list[Control] = []
        self._used: set[Control] = set()
        self._closed = False

    async def take(self, use: Use, /, *, at_once: bool = False) -> Lease:
        """A connection that answers; `Timeout` where none comes back for as long as the time-out.

        With `at_once` it may be one too many: for who holds one already, and others wait for that.
        """
        while True:
            self._check()
            self._grow()
            if not self._turns.take(use, anyway=at_once):
                await self._turns.wait(use)
            try:
                control = await self._taken()
            except Full:
                is_enough = self._shrunk()
                self._turns.release(use)
                if not is_enough:
                    raise
                at_once = False  # the server gives no more than these: one of them has to come back
            except BaseException:
                self._turns.release(use)
                raise
            else:
                self._used.add(control)
                return Lease(self, control, use)

    def back(self, control: Control, use: Use, /) -> None:
        """A connection comes back."""
        self._used.discard(control)
        if control.is_settled and not self._closed:
            control.idle_since = self._loop.time()
            control.used = True
            self._idle.append(control)
        else:
            control.drop()
        self._turns.release(use)

    def gone(self, control: Control, use: Use, /) -> None:
        """A connection was dropped."""
        self._used.discard(control)
        self._turns.release(use)

    def doubt(self) -> None:
        """The server may have started anew: ask every idle connection whether it still lives."""
        for control in self._idle:
            control.doubted = True

    async def aclose(self) -> None:
        """Take leave of the idle ones, and drop those in use."""
        self._closed = True
        self._turns.close()
        idle, self._idle = self._idle, []
        for control in idle:
            control.leave()
        for control in list(self._used):
            control.drop()
        everything = [*idle, *self._used]
        await asyncio.gather(*(control.channel.parted() for control in everything))
        for control in everything:
            control.drop()

    async def _taken(self) -> Control:
        control = self._fresh() or await self._kept() or await self._connect()
        if self._closed:  # meanwhile
            control.drop()
        self._check()
        return control

    def _shrunk(self) -> bool:
        """Whether the server's limit is one that we can live with: fewer than we wanted, for a while."""
        others = self._turns.taken - 1 + len(self._idle)  # those that are being opened, too
        if others < _LEAST:
            return False
        self._turns.size = min(self._turns.size, others)
        self._grows_at = self._loop.time() + _LATER
        return True

    def _grow(self) -> None:
        if self._turns.size < self._size and self._loop.time() >= self._grows_at:
            self._turns.size = self._size

    def _fresh(self) -> Control | None:
        """The connection that was used last, if that was just now."""
        if not self._idle:
            return None
        control = self._idle[-1]
        if control.doubted or not control.is_settled or self._is_old(control):
            return None
        return self._idle.pop()

    def _is_old(self, control: Control) -> bool:
        return self._loop.time() - control.idle_since >= _FRESH

    async def _kept(self) -> Control | None:
        """The connection that was used last, unless it is closed or about to be."""
        while self._idle:
            control = self._idle.pop()
            if await self._is_alive(control):
                return control
            control.drop()
        return None

    async def _is_alive(self, control: Control) -> bool:
        if not control.is_settled:
            return False
        if not (control.doubted or self._is_old(control)):
            return True
        control.doubted = False
        try:
            async with asyncio.timeout(min(_PROMPT, self._timeout)):
                return (await control.ask("NOOP"))[0].code // 100 == 2 and control.is_settled
        except TimeoutError:
            self._forget(control.idle_since)
            return False
        except Lost:
            return False
        except BaseException:
            control.drop()
            raise

    def _forget(self, since: float) -> None:
        """Who does not answer has been lost on the way, and so have those that were idle for longer."""
        for control in self._idle:
            if control.idle_since <= since:
                control.drop()

    def _check(self) -> None:
        if self._closed:
            raise Closed("this driver was closed; build a new one")
