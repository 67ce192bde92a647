"""Mirror keeps the contract: over two memory disks, a local folder and memory, S3 and memory."""

from collections import defaultdict
from pathlib import Path
from typing import ClassVar

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.mirror import Mirror
from tests.layers.places import (
    LOCAL_HAS_NOT,
    MEMORY_HAS_NOT,
    S3_HAS_NOT,
    OnLocal,
    OnMemory,
    OnRealFolders,
    OnS3,
)

HIDES = dict.fromkeys(
    ("Append", "BulkRemove", "CopyFrom", "LocalPath", "Leases", "Multipart", "Versions"),
    "it would reach one of the disks only, or each in its own way",
)


class Mirrors(OnMemory):
    others: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(MemoryDriver)

    def make_driver(self, place: Path, /) -> StorageDriver:
        self.place = place
        return super().make_driver(place)

    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Mirror(driver, self.others[self.place].twin())

    async def abandon(self, driver: StorageDriver, /) -> None:
        assert isinstance(driver, Mirror)
        await super().abandon(driver.disks[0])


class TestMirrorOnMemory(Mirrors, OnMemory):
    allowed_skips = MEMORY_HAS_NOT | HIDES


@pytest.mark.long
class TestMirrorOnRealFolders(Mirrors, OnRealFolders):
    allowed_skips = MEMORY_HAS_NOT | HIDES


class TestMirrorOnLocal(Mirrors, OnLocal):
    allowed_skips = LOCAL_HAS_NOT | HIDES


class TestMirrorOnS3(Mirrors, OnS3):
    allowed_skips = S3_HAS_NOT | HIDES | {"Tiers": "each service has names of its own"}


@pytest.mark.long
class TestQuorumOnMemory(Mirrors, OnMemory):
    allowed_skips = (
        MEMORY_HAS_NOT
        | HIDES
        | {"test_attributes_are_changed_on_a_condition_or_not_at_all": "a write tells no etag"}
    )
    thirds: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(MemoryDriver)

    def layered(self, driver: StorageDriver) -> StorageDriver:
        others = self.others[self.place].twin(), self.thirds[self.place].twin()
        return Mirror(driver, *others, write="quorum")
