"""ACLs of objects, which buckets with uniform access refuse.

https://cloud.google.com/storage/docs/access-control/lists
"""

from collections.abc import Sequence
from typing import Any

from tests.servers._strict_gcs.errors import Refused, invalid
from tests.servers._strict_gcs.state import Bucket, Version

OWNER = "user-owner@storeroom.example"
_PUBLIC = ("allUsers", "allAuthenticatedUsers")
PREDEFINED: dict[str, dict[str, str]] = {
    "authenticatedRead": {"allAuthenticatedUsers": "READER"},
    "bucketOwnerFullControl": {"project-owners-1": "OWNER"},
    "bucketOwnerRead": {"project-owners-1": "READER"},
    "private": {},
    "projectPrivate": {"project-viewers-1": "READER"},
    "publicRead": {"allUsers": "READER"},
}
_MORE = "Read more at https://cloud.google.com/storage/docs/uniform-bucket-level-access"


def asked(
    bucket: Bucket, predefined: str | None, entries: Sequence[Any] | None, /
) -> dict[str, str]:
    """The entries of a new object, beside its owner's."""
    if predefined is None and not entries:
        return dict(PREDEFINED["projectPrivate"])
    if bucket.is_uniform:
        raise _uniform("insert legacy ACL for an object")
    if predefined is not None and predefined not in PREDEFINED:
        raise invalid(
            f"Invalid value for: {predefined} is not a valid value", location="predefinedAcl"
        )
    made = dict(PREDEFINED[predefined or "private"])
    made |= dict(entry(bucket, it) for it in entries or ())
    check_public(bucket, made)
    return made


def entry(bucket: Bucket, said: Any, /) -> tuple[str, str]:
    """Entity and role of an ACL's entry."""
    entity, role = said.get("entity"), said.get("role")
    if not entity:
        raise Refused(400, "Required", reason="required", location="entity")
    if role not in ("OWNER", "READER"):
        raise invalid("Invalid argument.", location="role")
    check_public(bucket, {entity: role})
    return str(entity), str(role)


def check_public(bucket: Bucket, entries: dict[str, str], /) -> None:
    if bucket.forbids_public and any(name in entries for name in _PUBLIC):
        raise Refused(
            412,
            "The member bindings allUsers and allAuthenticatedUsers are not allowed since public "
            "access prevention is enforced.",
        )


def shown(bucket: Bucket, version: Version, /) -> list[dict[str, Any]]:
    entries = {OWNER: "OWNER", **version.facts.acl}
    return [one(bucket, version, entity, role) for entity, role in entries.items()]


def one(bucket: Bucket, version: Version, entity: str, role: str, /) -> dict[str, Any]:
    return {
        "kind": "storage#objectAccessControl",
        "id": f"{bucket.name}/{version.name}/{version.generation}/{entity}",
        "bucket": bucket.name,
        "object": version.name,
        "generation": str(version.generation),
        "entity": entity,
        "role": role,
        "etag": "CAE=",
    }


def check_has(bucket: Bucket, verb: str, /) -> None:
    """Refuse what is asked of the ACL of an object that has none."""
    if bucket.is_uniform:
        raise _uniform(f"{verb} legacy ACL for an object")


def _uniform(what: str) -> Refused:
    return Refused(400, f"Cannot {what} when uniform bucket-level access is enabled. {_MORE}")
