"""The bytes of an object, by both APIs.

https://cloud.google.com/storage/docs/xml-api/get-object-download
https://cloud.google.com/storage/docs/transcoding
"""

import gzip
import re
import zlib
from urllib.parse import quote

from multidict import CIMultiDict

from tests.servers._strict.ranges import asked_range
from tests.servers._strict.reply import Reply, http_date
from tests.servers._strict_gcs import access, conditions, resource
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused, no_object
from tests.servers._strict_gcs.insert import stored_headers
from tests.servers._strict_gcs.state import Bucket, Store, Version

_HEADERS = {
    "cacheControl": "Cache-Control",
    "contentDisposition": "Content-Disposition",
    "contentLanguage": "Content-Language",
    "contentType": "Content-Type",
    "customTime": "x-goog-custom-time",
}
_OVERRIDES = {
    "response-content-disposition": "Content-Disposition",
    "response-content-type": "Content-Type",
}


def found(store: Store, call: Call, /) -> tuple[Bucket, Version]:
    """What is meant, if the caller may see it and the conditions hold."""
    bucket = store.bucket(call.bucket)
    generation = call.query.get("generation")
    try:
        version = store.found(call.bucket, call.key, generation)
    except Refused:
        access.check_read(call, bucket, None)
        if not store.settings.lists:
            raise access.denied(call) from None
        raise
    access.check_read(call, bucket, version)
    if version.deleted and generation is None:
        raise no_object(call.bucket, call.key)
    conditions.check(conditions.asked(call), version, reads=True)
    conditions.check_headers(call, version)
    return bucket, version


def media(store: Store, call: Call, /) -> Reply:
    """`alt=media`: no metadata of the user's, no Last-Modified, and the JSON API's ETag."""
    bucket, version = found(store, call)
    headers = CIMultiDict({"Content-Disposition": "attachment"})
    headers.update(_content(version))
    headers["Cache-Control"] = "no-cache, no-store, max-age=0, must-revalidate"
    headers.extend(stored_headers(version))
    headers["x-goog-storage-class"] = version.facts.storage_class or bucket.storage_class
    headers["ETag"] = resource.etag(version)
    return _sent(call, version, headers)


def get(store: Store, call: Call, /) -> Reply:
    """GET and HEAD of the XML API."""
    bucket, version = found(store, call)
    headers = CIMultiDict({"Cache-Control": _caching(bucket, version)})
    headers.update(_content(version))
    headers.extend(stored_headers(version))
    headers["ETag"] = resource.xml_etag(version)
    headers["Last-Modified"] = http_date(version.updated)
    headers["Accept-Ranges"] = "bytes"
    headers["x-goog-storage-class"] = version.facts.storage_class or bucket.storage_class
    if version.components:
        headers["x-goog-component-count"] = str(version.components)
    for name, value in version.facts.metadata.items():
        headers[f"x-goog-meta-{name.lower()}"] = _ascii(value)
    if call.caller.email:
        headers.update(
            {name: call.query[it] for it, name in _OVERRIDES.items() if it in call.query}
        )
    return _sent(call, version, headers)


def _content(version: Version) -> dict[str, str]:
    told = {"Content-Type": "application/octet-stream"}
    for field, name in _HEADERS.items():
        if field in version.facts.fields:
            told[name] = version.facts.fields[field]
    return told


def _caching(bucket: Bucket, version: Version) -> str:
    is_public = bucket.is_public or "allUsers" in version.facts.acl
    return "public, max-age=3600" if is_public else "private, max-age=0"


def _ascii(value: str) -> str:
    return value if value.isascii() and value.isprintable() else quote(value, safe=" ")


def _sent(call: Call, version: Version, headers: CIMultiDict[str]) -> Reply:
    encoding = version.facts.fields.get("contentEncoding")
    if encoding == "gzip" and _is_transcoded(call, version):
        return _transcoded(call, version, headers)
    if encoding:
        headers["Content-Encoding"] = encoding
    size = len(version.data)
    part = asked_range(call.header("Range"), size)
    if part is None:
        return _body(call, 200, version.data, headers)
    if not part:
        raise Refused(
            416,
            "Request range not satisfiable",
            details=call.header("Range"),
            headers={"Content-Range": f"bytes */{size}"},
        )
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return _body(call, 206, version.data[part.start : part.stop], headers)


def _is_transcoded(call: Call, version: Version) -> bool:
    if "no-transform" in version.facts.fields.get("cacheControl", ""):
        return False
    accepted = re.split(r"\s*,\s*", call.header("Accept-Encoding") or "")
    return not any(it.split(";")[0].lower() == "gzip" for it in accepted)


def _transcoded(call: Call, version: Version, headers: CIMultiDict[str]) -> Reply:
    try:
        data = gzip.decompress(version.data)
    except (OSError, EOFError, zlib.error):
        return _body(call, 200, version.data, headers)
    headers["Warning"] = "214 UploadServer gunzipped"
    headers["Vary"] = "Accept-Encoding"
    body = b"" if call.method == "HEAD" else data
    return Reply(200, body, headers, sized=False)


def _body(call: Call, status: int, data: bytes, headers: CIMultiDict[str]) -> Reply:
    return Reply(status, b"" if call.method == "HEAD" else data, headers, len(data))
