"""One bucket with all that a driver was told about it; what the verbs share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from storeroom.contracts.errors import Unsupported
from storeroom.contracts.values import Stat, Traits, Visible, WriteOptions
from storeroom.drivers._gcs.conditions import Query, writing
from storeroom.drivers._gcs.facts import described, stat_of
from storeroom.drivers._gcs.failures import NO_BUCKET
from storeroom.drivers._gcs.reading import GCSReading
from storeroom.drivers._gcs.replies import Resource, resource_in
from storeroom.drivers._gcs.service import Service
from storeroom.drivers._gcs.uploading import Rules
from storeroom.drivers._http.wire import Failure, Refused, Request

__all__ = ["PREDEFINED", "Bucket"]

PREDEFINED: Final[Mapping[Visible, str]] = {"public": "publicRead", "private": "private"}
"""Google's words for who may read."""

_UNIFORM: Final = (
    "the bucket has uniform access, so no file has a visibility of its own; leave visibility out, or "
    "open a bucket with access lists with uniform_access=False"
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket: its service, how it is read and written, and what goes with every write."""

    name: str
    service: Service
    traits: Traits
    reading: GCSReading
    rules: Rules
    visibility: Visible | None
    tier: str | None

    async def resource(self, path: str, query: Query = (), /) -> Resource:
        """All that the service tells of a file; where it says just "not there", the bucket is looked for, once."""
        try:
            return resource_in(await self.service.ask(Request("get", "GET", path, query)))
        except Refused as refused:
            await self.check_there(refused)
            raise

    async def whole(self, path: str, query: Query = (), /) -> Resource:
        """The same with the access list, where the bucket has such."""
        lists = "visibility" in self.traits.keeps
        return await self.resource(path, (*query, ("projection", "full")) if lists else query)

    async def stat(self, path: str, query: Query = (), /) -> Stat:
        """The facts of a file."""
        return stat_of(path, await self.resource(path, query))

    async def check_there(self, refused: Refused, /) -> None:
        """`Refused` as `NoSuchBucket` where a file is missing because its bucket is."""
        if refused.status != 404 or refused.code == NO_BUCKET or self.service.seen:
            return
        try:
            await self.service.ask(Request("list", "GET", None, (("maxResults", "1"),)))
        except Refused as found:
            if found.status == 404:
                raise Refused(404, Failure(NO_BUCKET), found.headers) from refused

    def described(self, how: WriteOptions, /) -> dict[str, Any]:
        """The resource of a new file."""
        kept = self.kept(how)
        if kept.tier is None and self.tier is not None:
            kept = replace(kept, tier=self.tier)
        return described(kept)

    def kept(self, how: WriteOptions, /) -> WriteOptions:
        """What the service stores of this: data that is merely carried along drops, other is refused."""
        if not how.tags and how.visibility is None:
            return replace(how, tags=None) if how.tags is not None else how
        uniform = "visibility" not in self.traits.keeps
        if not how.carried:
            if how.tags:
                raise Unsupported("Google Cloud Storage has no tags; put them into metadata")
            if uniform:
                raise Unsupported(_UNIFORM)
        return replace(how, tags=None, visibility=None if uniform else how.visibility)

    def writing(self, how: WriteOptions, /, *, acl: str = "predefinedAcl") -> Query:
        """The query of a write: its conditions, and who may read."""
        query = writing(how)
        visible = self.kept(how).visibility or self.visibility
        return query if visible is None else (*query, (acl, PREDEFINED[visible]))
