"""DeleteObjects: up to 1,000 keys in a request."""

from xml.etree.ElementTree import Element

from tests.servers._strict.reply import Reply
from tests.servers._strict_s3 import conditions, objects, xml
from tests.servers._strict_s3.call import Call
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.state import Bucket, Store

_MOST = 1000


def delete(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    if call.header("Content-MD5") is None and call.checksum is None:
        raise Refused(
            "InvalidRequest",
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
        )
    asked = xml.parse(call.body, "Delete")
    entries = asked.findall("Object")
    if not 0 < len(entries) <= _MOST or any(not entry.findtext("Key") for entry in entries):
        raise xml.malformed()
    told = [_one(store, bucket, entry) for entry in entries]
    if (asked.findtext("Quiet") or "").lower() == "true":
        told = [text for text in told if text.startswith("<Error>")]
    return Reply.xml(xml.document("DeleteResult", told))


def _one(store: Store, bucket: Bucket, entry: Element) -> str:
    key, version_id = entry.findtext("Key") or "", entry.findtext("VersionId")
    expected, current = entry.findtext("ETag"), bucket.latest(key)
    if expected and current is None:
        return _failed(key, "NoSuchKey", "The specified key does not exist.")
    if expected and current and not conditions.names(expected, current.etag):
        return _failed(key, "PreconditionFailed", "At least one of the pre-conditions did not hold")
    if len(key.encode()) > 1024:
        return _failed(key, "KeyTooLongError", "Your key is too long")
    headers = objects.removed(store, bucket, key, version_id)
    told = [xml.tag("Key", key)]
    if version_id:
        told.append(xml.tag("VersionId", version_id))
    if headers.get("x-amz-delete-marker"):
        told.append(xml.tag("DeleteMarker", True))
        told.append(xml.tag("DeleteMarkerVersionId", headers["x-amz-version-id"]))
    return xml.node("Deleted", told)


def _failed(key: str, code: str, message: str) -> str:
    return xml.node(
        "Error", (xml.tag("Key", key), xml.tag("Code", code), xml.tag("Message", message))
    )
