"""Stats: what a disk has done so far, counted in this process."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Stats", "Tally"]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the calls of one operation.

    `calls` are those that ended, `under_way` those that did not end yet. `failures` is how often one
    failed, of a removal of many how many paths did. `read` and `written` are bytes, `seconds` the time
    of all, `longest` of the longest.
    """

    calls: int = 0
    failures: int = 0
    under_way: int = 0
    read: int = 0
    written: int = 0
    seconds: float = 0.0
    longest: float = 0.0

    def __add__(self, other: "Tally", /) -> "Tally":
        return Tally(
            self.calls + other.calls,
            self.failures + other.failures,
            self.under_way + other.under_way,
            self.read + other.read,
            self.written + other.written,
            self.seconds + other.seconds,
            max(self.longest, other.longest),
        )


@dataclass(frozen=True, slots=True)
class Stats:
    """The tallies of a disk as of a moment, by operation: the driver's verb or an ability's method.

    `listener_failures` is how often a listener of its events failed.
    """

    operations: Mapping[str, Tally] = field(default_factory=dict[str, Tally], hash=False)
    listener_failures: int = 0

    @property
    def total(self) -> Tally:
        """All operations together."""
        return sum(self.operations.values(), Tally())
