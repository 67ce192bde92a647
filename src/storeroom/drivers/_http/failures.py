"""Errors by kind: a service's codes and statuses become kinds, with sentences that show the way out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from storeroom.contracts.errors import (
    ConfigError,
    InvalidArgument,
    NotFound,
    NotModified,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Timeout,
    Unavailable,
    Unsupported,
)
from storeroom.drivers._http.wire import Lost, Refused, Request

__all__ = ["GONE", "Failures", "Known", "Table", "check_settled", "unknown_outcome", "unsettled"]

Table = Callable[[Exception], StorageError | None]
"""What `translating` asks for the kind of an error."""

Known = tuple[type[StorageError], str]
"""A kind, and its sentence."""

GONE: Final = "there is no such file"

_STATUSES: Final[Mapping[int, Known]] = {
    304: (NotModified, "the file is still the one that if_none_match names"),
    400: (StorageError, "the service refuses the request"),
    401: (PermissionDenied, "the credentials do not allow this"),
    403: (PermissionDenied, "the credentials do not allow this"),
    404: (NotFound, GONE),
    405: (Unsupported, "the service does not allow this here"),
    409: (Unavailable, "another request is at work on this"),
    411: (Unsupported, "the service wants the length first"),
    412: (PreconditionFailed, "the file is not the one that if_match names"),
    413: (InvalidArgument, "it is larger than the service takes"),
    429: (Unavailable, "the service asks for fewer requests"),
    501: (Unsupported, "the service has no such thing"),
    507: (QuotaExceeded, "the service's disks are full"),
}
_PASSING: Final = frozenset((408, 429))


@dataclass(frozen=True, slots=True)
class Failures:
    """One service's errors: kinds by its codes, and by status where they differ from the usual ones.

    `throttled` and `retried` are as `HttpService` has them, `ids` the headers that name a request,
    `endpoint` the option that says where the service is.
    """

    codes: Mapping[str, Known]
    statuses: Mapping[int, Known] = field(default_factory=dict[int, Known], hash=False)
    throttled: frozenset[str] = frozenset()
    retried: frozenset[str] = frozenset()
    ids: tuple[str, ...] = ()
    endpoint: str = "endpoint_url"

    def kind_of(self, error: Exception, origin: str = "", /) -> StorageError | None:
        """The kind of a request that failed; None for what is no failure of the service."""
        if isinstance(error, Refused):
            return self._refused(error)
        return (
            self._lost(error, f"{origin} " if origin else "") if isinstance(error, Lost) else None
        )

    def _refused(self, error: Refused) -> StorageError:
        known = self.codes.get(error.code)
        if known is None and error.code in self.throttled:
            known = (Unavailable, "the service asks for fewer requests")
        if known is None and (error.code in self.retried or error.status >= 500):
            known = self._by_status(error) or (
                Unavailable,
                "the service failed; try again later",
            )
        kind, reason = (
            known
            or self._by_status(error)
            or (StorageError, f"the service answered with status {error.status}")
        )
        return kind(f"{reason}{self._said(error, understood=known is not None)}")

    def _by_status(self, error: Refused) -> Known | None:
        return self.statuses.get(error.status) or _STATUSES.get(error.status)

    def _said(self, error: Refused, *, understood: bool) -> str:
        """The code and the request's id; the service's own words where they may say more than ours."""
        words = [f"status {error.status}" if not error.code else error.code]
        if not understood and error.failure.message:
            words[0] += f": {error.failure.message[:200]}"
        named = (error.headers.get(name) for name in self.ids)
        number = error.failure.request_id or next(filter(None, named), None)
        if number:
            words.append(f"request {number}")
        return f" ({', '.join(words)})"

    def _lost(self, error: Lost, origin: str) -> StorageError:
        if error.why == "certificate":
            return ConfigError(
                f"{origin}shows a certificate that is not trusted: {error.reason}; give its "
                "authority: verify='ca.pem'"
            )
        if error.why == "idle":
            return Timeout(
                f"{origin}sent nothing for as long as the time-out; try again, or raise timeout"
            )
        if error.why == "unreachable":
            return Unavailable(
                f"{origin}does not answer: {error.reason}; check {self.endpoint}, and that the "
                "service runs"
            )
        return Unavailable(f"{origin}dropped the connection: {error.reason}")


def check_settled(request: Request, error: Refused | Lost, /, *, conditional: bool) -> None:
    """A condition may fail because a try, of which no reply came, did it: `Unavailable`, not retryable."""
    failed = isinstance(error, Refused) and error.status == 412 and request.uncertain
    if unsettled(request, error, conditional=conditional) or (failed and conditional):
        raise unknown_outcome(request.key or "") from error


def unsettled(request: Request, error: Refused | Lost, /, *, conditional: bool) -> bool:
    """Whether the last try of what may be done only once said nothing, and one may have done it."""
    passing = isinstance(error, Lost) or error.status in _PASSING or error.status >= 500
    return conditional and request.uncertain and passing


def unknown_outcome(path: str, /) -> Unavailable:
    """The reply to a commit was lost, and looking did not tell."""
    return Unavailable(
        "the reply to storing it was lost, so the outcome is unknown; look at the file before "
        "storing it again",
        path=path,
        retryable=False,
    )
