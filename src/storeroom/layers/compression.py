"""Compression: files take less room; a read, a range and a stat are as if they were stored plain."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeVar

from storeroom.contracts.abilities import (
    Attributes,
    BulkRemove,
    Copy,
    Folders,
    Leases,
    Move,
    PresignRead,
    PublicUrl,
    Sweep,
    Tags,
    Tiers,
    Times,
    VerifyUrl,
    Versions,
    Visibility,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError, PreconditionFailed, Unavailable, Unsupported
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    ScanOptions,
    Stat,
    Traits,
    Version,
    WriteOptions,
)
from storeroom.layers._around import closed
from storeroom.layers._base import Layer, layers_inside
from storeroom.layers._compression.formats import HEAD, format_named, is_like_ours
from storeroom.layers._compression.marks import LARGEST, LEAST, SMALLEST
from storeroom.layers._compression.memo import Memo, encoded_by, listed, shown, unreserved
from storeroom.layers._compression.packing import Packed, Way, packed_whole
from storeroom.layers._compression.reading import Changed, Reader, Stored

__all__ = ["Compression"]

A = TypeVar("A")

_ADDRESSES: frozenset[Callable[..., Any]] = frozenset((PublicUrl, PresignRead, VerifyUrl))
_AS_IS = Memo()
_TRIES = 5


class Compression(Layer, Attributes, Copy, Move, Versions):
    """Stores as "zstd", "gzip" or "brotli" what shrinks by it, in frames of `frame_size` plain bytes.

    What is of a compressed type, has a Content-Encoding of its own or does not shrink is stored as it
    is. `level` is the format's own. Files of other formats, frame sizes and levels are read as well,
    and a user's own .zst or .gz is never taken for one of ours. With `content_encoding` the service
    sends the bytes with that header, and addresses are handed out; without, they are hidden. What
    is compressed and has more than `max_size` plain bytes is refused, in and out.
    """

    keeps = frozenset(
        (
            *(BulkRemove, Folders, Leases, Sweep, Tags, Tiers, Times, Visibility),
            *_ADDRESSES,
        )
    )
    adapts = frozenset((Attributes, Copy, Move, Versions))

    def __init__(
        self,
        inner: StorageDriver,
        /,
        *,
        algorithm: Literal["zstd", "gzip", "brotli"] = "zstd",
        level: int | None = None,
        frame_size: int = 1 << 20,
        content_encoding: bool = False,
        max_size: int | None = None,
    ) -> None:
        self._way = _way(algorithm, level, frame_size, encoded=content_encoding, max_size=max_size)
        _check_stack(inner, encoded=content_encoding)
        super().__init__(inner)
        self._reader = Reader(max_size)

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """As declared; addresses only where whoever follows them is told of the encoding."""
        if kind in _ADDRESSES and not (
            self._way.encoded and "content_encoding" in self._inner.traits.keeps
        ):
            return None
        return super().offer(kind)

    def described(self, inside: Traits, /) -> Traits:
        """The traits inside; an append here is a write."""
        return replace(inside, atomic_append=inside.atomic)

    async def stat(self, path: str, /) -> Stat:
        stat = await self.inner.stat(path)
        for _ in range(_TRIES):
            try:
                return await self._reader.stat(self._stored(path), stat)
            except Changed:
                stat = await self.inner.stat(path)
            except Unsupported:
                return listed(stat)  # in an archive, where nothing can be looked into
        raise Unavailable("the file changes faster than it can be looked at", path=path)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        return await self._opened(self._stored(path), how)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        Body.checked(body)
        how = unreserved(how, path)
        self._refuse_unencoded(path)
        forced = is_like_ours(await body.peek(HEAD))
        if not forced and not self._way.is_worth_trying(body.size, how):
            return await self._write_as_is(path, body, how)
        first = await body.peek(self._way.frame_size + 1)
        if len(first) > self._way.frame_size:
            return await self._write_large(path, body, how, first, forced=forced)
        return await self._write_small(path, await body.content(), how, forced=forced)

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        async with aclosing(self.inner.scan(folder, how)) as entries:
            async for entry in entries:
                yield entry if isinstance(entry, Folder) else listed(entry)

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Copy)
        return listed(await native.copy_within(path, to, self._passed(how, to)))

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Move)
        return listed(await native.rename(path, to, self._passed(how, to)))

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        native = self.inner_ability(Attributes)
        how = unreserved(how, path)
        if how.metadata is None and how.content_encoding is None:
            return listed(await native.change_attributes(path, how))
        for _ in range(_TRIES):
            try:
                changes = await self._changes(path, how)
                return listed(await native.change_attributes(path, changes))
            except Changed:
                continue
            except PreconditionFailed:
                if how.if_match is not None:
                    raise
        raise Unavailable("the file changes faster than its attributes", path=path)

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        versions = self.inner_ability(Versions).list_versions(path)
        try:
            async for version in versions:
                known = version.size is not None and version.size < SMALLEST
                yield version if known else replace(version, size=None)
        finally:
            await closed(versions)

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        native = self.inner_ability(Versions)
        opening = partial(native.read_version, path, version)
        return await self._opened(Stored(path, f"{path}\0{version}", opening, pins=False), how)

    async def restore_version(self, path: str, version: str, /) -> Stat:
        return listed(await self.inner_ability(Versions).restore_version(path, version))

    async def remove_version(self, path: str, version: str, /) -> None:
        await self.inner_ability(Versions).remove_version(path, version)

    async def _opened(self, stored: Stored, how: ReadOptions) -> Source:
        inside = replace(how, chunk_size=None)
        opened = self._reader.whole if how.start == 0 and how.stop is None else self._reader.part
        source = await opened(stored, inside)
        source.chunk_size = how.chunk_size
        return source

    async def _write_as_is(self, path: str, body: Body, how: WriteOptions) -> Stat:
        stat = await self.inner.write(path, body, self._noted(_AS_IS, how))
        return shown(stat, stat.size)

    async def _write_small(
        self, path: str, content: bytes, how: WriteOptions, *, forced: bool
    ) -> Stat:
        stored = await packed_whole(self._way, content)
        if not forced and not self._way.shrinks(len(stored), len(content)):
            return await self._write_as_is(path, Body(content), how)
        stat = await self.inner.write(path, Body(stored), self._options(how, len(content)))
        return self._answered(stat, len(content))

    async def _write_large(
        self, path: str, body: Body, how: WriteOptions, first: bytes, *, forced: bool
    ) -> Stat:
        packed = Packed(self._way, body)
        if not await packed.shrinks(first[: self._way.frame_size]) and not forced:
            return await self._write_as_is(path, body, how)
        try:
            stat = await self.inner.write(path, packed.body, self._options(how, body.size))
        finally:
            await packed.body.aclose()
        return self._answered(stat, packed.size)

    def _options(self, how: WriteOptions, size: int | None) -> WriteOptions:
        way = self._way
        way.check(size)
        if way.encoded:
            how = replace(
                how, content_encoding=encoded_by(way.format.encoding, how.content_encoding)
            )
        return self._noted(Memo(way.format.name, size, way.encoded), how)

    def _noted(self, memo: Memo, how: WriteOptions) -> WriteOptions:
        return memo.noted(how) if "metadata" in self.inner.traits.keeps else how

    def _answered(self, stat: Stat, size: int) -> Stat:
        return shown(stat, size, without=self._way.format.encoding if self._way.encoded else None)

    def _passed(self, how: WriteOptions, path: str) -> WriteOptions:
        """The options of a copy or a move at the service, which takes mark and memo along.

        With other metadata the memo is gone, and the mark tells.
        """
        if how.content_encoding is not None:
            raise Unsupported("the Content-Encoding of a compressed file is not changed by the way")
        return unreserved(how, path)

    async def _changes(self, path: str, how: WriteOptions) -> WriteOptions:
        """The changes for the very file as it is now, with its memo and its encoding."""
        stat = await self.inner.stat(path)
        memo = Memo.of(stat)
        if how.content_encoding is not None:
            token = await self._reader.encoding(self._stored(path), stat)
            if token is not None:
                how = replace(how, content_encoding=encoded_by(token, how.content_encoding))
        pins = "if_match" in self.inner.traits.conditions and stat.etag is not None
        if memo is None or not pins:
            return how
        changes = how if how.metadata is None else memo.noted(how)
        return changes if how.if_match is not None else replace(changes, if_match=stat.etag)

    def _stored(self, path: str) -> Stored:
        inner = self.inner
        pins = "if_match" in inner.traits.conditions
        return Stored(path, path if pins else "", lambda how: inner.read(path, how), pins)

    def _refuse_unencoded(self, path: str) -> None:
        if self._way.encoded and "content_encoding" not in self.inner.traits.keeps:
            raise Unsupported(
                f"{self.inner.traits.service} keeps no Content-Encoding; "
                "open the layer without content_encoding",
                path=path,
            )


def _check_stack(inner: StorageDriver, *, encoded: bool) -> None:
    """Refuse to stand over what makes no sense inside."""
    kinds = {kind.__name__ for layer in layers_inside(inner) for kind in type(layer).__mro__}
    if Compression.__name__ in kinds:
        raise ConfigError("Compression over Compression gains nothing; keep one of the two")
    if encoded and "Encryption" in kinds:
        raise ConfigError(
            "what Encryption stores is no Content-Encoding that a client knows; "
            "open the layer without content_encoding"
        )


def _way(
    algorithm: str,
    level: int | None,
    frame_size: int,
    *,
    encoded: bool,
    max_size: int | None,
) -> Way:
    """The options as they are used, or a `ConfigError`."""
    format_ = format_named(algorithm)
    if level is None:
        level = format_.level
    if type(level) is not int or level not in format_.levels:
        least, most = format_.levels[0], format_.levels[-1]
        raise ConfigError(f"level of {algorithm} is from {least} to {most}, not {level!r}")
    if type(frame_size) is not int or not LEAST <= frame_size <= LARGEST:
        raise ConfigError(f"frame_size is from {LEAST} to {LARGEST} bytes, not {frame_size!r}")
    if max_size is not None and (type(max_size) is not int or max_size < 0):
        raise ConfigError(f"max_size is a number of bytes from 0, or None, not {max_size!r}")
    return Way(format_, level, frame_size, encoded, max_size)
