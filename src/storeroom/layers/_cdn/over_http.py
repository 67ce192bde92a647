"""Purging over plain HTTP: one request per address, or one for a batch as JSON."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from storeroom.contracts.errors import ConfigError, PermissionDenied, StorageError, Unavailable
from storeroom.contracts.extras import extra
from storeroom.contracts.paths import is_readable
from storeroom.layers._cdn.domain import is_loopback
from storeroom.layers._cdn.purging import Busy, NotAll

with extra("cdn", "aiohttp"):
    import aiohttp
    import yarl

__all__ = ["HttpPurge"]

_AT_ONCE: Final = 8
_WITHIN: Final = aiohttp.ClientTimeout(total=30, connect=10)
_DENIED: Final = (401, 403)
_MISSING: Final = (404, 410)
_LATER: Final = (408, 425, 429)
_LONGEST: Final = 60.0
_STRANGE: Final = re.compile(r"[^!-~]")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


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
        _check_headers(self._headers)
        _check(domain if url is None else url, secret=bool(self._headers), whole=method == "POST")
        self._url = url
        self._method = method
        self._field = field

    async def __call__(self, addresses: Sequence[str], /) -> None:
        """Purge all of them, or raise what says which were not."""
        async with aiohttp.ClientSession(timeout=_WITHIN, headers=self._headers) as session:
            if self._method == "POST" and self._url is not None:
                listed = list(addresses)
                said = listed if self._field is None else {self._field: listed}
                await _asked(session, "POST", self._url, said)
                return
            failed = await self._each(session, addresses)
        if failed:
            raise NotAll(failed)

    async def _each(
        self, session: aiohttp.ClientSession, addresses: Sequence[str]
    ) -> Mapping[str, Exception]:
        """What could not be purged; once one was not answered, no more are asked for."""
        turn = asyncio.Semaphore(_AT_ONCE)
        failed: dict[str, Exception] = {}
        silent: list[StorageError] = []

        async def purge(address: str) -> None:
            async with turn:
                if silent:
                    failed[address] = silent[0]
                    return
                try:
                    await _asked(session, "PURGE", self._at(address))
                except StorageError as error:
                    failed[address] = error
                    if error.__cause__ is not None:
                        silent.append(error)

        async with asyncio.TaskGroup() as group:
            for address in addresses:
                group.create_task(purge(address))
        return failed

    def _at(self, address: str) -> str:
        return address if self._url is None else self._url.rstrip("/") + urlsplit(address).path


async def _asked(
    session: aiohttp.ClientSession, method: str, url: str, said: object = None
) -> None:
    try:
        address = yarl.URL(url, encoded=True)
        async with session.request(method, address, json=said, allow_redirects=False) as answer:
            status, after = answer.status, answer.headers.get("Retry-After", "")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unavailable(f"the purge was not answered ({type(error).__name__})") from error
    if status // 100 != 2 and not (method == "PURGE" and status in _MISSING):
        raise _failure(status, after)


def _failure(status: int, after: str) -> StorageError:
    if status in _DENIED:
        return PermissionDenied(f"the purge was refused with {status}; check its token and headers")
    if status // 100 != 5 and status not in _LATER:
        return ConfigError(
            f"the purge was answered with {status}; check purge_url and purge_method"
        )
    if after.isascii() and after.isdigit():
        return Busy.told(f"the purge was answered with {status}", min(float(after), _LONGEST))
    return Unavailable(f"the purge was answered with {status}")


def _check(url: str, *, secret: bool, whole: bool) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or _STRANGE.search(url):
        raise ConfigError("purge_url is an address of http or https, encoded")
    if "@" in parts.netloc:
        raise ConfigError("purge_url names no user; give purge_token or purge_headers")
    if not whole and (parts.query or parts.fragment):
        raise ConfigError("a PURGE goes to the path of the file at purge_url, which has no query")
    if secret and parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigError("purges carry a token or headers of yours, so they go to https")


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        texts: tuple[object, object] = (name, value)
        if not all(isinstance(text, str) for text in texts):
            raise ConfigError("purge_headers maps names to values, both text")
        if not _NAME.fullmatch(name) or not is_readable(value):
            raise ConfigError("purge_headers or purge_token hold what a header cannot")
