"""Small files from the page cache, on the loop itself: every call here answers without waiting.

`openat2` with `RESOLVE_CACHED` (Linux 5.12) and `preadv2` with `RWF_NOWAIT` answer from memory or say
`EAGAIN`; a worker thread then does what they could not. Only file systems on local disks are asked,
for others go to a server on opening.
"""

import errno
import os
import stat

from storeroom.contracts.errors import NotFound
from storeroom.contracts.values import ReadOptions, Stat
from storeroom.drivers._local.beneath import Beneath
from storeroom.drivers._local.facts import facts
from storeroom.drivers._local.kept import read_kept
from storeroom.drivers._local.reading import check_conditions, span
from storeroom.drivers._local.root import Root

__all__ = ["glance", "grab"]

_LARGEST = 256 * 1024
_BLOCK = 4096
_NOWAIT = getattr(os, "RWF_NOWAIT", 0)
_NEVER = frozenset((errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP))


def glance(root: Root, path: str, /) -> Stat | None:
    """The facts of a file, None where telling them may wait; missing is `NotFound`."""
    tree = _ready(root)
    fd = None if tree is None else _named(tree, path)
    if fd is None:
        return None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or _has_more(found):
            return None
        return facts(path, found, read_kept(f"/proc/self/fd/{fd}"))
    finally:
        os.close(fd)


def grab(root: Root, path: str, how: ReadOptions, /) -> tuple[Stat, bytes] | None:
    """A file's facts and bytes, None where reading them may wait; missing is `NotFound`."""
    tree = _ready(root)
    name = None if tree is None else _named(tree, path)
    if tree is None or name is None:
        return None
    try:
        found = os.fstat(name)
        if not stat.S_ISREG(found.st_mode) or _has_more(found):
            return None
        start, stop = span(found, how)
        if stop - start > _LARGEST:
            return None
        check_conditions(found, how)
        fd = os.open(f"/proc/self/fd/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.EACCES:
            raise
        return None
    finally:
        os.close(name)
    try:
        content = _cached(tree, fd, start, stop - start)
        return None if content is None else (facts(path, found, read_kept(fd)), content)
    finally:
        os.close(fd)


def _named(tree: Beneath, path: str) -> int | None:
    try:
        return tree.open_cached(path)
    except FileNotFoundError:
        raise NotFound("there is no file here") from None
    except OSError as error:
        if error.errno in _NEVER:
            tree.answers_at_once = False
        return None


def _cached(tree: Beneath, fd: int, start: int, count: int) -> bytes | None:
    """Exactly these bytes if all are in memory."""
    if count == 0:
        return b""
    buffer = bytearray(count)
    try:
        got = os.preadv(fd, [buffer], start, _NOWAIT)
    except OSError as error:
        if error.errno in _NEVER:
            tree.answers_at_once = False
        return None
    return bytes(buffer) if got == count else None


def _has_more(found: os.stat_result) -> bool:
    """Whether blocks beside the content hold attributes, which may have to be read from the disk."""
    return found.st_blocks * 512 - found.st_size >= _BLOCK


def _ready(root: Root) -> Beneath | None:
    """The tree, if it is open and its file system answers without waiting."""
    tree = root.current()
    return tree if isinstance(tree, Beneath) and tree.answers_at_once else None
