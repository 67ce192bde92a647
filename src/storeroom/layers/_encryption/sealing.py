"""Encrypting a body, in slices that hold up nobody."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Final

from storeroom.contracts.body import Body, Piece
from storeroom.contracts.extras import extra
from storeroom.layers._encryption.secret import Secret

with extra("encryption", "cryptography"):
    from cryptography.cobblestone import Cobblestone256Encryptor

__all__ = ["AT_ONCE", "SLICE", "Sealer", "sealed", "slices_of"]

SLICE: Final = 256 << 10
"""What is encrypted before the event loop gets its turn: 50 us, and as much as asyncio's TLS does.

A visit to a thread costs three times as much as the slice, so that only bodies of bytes go there.
"""

AT_ONCE: Final = 4 << 20
"""The largest body of bytes that is encrypted as a whole."""


class Sealer:
    """What encrypts one body; `begins` is what stands before the chunks."""

    def __init__(self, header: bytes, key: Secret, context: bytes) -> None:
        self._encryptor = Cobblestone256Encryptor(key.reveal(), context)
        self.begins = header + self._encryptor.update(b"")  # salt and commitment
        self.update = self._encryptor.update
        self.finalize = self._encryptor.finalize

    def whole(self, content: bytes) -> bytes:
        """All of a file at once."""
        return b"".join((self.begins, self.update(content), self.finalize()))


async def sealed(plain: Body, begin: Callable[[], Awaitable[Sealer]]) -> AsyncGenerator[bytes]:
    """The encrypted form of a body; `begin` gives the sealer, a new one for every time."""
    sealer, since = await begin(), 0
    yield sealer.begins
    async with aclosing(_pieces(plain)) as pieces:
        async for piece in pieces:
            for part in slices_of(piece):
                done = sealer.update(part)
                if done:
                    yield done
                since += len(part)
                if since >= SLICE:
                    since = 0
                    await asyncio.sleep(0)
    yield sealer.finalize()


def slices_of(piece: Piece) -> Iterator[Piece]:
    """The piece, in slices that are encrypted or decrypted at one go."""
    if len(piece) <= SLICE:
        yield piece
        return
    view = memoryview(piece)
    for start in range(0, len(view), SLICE):
        yield view[start : start + SLICE]


async def _pieces(plain: Body) -> AsyncGenerator[Piece]:
    if plain.whole is not None:
        yield plain.whole  # in slices that are no copies
        return
    async with aclosing(plain.__aiter__()) as chunks:
        async for chunk in chunks:
            yield chunk
