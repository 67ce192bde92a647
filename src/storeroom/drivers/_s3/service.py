"""S3 as the verbs see it: what its replies mean, and what can be put right after an error."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from storeroom.contracts.errors import StorageError
from storeroom.drivers._http.dates import iso_moment, moment
from storeroom.drivers._http.renewal import Keys
from storeroom.drivers._http.service import HttpService
from storeroom.drivers._http.wire import Failure, Refused, Reply, Request, Transport
from storeroom.drivers._s3.failures import CONFLICT, RETRIED, THROTTLED, explaining
from storeroom.drivers._s3.place import Spot
from storeroom.drivers._s3.signature import Credentials
from storeroom.drivers._s3.target import Target
from storeroom.drivers._s3.xml import read_error

__all__ = ["Service"]

_MOVED: Final = frozenset((301, 307, 400, 403))
# They may say 200 while they work, and then fail in the body.
_LATE: Final = frozenset(("CompleteMultipartUpload", "CopyObject", "UploadPartCopy"))
_EXPIRED: Final = frozenset(("ExpiredToken", "InvalidAccessKeyId", "InvalidToken"))
_CONDITIONS: Final = frozenset(("if-match", "if-none-match"))
_log = logging.getLogger("storeroom")


class Service(HttpService):
    """One bucket at its service; `connect` opens a transport on the running loop."""

    throttled = THROTTLED
    retried = RETRIED

    def __init__(
        self,
        target: Target,
        keys: Keys[Credentials],
        connect: "Callable[[Service], Awaitable[Transport]]",
        /,
        *,
        retries: int,
        timeout: float,
    ) -> None:
        super().__init__(lambda: connect(self), retries=retries, timeout=timeout)
        self.target = target
        self.spot = Spot(target.place(), target.region or "us-east-1")
        self.keys = keys

    def table(self, *, creating: bool = False) -> Callable[[Exception], StorageError | None]:
        """The errors of this bucket by kind."""
        return explaining(self.target.bucket, lambda: self.spot.place.origin, creating=creating)

    def failure_in(self, reply: Reply, body: bytes, /) -> Failure:
        return read_error(body)

    def late(self, request: Request, reply: Reply, body: bytes, /) -> Refused | None:
        if request.operation not in _LATE or b"<Error>" not in body:
            return None
        failure = read_error(body)
        return Refused(500 if failure.code in RETRIED else 400, failure, reply.headers)

    def is_over(self, refused: Refused, request: Request, /) -> bool:
        """Whether the upload in parts has to begin anew, for another write came between.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        if request.operation != "CompleteMultipartUpload" or refused.code != CONFLICT:
            return False
        return not _CONDITIONS.isdisjoint(request.headers)

    def mended(self, refused: Refused, request: Request, /) -> bool:
        if refused.status not in _MOVED:
            return False
        if refused.code == "RequestTimeTooSkewed":
            return "clock" not in request.mended and self._set_clock(refused, request)
        if refused.code in _EXPIRED:
            return self._renew(request)
        if "place" not in request.mended and self._follow(refused, request):
            return True
        # A HEAD is refused without a code, also where the credentials have expired.
        return refused.status == 400 and not refused.code and self._renew(request)

    def _set_clock(self, refused: Refused, request: Request) -> bool:
        request.mended.add("clock")
        theirs = iso_moment(refused.failure.details.get("ServerTime")) or moment(
            refused.headers.get("date")
        )
        if theirs is None:
            return False
        self.spot.skew = theirs - datetime.now(UTC)
        return True

    def _renew(self, request: Request) -> bool:
        if "keys" in request.mended:
            return False
        request.mended.add("keys")
        return self.keys.forget(request.shown)

    def _follow(self, refused: Refused, request: Request) -> bool:
        """Go to the region that the service names."""
        region = refused.failure.details.get("Region") or refused.headers.get("x-amz-bucket-region")
        if not region or (refused.status == 403 and region == self.spot.region):
            return False
        request.mended.add("place")
        if region != self.spot.region:
            _log.warning(
                "the bucket %r is in the region %r, not %r; set region, every start loses a request",
                self.target.bucket,
                region,
                self.spot.region,
            )
            self.spot.move(self.target.place(region), region)
        return True
