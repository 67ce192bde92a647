"""The layer keeps the contract; it has addresses on every disk."""

from storeroom.contracts.driver import StorageDriver
from storeroom.layers.cdn import CDN
from storeroom.testing.suite import DriverSuite
from tests.layers.places import OnLocal, OnMemory, OnS3


class OverCDN:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return CDN(driver, domain="https://cdn.example.com", cache_control={"*.css": "max-age=60"})


class TestCDNOnMemory(OverCDN, OnMemory, DriverSuite):
    pass


class TestCDNOnLocal(OverCDN, OnLocal):
    pass


class TestCDNOnS3(OverCDN, OnS3):
    pass
