"""Where the layers' suites run: on memory, on a local folder, on S3."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from storeroom.contracts.abilities import LocalPath, Multipart
from storeroom.contracts.driver import StorageDriver
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.drivers.s3 import S3Driver
from storeroom.files import Files
from storeroom.layers._base import layers_inside
from storeroom.testing.suite import CoreSuite
from tests.servers.s3 import S3Server

NEITHER_HAS = ("PresignRead", "Multipart", "Versions", "Leases")
MEMORY_HAS_NOT = dict.fromkeys((*NEITHER_HAS, "LocalPath", "Sweep"), "memory has none")
LOCAL_HAS_NOT = dict.fromkeys((*NEITHER_HAS, "Tags", "Tiers"), "a file system has none")
S3_HAS_NOT = dict.fromkeys(("Append", "LocalPath", "Times", "Leases", "VerifyUrl"), "S3 has none")


def without(skips: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: reason for key, reason in skips.items() if key != name}


def inmost(driver: StorageDriver) -> Files:
    """The driver under all layers."""
    for layer in layers_inside(driver):
        driver = layer.inner
    assert isinstance(driver, Files)
    return driver


class OnMemory(CoreSuite):
    """A layer on a memory disk; the same place has the same files."""

    allowed_skips: ClassVar[Mapping[str, str]] = MEMORY_HAS_NOT
    stores: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(MemoryDriver)

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def stores_are_let_go(cls) -> Iterator[None]:
        yield
        cls.stores.clear()

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
        bottom = inmost(driver)
        left = Path(bottom.ability(LocalPath).local_path("x")).with_name(".storeroom-tmp-1")
        await asyncio.to_thread(left.write_bytes, b"half")


class OnS3(OnMemory):
    """A layer on a bucket of a strict server, with versions."""

    allowed_skips: ClassVar[Mapping[str, str]] = S3_HAS_NOT
    options: ClassVar[Mapping[str, Any]] = {}
    tier = "STANDARD_IA"
    running: ClassVar[S3Server]
    buckets: ClassVar[defaultdict[Path, str]]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def on_a_server(cls, strict_s3: S3Server) -> None:
        cls.running = strict_s3
        cls.buckets = defaultdict(partial(strict_s3.make_bucket, versioned=True, owned=False))

    def make_driver(self, place: Path, /) -> StorageDriver:
        return self.layered(self.plain(place))

    def plain(self, place: Path, /) -> S3Driver:
        """The driver without a layer."""
        running = self.running
        return S3Driver(
            self.buckets[place],
            endpoint_url=running.url,
            region=running.region,
            access_key=running.access_key,
            secret_key=running.secret_key,
            provider="aws",
            path_style=True,
            **self.options,
        )

    async def abandon(self, driver: StorageDriver, /) -> None:
        await inmost(driver).ability(Multipart).start_parts("left behind")
