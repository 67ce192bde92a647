"""Azure as the verbs see it: what its replies mean, and what can be put right after an error."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from storeroom.contracts.errors import StorageError
from storeroom.drivers._azure.access import Access, Clock
from storeroom.drivers._azure.failures import RETRIED, THROTTLED, explaining
from storeroom.drivers._azure.target import Target
from storeroom.drivers._azure.xml import read_error
from storeroom.drivers._http.dates import moment
from storeroom.drivers._http.service import HttpService
from storeroom.drivers._http.wire import Failure, Refused, Reply, Request, Transport

__all__ = ["AzureService"]

_REFUSED: Final = frozenset((401, 403))
# The service takes dates that are a quarter of an hour off.
_TOLERATED: Final = timedelta(minutes=5)


class AzureService(HttpService):
    """One container at its service; `connect` opens a transport on the running loop."""

    throttled = THROTTLED
    retried = RETRIED

    def __init__(
        self,
        target: Target,
        access: Access,
        connect: "Callable[[AzureService], Awaitable[Transport]]",
        /,
        *,
        retries: int,
        timeout: float,
    ) -> None:
        super().__init__(lambda: connect(self), retries=retries, timeout=timeout)
        self.target = target
        self.access = access
        self.clock = Clock()

    def table(self, *, creating: bool = False) -> Callable[[Exception], StorageError | None]:
        """The errors of this container by kind."""
        target = self.target
        return explaining(target.container, target.account.url, creating=creating)

    def failure_in(self, reply: Reply, body: bytes, /) -> Failure:
        return read_error(reply.headers.get("x-ms-error-code", ""), body)

    def mended(self, refused: Refused, request: Request, /) -> bool:
        if refused.status not in _REFUSED:
            return False
        tokens = self.access.tokens
        if tokens is not None and "token" not in request.mended and refused.status == 401:
            request.mended.add("token")
            return tokens.forget()
        return "clock" not in request.mended and self._set_clock(refused, request)

    def _set_clock(self, refused: Refused, request: Request) -> bool:
        request.mended.add("clock")
        theirs = moment(refused.headers.get("date"))
        if theirs is None or abs(theirs - self.clock.now()) < _TOLERATED:
            return False
        self.clock.skew = theirs - datetime.now(UTC)
        return True
