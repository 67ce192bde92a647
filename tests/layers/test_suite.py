"""Every layer keeps the contract: the core of the suite over it, on memory and on a local folder."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

from storeroom.contracts.abilities import Folders, LocalPath
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.values import PLAIN, WriteOptions
from storeroom.disk import Disk
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.files import Files
from storeroom.layers import Around, Layer, stack
from storeroom.layers.readonly import ReadOnly
from storeroom.layers.retry import Retry
from storeroom.layers.scoped import Scoped
from storeroom.testing.suite import CoreSuite

NEITHER_HAS = ("PresignRead", "Multipart", "Versions", "Leases")
MEMORY_HAS_NOT = dict.fromkeys((*NEITHER_HAS, "LocalPath", "Sweep"), "memory has none")
LOCAL_HAS_NOT = dict.fromkeys((*NEITHER_HAS, "Tags", "Tiers"), "a file system has none")
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


def without(skips: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: reason for key, reason in skips.items() if key != name}


class OnMemory(CoreSuite):
    """A layer on a memory disk; the same place has the same files."""

    allowed_skips: ClassVar[Mapping[str, str]] = MEMORY_HAS_NOT
    stores: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(MemoryDriver)

    def make_driver(self, place: Path, /) -> StorageDriver:
        return self.layered(self.stores[place].twin())

    def layered(self, driver: StorageDriver) -> StorageDriver:
        raise NotImplementedError


class OnRealFolders(OnMemory):
    """A layer on a memory disk whose folders are as on a file system."""

    stores: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(
        partial(MemoryDriver, folders="real")
    )


class OnLocal(OnMemory):
    """A layer on a local folder."""

    allowed_skips: ClassVar[Mapping[str, str]] = LOCAL_HAS_NOT

    def make_driver(self, place: Path, /) -> StorageDriver:
        return self.layered(LocalDriver(place / "root", durability="none"))

    async def abandon(self, driver: StorageDriver, /) -> None:
        assert isinstance(driver, Files)
        left = Path(driver.ability(LocalPath).local_path("x")).with_name(".storeroom-tmp-1")
        await asyncio.to_thread(left.write_bytes, b"half")


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


class TestRetryOnMemory(Retries, OnMemory):
    pass


class TestRetryOnRealFolders(Retries, OnRealFolders):
    pass


class TestRetryOnLocal(Retries, OnLocal):
    pass


class TestScopedOnMemory(Scopes, OnMemory):
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


class TestReadOnlyOnMemory(Views, OnMemory):
    allowed_skips = VIEW_LACKS


class TestReadOnlyOnLocal(Views, OnLocal):
    allowed_skips = VIEW_LACKS
