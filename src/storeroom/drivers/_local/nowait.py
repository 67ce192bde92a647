"""Small files from the page cache, on the loop itself: every call here answers without waiting.

`openat2` with `RESOLVE_CACHED` (Linux 5.12) and `preadv2` with `RWF_NOWAIT` answer from memory or say
`EAGAIN`; a worker thread then does what they could not. Only file systems on local disks are asked,
for others go to a server on opening.
"""

import errno
import os
import stat
from collections.abc import Callable
from functools import partial

from storeroom.contracts.errors import NotFound
from storeroom.contracts.values import WHOLE, ReadOptions, Stat
from storeroom.drivers._local.beneath import Beneath
from storeroom.drivers._local.directory import FOLDER
from storeroom.drivers._local.facts import bare_facts, facts
from storeroom.drivers._local.kept import has_kept, read_kept
from storeroom.drivers._local.reading import check_conditions, span
from storeroom.drivers._local.root import Root

__all__ = ["glance", "grab"]

_LARGEST = 256 * 1024
_BLOCK = 4096
_NOWAIT = getattr(os, "RWF_NOWAIT", 0)
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_NEVER = frozenset((errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP))

_tables: dict[int, int] = {}
"""Each process's own table of descriptors, held open: a forked child must never use its parent's."""


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
        return _told(path, found, f"/proc/self/fd/{fd}")()
    finally:
        os.close(fd)


def grab(root: Root, path: str, how: ReadOptions, /) -> tuple[Callable[[], Stat], bytes] | None:
    """A file's facts and bytes, None where reading them may wait; missing is `NotFound`."""
    tree = _ready(root)
    name = None if tree is None else _named(tree, path)
    if tree is None or name is None:
        return None
    try:
        found = os.fstat(name)
        start, stop = (0, found.st_size) if how is WHOLE else span(found, how)
        if not stat.S_ISREG(found.st_mode) or _has_more(found) or stop - start > _LARGEST:
            return None
        check_conditions(found, how)
        fd = _opened(name)
    finally:
        os.close(name)
    if fd is None:
        return None
    try:
        content = _cached(tree, fd, start, stop - start)
        return None if content is None else (_told(path, found, fd), content)
    finally:
        os.close(fd)


def _told(path: str, found: os.stat_result, fd: int | str) -> Callable[[], Stat]:
    """The facts, put together when they are asked for."""
    if not has_kept(fd):
        return partial(bare_facts, path, found)
    return partial(facts, path, found, read_kept(fd))


def _named(tree: Beneath, path: str) -> int | None:
    """A descriptor that only names the file, which a FIFO or device does not notice."""
    try:
        return tree.open_cached(path)
    except FileNotFoundError:
        if tree.root.is_linked():
            raise NotFound("there is no file here") from None
        return None
    except OSError as error:
        if error.errno in _NEVER:
            tree.answers_at_once = False
        return None


def _opened(name: int) -> int | None:
    own = _tables.get(os.getpid())
    try:
        if own is None:
            own = _tables[os.getpid()] = os.open("/proc/self/fd", FOLDER)
        return os.open(str(name), _READ, dir_fd=own)
    except OSError:  # no access, no /proc, no descriptor left: opening by path says it better
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
    tree = root.current
    return tree if isinstance(tree, Beneath) and tree.answers_at_once else None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tables.clear)
