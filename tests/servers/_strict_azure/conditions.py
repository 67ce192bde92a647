"""Conditions on what is there, and the part of it that is asked for.

https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.state import Blob

_RANGE = re.compile(r"bytes=(?P<start>\d+)-(?P<end>\d*)")
_TAG = re.compile(r"""\s*"(?P<name>[^"]+)"\s*(?P<sign>=|<>)\s*'(?P<value>[^']*)'\s*""")


def check_read(call: Call, blob: Blob, /) -> None:
    """412 or 304."""
    if (call.header("If-None-Match") or "").strip() == "*":
        raise Refused("UnsatisfiableCondition", "The request includes an unsatisfiable condition.")
    _check(call, blob, "", "x-ms-if-tags", unchanged=304)


def check_source(call: Call, blob: Blob, /) -> None:
    """`x-ms-source-if-match` and its like: 412, whichever it is."""
    prefix = "x-ms-source-"
    _check(call, blob, prefix, f"{prefix}if-tags", code="SourceConditionNotMet")


def check_write(call: Call, current: Blob | None, /, *, creates: bool = False) -> None:
    """412, but 409 where something that `creates` blobs shall not find one."""
    if current:
        names_all = (call.header("If-None-Match") or "").strip() == "*"
        if names_all and creates:
            raise Refused("BlobAlreadyExists", "The specified blob already exists.")
        _check(call, current, "", "x-ms-if-tags")
        return
    if call.header("If-Match") or call.header("If-Unmodified-Since") or call.header("x-ms-if-tags"):
        if creates:
            raise _missed("ConditionNotMet", 412)
        raise absent()


def absent() -> Refused:
    return Refused("BlobNotFound", "The specified blob does not exist.")


def _check(
    call: Call,
    blob: Blob,
    prefix: str,
    tags: str,
    *,
    code: str = "ConditionNotMet",
    unchanged: int = 412,
) -> None:
    match, none_match = call.header(f"{prefix}if-match"), call.header(f"{prefix}if-none-match")
    since, until = (
        call.header(f"{prefix}if-modified-since"),
        call.header(f"{prefix}if-unmodified-since"),
    )
    modified = blob.modified.replace(microsecond=0)
    if match and not _names(match, blob.etag):
        raise _missed(code, 412)
    if until and modified > _moment(until):
        raise _missed(code, 412)
    said = call.header(tags)
    if said and not _tags_are(said, blob.tags):
        raise _missed(code, 412)
    if none_match and _names(none_match, blob.etag):
        raise _missed(code, unchanged)
    if since and not none_match and modified <= _moment(since):
        raise _missed(code, unchanged)


def _names(header: str, etag: str) -> bool:
    said = header.strip()
    if said == "*":
        return True
    if not (said.startswith('"') and said.endswith('"')):
        raise Refused("InvalidHeaderValue", "An ETag is in quotes.", HeaderValue=said)
    return said == etag


def _moment(header: str) -> datetime:
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        raise Refused("InvalidHeaderValue", HeaderValue=header) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tags_are(said: str, tags: dict[str, str]) -> bool:
    found = [_TAG.fullmatch(part) for part in re.split(r"\bAND\b", said)]
    if not all(found):
        raise Refused("InvalidHeaderValue", HeaderName="x-ms-if-tags", HeaderValue=said)
    return all(
        (tags.get(one["name"]) == one["value"]) is (one["sign"] == "=") for one in found if one
    )


def _missed(code: str, status: int) -> Refused:
    message = "The condition specified using HTTP conditional header(s) is not met."
    return Refused(code, message, status=status)


def asked_range(call: Call, size: int, /) -> range | None:
    """None for the whole; `InvalidRange` where nothing of it exists, as in an empty blob."""
    return parsed_range(call.header("x-ms-range") or call.header("Range"), size)


def parsed_range(header: str | None, size: int, /) -> range | None:
    if header is None:
        return None
    found = _RANGE.fullmatch(header)
    if not found or (found["end"] and int(found["end"]) < int(found["start"])):
        raise Refused("InvalidHeaderValue", HeaderName="Range", HeaderValue=header)
    start = int(found["start"])
    if start >= size:
        raise Refused(
            "InvalidRange",
            "The range specified is invalid for the current size of the resource.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return range(start, min(size, int(found["end"]) + 1) if found["end"] else size)
