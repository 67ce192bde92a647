"""The cache keeps the contract: fresh, trusted for a while, in memory, in Redis, on another disk."""

from collections import defaultdict
from pathlib import Path
from typing import ClassVar

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.cache import Cache
from storeroom.testing.suite import DriverSuite
from tests.layers.places import OnLocal, OnMemory, OnRealFolders, OnS3
from tests.servers.redis import RedisServer


class Fresh:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Cache(driver)


class Trusting:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return Cache(driver, ttl=60)


class InRedis(OnMemory):
    """Each place has a namespace of its own: other tests have files of the same paths."""

    redis: ClassVar[RedisServer]
    ttl: ClassVar[float] = 60

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def in_a_redis(cls, redis_server: RedisServer) -> None:
        cls.redis = redis_server

    def make_driver(self, place: Path, /) -> StorageDriver:
        inner = self.stores[place].twin()
        namespace = f"{type(self).__name__} {place}"
        return Cache(inner, store="redis", url=self.redis.url, ttl=self.ttl, namespace=namespace)


class OnDisk(OnMemory):
    disks: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(MemoryDriver)

    def make_driver(self, place: Path, /) -> StorageDriver:
        inner, store = self.stores[place].twin(), self.disks[place].twin()
        return Cache(inner, store=store, ttl=60, namespace=str(place))


class TestFreshOnMemory(Fresh, OnMemory, DriverSuite):
    pass


@pytest.mark.long
class TestFreshOnRealFolders(Fresh, OnRealFolders):
    pass


class TestFreshOnLocal(Fresh, OnLocal):
    pass


@pytest.mark.long
class TestFreshOnS3(Fresh, OnS3):
    pass


class TestTrustingOnMemory(Trusting, OnMemory, DriverSuite):
    pass


@pytest.mark.long
class TestTrustingOnLocal(Trusting, OnLocal):
    pass


class TestTrustingOnS3(Trusting, OnS3):
    pass


class TestTrustingInRedis(InRedis):
    pass


@pytest.mark.long
class TestFreshInRedis(InRedis):
    ttl = 0


class TestTrustingOnDisk(OnDisk):
    pass
