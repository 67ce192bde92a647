"""Copies that the service makes by itself, of any size, in as many calls as it wants.

https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from storeroom.contracts.errors import Unavailable
from storeroom.contracts.values import WriteOptions
from storeroom.drivers._gcs.bucket import Bucket
from storeroom.drivers._gcs.conditions import Query
from storeroom.drivers._gcs.facts import KEPT, described
from storeroom.drivers._gcs.replies import Resource, resource_in
from storeroom.drivers._gcs.routes import Directed, object_path
from storeroom.drivers._http.failures import check_settled
from storeroom.drivers._http.wire import Refused

__all__ = ["copied", "rewritten"]

_CARRIED: Final = (*(field for field, _ in KEPT), "metadata", "customTime")


async def copied(
    source: Bucket, path: str, target: Bucket, to: str, how: WriteOptions, /
) -> Resource:
    """Copy with all that belongs to it but for what `how` says: the new resource."""
    query = target.writing(how, acl="destinationPredefinedAcl")
    options = replace(target.kept(how), tier=how.tier or target.tier)
    changes = described(options)
    attempt = 0
    while changes:
        attempt += 1
        before = await source.resource(path)
        try:
            return await rewritten(source, path, target, to, query, before, changes)
        except Refused as refused:
            await _check_source(source, path, before, refused)
            await source.service.anew(refused, attempt)
    try:
        return await _rewritten(source, path, target, to, query, {})
    except Refused as refused:
        await source.check_there(refused)
        raise


async def rewritten(
    source: Bucket,
    path: str,
    target: Bucket,
    to: str,
    query: Query,
    before: Resource,
    changes: Mapping[str, Any],
    /,
) -> Resource:
    """Copy this very generation, with changes; `Refused` with 412 also where it is no more."""
    resource = {name: before[name] for name in _CARRIED if before.get(name) is not None}
    generation = str(before["generation"])
    pinned = (("sourceGeneration", generation), ("ifSourceGenerationMatch", generation), *query)
    return await _rewritten(source, path, target, to, pinned, resource | dict(changes))


async def _rewritten(
    source: Bucket, path: str, target: Bucket, to: str, query: Query, resource: Mapping[str, Any]
) -> Resource:
    service = target.service
    place = f"{object_path(source.name, path)}/rewriteTo{_behind(object_path(target.name, to))}"
    conditional = any(name == "ifGenerationMatch" for name, _ in query)
    body = json.dumps(resource).encode() if resource else b""
    headers = {"content-type": "application/json; charset=UTF-8"} if resource else {}
    token: Query = ()
    while True:
        request = Directed(
            "rewrite",
            "POST",
            to,
            (*query, *token),
            dict(headers),
            body,
            target=service.target.base + place,
        )
        try:
            _, answer = await service.commit(request)
        except Refused as refused:
            check_settled(request, refused, conditional=conditional)
            raise
        told = resource_in(answer)
        if told.get("done"):
            done: Resource = told["resource"]
            return done
        if not told.get("rewriteToken"):
            raise Unavailable("the service stopped in the middle of a copy; copy it again")
        token = (("rewriteToken", str(told["rewriteToken"])),)


async def _check_source(source: Bucket, path: str, before: Resource, refused: Refused) -> None:
    """Both the source and the target may be what a condition did not hold for."""
    if refused.status != 412 and not (refused.status == 404 and not refused.code):
        raise refused
    now = await source.resource(path)
    if now.get("generation") == before.get("generation"):
        raise refused


def _behind(path: str) -> str:
    """An object's path without the name of the API."""
    return path.removeprefix("/storage/v1")
