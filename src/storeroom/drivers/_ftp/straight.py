"""Listings that do not run in circles: a link to a folder above it can be told as a folder."""

from collections.abc import Sequence
from typing import Final

from storeroom.drivers._tree.entry import Entry, ListFolder

__all__ = ["Straight"]

_DOTS: Final = (".", "..")


class Straight:
    """Lists the folders of one walk; one that is a folder above itself is "other" there, so nobody enters it.

    MLSD's fact `unique` tells them, which is the etag of a folder's entry (RFC 3659, section 7.5.2).
    """

    def __init__(self, listed: ListFolder, /) -> None:
        self._listed = listed
        self._above: dict[str, tuple[str, ...]] = {}

    async def __call__(self, folder: str, /) -> Sequence[Entry] | None:
        entries = await self._listed(folder)
        above = self._above.pop(folder, ())
        if not any(entry.etag for entry in entries or ()):
            return entries
        itself = [entry.etag for entry in entries or () if entry.name == "." and entry.etag]
        return [self._told(folder, entry, (*above, *itself)) for entry in entries or ()]

    def _told(self, folder: str, entry: Entry, above: tuple[str, ...]) -> Entry:
        if entry.kind != "folder" or not entry.etag or entry.name in _DOTS:
            return entry
        if entry.etag in above:
            return entry._replace(kind="other", etag=None)
        path = f"{folder}/{entry.name}" if folder else entry.name
        self._above[path] = (*above, entry.etag)
        return entry
