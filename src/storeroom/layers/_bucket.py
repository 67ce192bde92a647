"""A bucket: how many bytes may pass in a second, after a short pause a few at once."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

from storeroom.contracts.forks import after_fork

__all__ = ["Bucket"]

_BURST = 0.25
_SMALLEST = 1024


class Bucket:
    """`rate` bytes a second for all who share it, one behind the other.

    After a pause, what a quarter of a second lets through passes at once (a "leaky bucket as a
    meter": https://en.wikipedia.org/wiki/Leaky_bucket). `now` is a clock in seconds.
    """

    __slots__ = ("__weakref__", "_free_at", "_lock", "_now", "piece", "rate")

    def __init__(self, rate: int, /, *, now: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.piece = max(_SMALLEST, int(rate * _BURST))
        self._now = now
        self.start_afresh()
        after_fork(self, Bucket.start_afresh)

    def start_afresh(self) -> None:
        """Forget what is on its way: it passes in another process after a fork."""
        self._free_at = -1e18
        self._lock = threading.Lock()

    def due(self, count: int, /) -> float:
        """Reserve the passage of so many bytes: the seconds until they may pass."""
        with self._lock:
            now = self._now()
            self._free_at = max(self._free_at, now - _BURST) + count / self.rate
            return max(0.0, self._free_at - now)

    def returned(self, count: int, /) -> None:
        """Give back a reservation: nothing passed."""
        with self._lock:
            self._free_at -= count / self.rate

    async def passing(self, count: int, /) -> None:
        """Wait until so many bytes may pass; nothing is taken when the wait is cancelled."""
        seconds = self.due(count)
        if seconds == 0:
            return
        try:
            await asyncio.sleep(seconds)
        except BaseException:
            self.returned(count)
            raise

    def cut(self, chunk: bytes, /) -> Iterator[bytes]:
        """The chunk in pieces small enough to pass evenly."""
        if len(chunk) <= self.piece:
            yield chunk
            return
        for start in range(0, len(chunk), self.piece):
            yield chunk[start : start + self.piece]
