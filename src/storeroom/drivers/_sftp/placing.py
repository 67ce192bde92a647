"""Putting a file in its place: in one step where the server can, and looking where no reply came."""

import logging
from dataclasses import dataclass, field

from storeroom.contracts.errors import AlreadyExists, StorageError, Unavailable, Unsupported
from storeroom.contracts.values import WriteOptions
from storeroom.drivers._sftp.failures import Lost, Refused
from storeroom.drivers._sftp.place import Root
from storeroom.drivers._sftp.service import Service
from storeroom.drivers._sftp.session import Session
from storeroom.drivers._sftp.wire import Facts, attributes
from storeroom.drivers._tree.temporaries import aside_beside

__all__ = ["Placing", "check_creating"]

_log = logging.getLogger("storeroom")


def check_creating(session: Session, how: WriteOptions) -> None:
    """Refuse to create only where the server has no way to do that in one step."""
    if not how.overwrite and not session.offers("hardlink@openssh.com"):
        raise Unsupported("this server makes no hard links, so overwrite=False cannot be kept")


@dataclass(slots=True)
class Placing:
    """A file on the server, of these facts, that is to get the name `to`; `gone` where it is not there."""

    root: Root
    path: str
    to: str
    how: WriteOptions
    facts: Facts
    gone: StorageError
    _uncertain: bool = False
    _asides: list[str] = field(default_factory=list[str])

    async def done(self, service: Service) -> None:
        """It is in its place, and has no other name any more."""
        try:
            await service.call(self._tried)
        except Lost as lost:
            if not self._uncertain:
                raise
            # A body that is stored over what is there may be stored once more.
            raise self._unknown(retryable=self.how.overwrite and self.gone.retryable) from lost
        finally:
            for aside in self._asides:
                _log.warning("what was in %r may be in %r now; nothing sweeps that", self.to, aside)

    async def _tried(self, session: Session) -> None:
        if not (self._uncertain and await self._is_done(session)):
            again, self._uncertain = self._uncertain, True
            try:
                await self._placed(session)
            except Refused as refused:
                await self._explained(session, refused, again=again)
        while self._asides:
            await _removed(session, self.root.at(self._asides[-1]))
            self._asides.pop()

    async def _placed(self, session: Session) -> None:
        path, to = self.root.at(self.path), self.root.at(self.to)
        if not self.how.overwrite:
            await session.link(path, to)
            await _removed(session, path)
            return
        if session.offers("posix-rename@openssh.com"):
            await session.replace(path, to)
            return
        try:
            await session.rename(path, to)
        except Refused as refused:
            if not refused.is_vague or not (await self.root.way(session, self.to)).target():
                raise
            await self._replaced(session, path, to)

    async def _replaced(self, session: Session, path: bytes, to: bytes) -> None:
        """In two steps, and nothing has the name in between."""
        aside = aside_beside(self.to)
        self._asides.append(aside)
        try:
            await session.rename(to, self.root.at(aside))
        except Refused:
            self._asides.remove(aside)
            raise
        try:
            await session.rename(path, to)
        except Refused:
            await self._brought_back(session, aside, to)
            raise

    async def _brought_back(self, session: Session, aside: str, to: bytes) -> None:
        try:
            await session.rename(self.root.at(aside), to)
        except Refused as refused:
            raise StorageError(
                f"the server neither replaces this file nor brings it back; it is in {aside!r} now"
            ) from refused
        self._asides.remove(aside)

    async def _is_done(self, session: Session) -> bool:
        """Whether a try did it of which no reply came."""
        path, to = self.root.at(self.path), self.root.at(self.to)
        left, found = session.found(path), session.found(to)
        if self._is_it(await left):
            if self.how.overwrite or not await self._is_linked(session, path, to):
                return False
            await _removed(session, path)
            return True
        if self._is_it(await found):
            return True
        raise self._unknown(retryable=False)

    def _unknown(self, *, retryable: bool) -> Unavailable:
        return Unavailable(
            "the reply to storing it was lost, so the outcome is unknown; look at the file before "
            "storing it again",
            retryable=retryable,
        )

    def _is_it(self, found: Facts | None) -> bool:
        """Whether this may be the file that gets its place, and not one that somebody put there."""
        ours = (self.facts.size, self.facts.modified)
        return found is not None and (found.size, found.modified) == ours

    async def _is_linked(self, session: Session, path: bytes, to: bytes) -> bool:
        """Whether both names are of one file: what is changed by one name shows under the other."""
        found, modified = await session.found(to), self.facts.modified
        if found is None or modified is None or found.modified != modified:
            return False
        await session.set(path, attributes(modified=modified - 1))
        found = await session.found(to)
        await session.set(path, attributes(modified=modified))
        return found is not None and found.modified == modified - 1

    async def _explained(self, session: Session, refused: Refused, *, again: bool) -> None:
        """Servers say only that it failed: look why."""
        if again and await self._is_done(session):
            return
        if refused.is_missing and await session.found(self.root.at(self.path)) is None:
            raise self.gone
        if not refused.is_vague:
            raise refused
        there = (await self.root.way(session, self.to)).target()
        if self.how.overwrite:
            raise refused
        if there is not None:
            raise AlreadyExists("a file is here already", path=self.to) from refused
        raise Unsupported(
            "this folder takes no hard links, so overwrite=False cannot be kept", path=self.to
        ) from refused


async def _removed(session: Session, path: bytes) -> None:
    try:
        await session.remove(path)
    except Refused as refused:
        if not refused.is_missing:
            raise
