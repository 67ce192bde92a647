"""What the bytes of a whole object are checked against: the checksum that the service keeps."""

import zlib
from typing import Final, Protocol

from storeroom.contracts import threads
from storeroom.contracts.errors import Corrupted

__all__ = ["Crc32", "Guard", "Hash"]

_BATCH: Final = 1 << 20


class Hash(Protocol):
    """A running checksum."""

    def update(self, data: bytes, /) -> None:
        """Count bytes in."""
        ...

    def digest(self) -> bytes:
        """What it comes to."""
        ...


class Guard:
    """Compares what came with what was stored; large pieces are hashed in a thread.

    `quick` is for a checksum that takes less than the way to a thread and back.
    """

    __slots__ = ("_hash", "_held", "_quick", "_size", "_wanted")

    def __init__(self, by: Hash, wanted: bytes, *, quick: bool = False) -> None:
        self._hash = by
        self._wanted = wanted
        self._quick = quick
        self._held: list[bytes] = []
        self._size = 0

    def update(self, content: bytes) -> None:
        self._hash.update(content)

    async def take(self, chunk: bytes, path: str) -> None:
        """Count the chunk in; the empty one is the end."""
        if self._quick and chunk:
            self._hash.update(chunk)
            return
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


class Crc32:
    """CRC-32 as a `Hash`."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")
