"""Copies that the service makes by itself, of any size, in as many calls as it wants.

https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from storeroom.contracts.errors import Unavailable
from storeroom.contracts.values import WriteOptions
from storeroom.drivers._gcs.bucket import PREDEFINED, Bucket
from storeroom.drivers._gcs.conditions import Query, is_conditional, writing
from storeroom.drivers._gcs.facts import KEPT, described
from storeroom.drivers._gcs.replies import Resource, resource_in
from storeroom.drivers._gcs.routes import Directed, object_path
from storeroom.drivers._http.failures import check_settled
from storeroom.drivers._http.wire import Failure, Lost, Refused

__all__ = ["copied", "moved", "own_of", "retiered", "rewritten"]

_CARRIED: Final = (*(field for field, _ in KEPT), "metadata", "customTime")


async def copied(
    source: Bucket, path: str, target: Bucket, to: str, how: WriteOptions, /
) -> Resource:
    """Copy with all that belongs to it but for what `how` says: the new resource."""
    query = target.writing(how, acl="destinationPredefinedAcl")
    changes = described(replace(target.kept(how), tier=how.tier or target.tier))
    if changes:
        return (await _copied_with(source, path, target, to, query, changes))[1]
    try:
        return await _rewritten(source, path, target, to, query, {})
    except Refused as refused:
        await source.check_there(refused)
        raise


async def moved(bucket: Bucket, path: str, to: str, how: WriteOptions, /) -> tuple[str, Resource]:
    """Copy with its tier and access list too: the generation that was copied, and the new resource."""
    how = bucket.kept(how)
    query = writing(how)
    if how.visibility is not None:
        query = (*query, ("destinationPredefinedAcl", PREDEFINED[how.visibility]))
    before, told = await _copied_with(bucket, path, bucket, to, query, described(how), whole=True)
    return str(before["generation"]), told


async def retiered(
    bucket: Bucket, path: str, tier: str, /, *, generation: str | None = None
) -> Resource:
    """Copy onto itself in another tier; only of this generation, where one is named."""
    changes = described(WriteOptions(tier=tier))
    try:
        _, told = await _copied_with(
            *(bucket, path, bucket, path, (), changes),
            whole=True,
            onto_itself=True,
            generation=generation,
        )
        return told
    except Unavailable as error:  # a reply was lost; whose copy it is does not matter
        now = await bucket.resource(path)
        if now.get("storageClass") != tier:
            raise Unavailable("the file is still in another tier; change it again") from error
        return now


async def _copied_with(
    source: Bucket,
    path: str,
    target: Bucket,
    to: str,
    query: Query,
    changes: Mapping[str, Any],
    /,
    *,
    whole: bool = False,
    onto_itself: bool = False,
    generation: str | None = None,
) -> tuple[Resource, Resource]:
    """Copy with changes: what was copied, and what became of it. Where that is overwritten, begin anew.

    `whole` takes along what the service leaves to the new file's bucket, unless it is changed.
    """
    attempt = 0
    while True:
        attempt += 1
        before = await (source.whole(path) if whole else source.resource(path))
        if generation not in (None, str(before["generation"])):
            raise Refused(412, Failure("conditionNotMet"), {})
        kept = own_of(before, query) if whole else {}
        pinned = (("ifGenerationMatch", str(before["generation"])),) if onto_itself else ()
        try:
            return before, await rewritten(
                source, path, target, to, (*query, *pinned), before, {**kept, **changes}
            )
        except Refused as refused:
            if refused.status != 404 and not (onto_itself and refused.status == 412):
                raise
            now = await source.resource(path)
            if now["generation"] == before["generation"]:
                raise
            await source.service.anew(refused, attempt)


def own_of(resource: Resource, query: Query = (), /) -> dict[str, Any]:
    """The tier and the access list of a file, unless the query sets another."""
    own: dict[str, Any] = {}
    if resource.get("storageClass"):
        own["storageClass"] = resource["storageClass"]
    if resource.get("acl") and "destinationPredefinedAcl" not in dict(query):
        own["acl"] = [{name: one[name] for name in ("entity", "role")} for one in resource["acl"]]
    return own


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
    """Copy this very generation, with changes; `Refused` with 404 where it is no more."""
    resource = {name: before[name] for name in _CARRIED if before.get(name) is not None}
    pinned: Query = (("sourceGeneration", str(before["generation"])), *query)
    return await _rewritten(source, path, target, to, pinned, resource | dict(changes))


async def _rewritten(
    source: Bucket, path: str, target: Bucket, to: str, query: Query, resource: Mapping[str, Any]
) -> Resource:
    service = target.service
    place = f"{object_path(source.name, path)}/rewriteTo{_behind(object_path(target.name, to))}"
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
        except (Lost, Refused) as error:
            check_settled(request, error, conditional=is_conditional(query))
            raise
        told = resource_in(answer)
        if told.get("done"):
            done: Resource = told["resource"]
            return done
        if not told.get("rewriteToken"):
            raise Unavailable("the service stopped in the middle of a copy; copy it again")
        token = (("rewriteToken", str(told["rewriteToken"])),)


def _behind(path: str) -> str:
    """An object's path without the name of the API."""
    return path.removeprefix("/storage/v1")
