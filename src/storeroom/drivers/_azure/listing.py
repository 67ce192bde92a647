"""Listings of Azure: one page, and what becomes of the blobs that mark folders."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from storeroom.contracts import threads
from storeroom.contracts.paths import RESERVED
from storeroom.contracts.values import Folder, ScanOptions, Stat
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.xml import Listed, read_listing
from storeroom.drivers._http.listing import Listing, Scan, Strangers
from storeroom.drivers._http.wire import Request

__all__ = ["HIDDEN", "Pages", "is_anything_under", "page_of", "scanned"]

HIDDEN: Final = f"{RESERVED}copy-"
"""What the names of copies begin with that are still under way; nobody is shown them."""

_PAGE: Final = "5000"
_ON_THE_LOOP: Final = 64 << 10


async def page_of(
    service: AzureService,
    prefix: str,
    /,
    *,
    token: str | None = None,
    shallow: bool = False,
    most: str = _PAGE,
    include: str = "metadata",
) -> tuple[list[Listed], list[str], str | None]:
    """One page of blobs with a prefix: these, the prefixes beside them, and what leads to the next."""
    query = [("restype", "container"), ("comp", "list"), ("maxresults", most)]
    query.append(("include", include))
    if prefix:
        query.append(("prefix", prefix))
    if shallow:
        query.append(("delimiter", "/"))
    if token is not None:
        query.append(("marker", token))
    body = await service.ask(Request("list", "GET", None, tuple(query)))
    if len(body) <= _ON_THE_LOOP:
        return read_listing(body)
    return await threads.run(read_listing, body)


async def is_anything_under(service: AzureService, folder: str, /) -> bool:
    """Whether there is a blob under a folder; a page may be empty, though it is not the last."""
    token: str | None = None
    while True:
        blobs, _, token = await page_of(service, f"{folder}/", token=token, most="1")
        if blobs or token is None:
            return bool(blobs)


class Pages:
    """The pages of one listing, in which marks of folders are folders; `marked` has their paths.

    The service lists from the beginning always: what sorts behind `after` is for the scan to tell.
    """

    def __init__(self, service: AzureService, /) -> None:
        self._service = service
        self.marked: set[str] = set()

    async def __call__(
        self,
        prefix: str,
        /,
        *,
        after: str = "",
        token: str | None = None,
        shallow: bool = False,
    ) -> Listing:
        blobs, folders, token = await page_of(self._service, prefix, token=token, shallow=shallow)
        blobs = [blob for blob in blobs if not blob.key.startswith(HIDDEN)]
        marks = [f"{blob.key.rstrip('/')}/" for blob in blobs if blob.is_folder]
        if not marks:
            return Listing(blobs, folders, token)
        self.marked.update(mark[:-1] for mark in marks)
        if shallow:
            return Listing(
                [blob for blob in blobs if not blob.is_folder], [*folders, *marks], token
            )
        return Listing(
            [_as_mark(blob) if blob.is_folder else blob for blob in blobs], folders, token
        )


async def scanned(
    service: AzureService, folder: str, how: ScanOptions, strangers: Strangers, /
) -> AsyncGenerator[list[Stat | Folder]]:
    """What a scan yields, page by page; a folder that is marked may not come a second time."""
    page_of = Pages(service)
    given: set[str] = set()

    def first(entry: Stat | Folder) -> bool:
        if isinstance(entry, Stat) or entry.path not in page_of.marked:
            return True
        again = entry.path in given
        given.add(entry.path)
        return not again

    async with aclosing(Scan(page_of, folder, how, strangers).pages()) as pages:
        async for page in pages:
            yield [entry for entry in page if first(entry)] if page_of.marked else page


def _as_mark(blob: Listed) -> Listed:
    return replace(blob, key=f"{blob.key.rstrip('/')}/")
