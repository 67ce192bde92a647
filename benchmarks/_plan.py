"""What is measured, and how often."""

from dataclasses import dataclass
from typing import Self

from _race import Pace, show


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of a run: the kinds of work, the rounds, how long a lap of small calls lasts.

    `mebibytes` is how large a file is in a race, `growing` in a process whose memory is looked at.
    """

    kinds: tuple[str, ...]
    mebibytes: int
    rounds: int = 15
    large_rounds: int = 7
    lap_seconds: float = 0.1
    growing: int = 256
    fresh: int = 7
    prints: bool = True

    @classmethod
    def quick(cls, kinds: tuple[str, ...], mebibytes: int, *, prints: bool) -> Self:
        """Enough to see that everything works."""
        size = min(mebibytes, 32)
        return cls(kinds, size, 3, 2, 0.03, size, 2, prints)

    def wants(self, kind: str, /) -> bool:
        return kind in self.kinds

    def show(self, title: str, paces: list[Pace], /) -> None:
        if self.prints:
            show(title, paces)
