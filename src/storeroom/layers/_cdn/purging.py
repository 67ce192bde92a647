"""What was changed and is to be purged: gathered, sent in batches, tried again, and told of if it fails."""

import asyncio
import logging
import threading
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from inspect import isawaitable
from itertools import islice
from random import uniform
from typing import Final, Self

from storeroom.contracts.errors import StorageError, Unavailable
from storeroom.contracts.forks import after_fork

__all__ = ["Busy", "Failed", "NotAll", "Purger", "Purging"]

Purger = Callable[[Sequence[str]], Awaitable[object]]
"""Makes a CDN forget these addresses, all of them, or raises. One with an attribute `wildcards` that is
true is also given addresses that end in `*`."""

Failed = Callable[[Sequence[str], Exception], object]
"""Called, and awaited where it can be, with the addresses that could not be purged, and why."""

_REMEMBERED: Final = 10_000
_LONGEST: Final = 30.0
_ANSWERS_WITHIN: Final = 300.0
_WILDCARDS: Final = 15
"""So many may be under way at once.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html"""

_log = logging.getLogger("storeroom")


class NotAll(Exception):
    """Some addresses of a batch could not be purged: `failed` says which, and why."""

    def __init__(self, failed: Mapping[str, Exception], /) -> None:
        super().__init__(f"{len(failed)} addresses could not be purged")
        self.failed = failed


class Busy(Unavailable):
    """The CDN says when to come again: `after` so many seconds."""

    after = 0.0

    @classmethod
    def told(cls, reason: str, after: float, /) -> Self:
        """One with this reason."""
        busy = cls(reason)
        busy.after = after
        return busy


class _Round:
    """A task that waits for more to come, then sends all; `batch` is what is sent in this `turn`."""

    __slots__ = ("batch", "now", "task", "turn")

    def __init__(self, send: "Callable[[_Round], Coroutine[None, None, None]]") -> None:
        self.now = asyncio.Event()
        self.turn = asyncio.Lock()
        self.batch: Sequence[str] = ()
        self.task = asyncio.get_running_loop().create_task(send(self))


