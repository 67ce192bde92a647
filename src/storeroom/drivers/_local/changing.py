"""What becomes of files that are there: removed, renamed, added to, their attributes changed."""

import errno
import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from storeroom.contracts import mime
from storeroom.contracts.errors import (
    AlreadyExists,
    Corrupted,
    NotFound,
    PreconditionFailed,
    StorageError,
    Unavailable,
    translating,
)
from storeroom.contracts.values import RemoveOptions, Stat, Visible, WriteOptions
from storeroom.drivers._local.beneath import Tree, made
from storeroom.drivers._local.descriptor import read_at, write_all
from storeroom.drivers._local.directory import READ, Directory, is_link, sync
from storeroom.drivers._local.duplicating import typed
from storeroom.drivers._local.facts import (
    EPOCH,
    Whole,
    check_match,
    check_target,
    facts,
    is_special,
    look_at,
    opened_file,
    whole,
)
from storeroom.drivers._local.failures import changing, is_missing, linked, reading
from storeroom.drivers._local.kept import Adding, Kept, read_kept, write_adding, write_kept
from storeroom.drivers._local.locks import locked
from storeroom.drivers._local.root import Root
from storeroom.drivers._local.rules import Rules
from storeroom.drivers._local.writing import Writing, place_locked, store

_ADD = os.O_WRONLY | os.O_APPEND | (READ & ~os.O_RDONLY)
_BLOCK = 1 << 20
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Pouring:
    """How many bytes are to be added, and who writes them into the open file."""

    size: int
    pour: Callable[[int], int]


def remove(root: Root, rules: Rules, path: str, how: RemoveOptions) -> bool:
    """Remove a file: whether one was there."""
    folder, _, name = path.rpartition("/")
    try:
        with (
            root.tree().directory(folder) as parent,
            locked(parent, shared=how.if_match is None) as safe,
        ):
            found = parent.find(name)
            if found is not None and is_link(found):
                raise linked()
            check_match(found, how.if_match, path, safe=safe)
            if found is None or not stat.S_ISREG(found.st_mode):
                return False
            parent.unlink(name)
            if rules.syncs_folders:
                parent.sync()
            return True
    except OSError as error:
        if isinstance(error, StorageError) or not is_missing(error):
            raise
        check_match(None, how.if_match, path, safe=True)
        return False


def rename(root: Root, rules: Rules, path: str, to: str, how: WriteOptions) -> Stat:
    """Move a file, with all that is stored beside it, in one step."""
    with translating(reading, "rename", path):
        tree = root.tree()
        kept = _with_its_type(tree, path, to)
        home = tree.directory(path.rpartition("/")[0])
    with home, translating(changing, "rename", to):
        if path == to:
            return look_at(root, path)
        folder, thorough = to.rpartition("/")[0], rules.syncs_folders
        with made(tree, folder, rules.folder_mode(), sync=thorough) as parent:
            found = _renamed(home, path, parent, to, how)
            if thorough:
                parent.sync()
                home.sync()
    return facts(to, found, kept.under(to))


def extend(
    root: Root,
    rules: Rules,
    path: str,
    how: WriteOptions,
    pouring: Pouring,
    create: Callable[[WriteOptions], Stat],
) -> Stat:
    """Add to a file, or `create` it."""
    for _ in range(_TRIES):
        try:
            return _extended(root, rules, path, how, pouring)
        except OSError as error:
            if isinstance(error, StorageError) or error.errno != errno.ENOENT:
                raise
        if how.if_match is not None:
            raise PreconditionFailed("there is no file, and if_match names one")
        try:
            return create(replace(how, overwrite=False))
        except AlreadyExists:
            if not how.overwrite:
                raise
    raise Unavailable("the file comes and goes; try again")


def extend_by(root: Root, rules: Rules, path: str, how: WriteOptions, data: bytes) -> Stat:
    """Add some bytes."""
    return extend(
        root,
        rules,
        path,
        how,
        Pouring(len(data), lambda fd: write_all(fd, data)),
        lambda new: store(root, rules, path, data, new),
    )


def extend_from(root: Root, rules: Rules, path: str, how: WriteOptions, spool: Writing) -> Stat:
    """Add what a temporary file holds; where there is nothing to add to, it becomes the file."""
    try:
        spool.check()
        pouring = Pouring(spool.length, lambda fd: _pour(spool.fd, fd))
        return extend(root, rules, path, how, pouring, spool.finish_as)
    finally:
        spool.abandon()


