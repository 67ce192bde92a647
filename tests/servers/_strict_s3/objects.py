"""One object: read, written, deleted, copied."""

from dataclasses import replace
from datetime import timedelta

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply, iso_date
from tests.servers._strict_s3 import access, conditions, encryption, facts, xml
from tests.servers._strict_s3.call import Call, Source
from tests.servers._strict_s3.checksums import ALGORITHMS, digest
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.state import (
    Bucket,
    Checksum,
    Facts,
    Store,
    Version,
    etag_of,
)

_RESPONSES = {
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
    "response-content-language": "Content-Language",
    "response-content-type": "Content-Type",
    "response-expires": "Expires",
}
_FACTS = ("ETag", "Last-Modified", "x-amz-version-id")


def get(store: Store, call: Call, /) -> Reply:
    """GET and HEAD of an object."""
    bucket = store.bucket(call.bucket)
    overrides = _overrides(call)
    version = found(call, bucket, call.query.get("versionId"))
    access.check_read(call, version)
    encryption.check_read(call, version)
    if call.method == "GET" and version.is_archived(store.now()):
        raise archived(version)
    headers = facts.shown(version)
    headers.update(_version_header(bucket, version))
    try:
        conditions.check_read(call, version)
    except Refused as refused:
        if refused.status == 304:
            refused.headers = {name: headers[name] for name in _FACTS if name in headers}
        raise
    headers.update(overrides)
    return _sent(call, version, headers)


def _overrides(call: Call) -> dict[str, str]:
    overrides = {name: call.query[key] for key, name in _RESPONSES.items() if key in call.query}
    if overrides and not call.signed.key:
        raise Refused(
            "InvalidRequest",
            "Request specific response headers cannot be used for anonymous GET requests.",
        )
    return overrides


def _sent(call: Call, version: Version, headers: CIMultiDict[str]) -> Reply:
    size = len(version.data)
    part = conditions.asked_range(call.header("Range"), size)
    if part is None:
        if (call.header("x-amz-checksum-mode") or "").upper() == "ENABLED":
            headers.update(checksum_headers(version.stored_checksum()))
        return _body(call, 200, version.data, headers)
    start, stop = part
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return _body(call, 206, version.data[start:stop], headers)


def _body(call: Call, status: int, data: bytes, headers: CIMultiDict[str]) -> Reply:
    return Reply(status, b"" if call.method == "HEAD" else data, headers, len(data))


