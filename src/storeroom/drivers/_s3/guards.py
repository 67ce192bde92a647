"""The checksums that S3 keeps of a whole object."""

import hashlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Final

from storeroom.drivers._http.guards import Crc32, Guard, Hash

__all__ = ["guard_of", "md5_of", "stored_digest"]

_MD5: Final = 34


def guard_of(headers: Mapping[str, str], /, *, md5_etags: bool) -> Guard | None:
    """The guard of an object by the headers of its reply; None where the service tells no checksum."""
    get = headers.get
    crc = get("x-amz-checksum-crc32")
    if crc and "-" not in crc:
        return _decoded(Crc32(), crc)
    for name in ("sha256", "sha1"):
        known = get(f"x-amz-checksum-{name}")
        if known and "-" not in known:
            return _decoded(hashlib.new(name, usedforsecurity=False), known)
    etag = md5_of(headers) if md5_etags else None
    return None if etag is None else Guard(hashlib.md5(usedforsecurity=False), etag)


def md5_of(headers: Mapping[str, str], /) -> bytes | None:
    """The MD5 of an object whose etag is one: plain, uploaded at once, with no key but the service's."""
    etag = headers.get("etag") or ""
    encrypted = headers.get("x-amz-server-side-encryption") or "AES256"
    if len(etag) != _MD5 or encrypted != "AES256":
        return None
    if headers.get("x-amz-server-side-encryption-customer-algorithm"):
        return None
    try:
        return bytes.fromhex(etag[1:-1])
    except ValueError:
        return None


def stored_digest(headers: Mapping[str, str], algorithm: str, /, *, md5_etags: bool) -> str | None:
    """The hash that the service keeps of a whole object, in hex; None where it keeps none of that kind."""
    if algorithm == "md5":
        found = md5_of(headers) if md5_etags else None
        return None if found is None else found.hex()
    known = headers.get(f"x-amz-checksum-{algorithm}")
    if not known or "-" in known or algorithm not in ("sha1", "sha256"):
        return None
    try:
        return b64decode(known, validate=True).hex()
    except (NotBase64, ValueError):
        return None


def _decoded(by: Hash, encoded: str) -> Guard | None:
    try:
        return Guard(by, b64decode(encoded, validate=True))
    except (NotBase64, ValueError):
        return None
