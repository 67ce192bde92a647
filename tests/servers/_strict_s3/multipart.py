"""Uploads in parts."""

import os
import re
from dataclasses import dataclass, replace

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply, iso_date
from tests.servers._strict_s3 import access, conditions, encryption, facts, objects, xml
from tests.servers._strict_s3.call import Call, Source
from tests.servers._strict_s3.checksums import ALGORITHMS, COMPOSITE, FULL, composite, digest
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.payload import bad_digest
from tests.servers._strict_s3.state import Bucket, Checksum, Part, Store, Upload, etag_of

_RANGE = re.compile(r"bytes=(?P<start>\d+)-(?P<end>\d+)")
_MOST_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Named:
    """A part as the completion of an upload names it."""

    number: int
    etag: str
    checksums: dict[str, str]


def create(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    objects.checked_key(call.key)
    algorithm = (call.header("x-amz-checksum-algorithm") or "").lower() or None
    kind = _kind(algorithm, call.header("x-amz-checksum-type"))
    made = facts.asked(call, bucket)
    upload = Upload(os.urandom(16).hex(), call.key, made, store.now(), algorithm, kind)
    bucket.uploads[upload.id] = upload
    told = (
        xml.tag("Bucket", bucket.name),
        xml.tag("Key", call.key),
        xml.tag("UploadId", upload.id),
    )
    headers = encryption.headers(made.encryption)
    if algorithm:
        headers["x-amz-checksum-algorithm"] = algorithm.upper()
        headers["x-amz-checksum-type"] = str(kind)
    return _with(Reply.xml(xml.document("InitiateMultipartUploadResult", told)), headers)


def _kind(algorithm: str | None, asked: str | None) -> str | None:
    if algorithm is None:
        if asked:
            raise Refused(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with x-amz-checksum-algorithm.",
            )
        return None
    if algorithm not in ALGORITHMS:
        raise Refused("InvalidRequest", "Checksum algorithm provided is unsupported.")
    kind = asked or (FULL if algorithm == "crc64nvme" else COMPOSITE)
    impossible = {FULL: ("sha1", "sha256"), COMPOSITE: ("crc64nvme",)}
    if kind not in impossible or algorithm in impossible[kind]:
        raise Refused(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm.",
        )
    return kind


def upload_part(store: Store, call: Call, /) -> Reply:
    _, upload = _open(store, call)
    encryption.check_part(call, upload.facts.encryption)
    if len(call.body) > store.settings.largest_put:
        raise Refused(
            "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size."
        )
    part = _keep(store, upload, _number(call), call.body, call.checksum)
    headers = {"ETag": f'"{part.etag}"', **encryption.headers(upload.facts.encryption)}
    if part.checksum:
        headers[f"x-amz-checksum-{part.checksum.algorithm}"] = part.checksum.value
    return Reply(headers=CIMultiDict(headers))


def copy_part(store: Store, call: Call, /) -> Reply:
    """UploadPartCopy: a range of an object becomes a part."""
    _, upload = _open(store, call)
    encryption.check_part(call, upload.facts.encryption)
    origin = objects.copied(store, call, Source.of(call.headers["x-amz-copy-source"]))
    data = _copied_range(call.header("x-amz-copy-source-range"), origin.data)
    if len(data) > store.settings.largest_copy:
        raise Refused(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy "
            f"source: {store.settings.largest_copy}",
        )
    checksum = None
    if upload.algorithm:
        checksum = Checksum(upload.algorithm, digest(upload.algorithm, data))
    part = _keep(store, upload, _number(call), data, checksum)
    told = [
        xml.tag("LastModified", iso_date(part.modified)),
        xml.tag("ETag", f'"{part.etag}"'),
        *_checksum(part.checksum),
    ]
    reply = Reply.xml(xml.document("CopyPartResult", told))
    return _with(reply, encryption.headers(upload.facts.encryption))


def _copied_range(header: str | None, data: bytes) -> bytes:
    if header is None:
        return data
    found = _RANGE.fullmatch(header)
    if not found:
        raise Refused(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
        )
    start, end = int(found["start"]), int(found["end"])
    if start > end or end >= len(data):
        raise Refused(
            "InvalidArgument",
            f"Range specified is not valid for source object of size: {len(data)}",
        )
    return data[start : end + 1]


def _keep(
    store: Store, upload: Upload, number: int, data: bytes, checksum: Checksum | None
) -> Part:
    given = checksum.algorithm if checksum else None
    if upload.algorithm and given != upload.algorithm and (given or upload.kind == COMPOSITE):
        raise _other_type(upload, given)
    if given and not upload.algorithm:
        raise _other_type(upload, given)
    etag = etag_of(data, upload.facts.encryption)
    part = upload.parts[number] = Part(number, data, etag, store.now(), checksum)
    return part


def _other_type(upload: Upload, given: str | None) -> Refused:
    return Refused(
        "InvalidRequest",
        f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm or 'null'}, "
        f"actual checksum Type: {given or 'null'}",
    )


