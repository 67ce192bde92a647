"""What was changed and is to be purged: gathered, sent in batches, tried again, and told of if it fails."""

import asyncio
import logging
import threading
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from inspect import isawaitable
from random import uniform
from typing import Final

from storeroom.contracts.errors import StorageError
from storeroom.contracts.forks import after_fork

__all__ = ["Failed", "Purger", "Purging"]

Purger = Callable[[Sequence[str]], Awaitable[object]]
"""Makes a CDN forget these addresses, all of them, or raises. One with an attribute `wildcards` that is
true is also given addresses that end in `*`."""

Failed = Callable[[Sequence[str], Exception], object]
"""Called, and awaited where it can be, with the addresses that could not be purged, and why."""

_REMEMBERED: Final = 10_000
_LONGEST: Final = 30.0
_log = logging.getLogger("storeroom")


class _Round:
    """A task that waits for more to come, then sends all; `batch` is what it is sending."""

    __slots__ = ("batch", "now", "task")

    def __init__(self, send: "Callable[[_Round], Coroutine[None, None, bool]]") -> None:
        self.now = asyncio.Event()
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
        with self._lock:
            self._waiting = {**dict.fromkeys(self._failed), **self._waiting}
        current = self._round()
        current.now.set()
        await asyncio.wait([current.task])
        return not current.task.cancelled() and current.task.result()

    async def close(self, *, within: float) -> None:
        """Purge what waits; what is not done in time has failed."""
        if not self._waiting and not any(not r.task.done() for r in self._rounds.values()):
            return
        try:
            async with asyncio.timeout(within):
                await self.flush()
        except TimeoutError:
            current = self._rounds.get(asyncio.get_running_loop())
            if current is not None:
                current.task.cancel()
                await asyncio.wait([current.task])
            while batch := self._taken():
                await self._gave_up(
                    batch, TimeoutError(f"not purged within {within:g} s of closing")
                )

    def _renew(self) -> None:
        """What is being sent is sent by the other process after a fork."""
        self._lock = threading.Lock()
        self._rounds: dict[AbstractEventLoop, _Round] = {}

    def _round(self) -> _Round:
        loop = asyncio.get_running_loop()
        for ended in [one for one in self._rounds if one.is_closed()]:
            left = self._rounds.pop(ended, None)
            if left is not None:
                self._returned(left.batch)
        current = self._rounds.get(loop)
        if current is None or current.task.done():
            current = self._rounds[loop] = _Round(self._sent)
        return current

    async def _sent(self, current: _Round) -> bool:
        fine = True
        if self._delay:
            with suppress(TimeoutError):
                await asyncio.wait_for(current.now.wait(), self._delay)
        while batch := self._taken():
            current.batch = batch
            try:
                fine = await self._purged(batch) and fine
            except asyncio.CancelledError:
                self._returned(batch)
                raise
            finally:
                current.batch = ()
        return fine

    async def _purged(self, batch: Sequence[str]) -> bool:
        for attempt in range(1, self._attempts + 1):
            try:
                await self._purger(batch)
            except Exception as error:  # noqa: BLE001 - a purger is anybody's; it is told of
                if attempt == self._attempts or not _may_pass(error):
                    await self._gave_up(batch, error)
                    return False
                longest = min(_LONGEST, self._base * 2 ** (attempt - 1))
                await asyncio.sleep(uniform(longest / 2, longest))  # noqa: S311 - no secret
            else:
                break
        with self._lock:
            for address in batch:
                self._failed.pop(address, None)
        return True

    def _taken(self) -> list[str]:
        with self._lock:
            batch = list(self._waiting)[: self._batch]
            for address in batch:
                del self._waiting[address]
        return batch

    def _returned(self, batch: Sequence[str]) -> None:
        with self._lock:
            self._waiting = {**dict.fromkeys(batch), **self._waiting}

    async def _gave_up(self, batch: Sequence[str], error: Exception) -> None:
        kind = type(error).__name__
        _log.warning("%s and %d more could not be purged (%s)", batch[0], len(batch) - 1, kind)
        with self._lock:
            for address in batch:
                self._failed.pop(address, None)
                self._failed[address] = error
            for oldest in list(self._failed)[: max(0, len(self._failed) - _REMEMBERED)]:
                del self._failed[oldest]
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
