"""The environment's proxy; aiohttp's `trust_env` would also show the service what `~/.netrc` holds."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    from aiohttp import ClientSession

__all__ = ["Proxied", "proxy_of"]


def proxy_of(url: str, /) -> str | None:
    """The proxy for this address, None for the direct way; on some systems it blocks."""
    place = urlsplit(url)
    if proxy_bypass(place.hostname or ""):
        return None
    return getproxies().get(place.scheme)


class Proxied:
    """A session whose requests go through the environment's proxy; all that gcloud-aio-auth needs of one."""

    def __init__(self, session: "ClientSession", /) -> None:
        self._session = session

    def get(self, url: str, **how: Any) -> Any:
        """As the session's."""
        return self._session.get(url, proxy=proxy_of(url), **how)

    def post(self, url: str, **how: Any) -> Any:
        """As the session's."""
        return self._session.post(url, proxy=proxy_of(url), **how)
