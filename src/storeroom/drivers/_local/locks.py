"""Advisory locks between all writers of one folder, also those of other processes."""

import errno
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

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


@contextmanager
def locked(*folders: Directory, shared: bool = False) -> Generator[bool]:
    """Hold the folders' locks: whether there are any (some file systems and Windows have none).

    Who checks before the commit excludes all others; who commits in one step without looking only
    excludes those, and is `shared`. Locks are taken in one order everywhere, and never held over a
    wait for anything else.
    """
    if len(folders) == 1:
        with _locked(folders[0], shared=shared) as safe:
            yield safe
        return
    with ExitStack() as stack:
        unique = {folder.identity(): folder for folder in folders}
        held = [stack.enter_context(_locked(unique[key], shared=shared)) for key in sorted(unique)]
        yield all(held)


@contextmanager
def _locked(folder: Directory, *, shared: bool) -> Generator[bool]:
    if folder.fd is None or not _wait_for(folder.fd, shared=shared):
        yield False
        return
    try:
        yield True
    finally:
        release(folder.fd)


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

    def acquire(fd: int, *, shared: bool = False) -> bool | None:
        """Whether the lock is held now; None while somebody else has it, False where there is none."""
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in _NOT_OFFERED:
                return False
            raise
        return True

    def release(fd: int) -> None:
        """Give it back at once, also where a forked child still has the descriptor."""
        fcntl.flock(fd, fcntl.LOCK_UN)
