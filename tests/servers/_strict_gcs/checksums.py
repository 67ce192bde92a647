"""MD5 and CRC32C as Google writes them, in base64, and the headers that carry them."""

import base64
import hashlib
from collections.abc import Iterable, Mapping

import google_crc32c

from tests.servers._strict_gcs.errors import Refused

_NAMES = {"md5": "MD5 hash", "crc32c": "CRC32C"}
_SIZES = {"md5": 16, "crc32c": 4}


def md5(data: bytes, /) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def crc32c(data: bytes, /) -> str:
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def of_headers(values: Iterable[str], /) -> dict[str, str]:
    """What `x-goog-hash: crc32c=...,md5=...` says; the header may come more than once."""
    pairs = [pair.strip().partition("=") for value in values for pair in value.split(",")]
    given = {name: value for name, _, value in pairs}
    if not given.keys() <= _SIZES.keys():
        raise Refused(400, "Invalid value for the x-goog-hash header.", code="InvalidDigest")
    return given


def check(given: Mapping[str, str], data: bytes, /) -> None:
    """Refuse data that is not what was meant."""
    for name, value in given.items():
        right = md5(data) if name == "md5" else crc32c(data)
        if not _is_value(name, value):
            raise Refused(400, f"Invalid {_NAMES[name]} '{value}'.", code="InvalidDigest")
        if right != value:
            kind = _NAMES[name]
            raise Refused(
                400,
                f'Provided {kind} "{value}" doesn\'t match calculated {kind} "{right}".',
                code="BadDigest",
            )


def _is_value(name: str, value: str) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == _SIZES[name]
    except ValueError:
        return False
