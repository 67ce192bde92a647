"""Mirror keeps the contract: over two memory disks, a local folder and memory, S3 and memory."""

from collections import defaultdict
from pathlib import Path
from typing import ClassVar

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.mirror import Mirror
from storeroom.testing.suite import DriverSuite
from tests.layers.pairs import HIDES, Pairs
from tests.layers.places import (
    LOCAL_HAS_NOT,
    MEMORY_HAS_NOT,
    S3_HAS_NOT,
    OnLocal,
    OnMemory,
    OnRealFolders,
    OnS3,
)


class Mirrors(Pairs):
    kind = Mirror


class TestMirrorOnMemory(Mirrors, OnMemory, DriverSuite):
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
        | dict.fromkeys(
            ("Attributes", "Copy", "Move", "Tiers", "Times"), "one disk may have an older file"
        )
    )
    thirds: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(MemoryDriver)

    def layered(self, driver: StorageDriver) -> StorageDriver:
        others = self.others[self.place].twin(), self.thirds[self.place].twin()
        return Mirror(driver, *others, write="quorum")
