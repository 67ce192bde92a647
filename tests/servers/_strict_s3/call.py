"""A request as the handlers see it, and their answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import parse_qsl, unquote

from multidict import CIMultiDictProxy

from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.state import Checksum
from tests.servers.keys import Key

_VIRTUAL = re.compile(r"(?P<bucket>[^:]+)\.localhost(:\d+)?", re.IGNORECASE)
_VERSION = re.compile(r"\?versionId=(?P<id>[^&]+)$")


@dataclass(frozen=True, slots=True)
class Signed:
    """By whom, and what the signatures of the body's chunks stand on. Nobody: anonymous."""

    key: Key | None = None
    presigned: bool = False
    secret: bytes = field(default=b"", repr=False)
    stamp: str = ""
    scope: str = ""
    seed: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """`path` and `query_string` are as they came over the wire, `key` is decoded."""

    method: str
    path: str
    query_string: str
    headers: CIMultiDictProxy[str]
    secure: bool
    bucket: str
    key: str
    query: Mapping[str, str]
    signed: Signed = Signed()
    body: bytes = b""
    checksum: Checksum | None = None

    @classmethod
    def of(cls, method: str, target: str, headers: CIMultiDictProxy[str], *, secure: bool) -> Self:
        path, _, query_string = target.partition("?")
        bucket, key = _place(path, headers.get("Host", ""))
        pairs = parse_qsl(query_string, keep_blank_values=True)
        query = dict(reversed(pairs))
        return cls(method, path, query_string, headers, secure, bucket, key, query)

    def by(self, signed: Signed) -> Self:
        return replace(self, signed=signed)

    def carrying(self, body: bytes, checksum: Checksum | None) -> Self:
        return replace(self, body=body, checksum=checksum)

    def header(self, name: str) -> str | None:
        return self.headers.get(name)


def _place(path: str, host: str) -> tuple[str, str]:
    found = _VIRTUAL.fullmatch(host)
    if found:
        return found["bucket"], unquote(path[1:])
    bucket, _, key = path[1:].partition("/")
    return unquote(bucket), unquote(key)


@dataclass(frozen=True, slots=True)
class Source:
    """What `x-amz-copy-source` names."""

    bucket: str
    key: str
    version_id: str | None

    @classmethod
    def of(cls, value: str) -> Self:
        version = _VERSION.search(value)
        bare = value[: version.start()] if version else value
        bucket, slash, key = unquote(bare).removeprefix("/").partition("/")
        if not bucket or not slash or not key:
            raise Refused(
                "InvalidArgument", "Copy Source must mention the source bucket and key: /bucket/key"
            )
        return cls(bucket, key, version["id"] if version else None)
