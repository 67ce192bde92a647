"""Bytes going in: one request, or a session of several that becomes the file with its last."""

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted, Unavailable
from storeroom.drivers._gcs.checksums import Crc32c, digest_of
from storeroom.drivers._gcs.conditions import Query, is_conditional
from storeroom.drivers._gcs.facts import NO_TYPE
from storeroom.drivers._gcs.replies import Resource, resource_in
from storeroom.drivers._gcs.service import Service
from storeroom.drivers._gcs.session import Session, Vanished, begun
from storeroom.drivers._http.failures import check_settled, unknown_outcome
from storeroom.drivers._http.parts import parts_of, rejoined
from storeroom.drivers._http.wire import Content, Lost, Refused, Request, size_of

__all__ = ["Rules", "stored"]

_NEVER: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Rules:
    """How one driver uploads: what is larger than `threshold` goes up in chunks of `part_size`."""

    part_size: int
    threshold: int


async def stored(
    service: Service,
    path: str,
    body: Body,
    resource: Mapping[str, Any],
    query: Query,
    rules: Rules,
    /,
) -> Resource:
    """Store the body: the resource that it became. `query` holds conditions and access."""
    resource = {"contentType": NO_TYPE, **resource}
    if body.size is not None and body.size <= rules.threshold:
        return await _put(service, path, await body.content(), resource, query)
    attempt = 0
    while True:
        attempt += 1
        try:
            return await _stored(service, path, body, resource, query, rules)
        except Vanished as vanished:
            try:
                await service.anew(vanished, attempt if body.replayable else _NEVER)
            except Vanished:
                raise _vanished(path) from vanished


async def _stored(
    service: Service,
    path: str,
    body: Body,
    resource: Mapping[str, Any],
    query: Query,
    rules: Rules,
) -> Resource:
    """Store it in chunks, unless one of them turns out to be all."""
    async with aclosing(parts_of(body, rules.part_size)) as parts:
        first = await anext(parts, b"")
        second = await anext(parts, None) if size_of(first) == rules.part_size else None
        if second is None:
            return await _put(service, path, first, resource, query)
        session = await begun(service, path, resource, query, body.size)
        held = [second, first]
        del first, second  # or they would stay in memory until the end
        return await _run(session, rejoined(held, parts))


async def _run(session: Session, parts: AsyncIterator[Content]) -> Resource:
    try:
        part = await anext(parts)
        while True:
            following = await anext(parts, None)
            if following is None:
                break
            await session.send(part)
            part = following
            del following
        told = await session.finish(part)
    except (Lost, Refused) as error:
        await session.cleared()
        if session.is_unsettled(error):
            raise unknown_outcome(session.path) from error
        raise
    except BaseException:
        await session.cleared()
        raise
    await _check(session.service, session.path, told, session.crc32c)
    return told


async def _put(
    service: Service,
    path: str,
    content: Content,
    resource: Mapping[str, Any],
    query: Query,
) -> Resource:
    crc = Crc32c()
    await crc.take(content)
    border = secrets.token_hex(16)
    described = json.dumps({**resource, "crc32c": crc.encoded})
    head = (
        f"--{border}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n{described}\r\n"
        f"--{border}\r\ncontent-type: {resource['contentType']}\r\n\r\n"
    )
    pieces = (content,) if isinstance(content, bytes) else content
    request = Request(
        "insert",
        "POST",
        path,
        (("uploadType", "multipart"), ("name", path), *query),
        {"content-type": f"multipart/related; boundary={border}"},
        [head.encode(), *pieces, f"\r\n--{border}--\r\n".encode()],
    )
    try:
        _, body = await service.commit(request)
    except (Lost, Refused) as error:
        if isinstance(error, Refused) and request.uncertain and error.status == 412:
            await _check_other(service, path, crc, error)
        else:
            check_settled(request, error, conditional=is_conditional(query))
        raise
    told = resource_in(body)
    await _check(service, path, told, crc)
    return told


async def _check(service: Service, path: str, told: Resource, crc: Crc32c) -> None:
    """What was stored is what was sent; what is not is taken away, for nobody wrote it."""
    stored = digest_of(told.get("crc32c"))
    if stored in (None, crc.digest()):
        return
    generation = str(told.get("generation"))
    query = (("generation", generation), ("ifGenerationMatch", generation))
    try:
        await service.commit(Request("delete", "DELETE", path, query))
    except (Refused, Lost) as error:
        raise Corrupted("the service stored other bytes than were sent", path=path) from error
    raise Corrupted("the bytes changed on their way; store it again", path=path)


async def _check_other(service: Service, path: str, crc: Crc32c, refused: Refused) -> None:
    """A condition failed at a further try: another's bytes are there, or nobody can tell whose."""
    try:
        told = resource_in(await service.ask(Request("get", "GET", path)))
    except (Refused, Lost):
        raise unknown_outcome(path) from refused
    if digest_of(told.get("crc32c")) in (None, crc.digest()):
        raise unknown_outcome(path) from refused


def _vanished(path: str) -> Unavailable:
    return Unavailable("the service lost the upload before its end; store it again", path=path)
