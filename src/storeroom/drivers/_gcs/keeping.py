"""What a bucket keeps beside the bytes: attributes, tiers, who may read, older generations."""

import json
from typing import Any, Final

from storeroom.contracts.values import Version, Visible, WriteOptions
from storeroom.drivers._gcs.bucket import PREDEFINED, Bucket
from storeroom.drivers._gcs.conditions import Query, generation_of
from storeroom.drivers._gcs.copying import own_of, retiered, rewritten
from storeroom.drivers._gcs.facts import described
from storeroom.drivers._gcs.listing import resources
from storeroom.drivers._gcs.replies import Resource, resource_in
from storeroom.drivers._gcs.routes import Directed, object_path
from storeroom.drivers._http.chunks import number
from storeroom.drivers._http.dates import iso_moment
from storeroom.drivers._http.wire import Refused, Request

__all__ = [
    "change_attributes",
    "change_visibility",
    "read_visibility",
    "restore_version",
    "versions",
]

_EVERYBODY: Final = "allUsers"
_READING: Final = frozenset(("READER", "OWNER"))


async def change_attributes(bucket: Bucket, path: str, how: WriteOptions, /) -> Resource:
    """Set what is not None in `how`: the new resource."""
    how = bucket.kept(how)
    changes = described(how)
    tier = changes.pop("storageClass", None)
    query: Query = ()
    if how.if_match is not None:
        query = (("ifGenerationMatch", generation_of(how.if_match)),)
    if how.visibility is not None:
        query += (("predefinedAcl", PREDEFINED[how.visibility]),)
        changes["acl"] = []
    if how.metadata is None:
        told = await _patched(bucket, path, changes, query)
    else:
        told = await _replaced(bucket, path, changes, query)
    if tier is None or told.get("storageClass") == tier:
        return told
    return await retiered(bucket, path, tier, generation=how.if_match)


async def restore_version(bucket: Bucket, path: str, version: str, /) -> Resource:
    """Write a generation once more, as the live one, in its tier and with its access list."""
    before = await bucket.whole(path, (("generation", version),))
    return await rewritten(bucket, path, bucket, path, (), before, own_of(before))


async def versions(bucket: Bucket, path: str, /) -> list[Version]:
    """The generations of one file, newest first."""
    found: list[Any] = []
    token: str | None = None
    while True:
        page, token = await resources(bucket.service, path, token, versions=True, after=path)
        mine = [item for item in page if item["name"] == path]
        found += mine
        if token is None or len(mine) < len(page):
            break
    return [
        Version(
            path,
            str(item["generation"]),
            number(item.get("size")),
            iso_moment(item.get("timeCreated")),
            "timeDeleted" not in item,
        )
        for item in sorted(found, key=_age, reverse=True)
    ]


async def read_visibility(bucket: Bucket, path: str, /) -> Visible:
    """ "public" where everybody may read the file."""
    told = resource_in(await bucket.service.ask(_access("GET", bucket, path)))
    for entry in told.get("items") or ():
        if entry.get("entity") == _EVERYBODY and entry.get("role") in _READING:
            return "public"
    return "private"


async def change_visibility(bucket: Bucket, path: str, visibility: Visible, /) -> None:
    """Let everybody read the file, or nobody who is not named; whoever is named keeps what he has."""
    if visibility == "public":
        await bucket.service.commit(_access("POST", bucket, path))
        return
    try:
        await bucket.service.commit(_access("DELETE", bucket, path, f"/{_EVERYBODY}"))
    except Refused as refused:
        if refused.status != 404:
            raise
        await bucket.resource(path)


def _access(method: str, bucket: Bucket, path: str, entry: str = "") -> Directed:
    target = f"{bucket.service.target.base}{object_path(bucket.name, path)}/acl{entry}"
    request = Directed("access", method, path, target=target)
    if method == "POST":
        request.headers["content-type"] = "application/json; charset=UTF-8"
        request.body = json.dumps({"entity": _EVERYBODY, "role": "READER"}).encode()
    return request


async def _replaced(bucket: Bucket, path: str, changes: dict[str, Any], query: Query) -> Resource:
    """The metadata as a whole: whatever else there is, is taken away."""
    attempt = 0
    while True:
        attempt += 1
        before = await bucket.resource(path)
        pairs = {**dict.fromkeys(before.get("metadata") or {}), **changes["metadata"]}
        pinned: Query = (("ifMetagenerationMatch", str(before.get("metageneration"))),)
        try:
            return await _patched(
                bucket, path, {**changes, "metadata": pairs or None}, (*query, *pinned)
            )
        except Refused as refused:
            if refused.status != 412 or _is_another(query, before):
                raise
            await bucket.service.anew(refused, attempt)


def _age(item: Resource) -> int:
    return int(item["generation"])


def _is_another(query: Query, before: Resource) -> bool:
    """Whether the file is not the one of the condition."""
    wanted = dict(query).get("ifGenerationMatch")
    return wanted is not None and wanted != before.get("generation")


async def _patched(bucket: Bucket, path: str, changes: dict[str, Any], query: Query) -> Resource:
    request = Request(
        "patch",
        "PATCH",
        path,
        query,
        {"content-type": "application/json; charset=UTF-8"},
        json.dumps(changes).encode(),
    )
    try:
        return resource_in((await bucket.service.commit(request))[1])
    except Refused as refused:
        await bucket.check_there(refused)
        raise
