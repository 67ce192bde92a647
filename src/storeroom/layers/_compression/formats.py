"""The formats by name and by what a file begins with."""

from functools import cache
from operator import eq
from typing import Final

from storeroom.contracts.errors import ConfigError, Corrupted
from storeroom.contracts.nearest import nearest
from storeroom.layers._compression.format import Format
from storeroom.layers._compression.gzip import Gzip
from storeroom.layers._compression.marks import ALIKE, MAGIC, MARK_SIZE, Mark
from storeroom.layers._compression.zstd import Zstd

__all__ = ["HEAD", "NAMES", "format_named", "format_of", "is_like_ours", "mark_in"]

HEAD: Final = 64
"""How many first bytes tell whether a file is one of ours."""

NAMES: Final = ("zstd", "gzip", "brotli")
"""The formats there are, each at the place of its code, from 1."""

_PLACES: Final = {"zstd": Zstd.mark_at, "gzip": Gzip.mark_at, "brotli": 4}


@cache
def format_named(name: str, /) -> Format:
    """The format; brotli's package is imported now."""
    if name == Zstd.name:
        return Zstd()
    if name == Gzip.name:
        return Gzip()
    if name == "brotli":
        from storeroom.layers._compression.brotli import Brotli

        return Brotli()
    raise ConfigError(f"there is no compression {name!r}; {nearest(name, NAMES)}")


def format_of(mark: Mark, /) -> Format:
    """The format that a mark tells of."""
    if not 0 < mark.code <= len(NAMES):
        raise Corrupted("compressed by a newer version of storeroom, or damaged")
    return format_named(NAMES[mark.code - 1])


def is_like_ours(head: bytes, /) -> bool:
    """Whether a file that begins so is ours, or would be taken for one of ours that was damaged."""
    return _like(head) is not None


def mark_in(head: bytes, /) -> tuple[Format, Mark] | None:
    """The format and the mark of a file that begins so, None for one of somebody else's.

    A mark that can still be told but was damaged is `Corrupted`.
    """
    name = _like(head)
    if name is None:
        return None
    format_, place = format_named(name), _PLACES[name]
    mark = Mark.read(head[place : place + MARK_SIZE])
    if mark.code != format_.code or not head.startswith(format_.head(mark)):
        raise Corrupted("the beginning of the compressed data is damaged")
    return format_, mark


def _like(head: bytes) -> str | None:
    if not any(quarter in head for quarter in _QUARTERS):
        return None
    for name, place in _PLACES.items():
        found = _quarters(head[place : place + len(MAGIC)])
        if sum(map(eq, found, _QUARTERS)) >= ALIKE:
            return name
    return None


def _quarters(magic: bytes) -> list[bytes]:
    size = len(MAGIC) // 4
    return [magic[start : start + size] for start in range(0, len(MAGIC), size)]


_QUARTERS: Final = _quarters(MAGIC)
