"""Mirror: the same files on several disks, written together and read from the first that answers."""

from typing import Literal

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError
from storeroom.layers._several.comparing import Compared

__all__ = ["Mirror"]


class Mirror(Compared):
    """Every change goes to all disks, and is acknowledged when `write` of them have it.

    `write` is "all", "quorum" (more than half) or a number. With fewer than all a read asks as many
    disks as it takes to meet one that has the last acknowledged change, and takes the newest file. The
    first disk decides about conditions, and its etags are those of the mirror. What a disk missed is
    noted for up to `journal` paths and mended as soon as it answers, unless `repair` is False.
    `patience` and `trips` say when a disk is taken for dead: see the layer's page.
    """

    def __init__(
        self,
        first: StorageDriver,
        second: StorageDriver,
        /,
        *more: StorageDriver,
        write: Literal["all", "quorum"] | int = "all",
        repair: bool = True,
        journal: int = 10_000,
        patience: float = 5.0,
        trips: int = 3,
    ) -> None:
        disks = (first, second, *more)
        needed = _needed(write, len(disks))
        super().__init__(
            disks,
            needed=needed,
            asked=len(disks) - needed + 1,
            certain=needed,
            repair=repair,
            journal=journal,
            patience=patience,
            trips=trips,
        )
        if lacking := ", ".join(map(repr, self.unwritable)):
            raise ConfigError(
                f"a mirror changes all of its disks, and {lacking} cannot be written to; leave it out, "
                "or take a failover, which then only reads"
            )


def _needed(write: object, count: int) -> int:
    if write == "all":
        return count
    if write == "quorum":
        return count // 2 + 1
    if type(write) is not int or not 1 <= write <= count:
        raise ConfigError(f"write is 'all', 'quorum' or 1 to {count} disks, not {write!r}")
    return write
