"""Encryption keeps the contract: the suite over it on memory, real folders, a local folder and S3."""

from collections.abc import Mapping

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.layers.encryption import Encryption
from storeroom.testing.suite import DriverSuite
from tests.layers.places import (
    LOCAL_HAS_NOT,
    MEMORY_HAS_NOT,
    S3_HAS_NOT,
    OnLocal,
    OnMemory,
    OnRealFolders,
    OnS3,
    without,
)

HIDDEN: Mapping[str, str] = dict.fromkeys(
    ("Append", "Checksum", "CopyFrom", "LocalPath", "Origin", "PublicUrl"),
    "it would be about what is encrypted",
)
SIGNED = dict.fromkeys(("PresignRead", "Multipart"), "who has the address has no key")
KEY = bytes(range(32))


class Encrypted:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Encryption(driver, key=KEY)


class Unbound:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Encryption(driver, key=KEY, bind=None)


class TestOnMemory(Encrypted, OnMemory, DriverSuite):
    allowed_skips = MEMORY_HAS_NOT | HIDDEN


@pytest.mark.long
class TestUnboundOnMemory(Unbound, OnMemory):
    allowed_skips = MEMORY_HAS_NOT | HIDDEN


class TestOnRealFolders(Encrypted, OnRealFolders):
    allowed_skips = MEMORY_HAS_NOT | HIDDEN


class TestOnLocal(Encrypted, OnLocal):
    allowed_skips = LOCAL_HAS_NOT | HIDDEN


class TestOnS3(Encrypted, OnS3):
    allowed_skips = without(S3_HAS_NOT, "VerifyUrl") | HIDDEN | SIGNED
