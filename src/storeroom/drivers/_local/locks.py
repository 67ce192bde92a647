"""Advisory locks between all writers of one folder, also those of other processes."""

import errno
import sys
import time
from collections.abc import Iterator
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
def locked(*folders: Directory) -> Iterator[bool]:
    """Hold the folders' locks: whether there are any (some file systems and Windows have none).

    They are taken in one order everywhere, only for a check and the commit after it, and never
    over a wait for anything else.
    """
    if len(folders) == 1:
        with _locked(folders[0]) as safe:
            yield safe
        return
    with ExitStack() as stack:
        unique = {folder.identity(): folder for folder in folders}
        yield all([stack.enter_context(_locked(unique[key])) for key in sorted(unique)])


@contextmanager
def _locked(folder: Directory) -> Iterator[bool]:
    if folder.fd is None or not _wait_for(folder.fd):
        yield False
        return
    try:
        yield True
    finally:
        release(folder.fd)


def _wait_for(fd: int) -> bool:
    pause, deadline = 0.00005, 0.0
    while True:
        answer = acquire(fd)
        if answer is not None:
            return answer
        now = time.monotonic()
        deadline = deadline or now + _PATIENCE
        if now > deadline:
            raise Unavailable(f"another program has locked the folder for {_PATIENCE:.0f} seconds")
        time.sleep(pause)
        pause = min(pause * 2, 0.01)


if sys.platform == "win32":
    CAN_LOCK = False

    def acquire(fd: int) -> bool | None:
        return False

    def release(fd: int) -> None:
        return None

else:
    import fcntl

    CAN_LOCK = True

    def acquire(fd: int) -> bool | None:
        """Whether the lock is held now; None while somebody else has it, False where there is none."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
