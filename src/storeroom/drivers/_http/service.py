"""A service as the verbs see it: a request comes back as a reply, however often it takes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from storeroom.contracts.errors import ConfigError
from storeroom.contracts.loops import PerLoop
from storeroom.contracts.patience import patience
from storeroom.drivers._http.pace import Pace, pause
from storeroom.drivers._http.wire import Failure, Lost, Refused, Reply, Request, Transport

__all__ = ["HttpService"]

_ANSWER: Final = 64 << 20
_ERROR: Final = 1 << 20
_STATUSES: Final = frozenset((429, 500, 502, 503, 504))


class HttpService:
    """One service over HTTP; `connect` opens a transport on the running loop.

    A service's own class says what its replies mean: `is_good`, `failure_in`, `late`, `mended`, `is_over`.
    `throttled` are its codes for "too fast", `retried` those after which the same request may succeed.
    """

    throttled: frozenset[str] = frozenset()
    retried: frozenset[str] = frozenset()

    def __init__(
        self, connect: Callable[[], Awaitable[Transport]], /, *, retries: int, timeout: float
    ) -> None:
        if retries < 0 or timeout <= 0:
            raise ConfigError("retries is 0 or more, and timeout more than 0 seconds")
        self.seen = False
        self.timeout = timeout
        self._transports: PerLoop[Transport] = PerLoop(connect)
        self._retries = retries
        self._pace = Pace()

    def is_good(self, reply: Reply, request: Request, /) -> bool:
        """Whether the reply is no error."""
        return reply.status < 300

    def failure_in(self, reply: Reply, body: bytes, /) -> Failure:
        """What the body of an error reply says."""
        return Failure()

    def late(self, request: Request, reply: Reply, body: bytes, /) -> Refused | None:
        """The error in the body of a reply whose status was good."""
        return None

    def mended(self, refused: Refused, request: Request, /) -> bool:
        """Whether something of ours was wrong that has now been put right; once per request each."""
        return False

    def is_over(self, refused: Refused, request: Request, /) -> bool:
        """Whether the same request cannot succeed, though the code says that it may."""
        return False

    async def call(self, request: Request, /) -> Reply:
        """The reply with a good status, its body perhaps still coming; `Refused` or `Lost` otherwise."""
        while True:
            transport = self._transports.here() or await self._transports.open()
            if self._pace.gap:
                await self._pace.turn()
            request.attempts += 1
            request.sent = False
            try:
                reply = await transport.send(request)
                if self.is_good(reply, request):
                    self.seen = True
                    if self._pace.gap:
                        self._pace.faster()
                    return reply
                refused = await self._refusal(reply)
            except Lost as lost:
                await self.rest(lost, request)
            else:
                if not await self._again(refused, request):
                    try:
                        raise refused
                    finally:
                        del (
                            refused
                        )  # its traceback and this frame would keep each other, and the body

    async def ask(self, request: Request, /) -> bytes:
        """The body of the reply; one that breaks off is asked for again."""
        return (await self.answer(request))[1]

    async def answer(self, request: Request, /) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of the reply; one that breaks off, or is an error after all, is asked for again."""
        while True:
            reply = await self.call(request)
            try:
                body = await reply.read(_ANSWER)
            except Lost as lost:
                await self.rest(lost, request)
                continue
            finally:
                reply.close()
            refused = self.late(request, reply, body)
            if refused is None:
                return reply.headers, body
            if not await self._again(refused, request):
                try:
                    raise refused
                finally:
                    del refused

    async def rest(self, lost: Lost, request: Request, /) -> None:
        """Wait before asking again for what broke off, or raise where it was asked for often enough."""
        request.sent = False
        request.uncertain = request.uncertain or lost.why not in ("unreachable", "certificate")
        if lost.why == "certificate" or self._spent(request):
            try:
                raise lost
            finally:
                del lost
        await asyncio.sleep(pause(request.attempts, {}))

    async def anew(self, failure: Refused | Lost, attempt: int, /) -> None:
        """Wait before all requests of a verb are made again, or raise where they were often enough."""
        if attempt > self._retries:
            raise failure
        await asyncio.sleep(pause(attempt, failure.headers if isinstance(failure, Refused) else {}))

    async def commit(
        self,
        request: Request,
        /,
        *,
        undo: Callable[[Mapping[str, str], bytes], Awaitable[None]] | None = None,
    ) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of the reply to a request that changes something.

        A cancellation waits, as long as the time-out or less where the caller has less time, for a
        request that the service may carry out yet, and then undoes it where that can be; one whose
        body has not left is dropped.
        """
        task = asyncio.create_task(self.answer(request))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            request.abandoned = True
            if not request.sent:
                task.cancel()
            await self._over(task)
            if undo is not None and not task.cancelled() and task.exception() is None:
                await undo(*task.result())
            raise

    async def ended(self, task: "asyncio.Task[Any]", /) -> None:
        """The task is over, whatever came of it, after the time-out by force.

        A cancellation waits until it is, and then goes on.
        """
        if await self._over(task):
            raise asyncio.CancelledError

    async def _over(self, task: "asyncio.Task[Any]") -> bool:
        """The same: whether a cancellation came meanwhile."""
        cancelled = False
        loop = asyncio.get_running_loop()
        within = patience(self.timeout)
        until = loop.time() + within
        while not task.done():
            try:
                await asyncio.wait([task], timeout=max(0.0, until - loop.time()))
            except asyncio.CancelledError:
                cancelled = True
                continue
            if not task.done():
                task.cancel()
                until = loop.time() + within
        if not task.cancelled():
            task.exception()
        return cancelled

    async def aclose(self) -> None:
        """Close all connections; final."""
        await self._transports.aclose()

    async def _refusal(self, reply: Reply) -> Refused:
        try:
            body = await reply.read(_ERROR)
        except Lost:  # the status says enough
            body = b""
        finally:
            reply.close()
        return Refused(reply.status, self.failure_in(reply, body), reply.headers)

    async def _again(self, refused: Refused, request: Request) -> bool:
        """Whether there is a next try, whose time has come."""
        request.sent = False
        request.uncertain = request.uncertain or refused.status >= 500
        if request.abandoned:
            return False
        if self.mended(refused, request):
            return True
        if self.is_over(refused, request) or not self._passing(refused) or self._spent(request):
            return False
        await asyncio.sleep(pause(request.attempts, refused.headers))
        return True

    def _passing(self, refused: Refused) -> bool:
        """Whether the failure may be gone at the next try."""
        if refused.code in self.throttled or refused.status in (429, 503):
            self._pace.slower()
            return True
        return refused.status in _STATUSES or refused.code in self.retried

    def _spent(self, request: Request) -> bool:
        return request.once or request.abandoned or request.attempts > self._retries
