"""A request as the handlers see it: where it goes, and what Google calls it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import parse_qsl, unquote

from multidict import CIMultiDictProxy

_BUCKET = r"/b/(?P<bucket>[^/]+)"
_OBJECT = _BUCKET + r"/o/(?P<key>[^/]+)"
_TO = r"/b/(?P<to_bucket>[^/]+)/o/(?P<to_key>[^/]+)"
_JSON = "/storage/v1"
_UPLOAD = r"(/resumable)?/upload/storage/v1" + _BUCKET + "/o"
_ACCOUNT = r"/v1/projects/[^/]+/serviceAccounts/(?P<email>[^/:]+)"
_METADATA = "/computeMetadata/v1"

# Every path is as it stands in the request: a name's own slashes are %2F.
_ROUTES = [
    (method, re.compile(pattern), operation)
    for method, pattern, operation in (
        ("POST", f"{_JSON}/b", "create-bucket"),
        ("GET", f"{_JSON}/b", "list-buckets"),
        ("GET", f"{_JSON}{_BUCKET}", "get-bucket"),
        ("PATCH", f"{_JSON}{_BUCKET}", "patch-bucket"),
        ("DELETE", f"{_JSON}{_BUCKET}", "delete-bucket"),
        ("GET", f"{_JSON}{_BUCKET}/iam", "get-iam"),
        ("PUT", f"{_JSON}{_BUCKET}/iam", "set-iam"),
        ("GET", f"{_JSON}{_BUCKET}/o", "list"),
        ("GET", f"(/download)?{_JSON}{_OBJECT}", "get"),
        ("PATCH", f"{_JSON}{_OBJECT}", "patch"),
        ("PUT", f"{_JSON}{_OBJECT}", "update"),
        ("DELETE", f"{_JSON}{_OBJECT}", "delete"),
        ("POST", f"{_JSON}{_OBJECT}/compose", "compose"),
        ("POST", f"{_JSON}{_OBJECT}/rewriteTo{_TO}", "rewrite"),
        ("POST", f"{_JSON}{_OBJECT}/copyTo{_TO}", "copy"),
        ("POST", f"{_JSON}{_OBJECT}/moveTo/o/(?P<to_key>[^/]+)", "move"),
        ("GET", f"{_JSON}{_OBJECT}/acl", "list-acl"),
        ("POST", f"{_JSON}{_OBJECT}/acl", "insert-acl"),
        ("GET", f"{_JSON}{_OBJECT}/acl/(?P<entity>[^/]+)", "get-acl"),
        ("DELETE", f"{_JSON}{_OBJECT}/acl/(?P<entity>[^/]+)", "delete-acl"),
        ("POST", _UPLOAD, "insert"),
        ("PUT", _UPLOAD, "chunk"),
        ("DELETE", _UPLOAD, "abort"),
        ("POST", "/batch/storage/v1", "batch"),
        ("POST", "/token", "token"),
        ("POST", "/v1/token", "exchange"),
        ("POST", f"{_ACCOUNT}:signBlob", "signBlob"),
        ("POST", f"{_ACCOUNT}:generateAccessToken", "generateAccessToken"),
        ("GET", "/", "metadata"),
        ("GET", f"{_METADATA}/.*", "metadata"),
    )
]
_RESERVED = re.compile(r"/(storage|upload|download|resumable|batch)/.*v1(/|$)|/computeMetadata/")
_XML = {"GET": "xml-get", "HEAD": "xml-head", "PUT": "xml-put", "DELETE": "xml-delete"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; nobody: anonymous."""

    email: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """`path` and `query_string` are as they came over the wire, all else of the place is decoded.

    `operation` is "" where there is nothing at the path.
    """

    method: str
    path: str
    query_string: str
    headers: CIMultiDictProxy[str]
    secure: bool
    operation: str
    query: Mapping[str, str]
    place: Mapping[str, str] = field(default_factory=dict[str, str])
    caller: Caller = Caller()
    body: bytes = b""

    @classmethod
    def of(cls, method: str, target: str, headers: CIMultiDictProxy[str], *, secure: bool) -> Self:
        path, _, query_string = target.partition("?")
        query = dict(reversed(parse_qsl(query_string, keep_blank_values=True)))
        operation, place = _routed(method, path, query, headers)
        return cls(method, path, query_string, headers, secure, operation, query, place)

    @property
    def bucket(self) -> str:
        return self.place.get("bucket", "")

    @property
    def key(self) -> str:
        """The object's name, "" where the request is about none."""
        return self.place.get("key") or self.query.get("name", "")

    @property
    def is_xml(self) -> bool:
        """Whether it is a request of the XML API."""
        return self.operation.startswith("xml-")

    @property
    def origin(self) -> str:
        """The server as this client sees it."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self.headers.get('Host', '')}"

    def by(self, caller: Caller) -> Self:
        return replace(self, caller=caller)

    def carrying(self, body: bytes) -> Self:
        return replace(self, body=body)

    def says(self, name: str) -> bool:
        """Whether the parameter is true."""
        return self.query.get(name, "").lower() == "true"

    def header(self, name: str) -> str | None:
        return self.headers.get(name)


def _routed(
    method: str, path: str, query: Mapping[str, str], headers: CIMultiDictProxy[str]
) -> tuple[str, dict[str, str]]:
    for wanted, pattern, operation in _ROUTES:
        found = pattern.fullmatch(path) if wanted == method else None
        if found:
            place = {name: unquote(it) for name, it in found.groupdict().items()}
            return _named(operation, query, headers), place
    if _RESERVED.match(path):
        return "", {}
    bucket, _, key = path[1:].partition("/")
    place = {"bucket": unquote(bucket), "key": unquote(key)}
    return _of_xml(method, query, headers, place), place


def _named(operation: str, query: Mapping[str, str], headers: CIMultiDictProxy[str]) -> str:
    if operation == "get" and query.get("alt") == "media":
        return "media"
    if operation == "insert" and query.get("uploadType") == "resumable":
        return "start"
    if operation == "chunk":
        return _chunk_or_query(headers)
    return operation


def _chunk_or_query(headers: CIMultiDictProxy[str]) -> str:
    return "query" if headers.get("Content-Range", "").startswith("bytes */") else "chunk"


def _of_xml(
    method: str,
    query: Mapping[str, str],
    headers: CIMultiDictProxy[str],
    place: Mapping[str, str],
) -> str:
    if "upload_id" in query:
        return {"PUT": _chunk_or_query(headers), "DELETE": "abort"}.get(method, "")
    if method == "POST" and not place["key"]:
        return "xml-form"
    if method in ("POST", "PUT") and headers.get("x-goog-resumable") == "start":
        return "xml-start"
    return _XML.get(method, "") if place["key"] else ""
