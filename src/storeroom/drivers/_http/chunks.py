"""The bytes of a reply; a broken one goes on where it stopped."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Final

from storeroom.contracts.errors import Unavailable, translating
from storeroom.contracts.values import ReadOptions, Stat
from storeroom.drivers._http.failures import Table
from storeroom.drivers._http.guards import Guard
from storeroom.drivers._http.service import HttpService
from storeroom.drivers._http.wire import Lost, Refused, Reply, Request

__all__ = ["Chunks", "Reading", "is_partial", "number"]

_PIECE: Final = 8 << 20


class Reading:
    """How one driver reads; a service's own class says how it asks, and what the answers mean.

    Large files come down in ranges of `piece` bytes, `concurrency` of them side by side. `once` are the
    headers of the first request that those for further ranges do not have.
    """

    get_operation = "get"
    head_operation = "head"
    once: tuple[str, ...] = ("if-none-match",)

    def __init__(
        self, service: HttpService, failed: Table, /, *, concurrency: int = 1, piece: int = _PIECE
    ) -> None:
        self.service = service
        self.failed = failed
        self.concurrency = concurrency
        self.piece = piece

    def get(self, path: str, how: ReadOptions, version: str | None = None, /) -> Request:
        """The request for all of a file, under the conditions of `how`."""
        headers: dict[str, str] = {}
        if how.if_match is not None:
            headers["if-match"] = how.if_match
        if how.if_none_match is not None:
            headers["if-none-match"] = how.if_none_match
        return Request(self.get_operation, "GET", path, (), headers)

    def head(self, request: Request, /) -> Request:
        """The same request, for the facts alone."""
        headers = {name: value for name, value in request.headers.items() if name != "range"}
        return Request(self.head_operation, "HEAD", request.key, request.query, headers)

    def whole(self, request: Request, /) -> None:
        """The request is for all bytes, which will be checked."""

    def pin(self, request: Request, stat: Stat, /) -> None:
        """From now on the request is for this very object, or is refused with 412."""
        request.headers.pop("if-none-match", None)
        if stat.etag is not None:
            request.headers["if-match"] = stat.etag

    def ranged(self, request: Request, stat: Stat, start: int, stop: int, /) -> Request:
        """The same for a range of this very object."""
        headers = {name: value for name, value in request.headers.items() if name not in self.once}
        headers["range"] = f"bytes={start}-{stop - 1}"
        asked = replace(request, headers=headers, attempts=0, mended=set())
        self.pin(asked, stat)
        return asked

    def etag_of(self, headers: Mapping[str, str], /) -> str | None:
        """What `Stat.etag` is, by the headers of a reply."""
        return headers.get("etag")

    def size_of(self, headers: Mapping[str, str], /) -> int | None:
        """How many bytes the file has, by the headers of a reply for the facts alone."""
        return number(headers.get("content-length"))

    def stat_of(self, path: str, headers: Mapping[str, str], size: int | None, /) -> Stat:
        """The facts that the headers of a reply tell."""
        raise NotImplementedError

    async def known(self, path: str, headers: Mapping[str, str], size: int | None, /) -> Stat:
        """The facts of a file that was asked for; a service whose headers hold too little looks again."""
        return self.stat_of(path, headers, size)

    def guard(self, headers: Mapping[str, str], /) -> Guard | None:
        """What the bytes of a whole object are checked against."""
        return None


class Chunks(AsyncIterator[bytes]):
    """The bytes of a reply from `start` to `stop`; where it breaks off, the rest of another one."""

    __slots__ = ("_at", "_guard", "_reading", "_reply", "_request", "_stat", "_stop")

    def __init__(
        self,
        reading: Reading,
        request: Request,
        reply: Reply,
        stat: Stat,
        guard: Guard | None,
        start: int,
        stop: int | None,
    ) -> None:
        self._reading = reading
        self._request = request
        self._reply = reply
        self._stat = stat
        self._guard = guard
        self._at = start
        self._stop = stop

    async def all(self) -> bytes:
        """All of the bytes at once."""
        try:
            content = await self._reply.read()
        except Lost as lost:
            await self._resume(lost)
            content = b"".join([chunk async for chunk in self])
        else:
            if self._stop is not None and self._at + len(content) != self._stop:
                await self._resume(Lost("dropped", "it ended early"))
                content = b"".join([chunk async for chunk in self])
            elif self._guard is not None:
                self._guard.update(content)
                self._guard.check(self._stat.path)
        self.release()
        return content

    async def __anext__(self) -> bytes:
        while True:
            try:
                chunk = await self._reply.chunk()
                if not chunk and self._stop is not None and self._at < self._stop:
                    raise Lost("dropped", "it ended early")
            except Lost as lost:
                await self._resume(lost)
                continue
            if self._guard is not None:
                await self._guard.take(chunk, self._stat.path)
            if not chunk:
                self.release()
                raise StopAsyncIteration
            self._at += len(chunk)
            self._request.attempts = 0
            return chunk

    async def aclose(self) -> None:
        """Give the connection back."""
        self.release()

    def release(self) -> None:
        """Give the connection back; does not block."""
        self._reply.close()

    async def _resume(self, lost: Lost) -> None:
        with translating(self._reading.failed, "read", self._stat.path):
            await self._go_on(lost)

    async def _go_on(self, lost: Lost) -> None:
        """Ask for the rest of the very same object."""
        self._reply.close()
        await self._reading.service.rest(lost, self._request)
        headers = self._request.headers
        if self._at or "range" in headers:
            headers["range"] = f"bytes={self._at}-{'' if self._stop is None else self._stop - 1}"
        self._reading.pin(self._request, self._stat)
        try:
            reply = await self._reading.service.call(self._request)
        except Refused as refused:
            if refused.status != 412:
                raise
            raise self._changed() from lost
        if self._reading.etag_of(reply.headers) != self._stat.etag:
            reply.close()
            raise self._changed() from lost
        if self._at and not is_partial(reply):
            reply.close()
            raise Unavailable("the connection broke, and the service gives no ranges to go on from")
        self._reply = reply

    def _changed(self) -> Unavailable:
        return Unavailable("the connection broke, and the file changed before the rest was read")


def is_partial(reply: Reply) -> bool:
    """rclone says 200 for a range, and which one it is."""
    return reply.status == 206 or "content-range" in reply.headers


def number(text: str | None, /) -> int | None:
    """The number that a header holds."""
    return int(text) if text and text.isdecimal() else None
