"""What is measured, and how often."""

from dataclasses import dataclass

from _s3_race import Pace, show

KINDS = ("put", "get", "head", "list", "upload", "download", "memory", "stall", "rclone")


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of a run: the kinds of work, the rounds, how long a lap of small calls lasts."""

    kinds: tuple[str, ...]
    rounds: int = 15
    large_rounds: int = 7
    lap_seconds: float = 0.1
    mebibytes: int = 256
    fresh: int = 7
    prints: bool = True

    def wants(self, kind: str, /) -> bool:
        return kind in self.kinds

    def show(self, title: str, paces: list[Pace], /) -> None:
        if self.prints:
            show(title, paces)
