"""The limit of what aiohttp can do: a session, our signer, and nothing between them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from types import TracebackType
from typing import Self

from _s3_servers import ACCESS_KEY, BUCKET, REGION, SECRET_KEY
from _servers import Endpoint
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from storeroom.drivers._http.canonical import Query, encoded_path, encoded_query
from storeroom.drivers._s3.signature import (
    EMPTY,
    UNSIGNED,
    Credentials,
    Signer,
)
from storeroom.drivers._s3.xml import read_listing


class Raw:
    """One session on one endpoint."""

    def __init__(self, place: Endpoint) -> None:
        self._base = place.url
        self._host = place.url.partition("://")[2]
        self._signer = Signer(REGION)
        self._credentials = Credentials(ACCESS_KEY, SECRET_KEY)

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            connector=TCPConnector(limit=0),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            timeout=ClientTimeout(total=None),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def put(self, path: str, data: bytes) -> None:
        await self._sent("PUT", path, sha256(data).hexdigest(), data)

    async def get(self, path: str) -> bytes:
        return await self._sent("GET", path, EMPTY)

    async def head(self, path: str) -> None:
        await self._sent("HEAD", path, EMPTY)

    async def listing(self) -> int:
        """Pages parsed, and nothing made of them."""
        count, token = 0, ""
        while True:
            more = [("continuation-token", token)] if token else []
            query = [("encoding-type", "url"), ("list-type", "2"), ("prefix", "list/"), *more]
            page = read_listing(await self._sent("GET", "", EMPTY, query=query))
            count += len(page.objects)
            if page.token is None:
                return count
            token = page.token

    async def upload(self, path: str, chunks: AsyncIterator[bytes], size: int) -> None:
        """One request, the body not hashed."""
        headers = {"content-length": str(size)}
        signed = self._signed("PUT", path, (), headers, UNSIGNED)
        async with self._session.put(self._url(path), headers=signed, data=chunks) as answer:
            answer.raise_for_status()

    async def download(self, path: str) -> int:
        """How many bytes came, as they came."""
        signed = self._signed("GET", path, (), {}, EMPTY)
        count = 0
        async with self._session.get(self._url(path), headers=signed) as answer:
            answer.raise_for_status()
            async for chunk in answer.content.iter_any():
                count += len(chunk)
        return count

    async def _sent(
        self, method: str, path: str, payload: str, data: bytes | None = None, query: Query = ()
    ) -> bytes:
        signed = self._signed(method, path, query, {}, payload)
        url = self._url(path, query)
        async with self._session.request(method, url, headers=signed, data=data) as answer:
            answer.raise_for_status()
            return await answer.read()

    def _signed(
        self, method: str, path: str, query: Query, headers: dict[str, str], payload: str
    ) -> dict[str, str]:
        full = f"/{BUCKET}/{path}" if path else f"/{BUCKET}"
        now = datetime.now(UTC)
        return self._signer.sign(
            method, self._host, full, query, headers, payload, self._credentials, now
        )

    def _url(self, path: str, query: Query = ()) -> URL:
        full = f"/{BUCKET}/{path}" if path else f"/{BUCKET}"
        search = f"?{encoded_query(query)}" if query else ""
        return URL(f"{self._base}{encoded_path(full)}{search}", encoded=True)
