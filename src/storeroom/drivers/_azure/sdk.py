"""Microsoft's own client, whose requests go the way of ours.

The SDK words the requests and reads the replies of what is rare; in between they are signed, sent,
tried again and awaited like all others, so that a verb fails the same way whoever worded it. The SDK
knows no credentials, opens no connection and tries nothing twice.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from storeroom.contracts.extras import extra
from storeroom.drivers._azure.access import VERSION
from storeroom.drivers._azure.direct import OF_ACCOUNT
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.settling import commit
from storeroom.drivers._http.framing import Headers
from storeroom.drivers._http.wire import Request

with extra("azure", "azure-storage-blob"):
    from azure.core.pipeline.transport import AsyncHttpResponse, AsyncHttpTransport
    from azure.core.utils import case_insensitive_dict
    from azure.storage.blob import generate_blob_sas
    from azure.storage.blob.aio import BlobClient, BlobLeaseClient, BlobServiceClient

__all__ = ["client_of", "lease_of", "signature"]

# What is said anew whenever a request is sent, and what nobody needs to know.
_OURS: Final = frozenset(
    ("content-length", "user-agent", "x-ms-date", "x-ms-version", "x-ms-client-request-id")
)
_READING: Final = frozenset(("GET", "HEAD"))
_META: Final = "x-ms-meta-"


def client_of(service: AzureService, /) -> BlobServiceClient:
    """A client of the account; needs no loop, and nothing of it has to be closed."""
    return BlobServiceClient(
        service.target.account.url,
        api_version=VERSION,
        transport=_Through(service),
        retry_total=0,
        use_env_settings=False,
    )


def lease_of(blob: BlobClient, lease: str, /) -> BlobLeaseClient:
    """A client of a lease on a blob."""
    return BlobLeaseClient(blob, lease)


def signature(**said: Any) -> str:
    """The text of a signature in a URL."""
    return generate_blob_sas(**said)


class _Through(AsyncHttpTransport[Any, Any]):  # the SDK's requests have several types
    def __init__(self, service: AzureService) -> None:
        self._service = service

    async def send(self, request: Any, **_: Any) -> "_Answer":
        asked = self._asked(request)
        if asked.method in _READING:
            headers, body = await self._service.answer(asked)
        else:
            headers, body = await commit(self._service, asked)
        return _Answer(request, headers, body)

    async def open(self) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """The driver closes what it opened."""

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _asked(self, request: Any) -> Request:
        url, base = urlsplit(str(request.url)), self._service.target.place.base
        path = unquote(url.path)
        inside = path.startswith(f"{base}/")
        return Request(
            "sdk" if inside or path == base else OF_ACCOUNT,
            request.method,
            path[len(base) + 1 :] if inside else None,
            _pairs(url.query),
            {_lowered(name): value for name, value in request.headers.items() if _said(name)},
            _bytes(request.content),
        )


class _Answer(AsyncHttpResponse):
    def __init__(self, request: Any, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(request, None)
        self.status_code = headers.status if isinstance(headers, Headers) else 200
        self.headers = case_insensitive_dict(headers)
        self.reason = ""
        self.content_type = headers.get("content-type")
        self._content = body

    def body(self) -> bytes:
        return self._content


def _pairs(query: str) -> tuple[tuple[str, str], ...]:
    pairs = (piece.partition("=") for piece in query.split("&") if piece)
    return tuple((unquote(name), unquote(value)) for name, _, value in pairs)


def _said(name: str) -> bool:
    return name.lower() not in _OURS


def _lowered(name: str) -> str:
    """Names that people gave keep their capitals."""
    return name if name.lower().startswith(_META) else name.lower()


def _bytes(content: Any) -> bytes:
    if content is None:
        return b""
    return content.encode() if isinstance(content, str) else bytes(content)
