"""Where a disk's files are, as far as that is known: two disks at one place are one disk."""

import os
from collections.abc import Sequence
from typing import Any

from storeroom.contracts.abilities import LocalPath, find, within
from storeroom.contracts.driver import StorageDriver

__all__ = ["met", "places"]


def met(disks: Sequence[StorageDriver], /) -> tuple[int, int] | None:
    """The first two of the disks that have a place in common, by their numbers."""
    seen: dict[str, int] = {}
    for number, disk in enumerate(disks):
        own = places(disk)
        for place in sorted(own & seen.keys()):
            return seen[place], number
        seen |= dict.fromkeys(own, number)
    return None


def places(driver: Any, /, prefix: str = "") -> set[str]:  # a layer, a disk, or any driver
    """Where the files under the prefix are, of all disks of a stack; none that a foreign layer hides."""
    below = within(driver)
    if below is None:
        return {_place(driver, prefix)}
    if not type(driver).__module__.startswith("storeroom."):
        return set()
    inside = f"{own}/{prefix}" if (own := getattr(driver, "prefix", "")) else prefix
    disks: Sequence[Any] = getattr(driver, "disks", (below,))
    return {place for disk in disks for place in places(disk, inside)}


def _place(driver: Any, prefix: str) -> str:
    local = find(driver, LocalPath)
    if local is not None:
        return os.path.dirname(local.local_path(f"{prefix}x"))
    place = getattr(driver, "place", None)
    return f"{place}/{prefix}" if isinstance(place, str) else f"{id(driver)}:{prefix}"
