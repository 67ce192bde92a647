"""The bytes of a reply; a broken one goes on where it stopped."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

from storeroom.contracts.errors import Unavailable, translating
from storeroom.contracts.values import Stat
from storeroom.drivers._s3.guards import Guard, guard_of
from storeroom.drivers._s3.presets import Preset
from storeroom.drivers._s3.service import Service
from storeroom.drivers._s3.wire import Lost, Refused, Reply, Request

__all__ = ["Chunks", "Reading", "is_partial"]

_PIECE: Final = 8 << 20


class Reading:
    """How one driver reads: its service, the headers of every read, and what it verifies."""

    def __init__(
        self,
        service: Service,
        preset: Preset,
        headers: Mapping[str, str],
        /,
        *,
        verify: bool,
        concurrency: int = 1,
        piece: int = _PIECE,
    ) -> None:
        self.service = service
        self.failed = service.table()
        self.headers = headers
        self.tiered = preset.tiers
        self.verify = verify
        self.stored_checksums = preset.checksum == "crc32"
        self.md5_etags = preset.md5_etags
        self.concurrency = concurrency
        self.piece = piece

    def guard(self, headers: Mapping[str, str]) -> Guard | None:
        """What the bytes of a whole object are checked against."""
        return guard_of(headers, md5_etags=self.md5_etags) if self.verify else None


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
        if self._stat.etag is not None:
            headers["if-match"] = self._stat.etag
        headers.pop("if-none-match", None)
        try:
            reply = await self._reading.service.call(self._request)
        except Refused as refused:
            if refused.status != 412:
                raise
            raise self._changed() from lost
        if reply.headers.get("etag") != self._stat.etag:
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
