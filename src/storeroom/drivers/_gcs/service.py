"""Google Cloud Storage as the verbs see it: what its replies mean, and what can be put right."""

from collections.abc import Awaitable, Callable

from storeroom.drivers._gcs.credentials import Bearer
from storeroom.drivers._gcs.failures import RETRIED, THROTTLED, explaining
from storeroom.drivers._gcs.replies import failure_in
from storeroom.drivers._gcs.routes import SESSION, Directed
from storeroom.drivers._gcs.target import Target
from storeroom.drivers._http.failures import Table
from storeroom.drivers._http.renewal import Keys
from storeroom.drivers._http.service import HttpService
from storeroom.drivers._http.wire import Failure, Refused, Reply, Request, Transport

__all__ = ["Service"]


class Service(HttpService):
    """One bucket at its service; `connect` opens a transport on the running loop."""

    throttled = THROTTLED
    retried = RETRIED

    def __init__(
        self,
        target: Target,
        keys: Keys[Bearer],
        connect: Callable[[], Awaitable[Transport]],
        /,
        *,
        retries: int,
        timeout: float,
    ) -> None:
        super().__init__(connect, retries=retries, timeout=timeout)
        self.target = target
        self.keys = keys

    def table(self, *, creating: bool = False) -> Table:
        """The errors of this bucket by kind."""
        return explaining(self.target, creating=creating)

    def is_good(self, reply: Reply, request: Request, /) -> bool:
        """308 says how far an upload is."""
        if isinstance(request, Directed) and request.operation == SESSION:
            request.partial = reply.status == 308
            return request.partial or reply.status < 300
        return reply.status < 300

    def failure_in(self, reply: Reply, body: bytes, /) -> Failure:
        return failure_in(reply.status, body)

    def mended(self, refused: Refused, request: Request, /) -> bool:
        """A token may end before it says; with a new one the request is made again."""
        if refused.status != 401 or "token" in request.mended:
            return False
        request.mended.add("token")
        return self.keys.forget(request.shown)
