"""The memory driver keeps the contract, with implied and with real folders."""

from collections import defaultdict
from pathlib import Path
from typing import ClassVar

from storeroom.drivers.memory import MemoryDriver
from storeroom.testing.suite import DriverSuite

HAS_NOT = dict.fromkeys(
    ("LocalPath", "PresignRead", "Sweep", "Multipart", "Versions", "Leases"), "memory has none"
)


class TestMemory(DriverSuite):
    allowed_skips = HAS_NOT
    stores: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(MemoryDriver)

    def make_driver(self, place: Path, /) -> MemoryDriver:
        return self.stores[place].twin()


class TestMemoryWithRealFolders(DriverSuite):
    allowed_skips = HAS_NOT
    stores: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(
        lambda: MemoryDriver(folders="real")
    )

    def make_driver(self, place: Path, /) -> MemoryDriver:
        return self.stores[place].twin()
