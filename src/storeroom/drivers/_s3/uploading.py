"""Bytes going in: one request, or parts side by side that become the file in one step."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import md5
from typing import Final

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Unavailable, Unsupported
from storeroom.drivers._http.dates import moment
from storeroom.drivers._http.failures import check_settled, unknown_outcome
from storeroom.drivers._http.parts import parts_of, rejoined, send_all
from storeroom.drivers._http.wire import Content, Lost, Refused, Request, size_of
from storeroom.drivers._s3.bodies import complete_body
from storeroom.drivers._s3.failures import CONFLICT
from storeroom.drivers._s3.presets import Conditional
from storeroom.drivers._s3.service import Service
from storeroom.drivers._s3.xml import read_completed, read_started

__all__ = [
    "LEAST",
    "MOST_PARTS",
    "Overtaken",
    "Rules",
    "abort",
    "complete",
    "send_part",
    "start",
    "stored",
]

LEAST: Final = 5 << 20
"""The smallest part but for the last, in bytes."""

MOST_PARTS: Final = 10_000
"""How many parts an upload takes."""

_MIB: Final = 1 << 20
_SETTLING: Final = frozenset(("NoSuchUpload", "PreconditionFailed", CONFLICT))
_log = logging.getLogger("storeroom")


class Overtaken(Refused):
    """The condition could not be judged, for something was written at the same time: begin anew."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How one driver uploads: `encryption` goes with every part, `opening` with what begins parts."""

    part_size: int
    threshold: int
    concurrency: int
    conditions: frozenset[Conditional]
    encryption: Mapping[str, str] = field(repr=False)
    opening: Mapping[str, str]

    def size_of_parts(self, size: int | None, /) -> int:
        """Uniform parts, so large that those of a known size are not too many."""
        least = -(-(size or 0) // MOST_PARTS)
        return max(self.part_size, -(-least // _MIB) * _MIB)


async def stored(
    service: Service,
    path: str,
    body: Body,
    headers: Mapping[str, str],
    conditions: Mapping[str, str],
    rules: Rules,
    /,
) -> tuple[Mapping[str, str], int]:
    """Store the body: the headers of the reply, and how many bytes there were."""
    if body.size is not None and body.size <= rules.threshold:
        content = await body.content()
        return await _put(service, path, content, headers, conditions), len(content)
    attempt = 0
    while True:
        attempt += 1
        try:
            return await _stored(service, path, body, headers, conditions, rules)
        except Overtaken as overtaken:
            if not body.replayable:
                raise
            await service.anew(overtaken, attempt)


async def start(service: Service, path: str, headers: Mapping[str, str], /) -> str:
    """Begin an upload in parts: its id."""
    return (await _begun(service, path, headers))[0]


async def send_part(
    service: Service,
    path: str,
    upload: str,
    number: int,
    content: Content,
    headers: Mapping[str, str],
    /,
    *,
    unsummed: bool = False,
) -> str:
    """Store one part: its etag; `unsummed` in an upload that was begun without checksums."""
    query = (("partNumber", str(number)), ("uploadId", upload))
    request = Request("UploadPart", "PUT", path, query, dict(headers), content, unsummed)
    reply = await service.call(request)
    try:
        await reply.read()
    finally:
        reply.close()
    etag = reply.headers.get("etag")
    if not etag:
        raise Unavailable(f"the service took part {number} and gave no etag for it", path=path)
    return etag


async def complete(
    service: Service,
    path: str,
    upload: str,
    parts: Mapping[int, str],
    headers: Mapping[str, str],
    /,
    *,
    begun: datetime | None = None,
) -> Mapping[str, str]:
    """Make the parts the file: headers with its etag; looks when the reply to it was lost.

    `Overtaken` where something else was written meanwhile; the parts are no good any more then.
    """
    request = Request(
        "CompleteMultipartUpload",
        "POST",
        path,
        (("uploadId", upload),),
        {"content-type": "application/xml", **headers},
        complete_body(parts),
    )
    try:
        _, body = await service.commit(request)
    except Refused as refused:
        if request.uncertain and refused.code in _SETTLING:
            return await _looked(service, path, parts, begun, refused)
        if headers and refused.code == CONFLICT:
            raise Overtaken(refused.status, refused.failure, refused.headers) from refused
        raise
    etag = read_completed(body).etag
    return {"etag": etag} if etag else {}


async def abort(service: Service, path: str, upload: str, /) -> None:
    """Throw the parts away; an unknown upload is no error."""
    request = Request("AbortMultipartUpload", "DELETE", path, (("uploadId", upload),))
    try:
        await service.ask(request)
    except Refused as refused:
        if refused.status != 404 or refused.code == "NoSuchBucket":
            raise


async def _stored(
    service: Service,
    path: str,
    body: Body,
    headers: Mapping[str, str],
    conditions: Mapping[str, str],
    rules: Rules,
) -> tuple[Mapping[str, str], int]:
    """Store it in parts, unless one of them turns out to be all."""
    size = rules.size_of_parts(body.size)
    async with aclosing(parts_of(body, size)) as parts:
        first = await anext(parts, b"")
        second = await anext(parts, None) if size_of(first) == size else None
        if second is None:
            return await _put(service, path, first, headers, conditions), size_of(first)
        _check_conditions(conditions, rules, path)
        upload = _Upload(service, path, headers, conditions, rules)
        held = [second, first]
        del first, second  # or they would stay in memory until the end
        return await upload.run(rejoined(held, parts))


class _Upload:
    """One upload in parts."""

    def __init__(
        self,
        service: Service,
        path: str,
        headers: Mapping[str, str],
        conditions: Mapping[str, str],
        rules: Rules,
    ) -> None:
        self._service = service
        self._path = path
        self._headers = headers
        self._conditions = conditions
        self._rules = rules
        self._parts: dict[int, str] = {}
        self._id = ""

    async def run(self, parts: AsyncIterator[Content]) -> tuple[Mapping[str, str], int]:
        self._id, begun = await _begun(
            self._service, self._path, {**self._headers, **self._rules.opening}
        )
        try:
            size = await send_all(
                parts, self._send, concurrency=self._rules.concurrency, most=MOST_PARTS
            )
            done = await complete(
                self._service, self._path, self._id, self._parts, self._conditions, begun=begun
            )
        except Refused as refused:
            await self._cleared()
            if refused.code == "NoSuchUpload":
                raise _vanished(self._path) from refused
            raise
        except BaseException:
            await self._cleared()
            raise
        return done, size

    async def _send(self, number: int, part: Content) -> None:
        self._parts[number] = await send_part(
            self._service, self._path, self._id, number, part, self._rules.encryption
        )

    async def _cleared(self) -> None:
        await _cleared(self._service, self._path, self._id)


def _check_conditions(conditions: Mapping[str, str], rules: Rules, path: str) -> None:
    if conditions and "complete" not in rules.conditions:
        raise Unsupported(
            "the service is not known to honour conditions on uploads in parts; raise "
            "multipart_threshold, or set features.conditions",
            path=path,
        )


async def _put(
    service: Service,
    path: str,
    content: Content,
    headers: Mapping[str, str],
    conditions: Mapping[str, str],
) -> Mapping[str, str]:
    request = Request("PutObject", "PUT", path, (), {**headers, **conditions}, content)
    try:
        return (await service.commit(request))[0]
    except (Lost, Refused) as error:
        check_settled(request, error, conditional=bool(conditions))
        raise


async def _begun(
    service: Service, path: str, headers: Mapping[str, str]
) -> tuple[str, datetime | None]:
    """The upload's id, and when it began by the service's clock."""
    request = Request("CreateMultipartUpload", "POST", path, (("uploads", ""),), dict(headers))

    async def undo(_: Mapping[str, str], body: bytes) -> None:
        await _cleared(service, path, read_started(body))

    reply, body = await service.commit(request, undo=undo)
    return read_started(body), moment(reply.get("date"))


async def _cleared(service: Service, path: str, upload: str) -> None:
    """Leave no parts behind, also when cancelled; what cannot be cleared now is `sweep`'s."""
    aborting = asyncio.create_task(abort(service, path, upload))
    try:
        await service.ended(aborting)
    finally:
        if aborting.cancelled() or aborting.exception() is not None:
            _log.warning("parts of an upload of %r are left behind; sweep clears them", path)


async def _looked(
    service: Service,
    path: str,
    parts: Mapping[int, str],
    begun: datetime | None,
    refused: Refused,
) -> Mapping[str, str]:
    """Whether an earlier try, whose reply was lost, made the file of these very parts."""
    try:
        reply = await service.call(Request("HeadObject", "HEAD", path))
        await reply.read()
    except (Refused, Lost):
        raise unknown_outcome(path) from refused
    since = moment(reply.headers.get("last-modified"))
    fresh = begun is None or since is None or since >= begun - timedelta(seconds=2)
    if fresh and reply.headers.get("etag") == _etag_of(parts):
        return reply.headers
    if refused.code == "PreconditionFailed":
        raise refused
    raise unknown_outcome(path) from refused


def _etag_of(parts: Mapping[int, str]) -> str | None:
    """The etag that S3 gives a file made of these parts, where theirs are MD5s."""
    try:
        digests = [bytes.fromhex(parts[number].strip('"')) for number in sorted(parts)]
    except ValueError:
        return None
    return f'"{md5(b"".join(digests), usedforsecurity=False).hexdigest()}-{len(parts)}"'


def _vanished(path: str) -> Unavailable:
    return Unavailable(
        "the parts were thrown away before the end, by a sweep or a rule of the bucket; store it again",
        path=path,
    )
