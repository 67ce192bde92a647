"""Folders: made with those above them, and removed with all that is in them."""

import posixpath
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from storeroom.contracts.errors import Obstructed, PermissionDenied, translating
from storeroom.contracts.values import Visible
from storeroom.drivers._sftp.failures import Refused, obstructed, reading
from storeroom.drivers._sftp.listing import Listing
from storeroom.drivers._sftp.place import Root, steps
from storeroom.drivers._sftp.rules import Rules
from storeroom.drivers._sftp.service import Service
from storeroom.drivers._sftp.session import Session
from storeroom.drivers._sftp.wire import attributes
from storeroom.drivers._tree.clearing import empty
from storeroom.drivers._tree.entry import Entry
from storeroom.drivers._tree.rule import PathRule
from storeroom.drivers._tree.temporaries import leftovers

__all__ = ["Folding"]

T = TypeVar("T")

_TRIES: Final = 20
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Folding:
    """The folders of one disk."""

    service: Service
    root: Root
    rules: Rules
    listing: Listing

    async def has(self, folder: str) -> bool:
        """Whether the folder is there; the root always is."""
        if not folder:
            return True
        way = await self.service.call(lambda session: self.root.way(session, folder))
        return way.is_folder

    async def make(self, folder: str, visibility: Visible | None = None) -> None:
        """Make it with its parents; its mode is the one asked for, theirs the disk's."""
        await self.service.call(lambda session: self._made(session, folder, visibility))

    async def rooted(self, path: str, made: Callable[[], Awaitable[T]]) -> T:
        """What is made at a path; where that fails for want of the root, once more when it is there."""
        try:
            return await made()
        except Refused as refused:
            if not refused.is_missing:
                raise
        await self.service.call(self._rooted)
        try:
            return await made()
        except Refused as again:
            if not again.is_missing or "/" in path:  # a folder of ours may be removed meanwhile
                raise
            raise PermissionDenied(
                f"the server lets nothing be made in the root {self.root.folder!r}; check whether "
                "it is a folder for files, and no link to nowhere"
            ) from again

    async def check_writable(self, path: str) -> None:
        """Refuse where a file system is read-only: servers say only that it failed."""

        async def look(session: Session) -> bool:
            name = self.root.at(path)
            while session.offers("statvfs@openssh.com", b"2"):
                try:
                    return (await session.space(name)).is_sealed
                except Refused:  # nothing is there: what is above tells
                    above = _above(name)
                    if above == name:
                        break
                    name = above
            return False

        if await self.service.call(look):
            raise PermissionDenied("the file system is mounted read-only at the server")

    async def remove(self, folder: str) -> bool:
        """Remove it with all that is in it: whether it was there."""
        if not await self.has(folder):
            return False
        for _ in range(_TRIES):
            was_there = await empty(
                folder,
                listed=self.listing.of,
                unlink=self._unlink,
                rmdir=self._rmdir,
                at_once=_AT_ONCE,
            )
            if not was_there or await self._rmdir(folder):
                return True
        raise Obstructed("files are written into it again and again")

    async def sweep(self, rule: PathRule, older_than: timedelta) -> int:
        """Remove temporaries of this age, where this user may: how many."""
        before, count = datetime.now(UTC) - older_than, 0
        async with aclosing(leftovers(self._listed, rule, before)) as paths:
            async for path in paths:
                count += await self._swept(path)
        return count

    async def _listed(self, folder: str) -> Sequence[Entry] | None:
        with translating(reading, "sweep"):  # a folder that may not be read is known by its kind
            return await self.listing.of(folder)

    async def _swept(self, path: str) -> bool:
        try:
            return await self._unlink(path)
        except Refused as refused:
            if not refused.is_denied:
                raise
            return False

    async def _made(self, session: Session, folder: str, visibility: Visible | None) -> None:
        way = await self.root.way(session, folder) if folder else None
        if way is None:
            await self._rooted(session)
            return
        if way.obstructed or (way.facts is not None and not way.is_folder):
            raise obstructed()
        if not way.is_folder:
            missing = [step for step in steps(folder) if len(step) > len(way.nearest)]
            for step in missing:
                await self._make_one(session, step)
        mode = self.rules.folder_mode(visibility)
        if visibility is not None and mode is not None:
            await session.set(self.root.at(folder), attributes(mode=mode))

    async def _make_one(self, session: Session, folder: str) -> None:
        name, mode = self.root.at(folder), self.rules.folder_mode()
        await self.rooted(folder, lambda: _make(session, name, mode))

    async def _rooted(self, session: Session) -> None:
        """Make the root with those above it; links may lead there."""
        above = "/" if posixpath.isabs(self.root.folder) else ""
        for step in filter(None, steps(self.root.folder.removeprefix("/"))):
            name = f"{above}{step}".encode()
            found = await session.found(name)
            if found is not None and found.kind == "file":
                raise Obstructed("a file stands where root, or a folder above it, is to be")
            if found is None:
                await self._make_step(session, name)

    async def _make_step(self, session: Session, name: bytes) -> None:
        try:
            await _make(session, name, self.rules.folder_mode(), linked=True)
        except Refused as refused:
            is_barred = refused.is_missing and await session.found(_above(name)) is not None
            if not (refused.is_denied or is_barred):
                raise
            raise PermissionDenied(
                f"the server does not let the root {self.root.folder!r} be made "
                f"({refused.said}); check root, or make the folder there"
            ) from refused

    async def _unlink(self, path: str) -> bool:
        return await self._gone(path, folder=False)

    async def _rmdir(self, path: str) -> bool:
        return await self._gone(path, folder=True)

    async def _gone(self, path: str, *, folder: bool) -> bool:
        """Whether it is gone: not where a folder is not empty."""
        name = self.root.at(path)

        async def work(session: Session) -> bool:
            try:
                await (session.remove_folder(name) if folder else session.remove(name))
            except Refused as refused:
                if not refused.is_missing and not (folder and refused.is_vague):
                    raise
                return refused.is_missing
            return True

        return await self.service.settled(self.service.call(work))


def _above(name: bytes) -> bytes:
    return posixpath.dirname(name) or b"."


async def _make(session: Session, name: bytes, mode: int | None, *, linked: bool = False) -> None:
    """Make a folder, unless somebody was faster."""
    try:
        await session.make_folder(name, mode)
    except Refused as refused:
        found = None if refused.is_missing else await session.found(name)
        if found is None:
            raise
        if found.kind != "folder" and not (linked and found.kind == "link"):
            raise obstructed() from refused
        return
    if mode is not None:
        await session.set(name, attributes(mode=mode))  # the umask had its way
