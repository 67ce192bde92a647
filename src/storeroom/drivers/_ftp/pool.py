"""A few connections to one server on one event loop, opened on demand, and checked when idle."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from storeroom.contracts.errors import Closed, Timeout
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.replies import Full
from storeroom.drivers._http.wire import Lost

__all__ = ["Lease", "Pool", "Use"]

Use = Literal["read", "write", "short"]

_FRESH: Final = 15.0  # seconds in which a server hardly ever closes an idle connection
_PROMPT: Final = 5.0  # seconds for the answer to NOOP: a new connection is had sooner
_LEAST: Final = 2


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
    """At most `size` connections. Readers may have all but one, and so may writers.

    A copy reads while it writes, so where readers had all of them, no copy would ever end.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Control]], size: int, timeout: float, /
    ) -> None:
        self._connect = connect
        self._size = size
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._idle: list[Control] = []
        self._used: set[Control] = set()
        self._out: dict[Use, int] = {"read": 0, "write": 0, "short": 0}
        self._waiting: deque[tuple[Use, asyncio.Future[None]]] = deque()
        self._returned = 0.0
        self._closed = False

    async def take(self, use: Use, /, *, at_once: bool = False) -> Lease:
        """A connection that answers; `Timeout` where none comes back for as long as the time-out.

        With `at_once` it may be one too many: for who holds one already, and others wait for that.
        """
        while True:
            await self._turn(use, at_once=at_once)
            try:
                control = await self._kept() or await self._opened()
            except Full:
                self._release(use)
                if not self._shrunk():
                    raise
            except BaseException:
                self._release(use)
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
        self._release(use)

    def gone(self, control: Control, use: Use, /) -> None:
        """A connection was dropped."""
        self._used.discard(control)
        self._release(use)

    def doubt(self) -> None:
        """The server may have started anew: ask every idle connection whether it still lives."""
        for control in self._idle:
            control.doubted = True

    async def aclose(self) -> None:
        """Take leave of the idle ones, and drop those in use."""
        self._closed = True
        for _, future in self._waiting:
            future.cancel()
        idle, self._idle = self._idle, []
        for control in idle:
            control.leave()
        for control in list(self._used):
            control.drop()
        everything = [*idle, *self._used]
        await asyncio.gather(*(control.channel.parted() for control in everything))
        for control in everything:
            control.drop()

    async def _turn(self, use: Use, *, at_once: bool) -> None:
        """Wait until one more connection may be used in this way."""
        if self._closed:
            raise Closed("this driver was closed; build a new one")
        if at_once or self._is_free(use):
            self._out[use] += 1
            return
        future: asyncio.Future[None] = self._loop.create_future()
        waiting = (use, future)
        self._waiting.append(waiting)
        try:
            await self._patiently(future)
        except BaseException:
            if future.done() and not future.cancelled():
                self._release(use)
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
            raise

    async def _patiently(self, future: "asyncio.Future[None]") -> None:
        since = self._loop.time()
        while True:
            await asyncio.wait([future], timeout=self._timeout)
            if future.cancelled():
                raise Closed("this driver was closed; build a new one")
            if future.done():
                return
            if self._returned <= since:
                raise Timeout(
                    f"all {self._size} connections are in use and none came back within "
                    f"{self._timeout:g} s; close what is being read, or raise pool_size"
                )
            since = self._loop.time()

    def _is_free(self, use: Use) -> bool:
        if sum(self._out.values()) >= self._size:
            return False
        return use == "short" or self._out[use] < self._size - 1

    def _release(self, use: Use) -> None:
        """One may be used again: by whoever waits longest and may have it."""
        self._out[use] -= 1
        if self._loop.is_closed():
            return
        self._returned = self._loop.time()
        for waiting in list(self._waiting):
            if self._is_free(waiting[0]):
                self._waiting.remove(waiting)
                if not waiting[1].done():
                    self._out[waiting[0]] += 1
                    waiting[1].set_result(None)

    def _shrunk(self) -> bool:
        """Whether the server's limit is one that we can live with: fewer than we wanted."""
        open_now = len(self._used) + len(self._idle)
        if open_now < _LEAST:
            return False
        self._size = min(self._size, open_now)
        return True

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
        if not control.doubted and self._loop.time() - control.idle_since < _FRESH:
            return True
        control.doubted = False
        try:
            async with asyncio.timeout(min(_PROMPT, self._timeout)):
                return (await control.ask("NOOP"))[0].code // 100 == 2
        except (Lost, TimeoutError):
            return False
        except BaseException:
            control.drop()
            raise

    async def _opened(self) -> Control:
        control = await self._connect()
        if self._closed:
            control.drop()
            raise Closed("this driver was closed; build a new one")
        return control
