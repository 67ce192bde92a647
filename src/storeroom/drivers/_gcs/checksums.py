"""CRC32C and MD5 as Google writes them: computed here, told by replies, compared."""

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Final

from storeroom.contracts import threads
from storeroom.contracts.body import Piece
from storeroom.contracts.extras import extra
from storeroom.drivers._http.guards import Guard, Hash
from storeroom.drivers._http.wire import Content, size_of

with extra("gcs", "google-crc32c"):
    from google_crc32c import extend  # pyright: ignore[reportUnknownVariableType]

__all__ = ["Crc32c", "digest_of", "guard_of", "hashes_in"]

_ON_THE_LOOP: Final = 1 << 20  # which takes as long as the way to a thread
_SLICE: Final = 1 << 20


class Crc32c:
    """A running CRC32C, as a `Hash`."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value: int = 0

    @property
    def encoded(self) -> str:
        """As Google writes it."""
        return b64encode(self.digest()).decode()

    async def take(self, content: Content, /) -> None:
        """Count a part in; a large one in a thread."""
        if size_of(content) <= _ON_THE_LOOP:
            self._taken(content)
        else:
            await threads.run(self._taken, content)

    def update(self, data: bytes, /) -> None:
        self._value = extend(self._value, data)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")

    def _taken(self, content: Content) -> None:
        for piece in (content,) if isinstance(content, bytes) else content:
            self._taken_piece(piece)

    def _taken_piece(self, piece: Piece) -> None:
        if isinstance(piece, bytes):
            self.update(piece)
            return
        for start in range(0, len(piece), _SLICE):  # it takes nothing but bytes
            self.update(bytes(piece[start : start + _SLICE]))


def hashes_in(header: str | None, /) -> dict[str, bytes]:
    """The hashes that `x-goog-hash: crc32c=...,md5=...` tells; the header may have come twice."""
    found: dict[str, bytes] = {}
    for pair in (header or "").split(","):
        name, _, value = pair.strip().partition("=")
        digest = digest_of(value)
        if digest is not None:
            found[name] = digest
    return found


def guard_of(headers: Mapping[str, str], /) -> Guard | None:
    """What the bytes of a whole object are checked against; None where the service tells no checksum."""
    hashes = hashes_in(headers.get("x-goog-hash"))
    by: Hash
    for name, by in (
        ("crc32c", Crc32c()),
        ("md5", hashlib.md5(usedforsecurity=False)),
    ):
        if name in hashes:
            return Guard(by, hashes[name], quick=name == "crc32c")
    return None


def digest_of(encoded: object, /) -> bytes | None:
    """The bytes of a hash in base64; None for what is none."""
    if not isinstance(encoded, str) or not encoded:
        return None
    try:
        return b64decode(encoded, validate=True)
    except (NotBase64, ValueError):
        return None
