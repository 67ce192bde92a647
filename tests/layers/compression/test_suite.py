"""Compression keeps the contract, in each format: on memory, on a local folder and on S3."""

from collections.abc import Mapping

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.layers.compression import Compression
from storeroom.testing.suite import DriverSuite
from tests.layers.compression.places import Eager, Forgetful
from tests.layers.places import (
    LOCAL_HAS_NOT,
    MEMORY_HAS_NOT,
    S3_HAS_NOT,
    OnLocal,
    OnMemory,
    OnS3,
    without,
)

HIDES: Mapping[str, str] = dict.fromkeys(
    ("Append", "Checksum", "CopyFrom", "LocalPath", "Origin"), "the stored bytes are others"
)
OPAQUE: Mapping[str, str] = HIDES | {"PublicUrl": "an address would give compressed bytes"}
S3_HIDES = {"PresignRead": "as PublicUrl", "Multipart": "a part is not a file"}
FORGETFUL_HAS_NOT = dict.fromkeys(
    ("Attributes", "Copy", "Tags", "Tiers", "etag", "if_match"), "the service has none"
)


class Compressed(OnMemory):
    """What a crash leaves is left by the driver inside."""


class Zstds(Compressed):
    """Frames so small that the bodies of the suite have several of them."""

    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Compression(driver, frame_size=64 << 10)


class EagerZstds(Compressed):
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Eager(driver)


class Gzips(Compressed):
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Eager(driver, algorithm="gzip", frame_size=64 << 10)


class Brotlis(Compressed):
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Eager(driver, algorithm="brotli", level=1, frame_size=64 << 10)


class Served(Compressed):
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Eager(driver, content_encoding=True)


class Forgotten(Compressed):
    """On a service that keeps no metadata: the bytes have to tell."""

    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Eager(Forgetful(driver))


class TestZstdOnMemory(Zstds, OnMemory, DriverSuite):
    allowed_skips = MEMORY_HAS_NOT | OPAQUE


class TestZstdOnLocal(EagerZstds, OnLocal):
    allowed_skips = LOCAL_HAS_NOT | OPAQUE


class TestZstdOnS3(EagerZstds, OnS3):
    allowed_skips = without(S3_HAS_NOT, "VerifyUrl") | OPAQUE | S3_HIDES


class TestGzipOnMemory(Gzips, OnMemory):
    allowed_skips = MEMORY_HAS_NOT | OPAQUE


class TestBrotliOnMemory(Brotlis, OnMemory):
    allowed_skips = MEMORY_HAS_NOT | OPAQUE


@pytest.mark.long
class TestGzipInFull(Gzips, OnMemory, DriverSuite):
    allowed_skips = MEMORY_HAS_NOT | OPAQUE


@pytest.mark.long
class TestBrotliInFull(Brotlis, OnMemory, DriverSuite):
    allowed_skips = MEMORY_HAS_NOT | OPAQUE


@pytest.mark.long
class TestForgottenInFull(Forgotten, OnMemory, DriverSuite):
    allowed_skips = MEMORY_HAS_NOT | OPAQUE | FORGETFUL_HAS_NOT


class TestServedOnMemory(Served, OnMemory):
    allowed_skips = MEMORY_HAS_NOT | HIDES


class TestForgottenOnMemory(Forgotten, OnMemory):
    allowed_skips = MEMORY_HAS_NOT | OPAQUE | FORGETFUL_HAS_NOT
