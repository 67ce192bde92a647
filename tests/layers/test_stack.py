"""A stack of five: what is done is counted, cached, shrunk, encrypted, and tried again."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from storeroom.contracts.driver import StorageDriver
from storeroom.files import Files
from storeroom.layers import stack
from storeroom.layers.cache import Cache
from storeroom.layers.compression import Compression
from storeroom.layers.encryption import Encryption
from storeroom.layers.observe import Observe
from storeroom.layers.retry import Retry
from storeroom.manager import StorageManager
from storeroom.testing.suite import CoreSuite, DriverSuite
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

KEY = bytes(range(32))
STACK_HIDES = dict.fromkeys(
    (
        *("Append", "Checksum", "CopyFrom", "LocalPath", "Multipart", "Origin"),
        *("PresignRead", "PublicUrl"),
    ),
    "what is stored is no plain file",
)


class Five(CoreSuite):
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return stack(
            driver,
            Observe,
            partial(Cache, ttl=60),
            Compression,
            partial(Encryption, key=KEY),
            partial(Retry, base=0),
        )


class TestFiveOnMemory(Five, OnMemory, DriverSuite):
    allowed_skips = MEMORY_HAS_NOT | STACK_HIDES


class TestFiveOnRealFolders(Five, OnRealFolders):
    allowed_skips = MEMORY_HAS_NOT | STACK_HIDES


class TestFiveOnLocal(Five, OnLocal):
    allowed_skips = LOCAL_HAS_NOT | STACK_HIDES


class TestFiveOnS3(Five, OnS3):
    options: ClassVar[Mapping[str, Any]] = {"retries": 0}
    allowed_skips = without(S3_HAS_NOT, "VerifyUrl") | STACK_HIDES


async def test_five_layers_of_a_configuration() -> None:
    manager = StorageManager.isolated(
        {
            "default": "media",
            "disks": {
                "media": {
                    "driver": "memory",
                    "prefix": "tenant",
                    "layers": [
                        "observe",
                        {"layer": "cache", "ttl": 60},
                        "compression",
                        {"layer": "encryption", "key": "base64:" + "A" * 43 + "="},
                        {"layer": "retry", "attempts": 5},
                    ],
                }
            },
        }
    )
    async with manager:
        text = "the same line, again and again\n" * 1000
        await manager.put("notes.txt", text)
        assert await manager.text("notes.txt") == text
        assert await manager.get("notes.txt", start=31, stop=61) == text[31:61].encode()
        assert await manager.text("notes.txt") == text
        bottom = manager.layer(Retry).inner
        assert isinstance(bottom, Files)
        stored = await bottom.get("tenant/notes.txt")
        assert len(stored) < 2000
        assert b"again" not in stored
        assert manager.layer(Cache).stats().hits >= 1
        assert manager.stats().operations["write"].calls == 1
