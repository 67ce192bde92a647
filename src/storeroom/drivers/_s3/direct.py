"""Requests with our own signature over our own connections: what the verbs use unless told otherwise."""

import ssl
from base64 import b64encode
from collections.abc import Sequence
from hashlib import md5, sha256
from typing import TYPE_CHECKING, Final
from zlib import crc32

from storeroom.contracts import threads
from storeroom.contracts.body import Piece
from storeroom.contracts.extras import extra
from storeroom.drivers._http.canonical import encoded_path, encoded_query
from storeroom.drivers._http.exchange import HttpReply
from storeroom.drivers._http.place import Place
from storeroom.drivers._http.renewal import Keys
from storeroom.drivers._http.wire import Request, size_of
from storeroom.drivers._s3.place import Spot
from storeroom.drivers._s3.presets import Checksum
from storeroom.drivers._s3.signature import (
    EMPTY,
    UNSIGNED,
    Credentials,
)

with extra("s3", "aioboto3"):
    from storeroom.drivers._http.http import Http

if TYPE_CHECKING:
    from hashlib import _Hash as Hash  # pyright: ignore[reportPrivateUsage]

__all__ = ["Direct", "guarded"]

_ON_THE_LOOP: Final = 256 << 10
_OF_OBJECTS: Final = frozenset(("PutObject", "UploadPart"))
_WITH_BODY: Final = frozenset(("PUT", "POST"))


class Direct:
    """One loop's connections."""

    def __init__(
        self,
        spot: Spot,
        keys: Keys[Credentials],
        tls: ssl.SSLContext | None,
        /,
        *,
        timeout: float,
        checksum: Checksum,
        unpacked: bool,
    ) -> None:
        self._spot = spot
        self._keys = keys
        self._tls = tls
        self._timeout = timeout
        self._checksum: Checksum = checksum
        # A service that unpacks gzip for whoever does not ask for it is asked for it: gcs-interop.
        self._accepted = "gzip" if unpacked else "identity"
        self._place = spot.place
        self._left: list[Http] = []
        self._http = Http(spot.place.origin, tls, timeout=timeout)

    async def send(self, request: Request, /) -> HttpReply:
        place = self._spot.place
        if place is not self._place:
            self._move(place)
        target = place.path(request.key)
        headers = await self._signed(place, request, target)
        address = encoded_path(target)
        if request.query:
            address = f"{address}?{encoded_query(request.query)}"
        return await self._http.request(request.method, address, headers, request.body, request)

    async def aclose(self) -> None:
        for http in (self._http, *self._left):
            await http.aclose()

    def _move(self, place: Place) -> None:
        """The bucket turned out to be elsewhere; what is under way ends where it began."""
        self._place = place
        self._left.append(self._http)
        self._http = Http(place.origin, self._tls, timeout=self._timeout)

    async def _signed(self, place: Place, request: Request, target: str) -> dict[str, str]:
        headers, body = request.headers, request.body
        payload = EMPTY
        if body:
            headers, payload = await guarded(self._checksum, request)
        request.shown = credentials = self._keys.ready() or await self._keys.get()
        if credentials is None:
            headers = dict(headers)
        else:
            headers = self._spot.signer.sign(
                request.method,
                place.host,
                target,
                request.query,
                headers,
                payload,
                credentials,
                self._spot.now(),
            )
        headers["host"] = place.host
        headers["accept-encoding"] = self._accepted
        if request.method in _WITH_BODY:
            headers["content-length"] = str(size_of(body))
        return headers


async def guarded(checksum: Checksum, request: Request, /) -> tuple[dict[str, str], str]:
    """The headers with what guards the body, and the payload's hash for the signature."""
    if size_of(request.body) <= _ON_THE_LOOP:
        return _guarded(checksum, request)
    return await threads.run(_guarded, checksum, request)


def _guarded(checksum: Checksum, request: Request) -> tuple[dict[str, str], str]:
    headers, body = request.headers, request.body
    pieces = (body,) if isinstance(body, bytes) else body
    # A checksum beside the XML that completes an upload would be that of the whole object.
    if checksum == "sha256" or request.operation not in _OF_OBJECTS:
        return headers, _hashed(sha256(), pieces).hexdigest()
    if checksum == "md5" or (request.unsummed and checksum != "none"):
        guard = b64encode(_hashed(md5(usedforsecurity=False), pieces).digest()).decode()
        return {**headers, "content-md5": guard}, UNSIGNED
    if checksum == "crc32":
        value = 0
        for piece in pieces:
            value = crc32(piece, value)
        guard = b64encode(value.to_bytes(4, "big")).decode()
        return {**headers, "x-amz-checksum-crc32": guard}, UNSIGNED
    return headers, UNSIGNED


def _hashed(running: "Hash", pieces: Sequence[Piece]) -> "Hash":
    for piece in pieces:
        running.update(piece)
    return running
