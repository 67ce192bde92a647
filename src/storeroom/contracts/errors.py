"""Every failure by its kind, each also the builtin exception people already catch."""

import errno
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol

__all__ = [
    "AlreadyExists",
    "Closed",
    "ConfigError",
    "Corrupted",
    "InvalidArgument",
    "InvalidPath",
    "MissingPackage",
    "NotFound",
    "NotModified",
    "Obstructed",
    "PermissionDenied",
    "PreconditionFailed",
    "QuotaExceeded",
    "StorageError",
    "Timeout",
    "Unavailable",
    "Unsupported",
    "from_os_error",
    "translating",
]


class StorageError(Exception):
    """A disk could not do what was asked; the kinds below say why.

    `operation` is the verb, `disk` the disk's name, `path` the path on that disk, each None where
    unknown; `retryable` says whether the same call may succeed later. The error of the service is
    `__cause__`.
    """

    retryable: bool = False

    def __init__(
        self,
        reason: str = "",
        /,
        *,
        operation: str | None = None,
        disk: str | None = None,
        path: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.operation = operation
        self.disk = disk
        self.path = path
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        where = [self.operation or "", repr(self.path) if self.path is not None else ""]
        if self.disk:
            where.append(f"on disk {self.disk!r}")
        subject = " ".join(part for part in where if part)
        return ": ".join(part for part in (subject, self.reason) if part)

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {
            "operation": self.operation,
            "disk": self.disk,
            "path": self.path,
            "retryable": self.retryable,
        }
        return (_rebuild, (type(self), self.reason, fields))

    def located(
        self, *, operation: str | None = None, disk: str | None = None, path: str | None = None
    ) -> None:
        """Fill in what is not known yet of where this happened."""
        self.operation = self.operation or operation
        self.disk = self.disk or disk
        if self.path is None:
            self.path = path


class NotFound(StorageError, FileNotFoundError):
    """There is no file at this path."""

    errno = errno.ENOENT


class AlreadyExists(StorageError, FileExistsError):
    """Something is at this path already, and `overwrite=False` was asked for."""

    errno = errno.EEXIST


class PermissionDenied(StorageError, PermissionError):
    """The credentials, a signature or the file system's modes do not allow this."""

    errno = errno.EACCES


class Obstructed(StorageError, OSError):
    """A file stands where a folder is needed, or a folder where a file is."""

    errno = errno.EISDIR


class InvalidArgument(StorageError, ValueError):
    """A value no disk accepts: a range, a visibility, an algorithm, a body already consumed."""


class InvalidPath(InvalidArgument):
    """A path that is refused, never repaired; the message says what to write instead."""


class PreconditionFailed(StorageError):
    """The object is not the one that `if_match` named."""


class NotModified(StorageError):
    """The object is still the one that `if_none_match` named."""


class Unsupported(StorageError):
    """This disk cannot do that; nothing was touched."""


class Unavailable(StorageError, ConnectionError):
    """The service did not answer, or asked to come back later."""

    retryable = True


class Timeout(StorageError, TimeoutError):
    """Nothing arrived for as long as the disk's time-out."""

    retryable = True
    errno = errno.ETIMEDOUT


class Corrupted(StorageError):
    """Bytes are missing, surplus or changed."""


class QuotaExceeded(StorageError, OSError):
    """The disk is full, or the account's quota is used up."""

    errno = errno.ENOSPC


class Closed(StorageError):
    """The driver was closed; build a new one, or go through `Storage.disk(name)`."""


class ConfigError(StorageError, ValueError):
    """The configuration does not say what is needed, or says something unknown."""


class MissingPackage(StorageError, ImportError):
    """A package of an extra is not installed; the message names the pip command."""


def from_os_error(error: OSError, /) -> StorageError:
    """The kind of an operating system's error, by errno."""
    kind = _OS_KINDS.get(error.errno or 0, StorageError)
    return kind(error.strerror or type(error).__name__)


class translating:  # noqa: N801 - reads as a phrase: `with translating(...)`
    """Turn a foreign exception into a kind, with operation and path; one per verb of a driver.

    `table` gives the kind for an exception, or None for what it does not know (a bug, then left
    alone). What the caller's own body raised (`body.error`) passes through untouched.
    """

    __slots__ = ("_body", "_operation", "_path", "_table")

    def __init__(
        self,
        table: Callable[[Exception], StorageError | None],
        operation: str,
        path: str | None = None,
        /,
        *,
        body: "_Failing | None" = None,
    ) -> None:
        self._table = table
        self._operation = operation
        self._path = path
        self._body = body

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, Exception):
            return
        if self._body is not None and self._body.error is not None:
            if self._body.error is error:
                return
            raise self._body.error
        if isinstance(error, StorageError):
            error.located(operation=self._operation, path=self._path)
            return
        translated = self._table(error)
        if translated is not None:
            translated.located(operation=self._operation, path=self._path)
            raise translated from error


class _Failing(Protocol):
    @property
    def error(self) -> Exception | None: ...


def _rebuild(kind: type[StorageError], reason: str, fields: dict[str, Any]) -> StorageError:
    return kind(reason, **fields)


_OS_KINDS: dict[int, type[StorageError]] = {
    errno.ENOENT: NotFound,
    errno.EEXIST: AlreadyExists,
    errno.EACCES: PermissionDenied,
    errno.EPERM: PermissionDenied,
    errno.EROFS: PermissionDenied,
    errno.ELOOP: PermissionDenied,
    errno.ENOTDIR: Obstructed,
    errno.EISDIR: Obstructed,
    errno.ENOTEMPTY: Obstructed,
    errno.ENAMETOOLONG: InvalidPath,
    errno.EILSEQ: InvalidPath,
    errno.ENOSPC: QuotaExceeded,
    errno.EDQUOT: QuotaExceeded,
    errno.EFBIG: QuotaExceeded,
    errno.ETIMEDOUT: Timeout,
    errno.EOPNOTSUPP: Unsupported,
    errno.EIO: Unavailable,
    errno.ESTALE: Unavailable,
    errno.EMFILE: Unavailable,
    errno.ENFILE: Unavailable,
    errno.ENOMEM: Unavailable,
    errno.EAGAIN: Unavailable,
    errno.EBUSY: Unavailable,
}
