"""Failover: a disk and its standbys; where it fails, the next one serves in its place."""

from typing import Literal

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError
from storeroom.layers._several.comparing import Compared

__all__ = ["Failover"]


class Failover(Compared):
    """The first disk that answers serves; every change goes to all that do, before it is acknowledged.

    So a standby that takes over has all that was acknowledged. A disk that comes back first gets what
    it missed, and is not asked for it before. `alone` says what becomes of a change that only one disk
    can take: "accept" acknowledges it, "refuse" raises `Unavailable`. A call that takes longer than
    `patience` seconds is followed by a probe, and given up if that takes as long: with the 0.6 of the
    default a disk that hangs is left within 1.3 s. After `trips` failures in a row, or one such call,
    a disk is left alone and tried now and then.
    """

    def __init__(
        self,
        primary: StorageDriver,
        standby: StorageDriver,
        /,
        *standbys: StorageDriver,
        alone: Literal["accept", "refuse"] = "accept",
        journal: int = 10_000,
        patience: float = 0.6,
        trips: int = 3,
    ) -> None:
        if alone not in ("accept", "refuse"):
            raise ConfigError(f"alone is 'accept' or 'refuse', not {alone!r}")
        disks = (primary, standby, *standbys)
        super().__init__(
            disks,
            needed=1 if alone == "accept" else 2,
            asked=1,
            certain=len(disks),
            repair=True,
            journal=journal,
            patience=patience,
            trips=trips,
        )

    @property
    def active(self) -> str:
        """The name of the disk that serves now, as far as is known."""
        up = self._up()
        return self.names[up[0] if up else 0]
