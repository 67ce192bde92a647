"""Conditions on what is there, and the part of it that is asked for."""

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

from tests.servers._strict import ranges
from tests.servers._strict_s3.call import Call
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.state import Version


def check_read(call: Call, version: Version, /) -> None:
    """If-Match and its like of GET and HEAD: 412 or 304."""
    _check_source(call.header, "", version, missed=_not_modified)


def check_copied(call: Call, version: Version, /) -> None:
    """`x-amz-copy-source-if-match` and its like: 412, whichever it is."""
    _check_source(call.header, "x-amz-copy-source-", version, missed=_failed)


def _check_source(
    header: Callable[[str], str | None],
    prefix: str,
    version: Version,
    *,
    missed: Callable[[str, Version], Refused],
) -> None:
    match, none_match = header(f"{prefix}If-Match"), header(f"{prefix}If-None-Match")
    since, until = header(f"{prefix}If-Modified-Since"), header(f"{prefix}If-Unmodified-Since")
    modified = version.modified.replace(microsecond=0)
    if match is not None and not names(match, version.etag):
        raise _failed("If-Match", version)
    if until and match is None and modified > _moment(until):
        raise _failed("If-Unmodified-Since", version)
    if none_match is not None and names(none_match, version.etag):
        raise missed("If-None-Match", version)
    if since and none_match is None and modified <= _moment(since):
        raise missed("If-Modified-Since", version)


def check_write(call: Call, current: Version | None, /) -> None:
    """If-None-Match: * and If-Match of PUT, copy and the completion of an upload.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    match, none_match = call.header("If-Match"), call.header("If-None-Match")
    if none_match is not None and none_match.strip() != "*":
        raise _not_implemented("If-None-Match")
    if none_match is not None and match is not None:
        raise _not_implemented("If-Match")
    if none_match is not None and current:
        raise _failed("If-None-Match", current)
    if match is None:
        return
    if current is None:
        raise Refused("NoSuchKey", "The specified key does not exist.", Key=call.key)
    if not names(match, current.etag):
        raise _failed("If-Match", current)


def check_delete(call: Call, current: Version | None, /) -> None:
    """If-Match of DELETE: 412 where another object stands there, 404 where none does.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
    """
    match = call.header("If-Match")
    if match is None or (current and names(match, current.etag)):
        return
    if current or match.strip() == "*":
        raise _failed("If-Match", current)
    raise Refused("NoSuchKey", "The specified key does not exist.", Key=call.key)


def asked_range(header: str | None, size: int, /) -> tuple[int, int] | None:
    """Start and exclusive stop; None for the whole; `InvalidRange` where nothing of it exists."""
    asked = ranges.asked_range(header, size)
    if asked is None:
        return None
    if not asked:
        raise Refused(
            "InvalidRange",
            "The requested range is not satisfiable",
            headers={"Content-Range": f"bytes */{size}"},
            RangeRequested=header,
            ActualObjectSize=size,
        )
    return asked.start, asked.stop


def names(header: str, etag: str, /) -> bool:
    """Whether a condition means this object."""
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return "*" in tags or etag in tags


def _moment(header: str) -> datetime:
    return parsedate_to_datetime(header)


def _failed(condition: str, version: Version | None) -> Refused:
    return Refused(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        Condition=condition,
    )


def _not_modified(condition: str, version: Version) -> Refused:
    return Refused("NotModified", headers={"ETag": f'"{version.etag}"'})


def _not_implemented(header: str) -> Refused:
    return Refused(
        "NotImplemented",
        "A header you provided implies functionality that is not implemented",
        Header=header,
    )
