"""Comparison: what several disks that should hold the same files have in common, and what not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from storeroom.contracts.values import Stat

__all__ = ["Comparison", "Difference"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One path that is not the same on all disks: what each has, by name, None where it has nothing."""

    path: str
    kind: Literal["missing", "size", "content"]
    found: Mapping[str, Stat | None] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many files were looked at, and what differs, by path."""

    files: int = 0
    differing: Mapping[str, Difference] = field(default_factory=dict[str, Difference], hash=False)

    @property
    def ok(self) -> bool:
        """Whether the disks are the same."""
        return not self.differing
