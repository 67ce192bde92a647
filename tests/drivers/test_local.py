"""The local driver keeps the contract."""

import asyncio
from pathlib import Path

from storeroom.contracts.driver import StorageDriver
from storeroom.drivers.local import LocalDriver
from storeroom.testing.suite import DriverSuite


class OnLocal(DriverSuite):
    allowed_skips = dict.fromkeys(
        ("PresignRead", "Tags", "Tiers", "Multipart", "Versions", "Leases"),
        "a file system has none",
    )

    async def abandon(self, driver: StorageDriver, /) -> None:
        assert isinstance(driver, LocalDriver)
        left = Path(driver.local_path("x")).with_name(".storeroom-tmp-1")
        await asyncio.to_thread(left.write_bytes, b"half")


class TestLocal(OnLocal):
    def make_driver(self, place: Path, /) -> LocalDriver:
        return LocalDriver(place / "root")
