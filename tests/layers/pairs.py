"""Where the suites of disks on several disks run: over a place's disk and a memory disk of its own."""

from collections import defaultdict
from pathlib import Path
from typing import ClassVar

from storeroom.contracts.driver import StorageDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.failover import Failover
from storeroom.layers.mirror import Mirror
from tests.layers.places import OnMemory

HIDES = dict.fromkeys(
    ("Append", "BulkRemove", "CopyFrom", "LocalPath", "Leases", "Multipart", "Versions"),
    "it would reach one of the disks only, or each in its own way",
)


class Pairs(OnMemory):
    """The place's disk is the first of two."""

    kind: ClassVar[type[Mirror | Failover]]
    others: ClassVar[defaultdict[Path, MemoryDriver]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.others = defaultdict(MemoryDriver)

    def make_driver(self, place: Path, /) -> StorageDriver:
        self.place = place
        return super().make_driver(place)

    def layered(self, driver: StorageDriver) -> StorageDriver:
        return self.kind(driver, self.others[self.place].twin())
