"""One write: a temporary file in the same folder, made durable, then put in place in one step."""

import contextlib
import errno
import os
import secrets
import time
from itertools import count

from storeroom.contracts import threads
from storeroom.contracts.body import Piece
from storeroom.contracts.errors import (
    AlreadyExists,
    Corrupted,
    PreconditionFailed,
    StorageError,
)
from storeroom.contracts.paths import RESERVED
from storeroom.contracts.values import Stat, WriteOptions
from storeroom.drivers._local.beneath import made, nearest
from storeroom.drivers._local.copying import copy_bytes
from storeroom.drivers._local.descriptor import write_all
from storeroom.drivers._local.directory import FLAGS, IS_WINDOWS, Directory, sync
from storeroom.drivers._local.facts import check_match, check_target, facts
from storeroom.drivers._local.kept import HAS_XATTRS, Kept, write_kept
from storeroom.drivers._local.locks import acquire, locked
from storeroom.drivers._local.root import Root
from storeroom.drivers._local.rules import Rules

TEMPORARY = f"{RESERVED}tmp-"

_PROCESS = secrets.token_hex(4)
_numbers = count()
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | FLAGS
_HAS_MODES = hasattr(os, "fchmod")
BLOCK = 1 << 20
_NO_HARD_LINKS = {errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}


def temporary_name() -> str:
    """A name that no other writer uses, here or in another process."""
    return f"{TEMPORARY}{_PROCESS}-{os.getpid():x}-{next(_numbers):x}"


