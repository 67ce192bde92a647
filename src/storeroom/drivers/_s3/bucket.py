"""One bucket with all that a driver was told about it; what the verbs share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from storeroom.contracts.errors import Unsupported
from storeroom.contracts.values import Stat, Traits, WriteOptions
from storeroom.drivers._http.reading import looked_at
from storeroom.drivers._http.wire import Refused
from storeroom.drivers._s3.headers import Encryption, describing
from storeroom.drivers._s3.keeping import check_bucket
from storeroom.drivers._s3.presets import Conditional, Preset
from storeroom.drivers._s3.reading import S3Reading
from storeroom.drivers._s3.service import Service
from storeroom.drivers._s3.uploading import Rules

__all__ = ["Bucket"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket: its service, how it is read and written, and what goes with every write."""

    name: str
    service: Service
    preset: Preset
    traits: Traits
    reading: S3Reading
    rules: Rules
    encryption: Encryption
    acl: str | None
    tier: str | None

    async def headers_of(self, path: str, /) -> Mapping[str, str]:
        """The headers of a file; where the service says just "not there", the bucket is looked for, once."""
        try:
            return await looked_at(self.reading, path)
        except Refused as refused:
            if refused.status == 404 and not self.service.seen:
                await check_bucket(self.service)
            raise

    async def stat(self, path: str, version: str | None = None, /) -> Stat:
        """The facts of a file, or of a version of it."""
        if version is not None:
            headers = await looked_at(self.reading, path, version)
        else:
            headers = await self.headers_of(path)
        return self.reading.stat_of(path, headers, self.reading.size_of(headers))

    def described(self, how: WriteOptions, /) -> dict[str, str]:
        """The headers of a new file."""
        kept = self.kept(how)
        if kept.tier is None and self.tier is not None:
            kept = replace(kept, tier=self.tier)
        headers = describing(kept, self.acl)
        headers.update(self.encryption.writing)
        return headers

    def kept(self, how: WriteOptions, /) -> WriteOptions:
        """What the provider stores of this: data that is merely carried along drops, other is refused."""
        if how.tags is None and how.tier is None and how.visibility is None:
            return how
        keeps = self.traits.keeps
        lost = {
            "tags": bool(how.tags) and "tags" not in keeps,
            "tier": how.tier is not None and "tier" not in keeps,
            "visibility": how.visibility is not None and "visibility" not in keeps,
        }
        refused = [name for name, is_lost in lost.items() if is_lost]
        if refused and not how.carried:
            raise Unsupported(
                f"this provider is not known to keep {refused[0]}; set features if yours does"
            )
        return replace(
            how,
            tags=None if lost["tags"] else how.tags,
            tier=None if lost["tier"] else how.tier,
            visibility=None if lost["visibility"] else how.visibility,
        )

    def conditions(self, how: WriteOptions, kind: Conditional, /) -> dict[str, str]:
        """The headers of the conditions; `Unsupported` where the provider is not known to honour them."""
        if how.overwrite and how.if_match is None:
            return {}
        asked = "if_match" if how.if_match is not None else "overwrite"
        if asked not in self.traits.conditions or kind not in self.preset.conditions:
            raise Unsupported(
                f"this provider is not known to honour {asked} here; set features.conditions if "
                "yours does"
            )
        headers = {} if how.if_match is None else {"if-match": how.if_match}
        return headers if how.overwrite else {**headers, "if-none-match": "*"}
