"""What these tests share: a memory disk, what is stored on it, and layers over it."""

import hashlib
import random
from typing import Any

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import StorageError
from storeroom.contracts.values import WHOLE, ReadOptions, WriteOptions
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.encryption import Encryption

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
CHUNK = 16384
HEADER = 512
PRELUDE = 568


def plain(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def vault(inner: StorageDriver | None = None, **options: Any) -> Encryption:
    ways = {"key", "keys", "passphrase", "provider"}
    if not ways & options.keys():
        options["key"] = KEY
    return Encryption(MemoryDriver() if inner is None else inner, **options)


async def stored(memory: StorageDriver, path: str) -> bytes:
    """The bytes as the service has them."""
    async with await memory.read(path) as source:
        return await source.read()


async def put_stored(
    memory: StorageDriver, path: str, data: bytes, metadata: dict[str, str] | None = None
) -> None:
    await memory.write(path, Body(data), WriteOptions(metadata=metadata))


async def given_out(
    layer: StorageDriver, path: str, how: ReadOptions = WHOLE
) -> tuple[bytes, StorageError | None]:
    """What a reader got, and how it ended."""
    got = b""
    try:
        async with await layer.read(path, how) as source:
            async for chunk in source:
                got += chunk
    except StorageError as error:
        return got, error
    return got, None


def summed(header: bytes) -> bytes:
    """The header with its sum made anew, as somebody who knows the format can."""
    return header[:496] + hashlib.sha256(header[:496]).digest()[:16]
