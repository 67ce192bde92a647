"""What is known of files, folders and services, and how a verb is to be done: frozen values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from storeroom.contracts.errors import InvalidArgument

__all__ = [
    "ANY",
    "DEEP",
    "PLAIN",
    "SHALLOW",
    "WHOLE",
    "Attribute",
    "Condition",
    "Folder",
    "Grant",
    "ReadOptions",
    "RemoveOptions",
    "Report",
    "ScanOptions",
    "Stat",
    "Traits",
    "Upload",
    "Version",
    "Visible",
    "WriteOptions",
    "check_visibility",
]

T = TypeVar("T")

Visible = Literal["public", "private"]
Condition = Literal["overwrite", "if_match"]
Attribute = Literal[
    "content_type",
    "cache_control",
    "content_disposition",
    "content_encoding",
    "content_language",
    "metadata",
    "tags",
    "tier",
    "visibility",
]


@dataclass(frozen=True, slots=True)
class Stat(Mapping[str, Any]):
    """One file as the service knows it; None where it does not say.

    `size` is in bytes, `modified` an aware UTC datetime, `etag` opaque and only good for
    `if_match` and `if_none_match`. Also a mapping: `stat["size"]`.
    """

    path: str
    size: int | None = None
    modified: datetime | None = None
    etag: str | None = None
    content_type: str | None = None
    cache_control: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    metadata: Mapping[str, str] | None = field(default=None, hash=False)
    tier: str | None = None
    version: str | None = None

    def __getitem__(self, name: str, /) -> Any:  # a mapping of mixed values
        if name not in _STAT_NAMES:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(_STAT_NAMES)

    def __len__(self) -> int:
        return len(_STAT_NAMES)

    def at(self, path: str, /) -> "Stat":
        """The same facts under another path."""
        return replace(self, path=path)


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder in a listing."""

    path: str

    def at(self, path: str, /) -> "Folder":
        """The same folder under another path."""
        return Folder(path)


@dataclass(frozen=True, slots=True)
class Version:
    """One kept version of a file, newest first in listings."""

    path: str
    id: str
    size: int | None = None
    modified: datetime | None = None
    latest: bool = False


@dataclass(frozen=True, slots=True)
class Traits:
    """What is always true of a service, for code that must know; abilities say what it can do.

    `atomic` says whether a write is whole or not there, `atomic_append` whether an append is, also
    after a crash. `keeps` names what `write` stores beside the bytes, `conditions` what it honours;
    `segment_bytes`, `segments` and `outer_spaces` are its own limits on names; `tells_removed` whether
    `remove` knows if something was there; `strict_paths` is False under `paths = "service"`.
    """

    service: str
    folders: Literal["real", "implied"] = "implied"
    atomic: bool = True
    atomic_append: bool = True
    writable: bool = True
    ordered: bool = False
    tells_removed: bool = True
    conditions: frozenset[Condition] = frozenset(("overwrite", "if_match"))
    keeps: frozenset[Attribute] = frozenset()
    path_bytes: int = 1024
    segment_bytes: int | None = None
    segments: int = 100
    outer_spaces: bool = True
    strict_paths: bool = True


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Which bytes to read: `start` to `stop` (exclusive), and under which conditions."""

    start: int = 0
    stop: int | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        if self.start < 0 or (self.stop is not None and self.stop < 0):
            raise InvalidArgument(
                f"a range counts from the beginning: start={self.start}, stop={self.stop}; "
                "for the last n bytes use start=size - n"
            )
        if self.stop is not None and self.stop < self.start:
            raise InvalidArgument(f"the range ends before it starts: {self.start}-{self.stop}")
        if self.chunk_size is not None and self.chunk_size < 1:
            raise InvalidArgument(f"chunk_size is at least 1 byte, not {self.chunk_size}")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What to store beside the bytes, and under which conditions.

    The content headers are hints, dropped where a service keeps none. `metadata`, `tags`, `tier` and
    `visibility` are data: kept, or `Unsupported`; with `carried` (a copy brings them along) they may
    drop. `overwrite=False` and `if_match` are conditions: honoured, or `Unsupported`.
    """

    content_type: str | None = None
    cache_control: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    visibility: Visible | None = None
    metadata: Mapping[str, str] | None = field(default=None, hash=False)
    tags: Mapping[str, str] | None = field(default=None, hash=False)
    tier: str | None = None
    overwrite: bool = True
    if_match: str | None = None
    carried: bool = False

    def __post_init__(self) -> None:
        if self.visibility is not None:
            check_visibility(self.visibility)
        _check_pairs("metadata", self.metadata)
        _check_pairs("tags", self.tags)


@dataclass(frozen=True, slots=True)
class RemoveOptions:
    """Under which conditions to remove."""

    if_match: str | None = None


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How to list: `deep` into subfolders, `after` a path, names `starting` with a text.

    `after` is a full path: entries that sort behind it come, in the order of UTF-8 bytes, a folder
    sorting as if it ended in `/`. `starting` is a prefix of the first segment below the folder. `strangers` says what to do with names the path rule refuses: leave them
    out with one warning, or raise `Obstructed` (for verbs that would leave them behind).
    """

    deep: bool = True
    after: str | None = None
    starting: str = ""
    strangers: Literal["skip", "refuse"] = "skip"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a signed URL allows: one `method` ("GET" or "PUT") on one `path` until `expires`."""

    path: str
    method: Literal["GET", "PUT"]
    expires: datetime
    filename: str | None = None
    content_type: str | None = None
    max_size: int | None = None
    overwrite: bool = True


@dataclass(frozen=True, slots=True)
class Upload:
    """How a browser or another service uploads without credentials.

    Send `method` to `url` with `headers`; where `fields` is not empty, a multipart form with these
    fields first and the file last.
    """

    url: str
    method: Literal["PUT", "POST"] = "PUT"
    headers: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    fields: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


@dataclass(frozen=True, slots=True)
class Report(Generic[T]):
    """What became of each path of a verb over many: `done` with its result, `failed` with its error."""

    done: Mapping[str, T] = field(default_factory=dict[str, Any], hash=False)
    failed: Mapping[str, Exception] = field(default_factory=dict[str, Any], hash=False)

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    def raise_failures(self) -> None:
        """Raise the failures as one `ExceptionGroup`, if there are any."""
        if self.failed:
            total = len(self.done) + len(self.failed)
            raise ExceptionGroup(
                f"{len(self.failed)} of {total} paths failed", list(self.failed.values())
            )


def check_visibility(value: str, /) -> None:
    """Refuse what is neither "public" nor "private"."""
    if value not in ("public", "private"):
        raise InvalidArgument(f"visibility is 'public' or 'private', not {value!r}")


def _check_pairs(name: str, pairs: Mapping[str, str] | None) -> None:
    if pairs is None:
        return
    if not hasattr(pairs, "items"):
        raise TypeError(f"{name} is a mapping of str to str, not {type(pairs).__name__}")
    for key, value in pairs.items():
        if not all(isinstance(text, str) for text in (key, value)):
            raise TypeError(f"{name} holds text: {key!r} has {type(value).__name__}")
        if not key or any(ord(c) < 32 or c == "\x7f" for c in key + value):
            raise InvalidArgument(f"{name} {key!r}: an empty name or a control character")


WHOLE = ReadOptions()
PLAIN = WriteOptions()
ANY = RemoveOptions()
DEEP = ScanOptions()
SHALLOW = ScanOptions(deep=False)

_STAT_NAMES = tuple(f.name for f in fields(Stat))
