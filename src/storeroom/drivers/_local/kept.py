"""What is stored beside the bytes: content headers and metadata, in one extended attribute.

One attribute holds all of it as JSON, because setting an attribute replaces it in one step.
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple, cast

from storeroom.contracts import mime
from storeroom.contracts.errors import Unsupported
from storeroom.contracts.values import WriteOptions

Header = Literal[
    "content_type",
    "cache_control",
    "content_disposition",
    "content_encoding",
    "content_language",
]

HAS_XATTRS = hasattr(os, "setxattr")
HEADERS: Final[tuple[Header, ...]] = (
    "content_type",
    "cache_control",
    "content_disposition",
    "content_encoding",
    "content_language",
)
_NAME = "user.storeroom.attributes"
_ADDING = "user.storeroom.adding"
_TOO_BIG = {errno.E2BIG, errno.ERANGE, errno.ENAMETOOLONG}
_NOT_OFFERED = {errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}


@dataclass(frozen=True, slots=True)
class Kept:
    """Headers and metadata of one file; metadata is None where there is no place for any."""

    content_type: str | None = None
    cache_control: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    metadata: Mapping[str, str] | None = None

    @staticmethod
    def given(how: WriteOptions, path: str) -> "Kept":
        """What a new file at the path is to keep."""
        kind = how.content_type
        return Kept(
            None if kind is None or kind == mime.by_name(path) else kind,
            how.cache_control,
            how.content_disposition,
            how.content_encoding,
            how.content_language,
            how.metadata,
        )

    def changed_by(self, how: WriteOptions) -> "Kept":
        """With what `how` says in place of what was."""
        given = {name: getattr(how, name) for name in (*HEADERS, "metadata")}
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def under(self, path: str) -> "Kept":
        """Without a type that the path's own extension says."""
        if self.content_type is None or self.content_type != mime.by_name(path):
            return self
        return replace(self, content_type=None)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to keep."""
        return not (
            self.content_type
            or self.metadata
            or self.cache_control
            or self.content_disposition
            or self.content_encoding
            or self.content_language
        )

    @property
    def packed(self) -> bytes:
        """The attribute's content; nothing where there is nothing to keep."""
        if self.is_empty:
            return b""
        given: dict[str, Any] = {name: getattr(self, name) for name in HEADERS}
        given["metadata"] = dict(self.metadata or {})
        given = {name: value for name, value in given.items() if value}
        text = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass")


NOTHING = Kept()


class Adding(NamedTuple):
    """An append under way, or one that was killed: how long the file was, and is to become."""

    before: int
    after: int

    def whole(self, size: int) -> int:
        """How many bytes of a file of this size are whole."""
        return size if size >= self.after else min(size, self.before)


def read_adding(fd: int) -> Adding | None:
    """The append that an open file says of itself."""
    if not HAS_XATTRS:
        return None
    try:
        before, after = os.getxattr(fd, _ADDING).split()
        return Adding(int(before), int(after))
    except ValueError:  # another program's
        return None
    except OSError as error:
        if error.errno in (errno.ENODATA, *_NOT_OFFERED):
            return None
        raise


def write_adding(fd: int, adding: Adding | None) -> None:
    """Note an append, or its end; a file system without attributes, or room for one, goes without."""
    if not HAS_XATTRS:
        return
    try:
        if adding is None:
            os.removexattr(fd, _ADDING)
        else:
            os.setxattr(fd, _ADDING, b"%d %d" % adding)
    except OSError as error:
        if error.errno not in (errno.ENODATA, *_NOT_OFFERED) and not _is_too_big(fd, error):
            raise


def read_kept(fd: int) -> Kept:
    """What is stored beside an open file."""
    if not HAS_XATTRS:
        return NOTHING
    try:
        packed = os.getxattr(fd, _NAME)
    except OSError as error:
        if error.errno in _NOT_OFFERED:
            return NOTHING
        if error.errno != errno.ENODATA:
            raise
        return Kept(metadata={})
    return unpacked(packed)


def unpacked(packed: bytes) -> Kept:
    """What the attribute's content says; nothing where another program left nonsense."""
    try:
        found = json.loads(packed)
    except (ValueError, RecursionError):
        found = None
    return _understood(_mapping(found))


def write_kept(fd: int, kept: Kept, *, must: bool) -> Kept:
    """Store beside an open file: what is kept of it.

    Metadata that `must` be kept is, or `Unsupported` and nothing is changed; headers, and metadata
    carried along by a copy, drop where there is no room.
    """
    for attempt in _attempts(kept, must=must):
        if _stored(fd, attempt.packed):
            return attempt if HAS_XATTRS else replace(attempt, metadata=None)
    raise Unsupported(
        "this file system has no extended attributes, or too little room in them, for the metadata"
    )


def _attempts(kept: Kept, *, must: bool) -> Iterator[Kept]:
    yield kept
    if must and kept.metadata:
        yield Kept(metadata=kept.metadata)
        return
    yield replace(kept, metadata={})
    yield Kept(metadata={})


def _stored(fd: int, packed: bytes) -> bool:
    if not HAS_XATTRS:
        return not packed
    try:
        if packed:
            os.setxattr(fd, _NAME, packed)
            return True
        os.removexattr(fd, _NAME)
    except OSError as error:
        if not packed and error.errno in {errno.ENODATA, *_NOT_OFFERED}:
            return True
        if error.errno in _NOT_OFFERED or _is_too_big(fd, error):
            return False
        raise
    return True


def _is_too_big(fd: int, error: OSError) -> bool:
    # ext4 says ENOSPC for attributes beyond its one block: a full disk says it too.
    full = error.errno == errno.ENOSPC and os.fstatvfs(fd).f_bavail == 0
    return error.errno in _TOO_BIG or (error.errno == errno.ENOSPC and not full)


def _understood(found: Mapping[str, object]) -> Kept:
    headers = {name: _text(found.get(name)) for name in HEADERS}
    texts = {key: _text(value) for key, value in _mapping(found.get("metadata")).items()}
    metadata = {key: value for key, value in texts.items() if value is not None and _text(key)}
    return Kept(**headers, metadata=metadata)


def _mapping(found: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], found) if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    if isinstance(value, str) and not any(ord(c) < 32 or c == "\x7f" for c in value):
        return value
    return None
