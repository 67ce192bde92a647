"""Counters: what has been done, by operation, safe between threads and event loops."""

from collections import defaultdict
from threading import get_ident

from storeroom.contracts.stats import Stats, Tally
from storeroom.layers._observe.watch import READS, Watch

__all__ = ["Counters"]


class _Count:
    __slots__ = ("calls", "failures", "longest", "read", "seconds", "under_way", "written")

    def __init__(self) -> None:
        self.calls = self.failures = self.under_way = self.read = self.written = 0
        self.seconds = self.longest = 0.0

    def tally(self) -> Tally:
        return Tally(
            self.calls,
            self.failures,
            self.under_way,
            self.read,
            self.written,
            self.seconds,
            self.longest,
        )


_Counts = defaultdict[str, _Count]


class Counters:
    """A running tally for each operation in each thread: no thread changes another one's.

    So none has to lock. A thread's number is given to a new one after its end, and so are its counts.
    """

    def __init__(self) -> None:
        self._threads: defaultdict[int, _Counts] = defaultdict(_new)

    def began(self, watch: Watch, /) -> None:
        """Count a call that has begun."""
        self._threads[get_ident()][watch.operation].under_way += 1

    def ended(self, watch: Watch, error: BaseException | None, /) -> None:
        """Count a call that has ended."""
        count = self._threads[get_ident()][watch.operation]
        seconds = watch.seconds
        count.calls += 1
        count.under_way -= 1
        count.seconds += seconds
        if seconds > count.longest:  # noqa: PLR1730 - half the time of max()
            count.longest = seconds
        if error is not None:
            count.failures += 1
        elif watch.refused:
            count.failures += len(watch.refused)
        if watch.size is None:
            return
        if watch.operation in READS:
            count.read += watch.size
        else:
            count.written += watch.size

    def snapshot(self, listener_failures: int, /) -> Stats:
        """All tallies as of now."""
        tallies: defaultdict[str, Tally] = defaultdict(Tally)
        for counts in list(self._threads.values()):
            for operation, count in list(counts.items()):
                tallies[operation] += count.tally()
        return Stats(dict(tallies), listener_failures)


def _new() -> _Counts:
    return defaultdict(_Count)
