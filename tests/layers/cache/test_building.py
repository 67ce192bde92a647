"""What makes no sense is refused when it is built, saying why; what is secret shows nowhere."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError
from storeroom.disk import Disk
from storeroom.drivers.azure import AzureDriver
from storeroom.drivers.ftp import FTPDriver
from storeroom.drivers.gcs import GCSDriver
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.drivers.s3 import S3Driver
from storeroom.drivers.sftp import SFTPDriver
from storeroom.layers import Layer, ReadOnly
from storeroom.layers._cache.namespace import namespace_of
from storeroom.layers.cache import Cache
from storeroom.layers.encryption import Encryption
from storeroom.layers.retry import Retry
from storeroom.layers.scoped import Scoped
from storeroom.manager import StorageManager

KEY = bytes(32)
REDIS: dict[str, Any] = {"store": "redis", "url": "redis://:secret@localhost:1"}
NEWS: dict[str, Any] = {"ttl": 60, "invalidate": "redis://:secret@localhost:1"}
SHARED = [REDIS, NEWS, {"store": MemoryDriver()}]


def bucket(name: str = "media", **options: Any) -> S3Driver:
    return S3Driver(name, access_key="x", secret_key="y", region="eu-west-1", **options)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"ttl": -1}, "ttl is a number of seconds from 0"),
        ({"ttl": float("nan")}, "ttl is a number of seconds from 0"),
        ({"ttl": True}, "ttl is a number of seconds from 0"),
        ({"negative_ttl": "1"}, "negative_ttl is a number"),
        ({"max_bytes": 0}, "max_bytes is a whole number from 1"),
        ({"max_entries": 1.5}, "max_entries is a whole number from 1"),
        ({"max_object": -1}, "max_object is a whole number from 1"),
        ({"namespace": ""}, "namespace is a text"),
        ({"store": "reddis", "namespace": "n"}, "did you mean 'redis'"),
        ({"store": 5}, "not int"),
        ({"store": "redis", "url": "http://x", "namespace": "n"}, "redis://"),
        ({"store": "redis", "url": "", "namespace": "n"}, "redis://"),
        ({"store": "redis", "url": "redis://x?nonsense=1", "namespace": "n"}, "options of its"),
        ({"invalidate": "redis://x"}, "for a cache with a ttl"),
        ({**REDIS, **NEWS, "namespace": "n"}, "shared already"),
    ],
)
def test_options_without_a_meaning_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Cache(MemoryDriver(), **options)


@pytest.mark.parametrize("options", SHARED)
def test_a_shared_cache_outside_of_a_prefix_is_refused(options: dict[str, Any]) -> None:
    for inner in (Scoped(bucket(), "t1"), Retry(Disk(Scoped(MemoryDriver(), "t1")))):
        with pytest.raises(ConfigError, match="inside the prefix"):
            Cache(inner, **options)
        Cache(inner, namespace="t1", **options)
    Scoped(Cache(bucket(), **options), "t1")
    Cache(Scoped(bucket(), "t1"))


@pytest.mark.parametrize("options", SHARED)
def test_a_disk_that_does_not_tell_where_it_is_needs_a_namespace(
    options: dict[str, Any], tmp_path: Path
) -> None:
    for inner in (MemoryDriver(), LocalDriver(tmp_path)):
        with pytest.raises(ConfigError, match="namespace = "):
            Cache(inner, **options)
        Cache(inner, namespace="n", **options)


def test_a_layer_of_somebody_else_needs_a_namespace() -> None:
    class Tenant(Layer):
        """Its paths are another place's, and its repr does not tell."""

    for options in (REDIS, {"store": MemoryDriver()}):
        with pytest.raises(ConfigError, match=r"Tenant.*namespace = "):
            Cache(Disk(Tenant(bucket())), **options)
        Cache(Tenant(bucket()), namespace="t1", **options)
        Tenant(Cache(bucket(), **options))


def test_what_is_encrypted_is_not_held_elsewhere_in_the_clear() -> None:
    for options in (REDIS, {"store": MemoryDriver()}):
        with pytest.raises(ConfigError, match="in the clear"):
            Cache(Disk(Encryption(bucket(), key=KEY)), namespace="n", **options)
        Encryption(Cache(bucket(), **options), key=KEY)
    Cache(Encryption(bucket(), key=KEY))


def test_a_disk_is_not_its_own_cache() -> None:
    driver = MemoryDriver()
    for store in (driver, Scoped(driver, "cache"), Disk(driver)):
        with pytest.raises(ConfigError, match="is the disk"):
            Cache(Retry(driver), store=store, namespace="n")
    with pytest.raises(ConfigError, match="is the disk"):
        Cache(bucket(), store=bucket(), namespace="n")
    with pytest.raises(ConfigError, match="written to"):
        Cache(driver, store=ReadOnly(MemoryDriver()), namespace="n")


def test_disks_in_different_places_have_different_namespaces() -> None:
    disks = [
        bucket(),
        bucket("private"),
        bucket(endpoint_url="http://localhost:9000", path_style=True),
        bucket(endpoint_url="http://localhost:9001", path_style=True),
        Encryption(bucket(), key=KEY),
    ]
    names = [namespace_of(disk) for disk in disks]
    assert len(set(names)) == len(disks)
    assert namespace_of(bucket()) == names[0]


def test_one_public_address_of_two_places_tells_them_apart_all_the_same() -> None:
    url = "https://app.example.com/files"
    disks: list[StorageDriver] = [
        bucket(url=url),
        bucket(endpoint_url="http://localhost:9000", url=url),
        bucket(endpoint_url="http://localhost:9001", url=url),
        *(
            GCSDriver("media", endpoint_url=at, anonymous=True, url=url)
            for at in ("http://localhost:1", "http://localhost:2")
        ),
        *(FTPDriver("h", root=root, url=url) for root in ("/a", "/b")),
        *(FTPDriver("h", username=name, password="p", url=url) for name in ("a", "b")),
        *(SFTPDriver("h", username=name, password="p", url=url) for name in ("a", "b")),
        *(
            AzureDriver("media", account_name=name, account_key="eA==", url=url)
            for name in ("aaa", "bbb")
        ),
    ]
    names = [namespace_of(disk) for disk in disks]
    assert len(set(names)) == len(disks)


def test_nothing_secret_shows() -> None:
    for options in (REDIS, NEWS):
        cache = Cache(bucket(), **options)
        assert "secret" not in repr(cache) + str(vars(cache._store)) + repr(cache.stats())
    with pytest.raises(ConfigError) as refused:
        Cache(bucket(), store="redis", url="http://:secret@localhost")
    assert "secret" not in str(refused.value)


def test_it_is_configured_by_name() -> None:
    manager = StorageManager.isolated(
        {
            "default": "a",
            "disks": {
                "a": {
                    "driver": "s3",
                    "bucket": "media",
                    "region": "eu-west-1",
                    "key": "x",
                    "secret": "y",
                    "prefix": "tenant",
                    "layers": [{"layer": "cache", "store": "redis", "ttl": 3600}],
                },
            },
        }
    )
    assert repr(manager.driver) == "Scoped(Cache(S3Driver('media'), store='redis'), 'tenant')"


def test_memory_needs_no_package() -> None:
    code = "import sys; import storeroom.layers.cache as c; c.Cache(__import__('storeroom').MemoryDriver()); print('redis' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
