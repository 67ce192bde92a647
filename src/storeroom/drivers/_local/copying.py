"""Bytes from one file to another without passing through Python, as far as the system can."""

import errno
import os
import sys
from collections.abc import Callable

from storeroom.contracts.errors import Corrupted
from storeroom.drivers._local.descriptor import read_at, write_all

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