def complete(store: Store, call: Call, /) -> Reply:
    bucket, upload = _open(store, call)
    named = _named(call.body)
    conditions.check_write(call, bucket.latest(call.key))
    parts = [_chosen(upload, part) for part in named]
    for part in parts[:-1]:
        _check_least(part, store.settings.smallest_part)
    if store.settings.uniform_parts and len({len(part.data) for part in parts[:-1]}) > 1:
        raise Refused("InvalidPart", "All non-trailing parts must have the same length.")
    data = b"".join(part.data for part in parts)
    _check_size(call, data)
    checksum = _whole_checksum(call, upload, parts, data)
    etag = _etag(parts, upload)
    del bucket.uploads[upload.id]
    version = objects.stored(
        store, bucket, upload.key, data, upload.facts, checksum=checksum, etag=etag
    )
    version.parts = [len(part.data) for part in parts]
    told = [
        xml.tag("Location", f"/{bucket.name}/{upload.key}"),
        xml.tag("Bucket", bucket.name),
        xml.tag("Key", upload.key),
        xml.tag("ETag", f'"{version.etag}"'),
        *_checksum(checksum),
        *([xml.tag("ChecksumType", checksum.kind)] if checksum else []),
    ]
    headers = dict(objects.written_headers(bucket, version))
    return _with(Reply.xml(xml.document("CompleteMultipartUploadResult", told)), headers)


