"""Where each request goes: bytes by the XML API, for it tells all in one reply; the rest by the JSON API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from storeroom.drivers._gcs.target import Target
from storeroom.drivers._http.canonical import encoded, encoded_path
from storeroom.drivers._http.wire import Request

__all__ = ["IAM", "SESSION", "SIGN", "Directed", "address_of", "object_path"]

IAM = "https://iamcredentials.googleapis.com"
"""Who signs for accounts whose key only Google has."""

SESSION: Final = "session"
"""The operation of an upload under way: its address alone lets in."""

SIGN: Final = "sign"
"""The operation of another service: that of accounts."""

_XML: Final = "/{bucket}/{path}"
_OBJECT: Final = "/storage/v1/b/{bucket}/o/{name}"
_ROUTES: Final[Mapping[str, str]] = {
    "read": _XML,
    "look": _XML,
    "media": _OBJECT,
    "get": _OBJECT,
    "patch": _OBJECT,
    "delete": _OBJECT,
    "compose": f"{_OBJECT}/compose",
    "list": "/storage/v1/b/{bucket}/o",
    "insert": "/upload/storage/v1/b/{bucket}/o",
    "batch": "/batch/storage/v1",
}


@dataclass(slots=True)
class Directed(Request):
    """A request with an address of its own: `target` is path and query, encoded, at `origin` if it is elsewhere.

    `partial` says that the reply to a part of an upload waits for more.
    """

    target: str = ""
    origin: str | None = None
    partial: bool = False


def address_of(target: Target, request: Request, /) -> tuple[str, str]:
    """Scheme and host, and the path with its query."""
    if isinstance(request, Directed):
        origin, path = request.origin or target.origin, request.target
    else:
        origin, path = target.origin, _path(target, request)
    if request.query:
        query = "&".join([f"{encoded(name)}={encoded(value)}" for name, value in request.query])
        path = f"{path}{'&' if '?' in path else '?'}{query}"
    return origin, path


def object_path(bucket: str, key: str, /) -> str:
    """An object in the JSON API, where a name's own slashes are encoded too."""
    return _OBJECT.format(bucket=bucket, name=encoded(key))


def _path(target: Target, request: Request) -> str:
    key, route = request.key or "", _ROUTES[request.operation]
    if route is _XML:
        return f"{target.base}/{target.bucket}/{encoded_path(key)}"
    return target.base + route.format(bucket=target.bucket, name=encoded(key))
