"""The server as the verbs see it: sessions kept for every loop, and work begun anew after a loss."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from copy import copy
from typing import Any, Final, TypeVar

from storeroom.contracts.errors import Closed, StorageError
from storeroom.contracts.loops import PerLoop
from storeroom.drivers._http.pace import pause
from storeroom.drivers._sftp.failures import Lost, Refused
from storeroom.drivers._sftp.session import Session
from storeroom.drivers._tree.shielded import ended, settled

__all__ = ["Service", "Tries"]

T = TypeVar("T")

_IDLE: Final = 15.0
_PATIENCE: Final = 5.0
_BUSY: Final = 4


class Tries:
    """How often one piece of work was tried."""

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._made = 0

    async def again(self, lost: Lost) -> None:
        """Wait before the next try, or raise where there were enough."""
        if self._made >= self._retries:
            raise lost
        self._made += 1
        # What was lost may have been gone for long: the first try anew needs no pause.
        if self._made > 1 or lost.why == "unreachable":
            await asyncio.sleep(pause(self._made, {}))

    def afresh(self) -> None:
        """There was progress."""
        self._made = 0


class Service:
    """One server; `connect` opens a session, of which each loop has up to `connections`."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Session]],
        /,
        *,
        connections: int,
        retries: int,
        timeout: float,
    ) -> None:
        self.timeout = timeout
        self.retries = retries
        self._loops: PerLoop[_Pool] = PerLoop(self._pool)
        self.is_atomic = True
        self._connect = connect
        self._connections = connections

    def tries(self) -> Tries:
        return Tries(self.retries)

    async def session(self) -> Session:
        """The one with the least to do, opened or checked if need be."""
        pool = self._loops.here() or await self._loops.open()
        return pool.ready() or await pool.session()

    async def call(self, work: Callable[[Session], Awaitable[T]], /) -> T:
        """What the work returns; done again, from its beginning, where the session is lost."""
        tries = self.tries()
        while True:
            try:
                return await work(await self.session())
            except Lost as lost:
                await tries.again(lost)

    async def settled(self, work: Coroutine[Any, Any, T], /) -> T:
        """What the work returns; a cancellation waits for it first, as long as the time-out."""
        return await settled(work, self.timeout)

    async def aclose(self) -> None:
        """Close all connections; final."""
        await self._loops.aclose()

    async def _pool(self) -> "_Pool":
        return _Pool(self._connected, self._connections, min(_PATIENCE, self.timeout))

    async def _connected(self) -> Session:
        session = await self._connect()
        self.is_atomic = session.offers("posix-rename@openssh.com")
        return session


class _Opening:
    """A session that is being opened, and how many wait for it."""

    __slots__ = ("task", "waiting")

    def __init__(self, work: Coroutine[Any, Any, Session]) -> None:
        self.task = asyncio.create_task(work)
        self.waiting = 0

    async def end(self, within: float, /) -> None:
        """It is over; where it was not done, by force."""
        if not self.task.cancelling():
            self.task.cancel()
        await ended(self.task, within)


class _Pool:
    """The sessions of one loop."""

    def __init__(
        self, connect: Callable[[], Awaitable[Session]], most: int, patience: float
    ) -> None:
        self._connect = connect
        self._asked = self._most = most
        self._patience = patience
        self._sessions: list[Session] = []
        self._opening: _Opening | None = None
        self._ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ready(self) -> Session | None:
        """A session that needs neither opening nor checking."""
        best = self._best()
        return None if best is None or self._is_busy(best) or _is_stale(best) else best

    async def session(self) -> Session:
        """One that is checked or opened now, once for all who wait; a failure is theirs too."""
        self._check_open()
        opening = self._opening
        if opening is None or opening.task.done():
            opening = self._opening = _Opening(self._opened())
        opening.waiting += 1
        try:
            ends: list[asyncio.Future[Any]] = [opening.task, self._ending]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            opening.waiting -= 1
            if not opening.waiting:
                await self._left(opening)
        self._check_open()
        try:
            return opening.task.result()
        except Lost as lost:
            raise Lost(lost.why, lost.reason) from lost
        except StorageError as error:
            raise copy(error) from error

    async def _opened(self) -> Session:
        best = self._best()
        if best is not None and _is_stale(best):
            await self._check(best)
            best = self._best()
        if best is None:
            self._most = self._asked
            return await self._another()
        if not self._is_busy(best):
            return best
        try:
            return await self._another()
        except (Lost, StorageError):
            there = self._best()
            if there is None:
                raise
            self._most = len(self._sessions)  # the server takes no more from this user
            return there

    async def _another(self) -> Session:
        session = await self._connect()
        self._sessions.append(session)
        return session

    async def aclose(self) -> None:
        if not self._ending.done():
            self._ending.set_result(None)
        if self._opening is not None:
            await self._left(self._opening)
        sessions, self._sessions = self._sessions, []
        for session in sessions:
            await session.aclose()

    async def _left(self, opening: _Opening) -> None:
        """Nobody waits for it any more."""
        if self._opening is opening:
            self._opening = None
        await opening.end(self._patience)

    def _check_open(self) -> None:
        if self._ending.done():
            raise Closed("this disk was closed; build a new one")

    def _best(self) -> Session | None:
        for session in [session for session in self._sessions if session.lost is not None]:
            self._sessions.remove(session)
            session.abort()
        return min(self._sessions, key=_load, default=None)

    def _is_busy(self, session: Session) -> bool:
        """Whether another one is to be opened beside it."""
        return session.load >= _BUSY and len(self._sessions) < self._most

    async def _check(self, session: Session) -> None:
        """A connection that was idle may be dead without anyone having said so."""
        try:
            async with asyncio.timeout(self._patience):
                with suppress(Lost, Refused):
                    await session.found(b".")
        except TimeoutError:
            session.channel.drop(Lost("idle", "it did not answer any more"))


def _load(session: Session) -> int:
    return session.load


def _is_stale(session: Session) -> bool:
    channel = session.channel
    return not channel.waiting and channel.loop.time() - channel.heard > _IDLE