class Writing:
    """The steps of one write, each called in a worker thread: `begin`, `add`..., `finish`.

    `abandon` undoes all that was not finished; so does garbage collection, as a last resort. The
    temporary file is locked for as long as it lives, which keeps it from being swept.
    """

    def __init__(
        self,
        root: Root,
        rules: Rules,
        path: str,
        how: WriteOptions,
        *,
        size: int | None = None,
        kept: Kept | None = None,
        mode: int | None = None,
    ) -> None:
        self.fd = -1
        self._home: Directory | None = None
        self._nearest = ""
        self._temporary = ""
        self._at_once = False
        self.length = 0
        self._root = root
        self._rules = rules
        self._path = path
        self._how = how
        self._size = size
        self._is_large = size is not None and size > BLOCK
        self._kept = Kept.given(how, path) if kept is None else kept.changed_by(how).under(path)
        self._mode = rules.file_mode(how.visibility) if mode is None else mode
        self._folder, _, self._name = path.rpartition("/")

    def begin(self, *, at_once: bool = False) -> "Writing":
        """Make the temporary file, as far down the path as there are folders.

        With `at_once`, `finish` follows in the same call: nothing need be looked at twice.
        """
        tree = self._root.made()
        self._home, self._nearest = nearest(tree, self._folder)
        self._at_once = at_once and self._nearest == self._folder
        if not self._at_once:
            self._look_first(self._home)
        self._temporary = temporary_name()
        self.fd = self._home.open(self._temporary, _NEW, self._mode)
        if not at_once:
            acquire(self.fd)
        self._keep()
        if self._size is not None and self._is_large:
            self._reserve(self._size)
        return self

    def add(self, *pieces: Piece) -> None:
        self.length += write_all(self.fd, *pieces)

    def fill(self, source: int, length: int) -> None:
        """Add the first bytes of another open file."""
        copy_bytes(source, self.fd, length)
        self.length += length

    def check(self) -> os.stat_result:
        """The facts of the temporary file, if all that was added to it has arrived."""
        found = os.fstat(self.fd)
        arrived = found.st_size
        if self._is_large and arrived == self.length:  # the reserved size says nothing
            arrived = os.lseek(self.fd, 0, os.SEEK_CUR)
        if arrived != self.length:
            raise Corrupted(f"{self.length} bytes were written and {arrived} arrived")
        return found

    def finish(self) -> Stat:
        """Put the file in its place, whole; from here on it is the new one, or still the old."""
        if not IS_WINDOWS:
            now = time.time_ns()
            os.utime(self.fd, ns=(now, now))
        found = self.check()
        if _HAS_MODES and found.st_mode & 0o7777 != self._mode:
            os.fchmod(self.fd, self._mode)  # the umask had its way
        if self._rules.syncs_files:
            sync(self.fd)
        if IS_WINDOWS:  # which renames no open file
            self._close()
        self._put_in_place()
        return facts(self._path, found, self._kept)

    def finish_as(self, how: WriteOptions) -> Stat:
        """Finish under other conditions than those it began with."""
        self._how = how
        return self.finish()

    def abandon(self) -> None:
        """Remove what was not put in place."""
        _remove(*self._let_go())

    def __del__(self) -> None:
        if self.fd >= 0 or self._home is not None:  # dropped by a cancelled call
            threads.off_the_loop(_remove, *self._let_go())

    def _let_go(self) -> tuple[int, Directory | None, str]:
        left = (self.fd, self._home, self._temporary)
        self.fd, self._home, self._temporary = -1, None, ""
        return left

    def _look_first(self, home: Directory) -> None:
        if self._nearest != self._folder:
            if self._how.if_match is not None:
                raise PreconditionFailed("there is no file, and if_match names one")
            return
        found = home.find(self._name)
        check_target(found, self._path)
        if found is not None and not self._how.overwrite:
            raise AlreadyExists("a file is here already", path=self._path)
        check_match(found, self._how.if_match, self._path, safe=True)

    def _keep(self) -> None:
        if not self._kept.is_empty:
            must = self._how.metadata is not None and not self._how.carried
            self._kept = write_kept(self.fd, self._kept, must=must)
        elif self._kept.metadata is None and HAS_XATTRS:
            self._kept = Kept(metadata={})

    def _reserve(self, size: int) -> None:
        if not hasattr(os, "posix_fallocate"):
            return
        try:
            os.posix_fallocate(self.fd, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise

    def _put_in_place(self) -> None:
        home, rules = self._home, self._rules
        if home is None:
            raise RuntimeError("this write was abandoned")
        if self._at_once:
            self._place(home, home)
        else:
            mode, thorough = rules.folder_mode(), rules.syncs_files
            with made(self._root.made(), self._folder, mode, sync=thorough) as parent:
                self._place(home, parent)
        self.abandon()

    def _place(self, home: Directory, parent: Directory) -> None:
        place(
            home,
            self._temporary,
            parent,
            self._path,
            self._how,
            quick=not self._rules.syncs_files,
        )
        self._temporary = ""
        if self._rules.syncs_files:
            parent.sync()

    def _close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def _remove(fd: int, home: Directory | None, name: str) -> None:
    if fd >= 0:
        os.close(fd)
    if home is not None:
        with home, contextlib.suppress(OSError):
            if name:
                home.unlink(name)


def place(
    home: Directory,
    name: str,
    parent: Directory,
    path: str,
    how: WriteOptions,
    *,
    quick: bool = False,
) -> None:
    """Rename a file to its path, under the conditions; `quick` where it need not be durable."""
    if how.overwrite or how.if_match is not None:
        with locked(parent, shared=how.if_match is None) as safe:
            place_locked(home, name, parent, path, how, safe=safe, quick=quick)
        return
    try:
        _place_new(home, name, parent, path)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS or isinstance(error, StorageError):
            raise
        with locked(parent) as safe:
            place_locked(home, name, parent, path, how, safe=safe)


def place_locked(
    home: Directory,
    name: str,
    parent: Directory,
    path: str,
    how: WriteOptions,
    *,
    safe: bool,
    quick: bool = False,
) -> None:
    """The same while the folders' locks are held, if there are any: `safe` says so."""
    target = path.rpartition("/")[2]
    found = parent.find(target)
    check_target(found, path)
    if found is not None and not how.overwrite:
        raise AlreadyExists("a file is here already", path=path)
    check_match(found, how.if_match, path, safe=safe)
    if how.overwrite and quick and found is not None:
        home.replace(name, parent, target)
        return
    if how.overwrite:
        home.rename(name, parent, target)
        return
    try:
        _place_new(home, name, parent, path)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS or isinstance(error, StorageError):
            raise
        home.rename(name, parent, target)


def store(root: Root, rules: Rules, path: str, data: bytes, how: WriteOptions) -> Stat:
    """A whole write in one step."""
    writing = Writing(root, rules, path, how, size=len(data))
    try:
        writing.begin(at_once=True)
        writing.add(data)
        return writing.finish()
    finally:
        writing.abandon()


def _place_new(home: Directory, name: str, parent: Directory, path: str) -> None:
    target = path.rpartition("/")[2]
    try:
        home.rename_new(name, parent, target)
    except FileExistsError as error:
        check_target(parent.find(target), path)
        raise AlreadyExists("a file is here already", path=path) from error
