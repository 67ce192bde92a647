"""Uploads in chunks, each session known by its URL alone.

https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply
from tests.servers._strict_gcs import checksums, conditions, insert, names, resource
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused, invalid
from tests.servers._strict_gcs.state import Store, Upload, number

QUANTUM = 256 << 10
_RANGE = re.compile(r"bytes ((?P<start>\d+)-(?P<end>\d+)|\*)/(?P<total>\d+|\*)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where the body of a request belongs: `start` is None for a question only."""

    start: int | None
    size: int
    total: int | None

    @classmethod
    def of(cls, header: str | None, size: int) -> Self:
        """Without the header, the body is the whole object."""
        if header is None:
            return cls(0, size, size)
        found = _RANGE.fullmatch(header)
        if not found:
            raise invalid("Failed to parse Content-Range header.")
        total = None if found["total"] == "*" else int(found["total"])
        if found["start"] is None:
            if size:
                raise invalid("A query of the status must have no body.")
            return cls(None, 0, total)
        start, end = int(found["start"]), int(found["end"])
        if end < start or (total is not None and end >= total):
            raise invalid("Failed to parse Content-Range header.")
        return cls(start, end - start + 1, total)


def start(store: Store, call: Call, /) -> Reply:
    """POST with uploadType=resumable: the session's URL is in Location."""
    bucket = store.bucket(call.bucket)
    if call.body and not (call.header("Content-Type") or "").startswith("application/json"):
        raise invalid("The metadata of a resumable upload must be of type application/json.")
    said = resource.parsed(call.body)
    name = insert.asked_name(call, said)
    facts = insert.asked_facts(call, bucket, said, call.header("X-Upload-Content-Type"))
    asked = conditions.asked(call)
    conditions.check(asked, bucket.live(name))
    checks = insert.asked_checks(call, said)
    upload = Upload(bucket.name, name, facts, asked, checks, is_xml=False)
    length = call.header("X-Upload-Content-Length")
    upload.size = None if length is None else number("X-Upload-Content-Length", length)
    query = f"uploadType=resumable&name={quote(name, safe='')}&upload_id={upload.id}"
    return _started(store, upload, f"{call.origin}{call.path}?{query}", 200)


def start_xml(store: Store, call: Call, /) -> Reply:
    """POST of the XML API with `x-goog-resumable: start`."""
    bucket = store.bucket(call.bucket)
    names.check(call.key)
    if call.body:
        raise invalid("The request that starts a resumable upload must have no body.")
    asked = conditions.asked(call)
    conditions.check(asked, bucket.live(call.key))
    facts = insert.xml_facts(call, bucket)
    upload = Upload(bucket.name, call.key, facts, asked, insert.asked_checks(call, {}), is_xml=True)
    return _started(store, upload, f"{call.origin}{call.path}?upload_id={upload.id}", 201)


def _started(store: Store, upload: Upload, url: str, status: int) -> Reply:
    store.uploads[upload.id] = upload
    return Reply(status, headers=CIMultiDict({"Location": url, "X-GUploader-UploadID": upload.id}))


def chunk(store: Store, call: Call, /) -> Reply:
    """PUT to a session: data, or the question how much of it is there."""
    upload = _open(store, call)
    if upload.state == "done":
        return _result(store, call, upload)
    part = Chunk.of(call.header("Content-Range"), len(call.body))
    if part.start is not None and part.size != len(call.body):
        raise invalid("The Content-Range header does not match the length of the body.")
    _check_total(upload, part)
    upload.checks |= checksums.of_headers(call.headers.getall("x-goog-hash", []))
    if part.start is not None:
        _take(upload, part, call)
    if part.total != len(upload.data):
        return _incomplete(upload)
    return _finished(store, call, upload)


def _take(upload: Upload, part: Chunk, call: Call) -> None:
    assert part.start is not None
    is_last = part.total == part.start + part.size
    if not is_last and part.size % QUANTUM:
        raise invalid(
            "Invalid request.  The number of bytes uploaded is required to be equal or greater "
            f"than {QUANTUM}, except for the final request (it's recommended to be the exact "
            f"multiple of {QUANTUM}).  The received request contained {part.size} bytes, which "
            "does not meet this requirement."
        )
    _check_gap(upload, part.start)
    if call.header("Content-MD5"):
        checksums.check({"md5": call.headers["Content-MD5"]}, call.body)
    # What is there already stays as it is, whatever it is sent as now.
    upload.data += call.body[len(upload.data) - part.start :]


def _check_gap(upload: Upload, start: int) -> None:
    if start > len(upload.data):
        raise Refused(
            503,
            "Invalid request.  According to the Content-Range header, the upload offset is "
            f"{start} byte(s), which exceeds already uploaded size of {len(upload.data)} byte(s).",
        )


def _check_total(upload: Upload, part: Chunk) -> None:
    if part.total is None:
        return
    if upload.size not in (None, part.total) or part.total < len(upload.data):
        raise invalid("Invalid request.  The total size of the upload is not what it was.")
    upload.size = part.total


def broken_off(store: Store, call: Call, raw: bytes, /) -> None:
    """What came of a chunk before its connection ended is kept, in whole quanta."""
    upload = store.uploads.get(call.query.get("upload_id", ""))
    if not upload or upload.state != "open":
        return
    header = call.header("Content-Range")
    part = Chunk.of(header, 0) if header else Chunk(0, 0, None)
    if part.start is None or part.start > len(upload.data):
        return
    there = part.start + len(raw)
    kept = there - there % QUANTUM
    if kept > len(upload.data):
        upload.data += raw[len(upload.data) - part.start : kept - part.start]


def _incomplete(upload: Upload) -> Reply:
    told = {"Range": f"bytes=0-{len(upload.data) - 1}"} if upload.data else {}
    return Reply(308, headers=CIMultiDict({"X-GUploader-UploadID": upload.id, **told}))


def _finished(store: Store, call: Call, upload: Upload) -> Reply:
    bucket = store.bucket(upload.bucket)
    upload.state = "gone"  # what is refused now cannot be tried again
    data = bytes(upload.data)
    conditions.check(upload.conditions, bucket.live(upload.name))
    checksums.check(upload.checks, data)
    upload.result = insert.stored(store, bucket, upload.name, data, upload.facts)
    upload.state = "done"
    upload.data.clear()
    return _result(store, call, upload)


def _result(store: Store, call: Call, upload: Upload) -> Reply:
    assert upload.result
    if upload.is_xml:
        return insert.written(upload.result)
    return insert.shown(call, store.bucket(upload.bucket), upload.result)


def abort(store: Store, call: Call, /) -> Reply:
    upload = _open(store, call)
    if upload.state == "done":
        raise Refused(400, "The upload is complete and cannot be cancelled.")
    upload.state = "gone"
    upload.data.clear()
    return Reply(499)


def expire(store: Store, /) -> None:
    """What takes Google a week: every session that is open is gone."""
    for upload in store.uploads.values():
        if upload.state == "open":
            upload.state = "gone"


def _open(store: Store, call: Call) -> Upload:
    upload = store.uploads.get(call.query.get("upload_id", ""))
    if upload is None or upload.bucket != call.bucket:
        raise Refused(404, "Not Found")
    if upload.state == "gone":
        raise Refused(410, "The upload session is gone.")
    return upload
