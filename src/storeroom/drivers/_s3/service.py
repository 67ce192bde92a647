"""The service as the verbs see it: a request comes back as a reply, however often it takes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from storeroom.contracts.errors import ConfigError, StorageError
from storeroom.drivers._s3.credentials import Keys
from storeroom.drivers._s3.failures import CONFLICT, RETRIED, THROTTLED, explaining
from storeroom.drivers._s3.loops import PerLoop
from storeroom.drivers._s3.pace import Pace, pause
from storeroom.drivers._s3.place import Spot
from storeroom.drivers._s3.target import Target
from storeroom.drivers._s3.wire import Lost, Refused, Reply, Request, Transport
from storeroom.drivers._s3.xml import read_error

__all__ = ["Service"]

_STATUSES: Final = frozenset((429, 500, 502, 503, 504))
_MOVED: Final = frozenset((301, 307, 400, 403))
# They may say 200 while they work, and then fail in the body.
_LATE: Final = frozenset(("CompleteMultipartUpload", "CopyObject", "UploadPartCopy"))
_EXPIRED: Final = frozenset(("ExpiredToken", "InvalidAccessKeyId", "InvalidToken"))
_CONDITIONS: Final = frozenset(("if-match", "if-none-match"))
_log = logging.getLogger("storeroom")


class Service:
    """One bucket at its service; `connect` opens a transport on the running loop."""

    def __init__(
        self,
        target: Target,
        keys: Keys,
        connect: "Callable[[Service], Awaitable[Transport]]",
        /,
        *,
        retries: int,
        timeout: float,
    ) -> None:
        if retries < 0 or timeout <= 0:
            raise ConfigError("retries is 0 or more, and timeout more than 0 seconds")
        self.target = target
        self.spot = Spot(target.place(), target.region or "us-east-1")
        self.keys = keys
        self.seen = False
        self._transports: PerLoop[Transport] = PerLoop(lambda: connect(self))
        self._retries = retries
        self._timeout = timeout
        self._pace = Pace()

    def table(self, *, creating: bool = False) -> Callable[[Exception], StorageError | None]:
        """The errors of this bucket by kind."""
        return explaining(self.target.bucket, lambda: self.spot.place.origin, creating=creating)

    async def call(self, request: Request, /) -> Reply:
        """The reply with a good status, its body perhaps still coming; `Refused` or `Lost` otherwise."""
        while True:
            transport = self._transports.here() or await self._transports.open()
            if self._pace.gap:
                await self._pace.turn()
            request.attempts += 1
            request.sent = True
            try:
                reply = await transport.send(request)
                if reply.status < 300:
                    self.seen = True
                    if self._pace.gap:
                        self._pace.faster()
                    return reply
                refused = await _refusal(reply)
            except Lost as lost:
                await self._again_after(lost, request)
            else:
                await self._again(refused, request)

    async def ask(self, request: Request, /) -> bytes:
        """The body of the reply; one that breaks off is asked for again."""
        while True:
            reply = await self.call(request)
            try:
                return await reply.read()
            except Lost as lost:
                await self._again_after(lost, request)
            finally:
                reply.close()

    async def rest(self, lost: Lost, request: Request, /) -> None:
        """Wait before asking again for what broke off, or raise where it was asked for often enough."""
        await self._again_after(lost, request)

    async def anew(self, refused: Refused, attempt: int, /) -> None:
        """Wait before all requests of a verb are made again, or raise where they were often enough."""
        if attempt > self._retries:
            raise refused
        await asyncio.sleep(pause(attempt, refused.headers))

    async def commit(
        self,
        request: Request,
        /,
        *,
        undo: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of the reply to a request that changes something.

        A cancellation waits, as long as the time-out, for a request that the service may carry out
        yet, and then undoes it where that can be; one whose body has not left is dropped.
        """
        task = asyncio.create_task(self._committed(request))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            request.abandoned = True
            if not request.sent:
                task.cancel()
            await self.ended(task)
            if undo is not None and not task.cancelled() and task.exception() is None:
                await undo(task.result()[1])
            raise

    async def ended(self, task: "asyncio.Task[Any]", /) -> None:
        """The task is over, whatever came of it, after the time-out by force; also under cancellation."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        while not task.done():
            try:
                await asyncio.wait([task], timeout=max(0.0, until - loop.time()))
            except asyncio.CancelledError:
                continue
            if not task.done():
                task.cancel()
                until = loop.time() + self._timeout
        if not task.cancelled():
            task.exception()

    async def aclose(self) -> None:
        """Close all connections; final."""
        await self._transports.aclose()

    async def _committed(self, request: Request) -> tuple[Mapping[str, str], bytes]:
        while True:
            reply = await self.call(request)
            try:
                body = await reply.read()
            except Lost as lost:
                await self._again_after(lost, request)
                continue
            finally:
                reply.close()
            if request.operation not in _LATE or b"<Error>" not in body:
                return reply.headers, body
            failure = read_error(body)
            status = 500 if failure.code in RETRIED else 400
            await self._again(Refused(status, failure, reply.headers), request)

    async def _again_after(self, lost: Lost, request: Request) -> None:
        """Wait before the next try, or raise."""
        request.sent = False
        request.uncertain = request.uncertain or lost.why not in ("unreachable", "certificate")
        if lost.why == "certificate" or self._spent(request):
            raise lost
        await asyncio.sleep(pause(request.attempts, {}))

    async def _again(self, refused: Refused, request: Request) -> None:
        request.sent = False
        request.uncertain = request.uncertain or refused.status >= 500
        if request.abandoned:
            raise refused
        if self._mended(refused, request):
            return
        if _is_over(refused, request) or not self._passing(refused) or self._spent(request):
            raise refused
        await asyncio.sleep(pause(request.attempts, refused.headers))

    def _passing(self, refused: Refused) -> bool:
        """Whether the failure may be gone at the next try."""
        if refused.code in THROTTLED or refused.status in (429, 503):
            self._pace.slower()
            return True
        return refused.status in _STATUSES or refused.code in RETRIED

    def _spent(self, request: Request) -> bool:
        return request.abandoned or request.attempts > self._retries

    def _mended(self, refused: Refused, request: Request) -> bool:
        """Whether something of ours was wrong that has now been put right; once per request each."""
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
        theirs = refused.failure.server_time or _date(refused.headers.get("date"))
        if theirs is None:
            return False
        self.spot.skew = theirs - datetime.now(UTC)
        return True

    def _renew(self, request: Request) -> bool:
        if "keys" in request.mended:
            return False
        request.mended.add("keys")
        return self.keys.forget()

    def _follow(self, refused: Refused, request: Request) -> bool:
        """Go to the region that the service names."""
        region = refused.failure.region or refused.headers.get("x-amz-bucket-region")
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


def _is_over(refused: Refused, request: Request) -> bool:
    """Whether the upload in parts has to begin anew, for another write came between.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    if request.operation != "CompleteMultipartUpload" or refused.code != CONFLICT:
        return False
    return not _CONDITIONS.isdisjoint(request.headers)


async def _refusal(reply: Reply) -> Refused:
    try:
        body = await reply.read()
    except Lost:  # the status says enough
        body = b""
    finally:
        reply.close()
    return Refused(reply.status, read_error(body), reply.headers)


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None
