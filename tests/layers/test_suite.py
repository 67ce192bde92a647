"""Every layer keeps the contract: the core of the suite over it, on memory, a local folder and S3."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from storeroom.contracts.abilities import Folders
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.values import PLAIN, WriteOptions
from storeroom.disk import Disk
from storeroom.layers import Around, Layer, stack
from storeroom.layers.readonly import ReadOnly
from storeroom.layers.retry import Retry
from storeroom.layers.scoped import Scoped
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

BASE_HIDES = dict.fromkeys(
    (
        *("Append", "Attributes", "BulkRemove", "Checksum", "Copy", "CopyFrom"),
        *("LocalPath", "Move", "Origin", "PublicUrl", "Sweep", "Tags", "Tiers", "Times"),
        "Visibility",
    ),
    "a layer hides what it does not name",
)
KEY = "0123456789abcdef"
SCOPE_HIDES = {"Sweep": "it would clear what is outside"}

VIEW_LACKS = {
    "writable": "nothing is",
    "LocalPath": "a path could be written to",
    "PresignRead": "neither disk signs",
}


class Plain(Layer):
    """The base as it is, but for folders: where they are real, some verbs need them."""

    keeps = frozenset((Folders,))


class Bases:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Plain(driver)


class Arounds:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Around(driver)


class Retries:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Retry(driver, base=0)


class Scopes:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Scoped(driver, "tenant 1")


class Nested:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Scoped(Disk(Scoped(Scoped(driver, "a"), "é %2F/b"), signing_key=KEY), "c")


class Stacks:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return stack(driver, Around, partial(Scoped, prefix="t"), partial(Retry, base=0))


class Views:
    """What is read is stored by the driver inside."""

    def layered(self, driver: StorageDriver) -> StorageDriver:
        return ReadOnly(driver)

    async def seed(
        self, driver: StorageDriver, files: Mapping[str, bytes], how: WriteOptions = PLAIN, /
    ) -> None:
        assert isinstance(driver, ReadOnly)
        await super().seed(driver.inner, files, how)  # type: ignore[misc]


class TestLayerOnMemory(Bases, OnMemory):
    allowed_skips = MEMORY_HAS_NOT | BASE_HIDES


class TestLayerOnLocal(Bases, OnLocal):
    allowed_skips = LOCAL_HAS_NOT | BASE_HIDES


class TestAroundOnMemory(Arounds, OnMemory):
    pass


class TestAroundOnLocal(Arounds, OnLocal):
    pass


class TestRetryOnMemory(Retries, OnMemory, DriverSuite):
    pass


class TestRetryOnRealFolders(Retries, OnRealFolders):
    pass


class TestRetryOnLocal(Retries, OnLocal):
    pass


class TestScopedOnMemory(Scopes, OnMemory, DriverSuite):
    pass


class TestScopedOnRealFolders(Scopes, OnRealFolders):
    pass


class TestScopedOnLocal(Scopes, OnLocal):
    allowed_skips = LOCAL_HAS_NOT | SCOPE_HIDES


class TestNestedScopesOnMemory(Nested, OnMemory):
    allowed_skips = without(MEMORY_HAS_NOT, "PresignRead")


class TestNestedScopesOnLocal(Nested, OnLocal):
    allowed_skips = without(LOCAL_HAS_NOT | SCOPE_HIDES, "PresignRead")


class TestStackOnMemory(Stacks, OnMemory):
    pass


class TestStackOnLocal(Stacks, OnLocal):
    allowed_skips = LOCAL_HAS_NOT | SCOPE_HIDES


class TestReadOnlyOnMemory(Views, OnMemory, DriverSuite):
    allowed_skips = VIEW_LACKS


class TestReadOnlyOnLocal(Views, OnLocal):
    allowed_skips = VIEW_LACKS


class TestScopedOnS3(Scopes, OnS3):
    allowed_skips = S3_HAS_NOT | SCOPE_HIDES


class TestReadOnlyOnS3(Views, OnS3):
    allowed_skips = without(VIEW_LACKS, "PresignRead") | {"VerifyUrl": "S3 has none"}


class TestRetryOnS3(Retries, OnS3):
    """Instead of the driver's own tries."""

    options: ClassVar[Mapping[str, Any]] = {"retries": 0}
