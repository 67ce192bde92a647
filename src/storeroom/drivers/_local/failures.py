"""What the operating system's errors mean, when reading and when changing."""

import errno
import os

from storeroom.contracts.errors import (
    InvalidPath,
    NotFound,
    Obstructed,
    PermissionDenied,
    StorageError,
    Unavailable,
    Unsupported,
    from_os_error,
)

_NOTHING_THERE = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENXIO,  # a socket, or a device nobody serves
    errno.ENODEV,
}
_IN_THE_WAY = {errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.ENOTEMPTY}


def reading(error: Exception) -> StorageError | None:
    """The kind of an error of a verb that only looks."""
    if not isinstance(error, OSError):
        return None
    if error.errno in _NOTHING_THERE:
        return NotFound("there is no file here")
    return _in_common(error)


def changing(error: Exception) -> StorageError | None:
    """The kind of an error of a verb that changes something."""
    if not isinstance(error, OSError):
        return None
    if error.errno in _IN_THE_WAY:
        return Obstructed("a file stands where a folder is needed, or a folder where a file is")
    if error.errno == errno.ENOENT:
        return Unavailable("its folder was removed meanwhile; try again")
    return _in_common(error)


def is_missing(error: OSError) -> bool:
    """Whether nothing is at the path: also where a file stands in place of a folder above."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR)


def is_swapped(error: OSError) -> bool:
    """Whether a folder is gone, or something else stands in its place now."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def linked() -> PermissionDenied:
    return PermissionDenied("a symbolic link stands in this path, and links are never followed")


def _in_common(error: OSError) -> StorageError:
    if error.errno == errno.ELOOP:
        return linked()
    if error.errno == errno.ENAMETOOLONG:
        return InvalidPath("a name is longer than this file system takes; shorten it")
    if error.errno == errno.EXDEV:
        return Unsupported("the two paths lie on different file systems")
    known = from_os_error(error)
    if type(known) is not StorageError:
        return known
    return StorageError(os.strerror(error.errno) if error.errno else str(error))