def put(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    made = facts.asked(call, bucket)
    conditions.check_write(call, bucket.latest(call.key))
    if len(call.body) > store.settings.largest_put:
        raise Refused(
            "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size."
        )
    version = stored(store, bucket, call.key, call.body, made, checksum=call.checksum)
    return Reply(headers=written_headers(bucket, version))


def stored(
    store: Store,
    bucket: Bucket,
    key: str,
    data: bytes,
    made: Facts,
    *,
    checksum: Checksum | None = None,
    etag: str | None = None,
) -> Version:
    """Put the object on top of its key."""
    checked_key(key)
    tag = etag or etag_of(data, made.encryption)
    version = Version(key, data, made, store.now(), tag, checksum=checksum)
    bucket.add(version)
    return version


def checked_key(key: str) -> None:
    if len(key.encode("utf-8", "surrogateescape")) > 1024:
        raise Refused("KeyTooLongError", "Your key is too long", MaxSizeAllowed=1024)


def written_headers(bucket: Bucket, version: Version) -> CIMultiDict[str]:
    headers = CIMultiDict({"ETag": f'"{version.etag}"'})
    headers.update(encryption.headers(version.facts.encryption))
    headers.update(_version_header(bucket, version))
    if version.checksum:
        headers.update(checksum_headers(version.checksum))
    return headers


def checksum_headers(checksum: Checksum) -> dict[str, str]:
    return {
        f"x-amz-checksum-{checksum.algorithm}": checksum.value,
        "x-amz-checksum-type": checksum.kind,
    }


def delete(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    conditions.check_delete(call, bucket.latest(call.key))
    headers = removed(store, bucket, call.key, call.query.get("versionId"))
    return Reply(204, headers=CIMultiDict(headers))


def removed(store: Store, bucket: Bucket, key: str, version_id: str | None) -> dict[str, str]:
    """Delete a version for good, or the object: with versions, a marker is put on top."""
    if version_id is not None:
        dropped = bucket.drop(key, version_id)
        marker = {"x-amz-delete-marker": "true"} if dropped and dropped.is_marker else {}
        return {"x-amz-version-id": version_id} | marker
    if bucket.versioning is None:
        bucket.drop(key, "null")
        return {}
    marked = Version(key, b"", Facts(), store.now(), is_marker=True)
    bucket.add(marked)
    return {"x-amz-version-id": marked.id, "x-amz-delete-marker": "true"}


def copy(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    source = Source.of(call.headers["x-amz-copy-source"])
    origin = copied(store, call, source)
    if len(origin.data) > store.settings.largest_copy:
        raise Refused(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy "
            f"source: {store.settings.largest_copy}",
        )
    made = _copied_facts(call, bucket, origin)
    _refuse_itself(call, source, origin, made)
    conditions.check_write(call, bucket.latest(call.key))
    checksum = _copied_checksum(call, origin)
    version = stored(store, bucket, call.key, origin.data, made, checksum=checksum)
    headers = written_headers(bucket, version)
    if store.bucket(source.bucket).versioning:
        headers["x-amz-copy-source-version-id"] = origin.id
    reply = Reply.xml(xml.document("CopyObjectResult", copy_result(version)))
    return replace(reply, headers=CIMultiDict({**reply.headers, **headers}))


def copied(store: Store, call: Call, source: Source) -> Version:
    """The source of a copy, its conditions and its key kept."""
    version = found(call, store.bucket(source.bucket), source.version_id, key=source.key)
    encryption.check_copied(call, version)
    conditions.check_copied(call, version)
    if version.is_archived(store.now()):
        raise archived(version)
    return version


def _copied_facts(call: Call, bucket: Bucket, origin: Version) -> Facts:
    made = facts.asked(call, bucket)
    if _directive(call, "x-amz-metadata-directive") == "COPY":
        made.headers, made.metadata = dict(origin.facts.headers), dict(origin.facts.metadata)
    if _directive(call, "x-amz-tagging-directive") == "COPY":
        made.tags = dict(origin.facts.tags)
    return made


def _directive(call: Call, name: str) -> str:
    value = call.header(name) or "COPY"
    if value not in ("COPY", "REPLACE"):
        raise Refused("InvalidArgument", f"Unknown {name}.", ArgumentValue=value)
    return value


def _refuse_itself(call: Call, source: Source, origin: Version, made: Facts) -> None:
    same = (source.bucket, source.key) == (call.bucket, call.key) and not source.version_id
    replaced = "REPLACE" in (
        call.header("x-amz-metadata-directive"),
        call.header("x-amz-tagging-directive"),
    )
    given = call.header("x-amz-storage-class") or call.header("x-amz-server-side-encryption")
    if same and not replaced and not given and made.encryption == origin.facts.encryption:
        raise Refused(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without "
            "changing the object's metadata, storage class, website redirect location or "
            "encryption attributes.",
        )


def _copied_checksum(call: Call, origin: Version) -> Checksum | None:
    asked = (call.header("x-amz-checksum-algorithm") or "").lower()
    algorithm = asked or (origin.checksum.algorithm if origin.checksum else "")
    if not algorithm:
        return None
    if algorithm not in ALGORITHMS:
        raise Refused("InvalidRequest", "Checksum algorithm provided is unsupported.")
    return Checksum(algorithm, digest(algorithm, origin.data))


def copy_result(version: Version) -> list[str]:
    shown = [
        xml.tag("LastModified", iso_date(version.modified)),
        xml.tag("ETag", f'"{version.etag}"'),
    ]
    if version.checksum:
        name = version.checksum.algorithm.upper()
        shown.append(xml.tag(f"Checksum{name}", version.checksum.value))
        shown.append(xml.tag("ChecksumType", version.checksum.kind))
    return shown


def found(call: Call, bucket: Bucket, version_id: str | None, *, key: str | None = None) -> Version:
    """The version that is meant, or the refusal that says how it is not there."""
    name = call.key if key is None else key
    versions = bucket.versions.get(name, [])
    if version_id is None:
        if versions and not versions[0].is_marker:
            return versions[0]
        headers = _marker_headers(versions[0]) if versions else {}
        refused = Refused(
            "NoSuchKey", "The specified key does not exist.", headers=headers, Key=name
        )
        raise access.missing(call, refused)
    for version in versions:
        if version.id == version_id:
            return _readable(version)
    refused = Refused(
        "NoSuchVersion", "The specified version does not exist.", VersionId=version_id
    )
    raise access.missing(call, refused)


def _readable(version: Version) -> Version:
    if version.is_marker:
        raise Refused(
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
            headers={**_marker_headers(version), "Allow": "DELETE"},
            ResourceType="DeleteMarker",
        )
    return version


def _marker_headers(version: Version) -> dict[str, str]:
    return {"x-amz-delete-marker": "true", "x-amz-version-id": version.id}


def _version_header(bucket: Bucket, version: Version) -> dict[str, str]:
    return {"x-amz-version-id": version.id} if bucket.versioning else {}


def archived(version: Version) -> Refused:
    return Refused(
        "InvalidObjectState",
        "The operation is not valid for the object's storage class",
        StorageClass=version.facts.storage_class,
    )


def restore(store: Store, call: Call, /) -> Reply:
    """POST ?restore: 202 when it begins, 409 while it runs, 200 once it is done."""
    version = found(call, store.bucket(call.bucket), call.query.get("versionId"))
    asked = xml.parse(call.body, "RestoreRequest")
    days = asked.findtext("Days") or ""
    if not days.isdigit() or int(days) < 1:
        raise xml.malformed()
    if version.facts.storage_class not in ("GLACIER", "DEEP_ARCHIVE"):
        raise Refused(
            "InvalidObjectState",
            "Restore is not allowed for the object's current storage class",
            StorageClass=version.facts.storage_class,
        )
    if version.restoring:
        raise Refused("RestoreAlreadyInProgress", "Object restore is already in progress")
    if version.restored_until:
        version.restored_until = store.now() + timedelta(days=int(days))
        return Reply(200)
    version.restoring = True
    return Reply(202)


def finish_restores(store: Store, /) -> None:
    """What takes S3 hours: every restore under way is done."""
    for bucket in store.buckets.values():
        for versions in bucket.versions.values():
            for version in versions:
                if version.restoring:
                    version.restoring = False
                    version.restored_until = store.now() + timedelta(days=1)
