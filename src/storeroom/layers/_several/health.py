"""Whether a disk answers: a circuit breaker that only failures of infrastructure open."""

import math
import threading
import time
from secrets import SystemRandom

from storeroom.contracts.forks import after_fork

__all__ = ["Health"]

_FIRST, _LONGEST = 0.5, 30.0
_random = SystemRandom()


class Health:
    """One disk's breaker: it opens after `trips` failures in a row, or at once where a call hangs.

    While it is open nobody asks the disk, but for one at a time who tries whether it answers again,
    after a pause that doubles from half a second up to 30 s.
    """

    def __init__(self, trips: int, /) -> None:
        self.heard = -math.inf
        self._trips = trips
        self._renew()
        after_fork(self, Health._renew)
        self._failures = 0
        self._pause = _FIRST
        self._until: float | None = None

    @property
    def is_up(self) -> bool:
        """Whether the disk is asked as usual."""
        return self._until is None

    def hear(self) -> None:
        """A sign of life; `heard` is when the last one came."""
        self.heard = time.monotonic()

    def answered(self) -> bool:
        """A call came back, whatever it said: whether that is news."""
        self.hear()
        with self._lock:
            news = self._until is not None
            self._failures, self._pause, self._until, self._tried = 0, _FIRST, None, False
            return news

    def failed(self, *, hangs: bool = False) -> bool:
        """A call failed for lack of an answer: whether the disk is left alone from now on."""
        with self._lock:
            was_up = self._until is None
            self._failures += 1
            if hangs or self._until is not None or self._failures >= self._trips:
                self._until = time.monotonic() + self._pause * _random.uniform(0.5, 1)
                self._pause = min(self._pause * 2, _LONGEST)
            self._tried = False
            return was_up and self._until is not None

    def is_due(self) -> bool:
        """Whether it is time to try, which the caller then has to do."""
        with self._lock:
            if self._until is None or self._tried or time.monotonic() < self._until:
                return False
            self._tried = True
            return True

    def left(self) -> None:
        """The one who tried was stopped before there was an answer."""
        with self._lock:
            self._tried = False

    def _renew(self) -> None:
        """Who tried is in the other process after a fork."""
        self._lock = threading.Lock()
        self._tried = False
