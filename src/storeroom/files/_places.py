"""Where a disk's files are, as far as that is known."""

import os
from collections.abc import Sequence
from typing import Any

from storeroom.contracts.abilities import LocalPath, find, within
from storeroom.contracts.driver import StorageDriver

__all__ = ["places", "spots"]


def spots(driver: StorageDriver, path: str, /) -> set[str]:
    """Where a file is, whatever layers make of its bytes."""
    return {f"{place.rstrip('/')}/{path}" for place in places(driver)}


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
    return f"{place}/{prefix}" if isinstance(place, str) else f"{id(driver)}/{prefix}"
