"""Objects written by one request.

https://cloud.google.com/storage/docs/json_api/v1/objects/insert
"""

import re
from collections.abc import Mapping
from email.message import Message
from typing import Any

from tests.servers._strict.reply import Reply
from tests.servers._strict_gcs import checksums, conditions, names, resource
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused, invalid
from tests.servers._strict_gcs.state import Bucket, Facts, Store, Version

_HEADERS = {
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
    "content-type": "contentType",
    "x-goog-custom-time": "customTime",
}
_ACLS = {
    "authenticated-read": "authenticatedRead",
    "bucket-owner-full-control": "bucketOwnerFullControl",
    "bucket-owner-read": "bucketOwnerRead",
    "private": "private",
    "project-private": "projectPrivate",
    "public-read": "publicRead",
}
_META = "x-goog-meta-"


def insert(store: Store, call: Call, /) -> Reply:
    kind = call.query.get("uploadType")
    if kind == "media":
        said: dict[str, Any] = {}
        data, content_type = call.body, call.header("Content-Type")
    elif kind == "multipart":
        said, data, content_type = _parts(call)
    else:
        raise invalid("Invalid upload type.", location="uploadType")
    bucket = store.bucket(call.bucket)
    name = asked_name(call, said)
    facts = asked_facts(call, bucket, said, content_type)
    checks = asked_checks(call, said)
    conditions.check(conditions.asked(call), bucket.live(name))
    checksums.check(checks, data)
    version = stored(store, bucket, name, data, facts)
    return shown(call, bucket, version)


def put(store: Store, call: Call, /) -> Reply:
    """PUT of the XML API."""
    bucket = store.bucket(call.bucket)
    names.check(call.key)
    _check_length(call)
    facts = xml_facts(call, bucket)
    conditions.check(conditions.asked(call), bucket.live(call.key))
    checksums.check(asked_checks(call, {}), call.body)
    version = stored(store, bucket, call.key, call.body, facts)
    return written(version)


def written(version: Version, /) -> Reply:
    """What the XML API tells of what it has stored."""
    reply = Reply()
    reply.headers["ETag"] = resource.xml_etag(version)
    reply.headers.extend(stored_headers(version))
    return reply


def stored_headers(version: Version, /) -> list[tuple[str, str]]:
    """Generation, hashes and what is stored, as both APIs tell them in headers."""
    hashes = [("x-goog-hash", f"crc32c={version.crc32c}")]
    if version.md5:
        hashes.append(("x-goog-hash", f"md5={version.md5}"))
    return [
        ("x-goog-generation", str(version.generation)),
        ("x-goog-metageneration", str(version.metageneration)),
        *hashes,
        (
            "x-goog-stored-content-encoding",
            version.facts.fields.get("contentEncoding", "identity"),
        ),
        ("x-goog-stored-content-length", str(len(version.data))),
    ]


def shown(call: Call, bucket: Bucket, version: Version, /) -> Reply:
    """The resource as it is answered, with the ACL where `projection=full` asks for it."""
    full = call.query.get("projection") == "full"
    return Reply.json(resource.shown(call.origin, bucket, version, full=full))


def stored(
    store: Store,
    bucket: Bucket,
    name: str,
    data: bytes,
    facts: Facts,
    /,
    *,
    components: int | None = None,
) -> Version:
    """Put the object on top of its name."""
    now = store.now()
    md5 = None if components else checksums.md5(data)
    version = Version(name, data, facts, now, now, checksums.crc32c(data), md5, components)
    bucket.add(version)
    return version


def asked_name(call: Call, said: Mapping[str, Any], /) -> str:
    name = call.query.get("name") or said.get("name") or ""
    names.check(name)
    return str(name)


def asked_facts(
    call: Call, bucket: Bucket, said: Mapping[str, Any], content_type: str | None, /
) -> Facts:
    """Of the resource, and of what stands beside it."""
    facts = resource.asked(said, bucket, call.query.get("predefinedAcl"))
    if content_type:
        facts.fields.setdefault("contentType", content_type)
    if "contentEncoding" in call.query:
        facts.fields["contentEncoding"] = call.query["contentEncoding"]
    return facts


def xml_facts(call: Call, bucket: Bucket, /) -> Facts:
    """Of the headers of a request of the XML API."""
    said: dict[str, Any] = {
        field: call.headers[name] for name, field in _HEADERS.items() if call.header(name)
    }
    said["metadata"] = {
        name.lower().removeprefix(_META): value
        for name, value in call.headers.items()
        if name.lower().startswith(_META)
    }
    said["storageClass"] = call.header("x-goog-storage-class")
    acl = call.header("x-goog-acl")
    if acl is not None and acl not in _ACLS:
        raise invalid("Invalid argument.", location="x-goog-acl")
    return resource.asked(said, bucket, _ACLS[acl] if acl else None)


def asked_checks(call: Call, said: Mapping[str, Any], /) -> dict[str, str]:
    """The checksums that were given for the object, wherever they stand."""
    fields = {"md5": said.get("md5Hash"), "crc32c": said.get("crc32c")}
    given = {name: str(value) for name, value in fields.items() if value is not None}
    given |= checksums.of_headers(call.headers.getall("x-goog-hash", []))
    if call.header("Content-MD5") and call.query.get("uploadType") != "multipart":
        given["md5"] = call.headers["Content-MD5"]
    return given


def _check_length(call: Call) -> None:
    limits = call.header("x-goog-content-length-range")
    if limits is None:
        return
    least, _, most = limits.partition(",")
    if len(call.body) < int(least):
        raise Refused(
            400,
            "Your proposed upload is smaller than the minimum object size.",
            code="EntityTooSmall",
        )
    if len(call.body) > int(most):
        raise Refused(
            400,
            "Your proposed upload exceeds the maximum allowed object size.",
            code="EntityTooLarge",
        )


def _parts(call: Call) -> tuple[dict[str, Any], bytes, str | None]:
    """Resource, data and the data's type, of a body that has exactly these two parts."""
    kind = Message()
    kind["Content-Type"] = call.header("Content-Type") or ""
    boundary = str(kind.get_param("boundary", "")).encode()
    if kind.get_content_type() != "multipart/related" or not boundary:
        raise invalid("Multipart upload needs the content type multipart/related and a boundary.")
    pieces = re.split(rb"(?:^|\r\n)--" + re.escape(boundary), call.body)
    if len(pieces) != 4 or pieces[0] or pieces[3].strip(b"\r\n") != b"--":
        raise invalid("Malformed multipart body.")
    head, said = _part(pieces[1])
    if (head.get_content_type(), head.get("Content-Transfer-Encoding")) != (
        "application/json",
        None,
    ):
        raise invalid("Multipart body: the first part must be of type application/json.")
    media, data = _part(pieces[2])
    if media.get("Content-Type") is None:
        raise invalid("Multipart body: the second part has no content type.")
    return resource.parsed(said), data, str(media["Content-Type"])


def _part(raw: bytes) -> tuple[Message, bytes]:
    head, found, data = raw.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    if not found or not raw.startswith(b"\r\n"):
        raise invalid("Malformed multipart body.")
    headers = Message()
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip()] = value.strip()
    return headers, data
