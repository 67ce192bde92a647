"""Services that keep less than the ones at hand."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from storeroom.contracts.abilities import BulkRemove, Folders, Move, Times, Visibility
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import Unsupported
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    ANY,
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    RemoveOptions,
    ScanOptions,
    Stat,
    Traits,
    WriteOptions,
)
from storeroom.layers import Layer
from storeroom.layers._compression.packing import Way
from storeroom.layers.compression import Compression

__all__ = ["Coarse", "Eager", "Forgetful"]

_NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Always(Way):
    def is_worth_trying(self, size: int | None, how: WriteOptions, /) -> bool:
        return how.content_encoding is None

    def shrinks(self, stored: int, plain: int, /) -> bool:
        return True


class Eager(Compression):
    """Compresses also what does not shrink, so that the small files of the suite are compressed."""

    def __init__(self, inner: StorageDriver, /, **options: Any) -> None:
        super().__init__(inner, **options)
        way = self._way
        self._way = _Always(way.format, way.level, way.frame_size, way.encoded, way.max_size)


class Forgetful(Layer):
    """A service as FTP is: no metadata, no etags, no conditions on what is there, and no headers."""

    keeps = frozenset((BulkRemove, Folders, Move, Times, Visibility))

    def described(self, inside: Traits, /) -> Traits:
        return replace(
            inside,
            keeps=inside.keeps & {"visibility"},
            conditions=frozenset(("overwrite",)),
        )

    def bare(self, stat: Stat) -> Stat:
        """What it tells of a file."""
        return Stat(stat.path, stat.size, stat.modified)

    async def stat(self, path: str, /) -> Stat:
        return self.bare(await super().stat(path))

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        _refuse(how.if_match or how.if_none_match)
        source = await super().read(path, how)
        return Source(self.bare(source.stat), source, size=source.size)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        _refuse(how.if_match)
        if not how.carried and any(x is not None for x in (how.metadata, how.tags, how.tier)):
            raise Unsupported("no metadata, tags and tiers", path=path)
        return self.bare(await super().write(path, body, _headless(how)))

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        _refuse(how.if_match)
        return await super().remove(path, how)

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        async with aclosing(super().scan(folder, how)) as entries:
            async for entry in entries:
                yield entry if isinstance(entry, Folder) else self.bare(entry)


class Coarse(Forgetful):
    """A service as SFTP is, on one day: times that do not tell two writes apart, and etags of them."""

    def bare(self, stat: Stat) -> Stat:
        return replace(super().bare(stat), modified=_NOON, etag=f"{stat.size}")


def _headless(how: WriteOptions) -> WriteOptions:
    return WriteOptions(visibility=how.visibility, overwrite=how.overwrite, carried=how.carried)


def _refuse(condition: str | None) -> None:
    if condition is not None:
        raise Unsupported("no etags")
