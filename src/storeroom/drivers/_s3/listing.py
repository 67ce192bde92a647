"""Listings, page by page: objects and the folders that their keys imply, in the order of bytes."""

import logging
from collections.abc import AsyncGenerator, Iterator
from typing import Final

from storeroom.contracts.errors import Obstructed
from storeroom.contracts.paths import is_listable
from storeroom.contracts.values import Folder, ScanOptions, Stat
from storeroom.drivers._s3.replies import Listed, Listing
from storeroom.drivers._s3.service import Service
from storeroom.drivers._s3.wire import Request
from storeroom.drivers._s3.xml import read_listing

__all__ = ["Scan", "Strangers", "keys_under", "page_of"]

_PAGE: Final = "1000"
_log = logging.getLogger("storeroom")


class Strangers:
    """What becomes of names that the path rule refuses: left out with one warning, or an error."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._warned = False

    def shown(self, path: str, how: ScanOptions, /) -> bool:
        """Whether a listing yields this name."""
        if is_listable(path, strict=self._strict):
            return True
        if how.strangers == "refuse":
            raise Obstructed(
                f"the folder holds the name {path!r}, which the path rule refuses; open the disk "
                'with paths="service" to reach it',
            )
        if not self._warned:
            self._warned = True
            _log.warning("left out of listings: %r and such names break the path rule", path)
        return False


class Scan:
    """One listing; `pages` gives what it yields, a page at a time."""

    def __init__(
        self, service: Service, folder: str, how: ScanOptions, strangers: Strangers, /
    ) -> None:
        self._service = service
        self._how = how
        self._strangers = strangers
        self._inside = f"{folder}/" if folder else ""
        self._prefix = self._inside + how.starting
        self._after = how.after or ""
        self._last = self._inside

    async def pages(self) -> AsyncGenerator[list[Stat | Folder]]:
        """Pages, some of them empty; the connection is free between them."""
        token: str | None = None
        while True:
            page = await page_of(
                self._service,
                self._prefix,
                after=self._after if token is None else "",
                token=token,
                shallow=not self._how.deep,
            )
            yield list(self._deep(page) if self._how.deep else self._shallow(page))
            token = page.token
            if token is None:
                return

    def _deep(self, page: Listing) -> Iterator[Stat | Folder]:
        for found in page.objects:
            key = found.key
            if not key.startswith(self._prefix):
                continue
            yield from self._folders(key)
            if key > self._after and not key.endswith("/") and self._shown(key):
                yield _stat(found)

    def _folders(self, key: str) -> Iterator[Folder]:
        """The folders that begin with this key."""
        end = key.rfind("/") + 1
        if self._last.startswith(key[:end]):
            return
        at = key.find("/", len(self._inside)) + 1
        while at:
            name = key[:at]
            if not self._last.startswith(name) and name > self._after and self._shown(name[:-1]):
                yield Folder(name[:-1])
            at = key.find("/", at) + 1
        self._last = key[:end]

    def _shallow(self, page: Listing) -> list[Stat | Folder]:
        found: dict[str, Stat | Folder] = {}
        for one in page.objects:
            key = one.key
            if key.startswith(self._prefix) and key > self._after and not key.endswith("/"):
                found[key] = _stat(one)
        for name in page.folders:
            if name.startswith(self._prefix) and name > self._after and name.endswith("/"):
                found[name] = Folder(name[:-1])
        return [found[key] for key in sorted(found) if self._shown(found[key].path)]

    def _shown(self, path: str) -> bool:
        return self._strangers.shown(path, self._how)


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


async def keys_under(service: Service, folder: str, /) -> AsyncGenerator[list[str]]:
    """Every key under a folder, placeholders too, page by page."""
    prefix = f"{folder}/" if folder else ""
    token: str | None = None
    while True:
        page = await page_of(service, prefix, token=token)
        yield [found.key for found in page.objects if found.key.startswith(prefix)]
        token = page.token
        if token is None:
            return


def _stat(found: Listed) -> Stat:
    return Stat(found.key, found.size, found.modified, found.etag, tier=found.tier)
