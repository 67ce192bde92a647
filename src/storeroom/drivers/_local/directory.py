"""One folder held open: everything in it is done by name, relative to it, and no link is followed."""

import contextlib
import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Self

FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
READ = os.O_RDONLY | FLAGS | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
FOLDER = os.O_RDONLY | FLAGS | getattr(os, "O_DIRECTORY", 0)

IS_WINDOWS = os.name == "nt"
_NOT_SYNCED = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP}
_NO_EXCLUSIVE_RENAME = {errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP}
_NO_REPLACE, _EXCHANGE = 1, 2
_LINK_TAGS = {getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", 0xA0000003), 0xA000000C}


class Directory:
    """A folder by its descriptor; by its path where there are none (Windows), checked before use."""

    __slots__ = ("fd", "path")

    def __init__(self, fd: int | None, path: str = "") -> None:
        self.fd = fd
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        if self.fd is not None and self.fd >= 0:
            fd, self.fd = self.fd, -1
            _close(fd)

    def is_linked(self) -> bool:
        """Whether it still has a name, somewhere."""
        return self.fd is None or os.fstat(self.fd).st_nlink > 0

    def identity(self) -> tuple[int, int]:
        found = os.stat(self.path) if self.fd is None else os.fstat(self.fd)
        return found.st_dev, found.st_ino

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        if self.fd is None:
            self._refuse_link(name)
        return os.open(self._at(name), flags | FLAGS, mode, dir_fd=self.fd)

    def find(self, name: str) -> os.stat_result | None:
        """What stands at the name itself, None where nothing does."""
        try:
            return os.stat(self._at(name), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def child(self, name: str) -> "Directory":
        """The folder of this name; a link is `ELOOP`, a file `ENOTDIR`."""
        if self.fd is None:
            return self._checked_child(name)
        try:
            return Directory(os.open(name, FOLDER, dir_fd=self.fd))
        except NotADirectoryError:
            self._refuse_link(name)
            raise

    def parent(self, identity: tuple[int, int]) -> "Directory":
        """The folder above, if it is still the one of this identity."""
        above = (
            Directory(None, os.path.dirname(self.path))
            if self.fd is None
            else Directory(os.open("..", FOLDER, dir_fd=self.fd))
        )
        if above.identity() != identity:
            above.close()
            raise OSError(errno.EBUSY, "a folder was moved meanwhile")
        return above

    def entries(self) -> Iterator["os.DirEntry[str]"]:
        with os.scandir(self.path if self.fd is None else self.fd) as found:
            yield from found

    def mkdir(self, name: str, mode: int) -> None:
        os.mkdir(self._at(name), mode, dir_fd=self.fd)

    def rmdir(self, name: str) -> None:
        os.rmdir(self._at(name), dir_fd=self.fd)

    def unlink(self, name: str) -> None:
        os.unlink(self._at(name), dir_fd=self.fd)

    def chmod(self, mode: int) -> None:
        if self.fd is not None:
            os.fchmod(self.fd, mode)

    def rename(self, name: str, to: "Directory", new: str) -> None:
        os.replace(self._at(name), to._at(new), src_dir_fd=self.fd, dst_dir_fd=to.fd)

    def rename_new(self, name: str, to: "Directory", new: str) -> None:
        """Rename, or `FileExistsError`: of several at once, exactly one wins."""
        source, target = self._at(name), to._at(new)
        if IS_WINDOWS:
            os.rename(source, target)
            return
        if (
            self.fd is not None
            and to.fd is not None
            and _renamed(self.fd, name, to.fd, new, _NO_REPLACE)
        ):
            return
        os.link(source, target, src_dir_fd=self.fd, dst_dir_fd=to.fd, follow_symlinks=False)
        self.unlink(name)

    def replace(self, name: str, to: "Directory", new: str) -> None:
        """Rename over a file, in a third of the time on ext4, which writes the blocks out otherwise.

        The two change places, then the old one goes: a crash in between leaves a temporary file, a
        power cut maybe an empty one (https://www.kernel.org/doc/html/latest/admin-guide/ext4.html,
        auto_da_alloc). So only for what need not be durable.
        """
        if self.fd is None or to.fd is None or not _renamed(self.fd, name, to.fd, new, _EXCHANGE):
            self.rename(name, to, new)
            return
        try:
            self.unlink(name)
        except IsADirectoryError:
            _renamed(self.fd, name, to.fd, new, _EXCHANGE)
            raise
        except OSError:
            return  # the file is in its place; a sweep finds the old one

    def sync(self) -> None:
        if self.fd is not None:
            sync(self.fd)

    def _at(self, name: str) -> str:
        return name if self.fd is not None else os.path.join(self.path, name)

    def _checked_child(self, name: str) -> "Directory":
        found = os.lstat(self._at(name))
        if is_link(found):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if not stat.S_ISDIR(found.st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return Directory(None, self._at(name))

    def _refuse_link(self, name: str) -> None:
        found = self.find(name)
        if found is not None and is_link(found):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def is_link(found: os.stat_result) -> bool:
    """Whether it leads elsewhere: a symbolic link, or a junction on Windows."""
    return stat.S_ISLNK(found.st_mode) or getattr(found, "st_reparse_tag", 0) in _LINK_TAGS


def sync(fd: int) -> None:
    """Bring it to the disk itself, as far as the file system can."""
    try:
        _sync(fd)
    except OSError as error:
        if error.errno not in _NOT_SYNCED:
            raise


def _renamed(source: int, name: str, target: int, new: str, how: int) -> bool:
    if _renameat2 is None:
        return False
    if _renameat2(source, os.fsencode(name), target, os.fsencode(new), how) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_EXCLUSIVE_RENAME or (how == _EXCHANGE and code == errno.ENOENT):
        return False
    raise OSError(code, os.strerror(code))


if sys.platform == "darwin":
    import fcntl

    def _sync(fd: int) -> None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
        os.fsync(fd)

else:
    _sync = os.fsync

_close = ctypes.PyDLL(None).close if sys.platform == "linux" else os.close
_renameat2 = (
    getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if sys.platform == "linux"
    else None
)
