"""The checksums of S3: names as they stand in headers, values in base64."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable
from functools import cache

FULL, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
_CRC32C = (0x82F63B78, 0xFFFFFFFF)
_CRC64NVME = (0x9A6C9329AC4BC9B5, 0xFFFFFFFFFFFFFFFF)


def digest(algorithm: str, data: bytes, /) -> str:
    """The checksum of the bytes, as a header has it."""
    return base64.b64encode(ALGORITHMS[algorithm](data)).decode()


def composite(algorithm: str, values: Iterable[str], /) -> str:
    """The checksum of checksums, with the number of parts behind it."""
    raw = [base64.b64decode(value) for value in values]
    return f"{digest(algorithm, b''.join(raw))}-{len(raw)}"


def is_value(algorithm: str, value: str, /) -> bool:
    """Whether this could be a value of the algorithm."""
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError:
        return False
    return len(raw) == len(ALGORITHMS[algorithm](b""))


def _reflected(data: bytes, polynomial: int, mask: int) -> int:
    table, value = _table(polynomial), mask
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ mask


@cache
def _table(polynomial: int) -> list[int]:
    table: list[int] = []
    for start in range(256):
        value = start
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


ALGORITHMS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: _reflected(data, *_CRC32C).to_bytes(4, "big"),
    "crc64nvme": lambda data: _reflected(data, *_CRC64NVME).to_bytes(8, "big"),
    "sha1": lambda data: hashlib.sha1(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}
