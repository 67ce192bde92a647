"""What the bytes of a whole object are checked against: the checksum that the service keeps."""

import hashlib
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Final, Protocol

from storeroom.contracts import threads
from storeroom.contracts.errors import Corrupted

__all__ = ["Guard", "guard_of", "md5_of"]

_BATCH: Final = 1 << 20
_MD5: Final = 34


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class Guard:
    """Compares what came with what was stored; large pieces are hashed in a thread."""

    __slots__ = ("_hash", "_held", "_size", "_wanted")

    def __init__(self, by: _Hash, wanted: bytes) -> None:
        self._hash = by
        self._wanted = wanted
        self._held: list[bytes] = []
        self._size = 0

    def update(self, content: bytes) -> None:
        self._hash.update(content)

    async def take(self, chunk: bytes, path: str) -> None:
        """Count the chunk in; the empty one is the end."""
        self._held.append(chunk)
        self._size += len(chunk)
        if chunk and self._size < _BATCH:
            return
        held, self._held, self._size = self._held, [], 0
        await threads.run(self._fed, held)
        if not chunk:
            self.check(path)

    def check(self, path: str) -> None:
        """All is here: `Corrupted` unless it is what was stored."""
        if self._hash.digest() != self._wanted:
            raise Corrupted(
                "the bytes are not those whose checksum the service keeps; read it again, and if "
                "that fails restore it",
                path=path,
            )

    def _fed(self, held: list[bytes]) -> None:
        for chunk in held:
            self._hash.update(chunk)


def guard_of(headers: Mapping[str, str], /, *, md5_etags: bool) -> Guard | None:
    """The guard of an object by the headers of its reply; None where the service tells no checksum."""
    get = headers.get
    crc = get("x-amz-checksum-crc32")
    if crc and "-" not in crc:
        return _decoded(_Crc(), crc)
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


class _Crc:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def _decoded(by: _Hash, encoded: str) -> Guard | None:
    try:
        return Guard(by, b64decode(encoded, validate=True))
    except (NotBase64, ValueError):
        return None
