"""What a writer says about an object, read from headers and shown in them again."""

import base64
from urllib.parse import parse_qsl

from multidict import CIMultiDict

from tests.servers._strict.reply import http_date
from tests.servers._strict_s3 import access, encryption
from tests.servers._strict_s3.call import Call
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.state import Bucket, Facts, Version

CONTENT = (
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Type",
    "Expires",
)
CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
        "EXPRESS_ONEZONE",
    }
)
_META = "x-amz-meta-"
_MOST_METADATA = 2048
_MOST_TAGS = 10


def asked(call: Call, bucket: Bucket, /) -> Facts:
    """All that the headers of a PUT, a copy or the start of an upload say."""
    return Facts(
        content_headers(call),
        metadata(call),
        tags(call.header("x-amz-tagging")),
        access.asked_acl(call, bucket),
        storage_class(call),
        encryption.asked(call),
    )


def content_headers(call: Call, /) -> dict[str, str]:
    found = {name: value for name in CONTENT if (value := call.header(name)) is not None}
    codings = [coding.strip() for coding in found.pop("Content-Encoding", "").split(",")]
    kept = ", ".join(coding for coding in codings if coding not in ("", "aws-chunked"))
    if kept:
        found["Content-Encoding"] = kept
    return {"Content-Type": "binary/octet-stream"} | found


def metadata(call: Call, /) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in call.headers.items():
        if name.lower().startswith(_META):
            key = name.lower().removeprefix(_META)
            found[key] = f"{found[key]},{value}" if key in found else value
    if sum(len(f"{name}{value}".encode()) for name, value in found.items()) > _MOST_METADATA:
        raise Refused(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            MaxSizeAllowed=_MOST_METADATA,
        )
    return found


def tags(header: str | None, /) -> dict[str, str]:
    pairs = parse_qsl(header or "", keep_blank_values=True)
    return checked_tags(pairs)


def checked_tags(pairs: list[tuple[str, str]], /) -> dict[str, str]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("InvalidTag", "Cannot provide multiple Tags with the same key")
    if len(found) > _MOST_TAGS:
        raise Refused("InvalidTag", "Object tags cannot be greater than 10")
    for key, value in found.items():
        if not 0 < len(key) <= 128 or len(value) > 256:
            raise Refused("InvalidTag", "The TagKey or TagValue you have provided is invalid")
    return found


def storage_class(call: Call, /) -> str:
    asked_class = call.header("x-amz-storage-class") or "STANDARD"
    if asked_class not in CLASSES:
        raise Refused("InvalidStorageClass", "The storage class you specified is not valid")
    return asked_class


def shown(version: Version, /) -> CIMultiDict[str]:
    """The headers of GET and HEAD but for lengths, ranges and checksums."""
    facts = version.facts
    headers = CIMultiDict(
        {
            "ETag": f'"{version.etag}"',
            "Last-Modified": http_date(version.modified),
            "Accept-Ranges": "bytes",
            **facts.headers,
            **{f"{_META}{name}": _header_value(value) for name, value in facts.metadata.items()},
            **encryption.headers(facts.encryption),
        }
    )
    if facts.tags:
        headers["x-amz-tagging-count"] = str(len(facts.tags))
    if facts.storage_class != "STANDARD":
        headers["x-amz-storage-class"] = facts.storage_class
    if version.restoring:
        headers["x-amz-restore"] = 'ongoing-request="true"'
    elif version.restored_until:
        until = http_date(version.restored_until)
        headers["x-amz-restore"] = f'ongoing-request="false", expiry-date="{until}"'
    return headers


def _header_value(value: str) -> str:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html: S3 gives other
    # than ASCII back as RFC 2047 has it.
    if value.isascii():
        return value
    encoded = base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()
    return f"=?UTF-8?B?{encoded}?="
