"""Requests with our own signature over our own connections."""

import ssl
from typing import Final

from storeroom.contracts import threads
from storeroom.contracts.extras import extra
from storeroom.drivers._azure.access import VERSION, Access, Clock
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.target import Target
from storeroom.drivers._http.canonical import encoded_path, encoded_query
from storeroom.drivers._http.exchange import HttpReply
from storeroom.drivers._http.tls import tls_context
from storeroom.drivers._http.wire import Request, size_of

with extra("azure", "azure-storage-blob"):
    from storeroom.drivers._http.http import Http

__all__ = ["OF_ACCOUNT", "Direct", "connected"]

OF_ACCOUNT: Final = "account"
"""The operation of requests that are for the account, not for the container."""

_WITH_BODY: Final = frozenset(("PUT", "POST"))


async def connected(service: AzureService, /, *, verify: bool | str) -> "Direct":
    """The connections of the running loop."""
    tls = None
    if service.target.account.scheme == "https":
        tls = await threads.run(tls_context, verify=verify)
    return Direct(service.target, service.access, service.clock, tls, timeout=service.timeout)


class Direct:
    """One loop's connections."""

    def __init__(
        self,
        target: Target,
        access: Access,
        clock: Clock,
        tls: ssl.SSLContext | None,
        /,
        *,
        timeout: float,
    ) -> None:
        self._place = target.place
        self._account = f"{target.account.base}/"
        self._access = access
        self._clock = clock
        self._http = Http(self._place.origin, tls, timeout=timeout)

    async def send(self, request: Request, /) -> HttpReply:
        place, query = self._place, request.query
        of_account = request.operation == OF_ACCOUNT
        path = encoded_path(self._account if of_account else place.path(request.key))
        headers = {**request.headers, "x-ms-version": VERSION}
        if request.method in _WITH_BODY:
            headers["content-length"] = str(size_of(request.body))
        headers = await self._access.headers(
            request.method, path, query, headers, self._clock.date()
        )
        headers["host"] = place.host
        address = self._access.address(path, encoded_query(query) if query else "")
        return await self._http.request(request.method, address, headers, request.body, request)

    async def aclose(self) -> None:
        await self._http.aclose()
