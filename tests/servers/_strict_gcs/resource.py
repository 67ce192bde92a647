"""An object as JSON, in both directions.

https://cloud.google.com/storage/docs/json_api/v1/objects#resource
"""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from tests.servers._strict.reply import iso_date
from tests.servers._strict_gcs import acl
from tests.servers._strict_gcs.errors import Refused, invalid
from tests.servers._strict_gcs.state import Bucket, Facts, Version

FIELDS = (
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "contentType",
    "customTime",
    "eventBasedHold",
    "temporaryHold",
)
CLASSES = {
    *("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"),
    *("MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY"),
}
_OUTPUT = (
    *("kind", "id", "selfLink", "mediaLink", "name", "bucket", "generation", "metageneration"),
    *("size", "md5Hash", "crc32c", "etag", "timeCreated", "updated", "timeDeleted", "owner"),
    *("timeStorageClassUpdated", "componentCount", "timeFinalized", "kmsKeyName", "retention"),
    *("retentionExpirationTime", "customerEncryption", "softDeleteTime", "hardDeleteTime"),
    *("contexts", "restoreToken"),
)
_KNOWN = {*FIELDS, *_OUTPUT, "metadata", "storageClass", "acl"}
_METADATA_LIMIT = 8 << 10


def parsed(body: bytes, /) -> dict[str, Any]:
    """The resource in the body of a request, refused if there are fields that no resource has."""
    try:
        said: Any = json.loads(body or b"{}")
    except ValueError as exc:
        raise Refused(400, "Parse Error", reason="parseError") from exc
    if not isinstance(said, dict):
        raise Refused(400, "Parse Error", reason="parseError")
    unknown = said.keys() - _KNOWN
    if unknown:
        raise invalid(
            f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.'
        )
    return said


def asked(said: Mapping[str, Any], bucket: Bucket, predefined: str | None, /) -> Facts:
    """What a new object shall be."""
    made = Facts(storage_class=_storage_class(said.get("storageClass")))
    made.acl = acl.asked(bucket, predefined, said.get("acl"))
    patch(made, {name: value for name, value in said.items() if name != "storageClass"})
    return made


def patch(facts: Facts, said: Mapping[str, Any], /) -> None:
    """Change the fields that are said; None takes one away, metadata merges."""
    if "storageClass" in said and said["storageClass"] != facts.storage_class:
        raise invalid("The storage class of an object can only be changed by rewriting it.")
    for name in FIELDS:
        if name in said and said[name] is None:
            facts.fields.pop(name, None)
        elif name in said:
            facts.fields[name] = _checked(name, said[name])
    if said.get("metadata", "") is None:
        facts.metadata = {}
    for key, value in (said.get("metadata") or {}).items():
        if value is None:
            facts.metadata.pop(key, None)
        elif not isinstance(value, str):
            raise invalid(f"Invalid value for: Expected string value for metadata key {key}")
        else:
            facts.metadata[key] = value
    if (
        sum(len(text.encode()) for pair in facts.metadata.items() for text in pair)
        > _METADATA_LIMIT
    ):
        raise invalid("The metadata for this object is larger than the maximum of 8 KiB.")


def _checked(name: str, value: Any) -> Any:
    if name.endswith("Hold"):
        if not isinstance(value, bool):
            raise invalid(f"Invalid value for: {name}")
        return value
    if not isinstance(value, str) or "\n" in value or "\r" in value:
        raise invalid(f"Invalid value for: {name}")
    if name == "customTime":
        _moment(value)
    return value


def _moment(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError as exc:
        raise invalid(f"Invalid format: {value}", location="customTime") from exc


def _storage_class(name: Any) -> str | None:
    if name is None or name in CLASSES:
        return None if name is None else str(name)
    raise Refused(
        400, "Invalid argument.", details=f"{name} is no storage class.", code="InvalidStorageClass"
    )


def shown(
    origin: str, bucket: Bucket, version: Version, /, *, full: bool = False
) -> dict[str, Any]:
    """The resource, as answers have it; with its ACL if it is `full`."""
    place = f"b/{bucket.name}/o/{quote(version.name, safe='')}"
    created, facts = iso_date(version.created), version.facts
    told: dict[str, Any] = {
        "kind": "storage#object",
        "id": f"{bucket.name}/{version.name}/{version.generation}",
        "selfLink": f"{origin}/storage/v1/{place}",
        "mediaLink": f"{origin}/download/storage/v1/{place}?generation={version.generation}&alt=media",
        "name": version.name,
        "bucket": bucket.name,
        "generation": str(version.generation),
        "metageneration": str(version.metageneration),
        "storageClass": facts.storage_class or bucket.storage_class,
        "size": str(len(version.data)),
        "crc32c": version.crc32c,
        "etag": etag(version),
        "timeCreated": created,
        "updated": iso_date(version.updated),
        "timeStorageClassUpdated": created,
        "timeFinalized": created,
        **facts.fields,
    }
    if version.md5:
        told["md5Hash"] = version.md5
    if version.components:
        told["componentCount"] = version.components
    if facts.metadata:
        told["metadata"] = facts.metadata
    if version.deleted:
        told["timeDeleted"] = iso_date(version.deleted)
    if full and not bucket.is_uniform:
        told["acl"] = acl.shown(bucket, version)
        told["owner"] = {"entity": acl.OWNER}
    return told


def etag(version: Version, /) -> str:
    """The opaque one of the JSON API; it changes with the metadata too."""
    return base64.b64encode(f"{version.generation}/{version.metageneration}".encode()).decode()


def xml_etag(version: Version, /) -> str:
    """The one of the XML API: the MD5, where there is one."""
    if version.md5 is None:
        return f'"-{etag(version)}"'
    return f'"{base64.b64decode(version.md5).hex()}"'
