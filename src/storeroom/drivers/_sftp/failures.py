"""How a request can fail, and what that means: kinds, with sentences that show the way out."""

from typing import Final, Literal

from storeroom.contracts.errors import (
    NotFound,
    Obstructed,
    PermissionDenied,
    StorageError,
    Timeout,
    Unavailable,
    Unsupported,
)
from storeroom.drivers._sftp import wire

__all__ = ["Lost", "Refused", "changing", "linked", "obstructed", "readable", "reading"]

Why = Literal["unreachable", "dropped", "idle"]

GONE: Final = "there is no file here"
IN_THE_WAY: Final = "a file stands where a folder is needed, or a folder where a file is"
_SAID: Final = 200


class Lost(Exception):
    """No reply came: the connection broke, or was never there."""

    def __init__(self, why: Why, reason: str) -> None:
        super().__init__(why, reason)
        self.why: Why = why
        self.reason = readable(reason)


class Refused(Exception):
    """The server answered with a status that is not good; `said` are its own words."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(code, said)
        self.code = code
        self.said = said

    @property
    def is_missing(self) -> bool:
        return self.code == wire.NO_SUCH_FILE

    @property
    def is_denied(self) -> bool:
        return self.code == wire.PERMISSION_DENIED

    @property
    def is_vague(self) -> bool:
        """Whether it says no more than that it failed: then one has to look."""
        return self.code == wire.FAILURE


def reading(error: Exception) -> StorageError | None:
    """The kind of an error of a verb that only looks."""
    if isinstance(error, Refused) and error.is_missing:
        return NotFound(GONE)
    return _in_common(error)


def changing(error: Exception) -> StorageError | None:
    """The kind of an error of a verb that changes something."""
    if isinstance(error, Refused) and error.is_missing:
        return Unavailable("its folder was removed meanwhile; try again")
    return _in_common(error)


def readable(said: str) -> str:
    """What a server said, fit for a message."""
    return "".join(char if char.isprintable() else "?" for char in said[:_SAID])


def linked() -> PermissionDenied:
    return PermissionDenied("a symbolic link stands in this path, and links are never followed")


def obstructed() -> Obstructed:
    return Obstructed(IN_THE_WAY)


def _in_common(error: Exception) -> StorageError | None:
    if isinstance(error, Lost):
        return _lost(error)
    if not isinstance(error, Refused):
        return None
    if error.is_denied:
        return PermissionDenied("the server does not allow this user to do that")
    if error.code == wire.UNSUPPORTED:
        return Unsupported("the server cannot do that")
    said = error.said or f"status {error.code}"
    if error.is_vague:
        return StorageError(
            f"the server fails and says only {said!r}; its log may tell why, often a disk that is "
            "full or read-only, or a quota"
        )
    return StorageError(f"the server refuses: {said}")


def _lost(error: Lost) -> StorageError:
    if error.why == "idle":
        return Timeout(
            "the server sent nothing for as long as the time-out; try again, or raise timeout"
        )
    if error.why == "unreachable":
        return Unavailable(
            f"the server does not answer: {error.reason}; check host and port, and that it runs"
        )
    return Unavailable(f"the server dropped the connection: {error.reason}")
