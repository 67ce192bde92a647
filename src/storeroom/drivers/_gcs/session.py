"""A resumable upload: chunks that go on from wherever the service has them.

https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from storeroom.contracts.errors import Unavailable
from storeroom.drivers._gcs.checksums import Crc32c
from storeroom.drivers._gcs.conditions import Query, is_conditional
from storeroom.drivers._gcs.replies import Resource, resource_in
from storeroom.drivers._gcs.routes import SESSION, Directed
from storeroom.drivers._gcs.service import Service
from storeroom.drivers._http.wire import Content, Failure, Lost, Refused, Request, size_of

__all__ = ["Session", "Vanished", "begun"]

_RANGE: Final = re.compile(r"(?:bytes=)?(?:bytes )?0-([0-9]+)")
_ENDED: Final = frozenset((400, 404, 410, 499))
_GONE: Final = frozenset((404, 410))
_PASSING: Final = frozenset((408, 429, 500, 502, 503, 504))
_log = logging.getLogger("storeroom")


class Vanished(Refused):
    """The service knows nothing of the session any more, or has lost some of it: begin anew."""


async def begun(
    service: Service, path: str, resource: Mapping[str, Any], query: Query, size: int | None, /
) -> "Session":
    """A session; one that a cancelled caller would not hear of is thrown away."""
    headers = {"content-type": "application/json; charset=UTF-8"}
    if size is not None:
        headers["x-upload-content-length"] = str(size)
    request = Request(
        "insert",
        "POST",
        path,
        (("uploadType", "resumable"), ("name", path), *query),
        headers,
        json.dumps(resource).encode(),
    )

    async def undo(reply: Mapping[str, str], _: bytes) -> None:
        await Session(service, path, _target(service, reply)).cleared()

    reply, _ = await service.commit(request, undo=undo)
    conditional = is_conditional(query)
    return Session(service, path, _target(service, reply), conditional=conditional)


class Session:
    """One upload under way; whoever has its address may write to it, so no error tells it."""

    def __init__(
        self, service: Service, path: str, target: str, /, *, conditional: bool = False
    ) -> None:
        self.service = service
        self.path = path
        self.crc32c = Crc32c()
        self._target = target
        self._conditional = conditional
        self._sent = 0
        self._uncertain = False

    async def send(self, part: Content, /) -> None:
        """Send a part that is not the last."""
        if await self._deliver(part, None) is not None:
            raise _lost_some()

    async def finish(self, part: Content, /) -> Resource:
        """Send the last part: what the file is now."""
        told = await self._deliver(part, self._sent + size_of(part))
        if told is None:
            raise Unavailable("the service has all bytes and does not say what became of them")
        return told

    def is_unsettled(self, error: Lost | Refused, /) -> bool:
        """Whether the upload may have ended well, so that its condition would fail the next time."""
        passing = isinstance(error, Lost) or error.status in _GONE | _PASSING
        return self._conditional and self._uncertain and passing

    async def cleared(self) -> None:
        """Leave no session behind, also when cancelled; what cannot be cleared now ends after a week."""
        task = asyncio.create_task(self._deleted())
        try:
            await self.service.ended(task)
        finally:
            if task.cancelled() or task.exception() is not None:
                _log.warning("an upload of %r is left open; it ends by itself in a week", self.path)

    async def _deliver(self, part: Content, total: int | None) -> Resource | None:
        """Send a part and, after faults, what of it the service has not; `total` ends the upload."""
        await self.crc32c.take(part)
        start, stop = self._sent, self._sent + size_of(part)
        at, attempt = start, 0
        while at < stop or total is not None:
            told = await self._tried(_cut(part, at - start), at, total, attempt)
            if not isinstance(told, int):
                return told
            if not start <= told <= stop:
                raise _lost_some()
            attempt = 0 if told > at else attempt + 1
            at = told
        self._sent = stop
        return None

    async def _tried(
        self, part: Content, start: int, total: int | None, attempt: int
    ) -> Resource | int:
        """Send bytes from there on; after a fault ask what has come. `attempt` counts those in vain."""
        if attempt:
            await self.service.anew(_lost_some(), attempt)
        try:
            return await self._put(part, start, total)
        except (Lost, Refused) as error:
            if isinstance(error, Refused) and error.status not in _PASSING:
                raise
            await self.service.anew(error, attempt + 1)
        return await self._asked(total)

    async def _put(self, part: Content, start: int, total: int | None) -> Resource | int:
        """Send bytes from there on: what the file is now, or how many bytes the service has."""
        stop = start + size_of(part)
        span = f"{start}-{stop - 1}" if stop > start else "*"
        request = self._request(f"bytes {span}/{'*' if total is None else total}", part, total)
        request.once = True
        return await self._told(request)

    async def _asked(self, total: int | None) -> Resource | int:
        """The same after a fault, when nobody knows what has come."""
        return await self._told(
            self._request(f"bytes */{'*' if total is None else total}", b"", total)
        )

    def _request(self, span: str, part: Content, total: int | None) -> Directed:
        headers = {"content-range": span}
        if total is not None:
            headers["x-goog-hash"] = f"crc32c={self.crc32c.encoded}"
        return Directed(SESSION, "PUT", self.path, (), headers, part, target=self._target)

    async def _told(self, request: Directed) -> Resource | int:
        ends = "x-goog-hash" in request.headers
        try:
            headers, body = await (self.service.commit if ends else self.service.answer)(request)
        except Refused as refused:
            raise _discreet(refused) from None
        finally:
            self._uncertain = self._uncertain or (ends and request.uncertain)
        if not request.partial:
            return resource_in(body)
        found = _RANGE.fullmatch(headers.get("range", ""))
        return int(found[1]) + 1 if found else 0

    async def _deleted(self) -> None:
        request = Directed(SESSION, "DELETE", self.path, target=self._target)
        try:
            await self.service.ask(request)
        except Refused as refused:
            if refused.status not in _ENDED:
                raise _discreet(refused) from None


def _target(service: Service, reply: Mapping[str, str]) -> str:
    """The session's address; behind a proxy it is at our endpoint, whatever the service calls itself."""
    place = urlsplit(reply.get("location", ""))
    if not place.path or not place.query:
        raise Unavailable("the service began an upload and does not say where")
    base = service.target.base
    path = place.path if place.path.startswith(f"{base}/") else f"{base}{place.path}"
    return f"{path}?{place.query}"


def _cut(part: Content, done: int) -> Content:
    """What follows the bytes that have arrived."""
    if not done:
        return part
    rest: list[bytes | memoryview] = []
    for piece in (part,) if isinstance(part, bytes) else part:
        if done < len(piece):
            rest.append(memoryview(piece)[done:])
        done = max(0, done - len(piece))
    return rest


def _discreet(refused: Refused) -> Refused:
    """Without the header that names requests, for here it names the session."""
    kind = Vanished if refused.status in _GONE else Refused
    return kind(refused.status, refused.failure, {})


def _lost_some() -> Vanished:
    return Vanished(410, Failure("gone"), {})
