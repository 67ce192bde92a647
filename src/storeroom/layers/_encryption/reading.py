"""Opening a file: the header first, then only the chunks that the range touches."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from storeroom.contracts.errors import Corrupted, NotFound, PreconditionFailed, Unavailable
from storeroom.contracts.source import Source
from storeroom.contracts.values import ReadOptions, Stat
from storeroom.layers._encryption.lock import FOREIGN
from storeroom.layers._encryption.opening import Opener, Plain, from_chunk
from storeroom.layers._encryption.sealing import SLICE
from storeroom.layers._encryption.secret import Secret
from storeroom.layers._encryption.sizes import (
    CHUNK,
    HEADER,
    PRELUDE,
    STORED_CHUNK,
    TAG,
    chunk_at,
)
from storeroom.layers._encryption.vault import Found, Vault, shown

__all__ = ["Opening", "Reader", "Span"]

Reader = Callable[[ReadOptions], Awaitable[Source]]
"""Reads the stored bytes of one file."""

_NEAR: Final = 64 << 10
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Span:
    """The chunks that a range touches, and what of their bytes it is.

    `ends` says that the last chunk of the file is among them: a range that reaches the end, or begins
    behind it, must see that it is the end.
    """

    first: int
    stop: int | None
    skip: int
    count: int | None
    ends: bool

    @staticmethod
    def of(how: ReadOptions, size: int | None) -> "Span":
        """The span in a file of so many plain bytes; from the beginning on where that is unknown."""
        if how.stop == how.start:
            return Span(0, 0, 0, 0, ends=False)
        if size is None:
            count = None if how.stop is None else how.stop - how.start
            return Span(0, _chunks_for(how), how.start, count, how.stop is None)
        start = min(how.start, size)
        stop = size if how.stop is None else min(how.stop, size)
        first, ends = start // CHUNK, how.stop is None or how.stop >= size
        last = None if ends else -(-stop // CHUNK)
        return Span(first, last, start - first * CHUNK, max(stop - start, 0), ends)


def _chunks_for(how: ReadOptions) -> int | None:
    """How many chunks from the beginning on hold the range."""
    return None if how.stop is None else -(-how.stop // CHUNK)


class Opening:
    """One read of one file; `read` reads what is stored of it, `pins` whether it knows `if_match`."""

    def __init__(
        self, vault: Vault, path: str, how: ReadOptions, read: Reader, *, pins: bool
    ) -> None:
        self._vault = vault
        self._path = path
        self._how = how
        self._read = read
        self._pins = pins

    async def source(self) -> Source:
        """The plain bytes; a file that is replaced between two requests is opened again."""
        for _ in range(_TRIES):
            source = await self._tried()
            if source is not None:
                return source
        raise Unavailable("the file was replaced again and again while it was opened")

    async def _tried(self) -> Source | None:
        source = await self._read(self._first())
        try:
            prelude = await source.read(PRELUDE)
            found = self._vault.found(self._path, prelude[:HEADER], source.stat.metadata)
            file_key = await self._vault.open(found)
            stat = shown(source.stat)
            if len(prelude) < PRELUDE or (stat.size is None and source.stat.size is not None):
                raise Corrupted(FOREIGN)
            span = Span.of(self._how, stat.size)
            at_hand = await self._at(source, span)
            if at_hand is None:
                return None
            source = at_hand
            return await self._opened(source, stat, span, file_key, found, prelude)
        except BaseException:
            await source.aclose()
            raise

    def _first(self) -> ReadOptions:
        """What is read at first: all up to the end of a range that begins nearby, else the header."""
        how = self._how
        stop: int | None = PRELUDE
        if how.start <= _NEAR and how.stop != how.start:
            chunks = _chunks_for(how)
            stop = None if chunks is None else chunk_at(chunks) + TAG  # an empty last chunk
        return ReadOptions(0, stop, how.if_match, how.if_none_match)

    async def _at(self, source: Source, span: Span) -> Source | None:
        """The source at the first chunk of the span, None where the file is not the same any more."""
        if span.stop == span.first:
            return source
        if self._how.start <= _NEAR:
            await source.read(span.first * STORED_CHUNK)
            return source
        await source.aclose()
        start, before = chunk_at(span.first), source.stat
        stop = None if span.stop is None else chunk_at(span.stop)
        pin = before.etag if self._pins else None
        how = ReadOptions(start, stop, if_match=self._how.if_match or pin)
        try:
            later = await self._read(how)
        except (PreconditionFailed, NotFound):
            if self._how.if_match is not None:
                raise
            return None
        if _is_same(before, later.stat):
            return later
        await later.aclose()
        return None

    async def _opened(
        self, source: Source, stat: Stat, span: Span, file_key: Secret, found: Found, prelude: bytes
    ) -> Source:
        decryptor = from_chunk(span.first, file_key, found.context, prelude)
        opener = Opener(self._path, decryptor, span.skip, span.count, ends=span.ends)
        chunk_size = self._how.chunk_size
        left = _stored_left(span, stat.size)
        if left is not None and left <= SLICE:
            plain = opener.whole(await source.read())
            await source.aclose()
            return Source(stat, plain, chunk_size=chunk_size)
        size = None if stat.size is None else span.count
        return Source(stat, Plain(source, opener), size=size, chunk_size=chunk_size)


def _stored_left(span: Span, size: int | None) -> int | None:
    """How many stored bytes the span has."""
    if size is None:
        return None
    end = size // CHUNK * STORED_CHUNK + size % CHUNK + TAG
    stop = end if span.stop is None else min(span.stop * STORED_CHUNK, end)
    return max(stop - span.first * STORED_CHUNK, 0)


def _is_same(before: Stat, after: Stat) -> bool:
    names = ("etag", "size", "modified")
    return all(getattr(before, name) == getattr(after, name) for name in names)
