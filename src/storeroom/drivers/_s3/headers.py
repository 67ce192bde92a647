"""What goes beside the bytes, as headers: options become headers, and headers become facts."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5
from typing import Final
from urllib.parse import urlencode

from storeroom.contracts.errors import InvalidArgument
from storeroom.contracts.values import Stat, WriteOptions
from storeroom.drivers._http.dates import moment
from storeroom.drivers._http.words import decoded_word, encoded_word

__all__ = ["Encryption", "describing", "stat_of"]

_META: Final = "x-amz-meta-"
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HINTS: Final = (
    ("content-type", "content_type"),
    ("cache-control", "cache_control"),
    ("content-disposition", "content_disposition"),
    ("content-encoding", "content_encoding"),
    ("content-language", "content_language"),
)
# What Amazon says of an object that was stored without a type.
_NO_TYPE: Final = "binary/octet-stream"


@dataclass(frozen=True, slots=True)
class Encryption:
    """Headers of server-side encryption: for what makes an object, reads it, and copies from it."""

    writing: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    reading: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    copying: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @staticmethod
    def by_service(algorithm: str, key_id: str | None) -> "Encryption":
        """The service keeps the key: `AES256`, or `aws:kms` with the key's id."""
        headers = {"x-amz-server-side-encryption": algorithm}
        if key_id is not None:
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = key_id
        return Encryption(headers)

    @staticmethod
    def by_customer(key: bytes) -> "Encryption":
        """The key goes along with every request, and nobody else has it."""
        digest = b64encode(md5(key, usedforsecurity=False).digest()).decode()
        own = {
            "algorithm": "AES256",
            "key": b64encode(key).decode(),
            "key-md5": digest,
        }
        plain = {f"x-amz-server-side-encryption-customer-{k}": v for k, v in own.items()}
        source = {f"x-amz-copy-source-{k.removeprefix('x-amz-')}": v for k, v in plain.items()}
        return Encryption(plain, plain, source)


def describing(how: WriteOptions, acl: str | None, /) -> dict[str, str]:
    """The headers that store what `how` says beside the bytes; conditions are no part of it."""
    headers: dict[str, str] = {}
    for name, attribute in _HINTS:
        value: str | None = getattr(how, attribute)
        if value is not None:
            headers[name] = _hint(name, value)
    if how.metadata:
        headers.update(_metadata(how.metadata))
    if how.tags:
        headers["x-amz-tagging"] = urlencode(how.tags)
    if how.tier is not None:
        headers["x-amz-storage-class"] = _hint("tier", how.tier)
    if how.visibility is not None:
        acl = "public-read" if how.visibility == "public" else "private"
    if acl is not None:
        headers["x-amz-acl"] = acl
    return headers


def stat_of(path: str, headers: Mapping[str, str], size: int | None, /, *, tiered: bool) -> Stat:
    """The facts that the headers of a reply tell; `tiered` where no tier means the usual one."""
    get = headers.get
    kind = get("content-type")
    return Stat(
        path,
        size,
        moment(get("last-modified")),
        get("etag"),
        None if kind == _NO_TYPE else kind,
        get("cache-control"),
        get("content-disposition"),
        get("content-encoding"),
        get("content-language"),
        _read_metadata(headers),
        get("x-amz-storage-class") or ("STANDARD" if tiered else None),
        get("x-amz-version-id"),
    )


def _hint(name: str, value: str) -> str:
    if any(char < " " or char == "\x7f" for char in value):
        raise InvalidArgument(f"{name} holds a control character")
    return value


def _metadata(pairs: Mapping[str, str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for key, value in pairs.items():
        if not _TOKEN.fullmatch(key):
            raise InvalidArgument(
                f"metadata {key!r}: a name is of ASCII letters, digits and dashes"
            )
        name = f"{_META}{key.lower()}"
        if name in headers:
            raise InvalidArgument(
                f"metadata {key!r}: the service tells no capital from small letters"
            )
        headers[name] = encoded_word(value)
    return headers


def _read_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in headers:
        lowered = name.lower()
        if lowered.startswith(_META):
            found[lowered[len(_META) :]] = decoded_word(headers[name])
    return found
