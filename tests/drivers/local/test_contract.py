"""The contract again, for the ways of opening that newer kernels do not need."""

import asyncio
from pathlib import Path

from storeroom.contracts.driver import StorageDriver
from storeroom.drivers._local import beneath
from storeroom.drivers.local import LocalDriver
from storeroom.testing.suite import DriverSuite


class Uncompiled(LocalDriver):
    """As where no compiler was."""

    @staticmethod
    def _opener(root: str) -> beneath.Tree:
        return beneath.opened_uncompiled(root)


class Walked(LocalDriver):
    """As on a kernel without `openat2`."""

    @staticmethod
    def _opener(root: str) -> beneath.Tree:
        return beneath.opened_walked(root)


class Checked(LocalDriver):
    """As on a system without directory descriptors, which has no locks either."""

    @staticmethod
    def _opener(root: str) -> beneath.Tree:
        return beneath.opened_checked(root)


class TestUncompiled(DriverSuite):
    allowed_skips = dict.fromkeys(
        ("PresignRead", "Tags", "Tiers", "Multipart", "Versions", "Leases"),
        "a file system has none",
    )

    def make_driver(self, place: Path, /) -> LocalDriver:
        return Uncompiled(place / "root")

    async def abandon(self, driver: StorageDriver, /) -> None:
        assert isinstance(driver, LocalDriver)
        left = Path(driver.local_path("x")).with_name(".storeroom-tmp-1")
        await asyncio.to_thread(left.write_bytes, b"half")


class TestWalked(DriverSuite):
    allowed_skips = dict.fromkeys(
        ("PresignRead", "Tags", "Tiers", "Multipart", "Versions", "Leases"),
        "a file system has none",
    )

    def make_driver(self, place: Path, /) -> LocalDriver:
        return Walked(place / "root")

    async def abandon(self, driver: StorageDriver, /) -> None:
        assert isinstance(driver, LocalDriver)
        left = Path(driver.local_path("x")).with_name(".storeroom-tmp-1")
        await asyncio.to_thread(left.write_bytes, b"half")
