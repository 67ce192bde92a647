"""Requests over our own connections: what the verbs use unless told otherwise."""

import ssl
from typing import Final

from storeroom.contracts.extras import extra
from storeroom.drivers._gcs.credentials import Bearer
from storeroom.drivers._gcs.routes import SESSION, SIGN, address_of
from storeroom.drivers._gcs.target import Target
from storeroom.drivers._http.exchange import HttpReply
from storeroom.drivers._http.renewal import Keys
from storeroom.drivers._http.wire import Lost, Request, size_of

with extra("gcs", "gcloud-aio-storage"):
    from storeroom.drivers._http.http import Http

__all__ = ["Direct", "headers_of"]

_BYTES: Final = frozenset(("read", "look", "media"))
_WITH_BODY: Final = frozenset(("PUT", "POST", "PATCH"))


class Direct:
    """One loop's connections; `abroad` is whom to trust elsewhere than at the target."""

    def __init__(
        self,
        target: Target,
        keys: Keys[Bearer],
        tls: ssl.SSLContext,
        abroad: ssl.SSLContext,
        /,
        *,
        timeout: float,
    ) -> None:
        self._target = target
        self._keys = keys
        self._tls = tls
        self._abroad = abroad
        self._timeout = timeout
        self._http: dict[str, Http] = {}
        self._closed = False

    async def send(self, request: Request, /) -> HttpReply:
        origin, path = address_of(self._target, request)
        headers = await headers_of(self._target, self._keys, request)
        headers["host"] = origin.partition("://")[2]
        if request.method in _WITH_BODY:
            headers["content-length"] = str(size_of(request.body))
        http = self._http.get(origin)
        if http is None:
            if self._closed:
                raise Lost("dropped", "the driver was closed")
            tls = self._tls if origin == self._target.origin else self._abroad
            http = self._http[origin] = Http(origin, tls, timeout=self._timeout)
        return await http.request(request.method, path, headers, request.body, request)

    async def aclose(self) -> None:
        self._closed = True
        for http in list(self._http.values()):
            await http.aclose()


async def headers_of(target: Target, keys: Keys[Bearer], request: Request, /) -> dict[str, str]:
    """The headers to send: who asks, who pays, and that stored gzip stays gzip.

    https://cloud.google.com/storage/docs/transcoding#decompressive_transcoding
    """
    headers = dict(request.headers)
    headers["accept-encoding"] = "gzip" if request.operation in _BYTES else "identity"
    if request.operation == SESSION:
        return headers
    request.shown = bearer = keys.ready() or await keys.get()
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer.token}"
    if target.user_project is not None and request.operation != SIGN:
        headers["x-goog-user-project"] = target.user_project
    return headers
