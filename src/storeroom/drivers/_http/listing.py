"""Listings, page by page: objects and the folders that their keys imply, in the order of bytes."""

import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from storeroom.contracts.errors import Obstructed
from storeroom.contracts.paths import is_listable
from storeroom.contracts.values import Folder, ScanOptions, Stat

__all__ = ["Found", "Listing", "PageOf", "Scan", "Strangers", "keys_under"]

_log = logging.getLogger("storeroom")


class Found(Protocol):
    """One object of a listing; a name that is no UTF-8 holds surrogates."""

    @property
    def key(self) -> str: ...

    def stat(self) -> Stat:
        """Its facts, as far as listings tell them."""
        ...


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of objects and folders; `token` leads to the next, None where this is the last."""

    objects: Sequence[Found]
    folders: Sequence[str]
    token: str | None


class PageOf(Protocol):
    """One page of the keys with a prefix, which sort behind `after` where the service can be told so.

    With `shallow` the keys with a further `/` come as folders, each ending in it.
    """

    async def __call__(
        self,
        prefix: str,
        /,
        *,
        after: str = "",
        token: str | None = None,
        shallow: bool = False,
    ) -> Listing: ...


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
        self, page_of: PageOf, folder: str, how: ScanOptions, strangers: Strangers, /
    ) -> None:
        self._page_of = page_of
        self._how = how
        self._strangers = strangers
        self._inside = f"{folder}/" if folder else ""
        self._prefix = self._inside + how.starting
        self._after = how.after or ""
        self._last = self._inside
        self._folder = ""

    async def pages(self) -> AsyncGenerator[list[Stat | Folder]]:
        """Pages, some of them empty; the connection is free between them."""
        token: str | None = None
        while True:
            page = await self._page_of(
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
                yield found.stat()

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
                found[key] = one.stat()
        for name in page.folders:
            if name.startswith(self._prefix) and name > self._after and name.endswith("/"):
                found[name] = Folder(name[:-1])
        found.pop(self._folder, None)  # some tell a folder on every page that has a key of it
        self._folder = max(page.folders, default=self._folder)
        return [found[key] for key in sorted(found) if self._shown(found[key].path)]

    def _shown(self, path: str) -> bool:
        return self._strangers.shown(path, self._how)


async def keys_under(page_of: PageOf, folder: str, /) -> AsyncGenerator[list[str]]:
    """Every key under a folder, placeholders too, page by page."""
    prefix = f"{folder}/" if folder else ""
    token: str | None = None
    while True:
        page = await page_of(prefix, token=token)
        yield [found.key for found in page.objects if found.key.startswith(prefix)]
        token = page.token
        if token is None:
            return
