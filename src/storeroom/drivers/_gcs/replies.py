"""What Google replies when it refuses: JSON or XML, by the API that was asked."""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from storeroom.contracts.errors import Corrupted
from storeroom.drivers._http.wire import Failure
from storeroom.drivers._http.xml import local, parsed

__all__ = ["Resource", "failure_in", "resource_in"]

Resource = Mapping[str, Any]
"""What the JSON API tells of an object: values of any kind by Google's names."""

# Reasons that are too wide; what is meant only the sentence says.
_SAID: Final = (
    ("bucket does not exist", "NoSuchBucket"),
    ("match calculated", "BadDigest"),
    ("uniform bucket-level access", "UniformAccess"),
    ("storage class", "InvalidStorageClass"),
    ("public access prevention", "PublicAccessPrevention"),
)
_WIDE: Final = frozenset(
    (
        *("", "invalid", "notFound", "conditionNotMet"),
        *("InvalidArgument", "PreconditionFailed"),
    )
)


def failure_in(status: int, body: bytes, /) -> Failure:
    """What the body of an error says."""
    if body[:1] in (b"{", b"["):
        found = _of_json(body)
    elif b"<Error>" in body:
        found = _of_xml(body)
    else:
        found = Failure(message=body[:200].decode(errors="replace") if _is_plain(body) else "")
    code = _meant(found) or ("requestTimeout" if status == 408 else "")
    return Failure(code, found.message, None, found.details)


def resource_in(body: bytes, /) -> Resource:
    """A reply of the JSON API."""
    try:
        told: Any = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Corrupted("the service's reply is no JSON object; check that endpoint_url is right")
    return cast(Resource, told)


def _of_json(body: bytes) -> Failure:
    try:
        told = _table(json.loads(body))
    except ValueError:
        return Failure()
    error = _table(told.get("error"))
    first = _table(_first(error.get("errors")))
    reason = str(first.get("reason") or error.get("status") or "")
    return Failure(reason, str(error.get("message") or ""))


def _table(told: object) -> dict[str, Any]:
    return cast(dict[str, Any], told) if isinstance(told, dict) else {}


def _first(told: object) -> object:
    return cast(list[object], told)[0] if isinstance(told, list) and told else None


def _of_xml(body: bytes) -> Failure:
    try:
        root = parsed(body)
    except Corrupted:
        return Failure()
    said = {local(child): child.text or "" for child in root}
    return Failure(said.pop("Code", ""), said.pop("Message", ""), None, said)


def _meant(found: Failure) -> str:
    if found.code not in _WIDE:
        return found.code
    said = found.message.lower()
    return next((code for words, code in _SAID if words in said), found.code)


def _is_plain(body: bytes) -> bool:
    return not body.lstrip().startswith(b"<")
