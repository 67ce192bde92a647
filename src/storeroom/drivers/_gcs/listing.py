"""One page of a listing, without what storeroom keeps for itself."""

from typing import Any, Final, NamedTuple

from storeroom.contracts.paths import RESERVED
from storeroom.contracts.values import Stat
from storeroom.drivers._gcs.replies import Resource, resource_in
from storeroom.drivers._http.chunks import number
from storeroom.drivers._http.dates import iso_moment
from storeroom.drivers._http.listing import Listing
from storeroom.drivers._http.service import HttpService
from storeroom.drivers._http.wire import Request

__all__ = ["PARTS", "Listed", "any_under", "page_of", "resources"]

PARTS: Final = f"{RESERVED}parts/"
"""Where the parts of uploads are kept until they are put together."""

_PAGE: Final = "1000"
_FIELDS: Final = "items(name,size,updated,generation,storageClass),prefixes,nextPageToken"


class Listed(NamedTuple):
    """One object of a listing."""

    key: str
    resource: Resource

    def stat(self) -> Stat:
        """Its facts."""
        get = self.resource.get
        return Stat(
            self.key,
            number(get("size")),
            iso_moment(get("updated")),
            get("generation"),
            tier=get("storageClass"),
        )


async def page_of(
    service: HttpService,
    prefix: str,
    /,
    *,
    after: str = "",
    token: str | None = None,
    shallow: bool = False,
    most: str = _PAGE,
) -> Listing:
    """One page of keys with a prefix."""
    query = [("maxResults", most), ("fields", _FIELDS)]
    if shallow:
        query.append(("delimiter", "/"))
    if after:
        query.append(("startOffset", after))
    told = await _page(service, prefix, query, token)
    objects = [Listed(item["name"], item) for item in told.get("items") or ()]
    return Listing(
        [found for found in objects if not found.key.startswith(PARTS)],
        [name for name in told.get("prefixes") or () if not name.startswith(PARTS)],
        told.get("nextPageToken") or None,
    )


async def resources(
    service: HttpService,
    prefix: str,
    token: str | None,
    /,
    *,
    versions: bool = False,
    after: str = "",
) -> tuple[list[Any], str | None]:
    """A page of whole resources, storeroom's own too, and what leads to the next."""
    query = [("maxResults", _PAGE)]
    if versions:
        query.append(("versions", "true"))
    if after:
        query.append(("startOffset", after))
    told = await _page(service, prefix, query, token)
    return list(told.get("items") or ()), told.get("nextPageToken") or None


async def any_under(service: HttpService, prefix: str, /) -> bool:
    """Whether there is a key with this prefix; pages may be empty though others follow."""
    token: str | None = None
    while True:
        page = await page_of(service, prefix, token=token, most="1")
        if page.objects or page.token is None:
            return bool(page.objects)
        token = page.token


async def _page(
    service: HttpService, prefix: str, query: list[tuple[str, str]], token: str | None
) -> Resource:
    if prefix:
        query.append(("prefix", prefix))
    if token is not None:
        query.append(("pageToken", token))
    return resource_in(await service.ask(Request("list", "GET", None, tuple(query))))
