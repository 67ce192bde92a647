"""Bytes from one file to another without passing through Python, as far as the system can."""

import errno
import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import replace

from storeroom.contracts import mime
from storeroom.contracts.errors import Corrupted, Unsupported, translating
from storeroom.contracts.values import Stat, WriteOptions
from storeroom.drivers._local.descriptor import read_at, write_all
from storeroom.drivers._local.facts import opened_file
from storeroom.drivers._local.failures import changing, reading
from storeroom.drivers._local.kept import Kept, read_kept
from storeroom.drivers._local.root import Root
from storeroom.drivers._local.rules import Rules
from storeroom.drivers._local.writing import Writing

_FICLONE = 0x40049409
_AT_ONCE = 1 << 30
_BLOCK = 1 << 20
_NOT_OFFERED = {
    errno.EBADF,
    errno.EINVAL,
    errno.ENOSYS,
    errno.ENOTTY,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.ETXTBSY,
    errno.EXDEV,
}


def copy(source: Root, path: str, root: Root, rules: Rules, to: str, how: WriteOptions) -> Stat:
    """Copy with mode, headers and metadata; `how` overrides them."""
    with translating(reading, "copy_within", path), opened_file(source.tree(), path) as (fd, found):
        writing = Writing(
            root,
            rules,
            to,
            how,
            size=found.st_size,
            kept=typed(read_kept(fd), path),
            mode=None if how.visibility else found.st_mode & 0o777,
        )
        with translating(changing, "copy_within", to):
            return _finished(writing, fd, found.st_size)


def _finished(writing: Writing, source: int, size: int) -> Stat:
    try:
        writing.begin()
        copy_bytes(source, writing.fd, size)
        return writing.finish()
    finally:
        writing.abandon()


def typed(kept: Kept, path: str) -> Kept:
    """With the type that the path's extension says, before the file gets another path."""
    return kept if kept.content_type else replace(kept, content_type=mime.by_name(path))


def copy_bytes(source: int, target: int, size: int) -> None:
    """The first `size` bytes into an empty file."""
    done = size if _cloned(source, target, size) else 0
    for way in _WAYS:
        done = _copied(way, source, target, done, size)
    while done < size:
        part = read_at(source, min(_BLOCK, size - done), done)
        if not part:
            raise Corrupted("the file was cut while it was copied")
        write_all(target, part)
        done += len(part)


def digest(root: Root, path: str, algorithm: str) -> str:
    """The hash of a file's bytes, in lower-case hex."""
    try:
        running = hashlib.new(algorithm, usedforsecurity=False)
    except ValueError:
        raise Unsupported(f"this Python has no {algorithm!r}") from None
    if not running.digest_size:
        raise Unsupported(f"{algorithm!r} has no fixed length")
    with opened_file(root.tree(), path) as (fd, found):
        done = 0
        while part := read_at(fd, min(_BLOCK, found.st_size - done), done):
            running.update(part)
            done += len(part)
        if done < found.st_size:
            raise Corrupted("the file was cut while it was read")
    return running.hexdigest()


def _copied(
    way: Callable[[int, int, int, int], int], source: int, target: int, done: int, size: int
) -> int:
    while done < size:
        try:
            count = way(source, target, min(size - done, _AT_ONCE), done)
        except OSError as error:
            if error.errno not in _NOT_OFFERED:
                raise
            return done
        if not count:
            return done
        done += count
    return done


def _by_range(source: int, target: int, count: int, offset: int) -> int:
    return os.copy_file_range(source, target, count, offset)


def _by_send(source: int, target: int, count: int, offset: int) -> int:
    return os.sendfile(target, source, offset, count)


if sys.platform == "linux":
    import fcntl

    def _cloned(source: int, target: int, size: int) -> bool:
        """Share the blocks, where the file system can (btrfs, xfs)."""
        try:
            fcntl.ioctl(target, _FICLONE, source)
        except OSError as error:
            if error.errno in _NOT_OFFERED:
                return False
            raise
        if os.fstat(source).st_size < size:
            raise Corrupted("the file was cut while it was copied")
        os.ftruncate(target, size)
        os.lseek(target, 0, os.SEEK_END)
        return True

    _WAYS: tuple[Callable[[int, int, int, int], int], ...] = (_by_range, _by_send)

else:

    def _cloned(source: int, target: int, size: int) -> bool:
        return False

    _WAYS = ()
