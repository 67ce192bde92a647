"""One page of a listing of S3."""

from typing import Final

from storeroom.drivers._http.listing import Listing
from storeroom.drivers._http.wire import Request
from storeroom.drivers._s3.service import Service
from storeroom.drivers._s3.xml import read_listing

__all__ = ["page_of"]

_PAGE: Final = "1000"


async def page_of(
    service: Service,
    prefix: str,
    /,
    *,
    after: str = "",
    token: str | None = None,
    shallow: bool = False,
    most: str = _PAGE,
) -> Listing:
    """One page of keys with a prefix."""
    query = [("list-type", "2"), ("encoding-type", "url"), ("max-keys", most)]
    if prefix:
        query.append(("prefix", prefix))
    if shallow:
        query.append(("delimiter", "/"))
    if token is not None:
        query.append(("continuation-token", token))
    elif after:
        query.append(("start-after", after))
    body = await service.ask(Request("ListObjectsV2", "GET", None, tuple(query)))
    return read_listing(body)