class Purging:
    """Addresses to purge, each once. Nothing here raises: failures are logged, kept and reported."""

    def __init__(
        self,
        purger: Purger,
        /,
        *,
        batch: int,
        delay: float,
        attempts: int,
        base: float,
        on_failure: Failed | None,
    ) -> None:
        self._purger = purger
        self._batch = batch
        self._delay = delay
        self._attempts = attempts
        self._base = base
        self._on_failure = on_failure
        self._renew()
        after_fork(self, Purging._renew)
        self._waiting: dict[str, None] = {}
        self._failed: dict[str, Exception] = {}
        self._closing = False

    @property
    def takes_wildcards(self) -> bool:
        """Whether the purger knows `*` at the end of an address."""
        return bool(getattr(self._purger, "wildcards", False))

    def failed(self) -> Mapping[str, Exception]:
        """What could not be purged, and why; the last 10,000."""
        with self._lock:
            return dict(self._failed)

    def add(self, addresses: Sequence[str], /) -> None:
        """Purge these soon."""
        with self._lock:
            self._waiting.update(dict.fromkeys(addresses))
        self._round()

    async def flush(self) -> bool:
        """Purge what waits and what failed, now: whether all of it is purged."""
        current = self._round()
        async with current.turn:
            with self._lock:
                self._waiting = {**dict.fromkeys(self._failed), **self._waiting}
            await self._pass(current)
        current.now.set()
        return not self._failed

    async def close(self, *, within: float) -> None:
        """Purge what waits; what is not done in time has failed."""
        if not self._waiting and not any(not r.task.done() for r in self._rounds.values()):
            return
        self._closing = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self.flush()
                while self._waiting:  # of writes that ended meanwhile
                    await self.flush()
        current = self._round()
        current.task.cancel()
        await asyncio.wait([current.task])
        while batch := self._taken():
            late = TimeoutError(f"not purged within {within:g} s of closing")
            await self._gave_up(dict.fromkeys(batch, late))

    def _renew(self) -> None:
        """What is being sent is sent by the other process after a fork."""
        self._lock = threading.Lock()
        self._rounds: dict[AbstractEventLoop, _Round] = {}

    def _round(self) -> _Round:
        loop = asyncio.get_running_loop()
        for ended in [one for one in list(self._rounds) if one.is_closed()]:
            left = self._rounds.pop(ended, None)
            if left is not None:
                self._returned(left.batch)
        current = self._rounds.get(loop)
        if current is None or current.task.done():
            current = self._rounds[loop] = _Round(self._sent)
        return current

    async def _sent(self, current: _Round) -> None:
        try:
            while self._waiting:
                await self._gathered(current)
                async with current.turn:
                    await self._pass(current)
        except asyncio.CancelledError:
            self._left_behind()
            raise

    async def _pass(self, current: _Round) -> None:
        """Send what waits now, and not what comes meanwhile."""
        missing = len(self._waiting)
        try:
            while missing > 0 and (batch := self._taken()):
                missing -= len(batch)
                current.batch = batch
                await self._purged(batch)
                current.batch = ()
        except asyncio.CancelledError:
            self._returned(current.batch)
            current.batch = ()
            raise

    async def _gathered(self, current: _Round) -> None:
        if self._delay:
            with suppress(TimeoutError):
                await asyncio.wait_for(current.now.wait(), self._delay)
        current.now.clear()

    async def _purged(self, batch: Sequence[str]) -> None:
        for attempt in range(1, self._attempts + 1):
            failed = await self._tried(batch)
            last = attempt == self._attempts
            lost = {at: error for at, error in failed.items() if last or not _may_pass(error)}
            if lost:
                await self._gave_up(lost)
            batch = [address for address in failed if address not in lost]
            if not batch:
                return
            await asyncio.sleep(self._pause(attempt, failed))

    async def _tried(self, batch: Sequence[str]) -> Mapping[str, Exception]:
        """What of the batch could not be purged, and why."""
        failed: Mapping[str, Exception] = {}
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN):
                await self._purger(batch)
        except NotAll as some:
            failed = some.failed
        except Exception as error:  # noqa: BLE001 - a purger is anybody's; it is told of
            failed = dict.fromkeys(batch, error)
        with self._lock:
            for address in batch:
                if address not in failed:
                    self._failed.pop(address, None)
        return failed

    def _pause(self, attempt: int, failed: Mapping[str, Exception]) -> float:
        asked = [error.after for error in failed.values() if isinstance(error, Busy)]
        longest = min(_LONGEST, self._base * 2 ** (attempt - 1))
        return max(asked, default=uniform(longest / 2, longest))  # noqa: S311 - no secret

    def _taken(self) -> list[str]:
        batch: list[str] = []
        wild = 0
        with self._lock:
            for address in islice(self._waiting, self._batch):
                wild += address.endswith("*")
                if wild > _WILDCARDS:
                    break
                batch.append(address)
            for address in batch:
                del self._waiting[address]
        return batch

    def _returned(self, batch: Sequence[str]) -> None:
        with self._lock:
            self._waiting = {**dict.fromkeys(batch), **self._waiting}

    def _left_behind(self) -> None:
        if self._waiting and not self._closing:
            _log.warning(
                "%d addresses wait to be purged and the event loop ends; close the disk before it does",
                len(self._waiting),
            )

    async def _gave_up(self, failed: Mapping[str, Exception]) -> None:
        with self._lock:
            for address, error in failed.items():
                self._failed.pop(address, None)
                self._failed[address] = error
            for oldest in list(self._failed)[: max(0, len(self._failed) - _REMEMBERED)]:
                del self._failed[oldest]
        for kind in dict.fromkeys(map(type, failed.values())):
            batch = [address for address, error in failed.items() if type(error) is kind]
            await self._report(batch, failed[batch[0]])

    async def _report(self, batch: Sequence[str], error: Exception) -> None:
        kind = type(error).__name__
        _log.warning("%s and %d more could not be purged (%s)", batch[0], len(batch) - 1, kind)
        if self._on_failure is None:
            return
        try:
            told = self._on_failure(batch, error)
            if isawaitable(told):
                await told
        except Exception:  # noqa: BLE001 - as above
            _log.exception("on_failure failed itself")


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, StorageError) or error.retryable
