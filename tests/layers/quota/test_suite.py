"""Quota keeps the contract: the core of the suite over it, with room enough."""

from storeroom.contracts.driver import StorageDriver
from storeroom.layers.quota import Quota
from storeroom.testing.suite import DriverSuite
from tests.layers.places import (
    LOCAL_HAS_NOT,
    MEMORY_HAS_NOT,
    S3_HAS_NOT,
    OnLocal,
    OnMemory,
    OnRealFolders,
    OnS3,
)

HIDES = dict.fromkeys(("LocalPath", "Multipart"), "what is stored that way is not counted")


class Quotas:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Quota(driver, max_bytes=1 << 40, max_files=1 << 20)


class TestOnMemory(Quotas, OnMemory, DriverSuite):
    """Also cancelled at every await."""

    allowed_skips = MEMORY_HAS_NOT | HIDES


class TestOnRealFolders(Quotas, OnRealFolders):
    allowed_skips = MEMORY_HAS_NOT | HIDES


class TestOnLocal(Quotas, OnLocal):
    allowed_skips = LOCAL_HAS_NOT | HIDES


class TestOnS3(Quotas, OnS3):
    allowed_skips = S3_HAS_NOT | HIDES
