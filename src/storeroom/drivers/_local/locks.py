"""Advisory locks between all writers of one folder, also those of other processes."""

import ctypes
import errno
import os
import sys
import time
from types import TracebackType

from storeroom.contracts.errors import Unavailable
from storeroom.drivers._local.directory import Directory

_PATIENCE = 30.0
_NOT_OFFERED = {
    errno.EBADF,  # NFS locks only what is open for writing
    errno.EINVAL,
    errno.ENOLCK,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
}


class locked:  # noqa: N801 - reads as a phrase: `with locked(folder) as safe`
    """Hold the folders' locks: whether there are any (some file systems and Windows have none).

    Who checks before the commit excludes all others; who commits in one step without looking only
    excludes those, and is `shared`. Locks are taken in one order everywhere, and never held over a
    wait for anything else.
    """

    __slots__ = ("_folders", "_held", "_shared")

    def __init__(self, *folders: Directory, shared: bool = False) -> None:
        self._folders = folders
        self._shared = shared
        self._held: list[int] = []

    def __enter__(self) -> bool:
        folders = self._folders
        if len(folders) > 1:
            unique = {folder.identity(): folder for folder in folders}
            folders = tuple(unique[key] for key in sorted(unique))
        try:
            for folder in folders:
                if folder.fd is not None and _wait_for(folder.fd, shared=self._shared):
                    self._held.append(folder.fd)
        except BaseException:
            self._release()
            raise
        return len(self._held) == len(folders)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def _release(self) -> None:
        while self._held:
            release(self._held.pop())


def _wait_for(fd: int, *, shared: bool) -> bool:
    pause, deadline = 0.00005, 0.0
    while True:
        answer = acquire(fd, shared=shared)
        if answer is not None:
            return answer
        now = time.monotonic()
        deadline = deadline or now + _PATIENCE
        if now > deadline:
            raise Unavailable(f"another program has locked the folder for {_PATIENCE:.0f} seconds")
        time.sleep(pause)
        pause = min(pause * 2, 0.002)


if sys.platform == "win32":
    CAN_LOCK = False

    def acquire(fd: int, *, shared: bool = False) -> bool | None:
        return False

    def release(fd: int) -> None:
        return None

else:
    import fcntl

    CAN_LOCK = True
    # It never waits, so it keeps the interpreter's lock, which costs more to get again.
    _flock = ctypes.PyDLL(None, use_errno=True).flock

    def acquire(fd: int, *, shared: bool = False) -> bool | None:
        """Whether the lock is held now; None while somebody else has it, False where there is none."""
        if _flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB) == 0:
            return True
        code = ctypes.get_errno()
        if code == errno.EWOULDBLOCK:
            return None
        if code in _NOT_OFFERED:
            return False
        raise OSError(code, os.strerror(code))

    def release(fd: int) -> None:
        """Give it back at once, also where a forked child still has the descriptor."""
        _flock(fd, fcntl.LOCK_UN)
