"""Reporting: a driver of a manager while somebody listens to its events."""

from storeroom.contracts.driver import StorageDriver
from storeroom.layers.observe import Observe

__all__ = ["Reporting"]


class Reporting(Observe):
    """The layer `Observe`, which nobody has asked for: verbs take it for the driver inside."""

    @property
    def stands_for(self) -> StorageDriver:
        """The driver itself: two disks on one driver are one place, whatever they report as."""
        return self._inner
