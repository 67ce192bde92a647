"""Errors by kind: servers have few codes and many words."""

import re
from collections.abc import Callable
from typing import Final

from storeroom.contracts.errors import (
    AlreadyExists,
    ConfigError,
    Corrupted,
    InvalidPath,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    StorageError,
    Timeout,
    Unavailable,
    Unsupported,
)
from storeroom.drivers._ftp.replies import Full, Refused, Reply, Short
from storeroom.drivers._http.wire import Lost

__all__ = ["check_shown", "explaining", "is_denial", "unknown_outcome", "why_not"]

_DENIED: Final = re.compile(
    r"denied|permission|privilege|not permitted|not allowed|forbidden|prohibited|read.?only"
    r"|not authori[sz]ed",
    re.IGNORECASE,
)
_WORDS: Final[tuple[tuple[re.Pattern[str], type[StorageError], str], ...]] = (
    (_DENIED, PermissionDenied, "the server does not allow this"),
    (re.compile(r"exists", re.IGNORECASE), AlreadyExists, "something is there already"),
    (
        re.compile(r"too long", re.IGNORECASE),
        InvalidPath,
        "it is longer than the server takes; shorten it",
    ),
)
_CODES: Final[dict[int, tuple[type[StorageError], str]]] = {
    421: (Unavailable, "the server ends the connection"),
    425: (Unavailable, "the server could not open the data connection"),
    426: (Unavailable, "the data connection broke"),
    450: (Unavailable, "the file is in use at the server; try again later"),
    451: (Unavailable, "the server failed; try again later"),
    500: (Unsupported, "the server has no such command"),
    501: (Unsupported, "the server does not take the name, or the command's form"),
    502: (Unsupported, "the server has no such command"),
    503: (Unavailable, "the server lost the thread; try again"),
    504: (Unsupported, "the server does not take the command's form"),
    522: (Unsupported, "the server wants data connections of another kind; see tls and passive"),
    530: (PermissionDenied, "the server wants another login for this"),
    532: (PermissionDenied, "the server wants an account for storing"),
    534: (PermissionDenied, "the server wants TLS for this, or no TLS; see tls"),
    553: (PermissionDenied, "the server does not take a file of this name here"),
}


def is_denial(reply: Reply, /) -> bool:
    """Whether the server says that this login may not."""
    if reply.code in (530, 532, 534):
        return True
    return bool(_DENIED.search(reply.words)) and not reply.says_missing


def check_shown(refused: Refused, /) -> None:
    """Raise where a server that shows nothing does not mean that there is nothing."""
    if is_denial(refused.reply):
        raise PermissionDenied(f"the server does not show it ({refused})") from refused
    if refused.reply.is_passing or refused.code == 503:
        raise refused


def why_not(refused: Refused, reason: str, /) -> Exception:
    """A refusal that says nothing of why, about what is there: the server, or this login, may not."""
    if _known(refused.reply)[0] is StorageError:
        return PermissionDenied(f"{reason} ({refused})")
    return refused


def explaining(origin: str, /) -> Callable[[Exception], StorageError | None]:
    """The table of one server."""

    def table(error: Exception) -> StorageError | None:
        if isinstance(error, Refused):
            return _refused(error)
        if isinstance(error, Short):
            return Corrupted(
                f"{error}, though it says that all is well; nothing was changed",
                retryable=True,
            )
        return _lost(error, origin) if isinstance(error, Lost) else None

    return table


def unknown_outcome(what: str, path: str, /) -> Unavailable:
    """The reply to what changes a file was lost, and looking did not tell."""
    return Unavailable(
        f"the reply to {what} was lost, so the outcome is unknown; look at the file before you "
        "do it again",
        path=path,
        retryable=False,
    )


def _refused(error: Refused) -> StorageError:
    kind, reason = _known(error.reply)
    return kind(f"{reason} ({error})")


def _known(reply: Reply) -> tuple[type[StorageError], str]:
    if reply.is_full:
        return QuotaExceeded, "the server's disk is full, or the quota is used up"
    if reply.code in (450, 451, 550, 553):
        if reply.says_missing:
            return NotFound, "it does not exist"
        for words, kind, reason in _WORDS:
            if words.search(reply.words):
                return kind, reason
    return _CODES.get(reply.code, (StorageError, "the server refuses"))


def _lost(error: Lost, origin: str) -> StorageError:
    if error.why == "certificate":
        return ConfigError(
            f"{origin} shows a certificate that is not trusted: {error.reason}; give its "
            "authority: verify='ca.pem'"
        )
    if isinstance(error, Full):
        return Unavailable(
            f"{origin} takes no more connections ({error.reason}); try again later, or lower "
            "pool_size"
        )
    if error.why == "idle":
        return Timeout(
            f"{origin} sent nothing for as long as the time-out; try again, or raise timeout"
        )
    if error.why == "unreachable":
        return Unavailable(
            f"{origin} does not answer: {error.reason}; check host and port, and that the "
            "server runs"
        )
    return Unavailable(f"the connection to {origin} is lost: {error.reason}")
