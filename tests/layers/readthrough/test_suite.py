"""ReadThrough keeps the contract: a memory disk before memory, a local folder and S3."""

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.readthrough import ReadThrough
from storeroom.testing.suite import DriverSuite
from tests.layers.places import (
    LOCAL_HAS_NOT,
    MEMORY_HAS_NOT,
    OnLocal,
    OnMemory,
    OnRealFolders,
    OnS3,
)

HIDES = {"LocalPath": "a path could be written to"}


class Readers(OnMemory):
    fasts: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(
        partial(MemoryDriver, folders="real")
    )

    def make_driver(self, place: Path, /) -> StorageDriver:
        self.place = place
        return super().make_driver(place)

    def layered(self, driver: StorageDriver) -> StorageDriver:
        return ReadThrough(self.fasts[self.place].twin(), driver)


class TestReadThroughOnMemory(Readers, OnMemory, DriverSuite):
    pass


class TestReadThroughOnLocal(Readers, OnLocal):
    allowed_skips = LOCAL_HAS_NOT | HIDES


class TestReadThroughOnS3(Readers, OnS3):
    pass


@pytest.mark.long
class TestTrustedOnRealFolders(Readers, OnRealFolders):
    """The second of two drivers does not see what the first one changes, if it trusts its copies."""

    allowed_skips = MEMORY_HAS_NOT | {
        "test_two_drivers_see_one_store": "a trusted copy is that of this driver"
    }

    def layered(self, driver: StorageDriver) -> StorageDriver:
        return ReadThrough(self.fasts[self.place].twin(), driver, check=False)
