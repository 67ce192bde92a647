"""Whose turn it is: few may use a connection at a time, and not all of them in the same way."""

import asyncio
from collections import deque
from itertools import count
from typing import Literal

from storeroom.contracts.errors import Closed, Timeout

__all__ = ["Turns", "Use"]

Use = Literal["read", "write", "short"]

_USES: tuple[Use, ...] = ("read", "write", "short")


class Turns:
    """At most `size` at a time. Readers may be all but one of them, and so may writers.

    A copy reads while it writes, so where readers had all of them, no copy would ever end.
    """

    def __init__(self, size: int, timeout: float, /) -> None:
        self.size = size
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._out: dict[Use, int] = dict.fromkeys(_USES, 0)
        self._total = 0
        self._lines: dict[Use, deque[tuple[int, float, asyncio.Future[None]]]] = {
            use: deque() for use in _USES
        }
        self._numbers = count()
        self._released = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def taken(self) -> int:
        """How many have a turn now."""
        return self._total

    def take(self, use: Use, /, *, anyway: bool = False) -> bool:
        """Whether it is one's turn at once."""
        if not (anyway or self._is_free(use)):
            return False
        self._out[use] += 1
        self._total += 1
        return True

    async def wait(self, use: Use, /) -> None:
        """Wait for one's turn; `Timeout` where nobody's ends for as long as the time-out."""
        turn: asyncio.Future[None] = self._loop.create_future()
        self._lines[use].append((next(self._numbers), self._loop.time(), turn))
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._look)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release(use)
            raise

    def release(self, use: Use, /) -> None:
        """One's turn has ended: it is that of whoever waits longest and may."""
        self._out[use] -= 1
        self._total -= 1
        if self._loop.is_closed():
            return
        self._released = self._loop.time()
        while self._total < self.size and (following := self._next()) is not None:
            *_, turn = self._lines[following].popleft()
            self.take(following)
            turn.set_result(None)

    def close(self) -> None:
        """There are no more turns."""
        if self._timer is not None:
            self._timer.cancel()
        for line in self._lines.values():
            for *_, turn in line:
                if not turn.done():
                    turn.set_exception(Closed("this driver was closed; build a new one"))
            line.clear()

    def _is_free(self, use: Use) -> bool:
        if self._total >= self.size:
            return False
        return use == "short" or self._out[use] < self.size - 1

    def _next(self) -> Use | None:
        """In which line the one stands who waits longest of those that may."""
        longest: tuple[int, Use] | None = None
        for use, line in self._lines.items():
            while line and line[0][2].done():
                line.popleft()
            if line and self._is_free(use) and (longest is None or line[0][0] < longest[0]):
                longest = (line[0][0], use)
        return None if longest is None else longest[1]

    def _look(self) -> None:
        """One timer for all who wait: it finds out who does for too long."""
        self._timer = None
        now, left = self._loop.time(), list[float]()
        for line in self._lines.values():
            for _, since, turn in line:
                due = max(since, self._released) + self._timeout
                if due > now and not turn.done():
                    left.append(due)
                elif not turn.done():
                    turn.set_exception(self._late())
        if left:
            self._timer = self._loop.call_at(min(left), self._look)

    def _late(self) -> Timeout:
        return Timeout(
            f"all {self.size} connections are in use and none came back within "
            f"{self._timeout:g} s; close what is being read, or raise pool_size"
        )
