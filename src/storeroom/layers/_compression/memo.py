"""What is noted in a file's metadata, where the service keeps any: it saves looking into the bytes."""

import re
from dataclasses import dataclass, replace

from storeroom.contracts.errors import InvalidArgument
from storeroom.contracts.values import Stat, WriteOptions
from storeroom.layers._compression.marks import SMALLEST

__all__ = ["KEY", "TOKENS", "Memo", "encoded_by", "listed", "shown", "unreserved"]

KEY = "storeroom-compression"
TOKENS = {"zstd": "zstd", "gzip": "gzip", "brotli": "br"}
"""What the formats are called in Content-Encoding."""

_AS_IS = "none"
_UNKNOWN = "-"
_ENCODED = "encoded"
_DIGITS = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Memo:
    """How a file is stored: its `format`, None for as it is, and its plain size, None where unknown.

    In metadata it reads `none`, `zstd 1048576`, `zstd 1048576 encoded` or, of unknown size, `zstd -`. It is the bytes that
    count: a file that lost its memo is read all the same.
    """

    format: str | None = None
    size: int | None = None
    encoded: bool = False

    def __str__(self) -> str:
        if self.format is None:
            return _AS_IS
        size = _UNKNOWN if self.size is None else str(self.size)
        return f"{self.format} {size} {_ENCODED}" if self.encoded else f"{self.format} {size}"

    @property
    def token(self) -> str | None:
        """The Content-Encoding that the layer added, None where it added none."""
        return TOKENS[self.format] if self.encoded and self.format is not None else None

    @classmethod
    def of(cls, stat: Stat, /) -> "Memo | None":
        """The memo in the metadata of a file, None where there is none that can be read."""
        format_, _, rest = (stat.metadata or {}).get(KEY, "").partition(" ")
        size, _, flag = rest.partition(" ")
        if format_ == _AS_IS and not rest:
            return cls()
        if format_ not in TOKENS or flag not in ("", _ENCODED):
            return None
        if size == _UNKNOWN:
            return cls(format_, None, flag == _ENCODED)
        return cls(format_, int(size), flag == _ENCODED) if _DIGITS.fullmatch(size) else None

    def noted(self, how: WriteOptions, /) -> WriteOptions:
        """The options, with this beside the metadata; where there is no room, it may drop alone."""
        given = (how.metadata, how.tags, how.tier, how.visibility)
        carried = how.carried or all(data is None for data in given)
        return replace(how, metadata={**(how.metadata or {}), KEY: str(self)}, carried=carried)


def unreserved(how: WriteOptions, path: str, /) -> WriteOptions:
    """The options, whose metadata must not have the memo's name; what a copy carries along drops it."""
    pairs = how.metadata or {}
    taken = [name for name in pairs if name.lower() == KEY]
    if not taken:
        return how
    if how.carried:
        return replace(how, metadata={name: pairs[name] for name in pairs if name not in taken})
    raise InvalidArgument(f"the metadata {KEY!r} belongs to the layer Compression", path=path)


def shown(stat: Stat, size: int | None, /, *, without: str | None = None) -> Stat:
    """The facts as they are outside: the plain size, no memo, and no encoding `without` the last one."""
    metadata = stat.metadata
    if metadata is not None and KEY in metadata:
        metadata = {name: value for name, value in metadata.items() if name != KEY}
    encoding = stat.content_encoding
    if without is not None and encoding is not None:
        encoding = _before(encoding, without)
    return replace(stat, size=size, metadata=metadata, content_encoding=encoding)


def listed(stat: Stat, /) -> Stat:
    """The facts of a file that cannot be looked into now: its size where the memo tells it."""
    memo = Memo.of(stat)
    if memo is not None and memo.format is not None:
        return shown(stat, memo.size, without=memo.token)
    known = memo is not None or (stat.size is not None and stat.size < SMALLEST)
    return shown(stat, stat.size if known else None)


def encoded_by(token: str, encoding: str | None, /) -> str:
    """The Content-Encoding of what had `encoding` and is compressed once more."""
    return token if encoding is None else f"{encoding}, {token}"


def _before(encoding: str, token: str) -> str | None:
    before, comma, last = encoding.rpartition(",")
    if last.strip().lower() != token:
        return encoding
    return before.strip() if comma else None
