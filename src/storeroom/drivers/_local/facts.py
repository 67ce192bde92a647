"""What is known of a file: its `Stat` and etag, from the file system's own words."""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from storeroom.contracts import mime
from storeroom.contracts.errors import NotFound, Obstructed, PreconditionFailed, Unsupported
from storeroom.contracts.values import Stat
from storeroom.drivers._local.beneath import Tree
from storeroom.drivers._local.directory import READ, is_link
from storeroom.drivers._local.failures import linked
from storeroom.drivers._local.kept import Kept, read_adding, read_kept
from storeroom.drivers._local.root import Root

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Found(Protocol):
    """What the system says of a file: an `os.stat_result`, or the compiled part's."""

    @property
    def st_ino(self) -> int: ...
    @property
    def st_mode(self) -> int: ...
    @property
    def st_size(self) -> int: ...
    @property
    def st_mtime_ns(self) -> int: ...


def bare_facts(path: str, found: Found) -> Stat:
    """The `Stat` of a file with nothing kept beside it, on a file system that could."""
    return Stat(
        path,
        found.st_size,
        _modified(found),
        etag_of(found),
        mime.by_name(path),
        metadata={},
    )


def facts(path: str, found: Found, kept: Kept, size: int | None = None) -> Stat:
    """The `Stat` of a file just opened or stored; `size` where not all of it counts."""
    return Stat(
        path,
        size=found.st_size if size is None else size,
        modified=_modified(found),
        etag=etag_of(found),
        content_type=kept.content_type or mime.by_name(path),
        cache_control=kept.cache_control,
        content_disposition=kept.content_disposition,
        content_encoding=kept.content_encoding,
        content_language=kept.content_language,
        metadata=kept.metadata,
    )


def listed(path: str, found: Found) -> Stat:
    """The `Stat` of a listing: what needs no opening."""
    return Stat(path, size=found.st_size, modified=_modified(found), etag=etag_of(found))


def etag_of(found: Found) -> str:
    """Changes with every write: each makes a new inode, stamped by a clock of nanoseconds."""
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"


class Whole(NamedTuple):
    """The facts of an open file, and how many bytes of it are whole."""

    found: os.stat_result
    size: int


def whole(fd: int) -> Whole:
    """An open file without what an append is adding to it, or was when it was killed."""
    while True:
        found = regular(fd)
        adding = read_adding(fd)
        if adding is not None:
            return Whole(found, adding.whole(found.st_size))
        if os.fstat(fd).st_size == found.st_size:  # else an append ended meanwhile
            return Whole(found, found.st_size)


@contextmanager
def opened_file(tree: Tree, path: str) -> Generator[tuple[int, Whole]]:
    """A regular file open for reading; anything else is `NotFound`."""
    look_first(tree, path)
    fd = tree.open(path, READ)
    try:
        yield fd, whole(fd)
    finally:
        os.close(fd)


def look_first(tree: Tree, path: str) -> None:
    """Refuse a FIFO or device before it is opened, which could wake or start something."""
    try:
        found = tree.root.find(path)
    except OSError:  # opening says why
        return
    if found is None or not is_special(found.st_mode):
        return
    tree.directory(path.rpartition("/")[0]).close()  # this look may have followed a link; say so
    raise NotFound("this is not a regular file")


def is_special(mode: int) -> bool:
    """Whether it is neither a file, a folder nor a link."""
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def look_at(root: Root, path: str) -> Stat:
    with opened_file(root.tree(), path) as (fd, (found, size)):
        return facts(path, found, read_kept(fd), size)


def regular(fd: int) -> os.stat_result:
    """The facts of an open file, if it is a regular one."""
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode):
        return found
    if stat.S_ISDIR(found.st_mode):
        raise NotFound("this is a folder")
    raise NotFound("this is not a regular file")


def check_target(found: os.stat_result | None, path: str) -> None:
    """Refuse to put a file where a link, a folder or a special file stands."""
    if found is None or stat.S_ISREG(found.st_mode):
        return
    if is_link(found):
        error = linked()
        error.located(path=path)
        raise error
    what = "a folder" if stat.S_ISDIR(found.st_mode) else "a FIFO, socket or device"
    raise Obstructed(f"{what} stands here", path=path)


def check_match(found: os.stat_result | None, wanted: str | None, path: str, *, safe: bool) -> None:
    """Refuse where the file is not the one that `if_match` names; `safe` says that a lock is held."""
    if wanted is None:
        return
    if not safe:
        raise Unsupported("this file system has no locks, so if_match cannot be kept", path=path)
    if found is None:
        raise PreconditionFailed("there is no file, and if_match names one", path=path)
    if not stat.S_ISREG(found.st_mode) or etag_of(found) != wanted:
        raise PreconditionFailed("the file is not the one that if_match names", path=path)


def _modified(found: Found) -> datetime | None:
    try:
        return EPOCH + timedelta(microseconds=found.st_mtime_ns // 1000)
    except OverflowError:  # a time beyond the year 9999, set by another program
        return None
