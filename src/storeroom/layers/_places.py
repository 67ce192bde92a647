"""Two disks at one place are one disk."""

from collections.abc import Sequence

from storeroom.contracts.driver import StorageDriver
from storeroom.files._places import places

__all__ = ["met"]


def met(disks: Sequence[StorageDriver], /) -> tuple[int, int] | None:
    """The first two of the disks that have a place in common, by their numbers."""
    seen: dict[str, int] = {}
    for number, disk in enumerate(disks):
        own = places(disk)
        for place in sorted(own & seen.keys()):
            return seen[place], number
        seen |= dict.fromkeys(own, number)
    return None
