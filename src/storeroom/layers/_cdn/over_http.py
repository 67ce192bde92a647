"""Purging over plain HTTP: one request per address, or one for a batch as JSON."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from storeroom.contracts.errors import ConfigError, PermissionDenied, StorageError, Unavailable
from storeroom.contracts.extras import extra
from storeroom.layers._cdn.domain import is_loopback

with extra("cdn", "aiohttp"):
    import aiohttp
    import yarl

__all__ = ["HttpPurge"]

_AT_ONCE: Final = 8
_WITHIN: Final = aiohttp.ClientTimeout(total=30, connect=10)
_DENIED: Final = (401, 403)
_MISSING: Final = (404, 410)
_LATER: Final = (408, 425, 429)


class HttpPurge:
    """`PURGE` of each address (Varnish, nginx, Fastly), or `POST` of a list to `url` (Cloudflare's way).

    With `url` a `PURGE` goes there instead, to the same path. A redirect is not followed: it would
    take the token elsewhere.
    """

    def __init__(
        self,
        url: str | None,
        /,
        *,
        domain: str,
        method: str,
        field: str | None,
        headers: Mapping[str, str] | None,
        token: str | None,
    ) -> None:
        if method not in ("PURGE", "POST"):
            raise ConfigError(f"purge_method is 'PURGE' or 'POST', not {method!r}")
        if method == "POST" and url is None:
            raise ConfigError("purge_url is missing; a POST goes there")
        self._headers = dict(headers or {})
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        _check(domain if url is None else url, secret=bool(self._headers))
        self._url = url
        self._method = method
        self._field = field

    async def __call__(self, addresses: Sequence[str], /) -> None:
        """Purge all of them, or raise the first failure."""
        async with aiohttp.ClientSession(timeout=_WITHIN, headers=self._headers) as session:
            if self._method == "POST" and self._url is not None:
                listed = list(addresses)
                said = listed if self._field is None else {self._field: listed}
                await _asked(session, "POST", self._url, said)
                return
            turn = asyncio.Semaphore(_AT_ONCE)

            async def purge(address: str) -> None:
                async with turn:
                    await _asked(session, "PURGE", self._at(address))

            answers = await asyncio.gather(*map(purge, addresses), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    def _at(self, address: str) -> str:
        return address if self._url is None else self._url.rstrip("/") + urlsplit(address).path


async def _asked(
    session: aiohttp.ClientSession, method: str, url: str, said: object = None
) -> None:
    try:
        address = yarl.URL(url, encoded=True)
        async with session.request(method, address, json=said, allow_redirects=False) as answer:
            status = answer.status
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unavailable(f"the purge was not answered ({type(error).__name__})") from error
    if status // 100 != 2 and not (method == "PURGE" and status in _MISSING):
        raise _failure(status)


def _failure(status: int) -> StorageError:
    if status in _DENIED:
        return PermissionDenied(f"the purge was refused with {status}; check its token and headers")
    if status // 100 == 5 or status in _LATER:
        return Unavailable(f"the purge was answered with {status}")
    return ConfigError(f"the purge was answered with {status}; check purge_url and purge_method")


def _check(url: str, *, secret: bool) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("purge_url is an address of http or https")
    if secret and parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigError("purges carry a token or headers of yours, so they go to https")
