"""Decrypting a source: chunk by chunk, each authenticated before a byte of it is given out."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Iterator
from typing import Final, Protocol

from storeroom.contracts.body import Piece
from storeroom.contracts.errors import Corrupted
from storeroom.contracts.extras import extra
from storeroom.contracts.source import Source
from storeroom.layers._encryption.sealing import SLICE, slices_of
from storeroom.layers._encryption.secret import Secret
from storeroom.layers._encryption.sizes import HEADER, STORED_CHUNK, TAG

with extra("encryption", "cryptography"):
    from cryptography.cobblestone import Cobblestone256Decryptor
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA512
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

__all__ = ["Chunks", "Decryptor", "Opener", "Plain", "from_chunk"]

_SALT: Final = 24
_COMMITMENT: Final = 32
_NONCE: Final = 12
_INFO: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
_CHANGED: Final = "the file was changed, cut or damaged after it was written"


class Decryptor(Protocol):
    """What turns stored bytes into plain ones; `InvalidTag` where they are not what was stored."""

    def update(self, data: Piece, /) -> bytes:
        """The plain bytes of the chunks that are complete now."""
        ...

    def finalize(self) -> bytes:
        """Those of the last chunk, which must be a short one."""
        ...


class Chunks:
    """Decrypts from chunk `first` on: random access as https://c2sp.org/chunked-encryption has it.

    `prelude` is salt and commitment, which is checked before anything else.
    """

    def __init__(self, key: Secret, context: bytes, prelude: bytes, first: int) -> None:
        salt, commitment = prelude[:_SALT], prelude[_SALT:]
        made = HKDFExpand(SHA512(), 32 + _NONCE + _COMMITMENT, _INFO + salt + context)
        derived = made.derive(key.reveal())
        if not hmac.compare_digest(derived[32 + _NONCE :], commitment):
            raise InvalidTag
        self._cipher = AESGCM(derived[:32])
        self._nonce = int.from_bytes(derived[32 : 32 + _NONCE], "big")
        self._number = first
        self._rest = b""

    def update(self, data: Piece, /) -> bytes:
        view, parts = memoryview(data), list[bytes]()
        if self._rest:
            missing = STORED_CHUNK - len(self._rest)
            self._rest += view[:missing]
            view = view[missing:]
            if len(self._rest) < STORED_CHUNK:
                return b""
            parts.append(self._chunk(self._rest))
        full = len(view) - len(view) % STORED_CHUNK
        for start in range(0, full, STORED_CHUNK):
            parts.append(self._chunk(view[start : start + STORED_CHUNK]))
        self._rest = bytes(view[full:])
        return b"".join(parts)

    def finalize(self) -> bytes:
        if len(self._rest) < TAG:
            raise InvalidTag
        return self._chunk(self._rest)

    def _chunk(self, stored: Piece) -> bytes:
        nonce = (self._nonce ^ self._number).to_bytes(_NONCE, "big")
        self._number += 1
        return self._cipher.decrypt(nonce, stored, None)


class Opener:
    """Takes the plain bytes that were asked for out of chunks: skips `skip`, then gives `count`.

    With `ends` the last chunk must come, which proves that nothing was cut off.
    """

    def __init__(
        self, path: str, decryptor: Decryptor, skip: int, count: int | None, *, ends: bool
    ) -> None:
        self._path = path
        self._decryptor = decryptor
        self._skip = skip
        self._left = count
        self._ends = ends
        self._failed = False

    def update(self, stored: Piece, /) -> bytes:
        """What the stored bytes bring; `Corrupted` before any byte of a chunk that is not right.

        Nothing comes after that: what follows a hole is not what was asked for.
        """
        try:
            if self._failed:
                raise InvalidTag
            return self._cut(self._decryptor.update(stored))
        except InvalidTag:
            self._failed = True
            raise Corrupted(_CHANGED, path=self._path) from None

    def finish(self) -> bytes:
        """What the last chunk brings, where the end is read or was not known."""
        if not self._ends and not self._left:
            return b""
        try:
            if self._failed:
                raise InvalidTag
            return self._cut(self._decryptor.finalize())
        except InvalidTag:
            raise Corrupted(_CHANGED, path=self._path) from None

    def whole(self, stored: bytes, /) -> bytes:
        """All at once."""
        return self.update(stored) + self.finish()

    def _cut(self, plain: bytes) -> bytes:
        if self._skip:
            passed = min(self._skip, len(plain))
            self._skip -= passed
            plain = plain[passed:]
        if self._left is None:
            return plain
        if len(plain) > self._left:
            plain = plain[: self._left]
        self._left -= len(plain)
        return plain


def from_chunk(number: int, key: Secret, context: bytes, prelude: bytes) -> Decryptor:
    """A decryptor for what is stored from that chunk on; `prelude` is all before the first one."""
    try:
        if number:
            return Chunks(key, context, prelude[HEADER:], number)
        decryptor = Cobblestone256Decryptor(key.reveal(), context)
        decryptor.update(prelude[HEADER:])
    except InvalidTag:
        raise Corrupted(_CHANGED) from None
    return decryptor


class Plain(AsyncIterator[bytes]):
    """The plain bytes of a source, in slices that hold up nobody; meanwhile what comes next is read.

    A class, not a generator: dropping it releases the source, at once or when that read ends.
    """

    __slots__ = ("_ahead", "_opener", "_since", "_slices", "_source")

    def __init__(self, source: Source, opener: Opener) -> None:
        self._source = source
        self._opener: Opener | None = opener
        self._slices: Iterator[Piece] = iter(())
        self._since = 0
        self._ahead: asyncio.Task[bytes] | None = None

    async def __anext__(self) -> bytes:
        while self._opener is not None:
            stored = next(self._slices, None)
            if stored is not None:
                if self._since >= SLICE:
                    self._since = 0
                    await asyncio.sleep(0)
                self._since += len(stored)
                plain = self._opener.update(stored)
            elif chunk := await self._chunk():
                self._slices = slices_of(chunk)
                if len(chunk) > SLICE:
                    self._ahead = asyncio.create_task(_next_of(self._source))
                    self._ahead.add_done_callback(_heard)
                continue
            else:
                opener, self._opener = self._opener, None
                plain = opener.finish()
            if plain:
                return plain
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop, and release the source."""
        ahead, self._ahead = self._ahead, None
        self._opener, self._slices = None, iter(())
        try:
            while ahead is not None and not ahead.done():
                ahead.cancel()
                await asyncio.wait([ahead])
        finally:
            if ahead is None or ahead.done():  # else that read holds it, and releases it at its end
                await self._source.aclose()

    async def _chunk(self) -> bytes:
        ahead, self._ahead = self._ahead, None
        return await (_next_of(self._source) if ahead is None else ahead)


async def _next_of(source: Source) -> bytes:
    return await anext(source, b"")


def _heard(ahead: "asyncio.Task[bytes]") -> None:
    """A failure is told to who reads on, and to nobody where nobody does."""
    if not ahead.cancelled():
        ahead.exception()