def _named(body: bytes) -> list[Named]:
    found = [
        Named(
            int(part.findtext("PartNumber") or 0),
            (part.findtext("ETag") or "").strip('"'),
            {
                name: value
                for name in ALGORITHMS
                if (value := part.findtext(f"Checksum{name.upper()}"))
            },
        )
        for part in xml.parse(body, "CompleteMultipartUpload").iterfind("Part")
    ]
    if not 0 < len(found) <= _MOST_PARTS:
        raise xml.malformed()
    numbers = [part.number for part in found]
    if numbers != sorted(set(numbers)):
        raise Refused(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
    return found


def _chosen(upload: Upload, named: Named) -> Part:
    part = upload.parts.get(named.number)
    if part is None or part.etag != named.etag or not _agrees(part.checksum, named.checksums):
        raise Refused(
            "InvalidPart",
            "One or more of the specified parts could not be found. The part may not have been "
            "uploaded, or the specified entity tag may not match the part's entity tag.",
            UploadId=upload.id,
            PartNumber=named.number,
            ETag=named.etag,
        )
    if upload.kind == COMPOSITE and upload.algorithm not in named.checksums:
        raise Refused(
            "InvalidRequest",
            f"The upload was created using a {upload.algorithm} checksum. The complete request must "
            "include the checksum for each part. "
            f"It was missing for part {named.number} in the request.",
        )
    return part


def _check_least(part: Part, least: int) -> None:
    if len(part.data) < least:
        raise Refused(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
            ProposedSize=len(part.data),
            MinSizeAllowed=least,
            PartNumber=part.number,
            ETag=part.etag,
        )


def _agrees(stored: Checksum | None, named: dict[str, str]) -> bool:
    return all(stored and (stored.algorithm, stored.value) == given for given in named.items())


def _check_size(call: Call, data: bytes) -> None:
    announced = call.header("x-amz-mp-object-size")
    if announced is not None and announced != str(len(data)):
        raise Refused(
            "InvalidRequest",
            f"The provided 'x-amz-mp-object-size' header value {announced} does not match what was "
            f"computed: {len(data)}",
        )


def _whole_checksum(call: Call, upload: Upload, parts: list[Part], data: bytes) -> Checksum | None:
    given = call.checksum
    algorithm = upload.algorithm or (given.algorithm if given else None)
    if algorithm is None:
        return None
    if given and given.algorithm != algorithm:
        raise _other_type(upload, given.algorithm)
    made = Checksum(algorithm, digest(algorithm, data))
    if upload.kind == COMPOSITE:
        values = [part.checksum.value for part in parts if part.checksum]
        made = Checksum(algorithm, composite(algorithm, values), COMPOSITE)
    if given and given.value not in (made.value, made.value.partition("-")[0]):
        raise bad_digest(given)
    return made


def _etag(parts: list[Part], upload: Upload) -> str:
    joined = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{etag_of(joined, upload.facts.encryption)}-{len(parts)}"


def abort(store: Store, call: Call, /) -> Reply:
    bucket, upload = _open(store, call)
    del bucket.uploads[upload.id]
    return Reply(204)


def list_parts(store: Store, call: Call, /) -> Reply:
    bucket, upload = _open(store, call)
    marker = int(call.query.get("part-number-marker") or 0)
    most = min(int(call.query.get("max-parts") or 1000), store.settings.page)
    behind = [upload.parts[number] for number in sorted(upload.parts) if number > marker]
    shown = behind[:most]
    told = [
        xml.tag("Bucket", bucket.name),
        xml.tag("Key", upload.key),
        xml.tag("UploadId", upload.id),
        xml.tag("PartNumberMarker", marker),
        xml.tag("NextPartNumberMarker", shown[-1].number if shown else 0),
        xml.tag("MaxParts", most),
        xml.tag("IsTruncated", len(behind) > most),
        xml.tag("StorageClass", upload.facts.storage_class),
        *map(_part, shown),
    ]
    return Reply.xml(xml.document("ListPartsResult", told))


def _part(part: Part) -> str:
    facts_of_part = (
        xml.tag("PartNumber", part.number),
        xml.tag("LastModified", iso_date(part.modified)),
        xml.tag("ETag", f'"{part.etag}"'),
        xml.tag("Size", len(part.data)),
        *_checksum(part.checksum),
    )
    return xml.node("Part", facts_of_part)


def _checksum(checksum: Checksum | None) -> list[str]:
    if checksum is None:
        return []
    return [xml.tag(f"Checksum{checksum.algorithm.upper()}", checksum.value)]


def _open(store: Store, call: Call) -> tuple[Bucket, Upload]:
    bucket = store.bucket(call.bucket)
    upload = bucket.uploads.get(call.query["uploadId"])
    if upload is None or upload.key != call.key:
        raise Refused(
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may "
            "have been aborted or completed.",
            UploadId=call.query["uploadId"],
        )
    if call.signed.key is None:
        raise access.denied()
    return bucket, upload


def _number(call: Call) -> int:
    number = call.query.get("partNumber", "")
    if not number.isdigit() or not 1 <= int(number) <= _MOST_PARTS:
        raise Refused(
            "InvalidArgument",
            "Part number must be an integer between 1 and 10000, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=number,
        )
    return int(number)


def _with(reply: Reply, headers: dict[str, str]) -> Reply:
    return replace(reply, headers=CIMultiDict({**reply.headers, **headers}))