def change_attributes(root: Root, rules: Rules, path: str, how: WriteOptions) -> Stat:
    """Change headers, metadata and visibility: all of them or none."""
    if not how.overwrite:
        raise AlreadyExists("a file is here already; leave overwrite=False out")
    with _held(root, path, how.if_match) as (fd, (found, size)):
        before = found.st_mode & 0o7777
        kept = read_kept(fd).changed_by(how).under(path)
        if how.visibility is not None:
            os.fchmod(fd, rules.file_mode(how.visibility))
        try:
            kept = write_kept(fd, kept, must=how.metadata is not None and not how.carried)
        except BaseException:
            if how.visibility is not None:
                os.fchmod(fd, before)
            raise
        if rules.syncs_files:
            sync(fd)
        return facts(path, found, kept, size)


def read_visibility(root: Root, rules: Rules, path: str) -> Visible:
    with opened_file(root.tree(), path) as (_, (found, _)):
        return rules.files.seen_as(found.st_mode)


def change_visibility(root: Root, rules: Rules, path: str, visibility: Visible) -> None:
    with opened_file(root.tree(), path) as (fd, _):
        os.fchmod(fd, rules.file_mode(visibility))
        if rules.syncs_files:
            sync(fd)


def change_time(root: Root, path: str, modified: datetime) -> None:
    moment = (modified - EPOCH) // timedelta(microseconds=1) * 1000
    with opened_file(root.tree(), path) as (fd, _):
        os.utime(fd, ns=(moment, moment))


@contextmanager
def _held(root: Root, path: str, match: str | None) -> Generator[tuple[int, Whole]]:
    with root.tree().directory(path.rpartition("/")[0]) as parent, locked(parent) as safe:
        name = path.rpartition("/")[2]
        found = parent.find(name)
        if found is not None and is_special(found.st_mode):
            raise NotFound("this is not a regular file")
        fd = parent.open(name, READ)
        try:
            there = whole(fd)
            check_match(there.found, match, path, safe=safe)
            yield fd, there
        finally:
            os.close(fd)


def _with_its_type(tree: Tree, path: str, to: str) -> Kept:
    # A type that the old extension said is written down before the file gets another one.
    with opened_file(tree, path) as (fd, _):
        stored = read_kept(fd)
        kept = typed(stored, path)
        if kept.under(to) != stored and kept.content_type != mime.by_name(to):
            kept = write_kept(fd, kept, must=True)
        return kept


def _renamed(
    home: Directory, path: str, parent: Directory, to: str, how: WriteOptions
) -> os.stat_result:
    name = path.rpartition("/")[2]
    with locked(home, parent, shared=how.overwrite and how.if_match is None) as safe:
        found = home.find(name)
        if found is None or not stat.S_ISREG(found.st_mode):
            raise NotFound("there is no file here", path=path)
        there = parent.find(to.rpartition("/")[2])
        try:
            place_locked(home, name, parent, to, how, safe=safe)
            if there is not None and _is_hard_link(found, there) and path.lower() != to.lower():
                home.unlink(name)  # rename(2) leaves both names of one file as they are
        except FileNotFoundError as error:
            if home.find(name) is not None:
                raise
            raise NotFound("another move took the file first", path=path) from error
        return found


def _is_hard_link(found: os.stat_result, other: os.stat_result) -> bool:
    return found.st_nlink > 1 and os.path.samestat(found, other)


def _extended(root: Root, rules: Rules, path: str, how: WriteOptions, pouring: Pouring) -> Stat:
    folder, _, name = path.rpartition("/")
    with root.tree().directory(folder) as parent, locked(parent) as safe:
        found = parent.find(name)
        check_target(found, path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if not how.overwrite:
            raise AlreadyExists("a file is here already", path=path)
        check_match(found, how.if_match, path, safe=safe)
        fd = parent.open(name, _ADD)
        try:
            _add(fd, rules, path, pouring)
            return facts(path, os.fstat(fd), read_kept(fd))
        finally:
            os.close(fd)


def _add(fd: int, rules: Rules, path: str, pouring: Pouring) -> None:
    check_target(os.fstat(fd), path)
    before = _mended(fd)
    after = before + pouring.size
    write_adding(fd, Adding(before, after))
    try:
        pouring.pour(fd)
        if os.fstat(fd).st_size < after:
            raise Corrupted(f"{pouring.size} bytes were added and fewer arrived")
        if rules.syncs_files:
            sync(fd)
    except BaseException:
        os.ftruncate(fd, before)
        with suppress(OSError):  # it says the same as the length, then
            write_adding(fd, None)
        raise
    write_adding(fd, None)


def _mended(fd: int) -> int:
    """The length of the file, without what an append that was killed had added to it."""
    found, size = whole(fd)
    if size < found.st_size:
        os.ftruncate(fd, size)
    return size


def _pour(source: int, target: int) -> int:
    done = 0
    while part := read_at(source, _BLOCK, done):
        done += write_all(target, part)
    return done
