"""Credentials that expire: fetched in a worker thread, kept by all loops, renewed before they end."""

import asyncio
import logging
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

from storeroom.contracts import threads
from storeroom.contracts.errors import PermissionDenied, StorageError, Unavailable

__all__ = ["Keys", "Lasting", "Spring"]

_EARLY: Final = timedelta(minutes=5)
_log = logging.getLogger("storeroom")


class Lasting(Protocol):
    """Credentials; `expires` is None where they hold for ever."""

    @property
    def expires(self) -> datetime | None: ...


K = TypeVar("K", bound=Lasting)
L_co = TypeVar("L_co", bound=Lasting, covariant=True)


class Spring(Protocol[L_co]):
    """Where credentials come from; its methods block, for a worker thread."""

    def fetch(self) -> L_co:
        """The credentials of this moment; `PermissionDenied` where there are none, `Unavailable` for now."""
        ...

    def forget(self) -> None:
        """Look for them again at the next fetch."""
        ...


@dataclass(frozen=True, slots=True)
class _Held(Generic[K]):
    """Credentials, and from when on to ask for new ones."""

    credentials: K
    due: datetime | None


class Keys(Generic[K]):
    """The credentials in use, shared by all loops; with neither given nor a spring it is nobody."""

    def __init__(self, given: K | None, spring: Spring[K] | None, /) -> None:
        self._held: _Held[K] | None = None if given is None else _Held(given, None)
        self._spring = spring
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        self._fetching = threading.Lock()
        self._process = os.getpid()

    def ready(self) -> K | None:
        """Credentials that hold for some minutes yet, None where they must be fetched."""
        held = self._held
        if held is None or (held.due is not None and held.due <= datetime.now(UTC)):
            return None
        return held.credentials

    async def get(self) -> K | None:
        """Credentials to sign with, None for nobody; only one who asks waits for the renewal."""
        spring = self._spring
        if spring is None:
            return self.ready()
        turn = self._turn(spring)
        if turn.locked() and (lasting := self._lasting()) is not None:
            return lasting
        async with turn:
            return self.ready() or await self._renewal(spring)

    def forget(self, refused: object = None, /) -> bool:
        """Fetch them anew at the next request, for the service refuses these: whether that can be.

        Others than those `refused` stay: somebody else has renewed them already.
        """
        if self._spring is None:
            return False
        held = self._held
        if refused is not None and held is not None and held.credentials is not refused:
            return True
        self._spring.forget()
        self._held = None
        return True

    def _turn(self, spring: Spring[K]) -> asyncio.Lock:
        if self._process != os.getpid():  # after a fork nobody here gives back the parent's locks
            self._process, self._fetching = os.getpid(), threading.Lock()
            spring.forget()
        for loop in [loop for loop in list(self._turns) if loop.is_closed()]:
            self._turns.pop(loop, None)
        return self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    def _lasting(self) -> K | None:
        """Credentials that have not expired, though it be time for new ones."""
        held = self._held
        expires = None if held is None else held.credentials.expires
        return held.credentials if held and expires and expires > datetime.now(UTC) else None

    async def _renewal(self, spring: Spring[K]) -> K:
        """New credentials; a subclass may have a spring that is awaited."""
        return await threads.run(self._renewed, spring)

    def _renewed(self, spring: Spring[K]) -> K:
        with self._fetching:
            ready = self.ready()  # another loop was faster
            if ready is not None:
                return ready
            try:
                fetched = spring.fetch()
            except (PermissionDenied, Unavailable) as error:
                fetched = self._old(error)
            return self._kept(fetched)

    def _old(self, error: StorageError) -> K:
        """The old ones while they hold and there are no new ones."""
        lasting = self._lasting()
        if lasting is None:
            raise error
        _log.warning("the old credentials serve on, for no new ones come: %s", error.reason)
        return lasting

    def _kept(self, fetched: K) -> K:
        self._held = _Held(fetched, _due(fetched.expires))
        return fetched


def _due(expires: datetime | None) -> datetime | None:
    """Some minutes early, or half-way where they hold for few minutes only."""
    if expires is None:
        return None
    return expires - min(_EARLY, (expires - datetime.now(UTC)) / 2)
