"""A file on its way up: a temporary beside its target, which no loss of a connection interrupts."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeVar

from storeroom.contracts.body import Piece
from storeroom.contracts.errors import Corrupted, QuotaExceeded, StorageError, Unavailable
from storeroom.drivers._sftp import wire
from storeroom.drivers._sftp.channel import Answer
from storeroom.drivers._sftp.failures import Lost, Refused
from storeroom.drivers._sftp.place import Root
from storeroom.drivers._sftp.service import Service
from storeroom.drivers._sftp.session import Session
from storeroom.drivers._sftp.wire import Facts, attributes
from storeroom.drivers._tree.shielded import ended

__all__ = ["Upload", "taken"]

T = TypeVar("T")

_UNDER_WAY: Final = 2 << 20
_COPIED: Final = 16 << 20
_PATIENCE: Final = 10.0
_log = logging.getLogger("storeroom")


@dataclass(slots=True)
class _Sent:
    """Bytes that the server has not acknowledged yet."""

    offset: int
    pieces: Sequence[Piece]
    size: int
    answer: Answer[None]


class Upload:
    """The steps of one upload to the temporary `path`: `begin`, `add`..., `finish`.

    What was sent and not acknowledged is kept, and sent again when a new session has to go on. At
    the end of its block the temporary is removed, unless `is_placed` says that it has another name.
    """

    def __init__(
        self, service: Service, root: Root, path: str, /, *, mode: int | None, syncs: bool
    ) -> None:
        self.path = path
        self.length = 0
        self.is_placed = False
        self._service = service
        self._name = root.at(path)
        self._mode = mode
        self._syncs = syncs
        self._tries = service.tries()
        self._session: Session | None = None
        self._handle = b""
        self._opening: Answer[bytes] | None = None
        self._acknowledged = 0
        self._sent: deque[_Sent] = deque()
        self._begun = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # With a GeneratorExit nothing can be awaited any more: sweep clears it.
        if self._begun and not self.is_placed and kind is not GeneratorExit:
            await self._abandon()

    async def begin(self) -> int:
        """Make the temporary: how many bytes to add at once."""
        session = await self._surely(_itself)
        return session.write_size

    async def add(self, pieces: Sequence[Piece], /) -> None:
        """Send some bytes, as soon as few enough are under way."""
        size = sum(map(len, pieces))
        session = await self._surely(lambda session: self._room(session, size))
        answer = session.write(self._handle, self.length, pieces)
        self._sent.append(_Sent(self.length, pieces, size, answer))
        self.length += size

    async def fill(self, source: bytes, /) -> None:
        """Add all of a file that lies on the server, which copies it there."""

        async def copied(session: Session) -> int:
            handle = await session.open(source, wire.TO_READ)
            try:
                size = (await session.facts(handle)).size or 0
                for at in range(0, size, _COPIED):
                    count = min(_COPIED, size - at)
                    answer = session.copy(handle, at, count, self._handle, at)
                    await taken(session, self._name, answer, count)
            finally:
                session.channel.close_handle(handle)
            return size

        self.length = self._acknowledged = await self._surely(copied)

    async def finish(self) -> Facts:
        """All has arrived, and is on the server's disk if it can say so: the facts of the file."""
        facts = await self._surely(self._arrived)
        self._let_go()
        return facts

    async def _surely(self, step: Callable[[Session], Awaitable[T]]) -> T:
        """What the step gives, on a new session where one is lost."""
        while True:
            try:
                return await step(await self._ready())
            except Lost as lost:
                await self._tries.again(lost)

    async def _ready(self) -> Session:
        """A session that has the temporary open, with all that is under way."""
        if self._session is not None and self._session.lost is None:
            return self._session
        session = await self._service.session()
        is_there = self._begun
        handle = await self._opened(session)
        if is_there:
            await self._check_kept(session, handle)
        self._let_go()
        session.handles += 1
        self._session, self._handle = session, handle
        for sent in self._sent:
            sent.answer = session.write(handle, sent.offset, sent.pieces)
        return session

    async def _opened(self, session: Session) -> bytes:
        flags = wire.TO_WRITE | (wire.TO_CREATE if self._begun else wire.TO_CREATE_NEW)
        is_there, self._begun = self._begun, True
        self._opening = session.open(self._name, flags, mode=self._mode)
        # Not awaited itself, for a cancellation would drop it: what it makes is to be removed then.
        await asyncio.wait([self._opening.future])
        opening, self._opening = self._opening, None
        try:
            return await opening
        except Refused:
            self._begun = is_there
            raise

    async def _check_kept(self, session: Session, handle: bytes) -> None:
        """A server that was cut off from its disk may not have what it acknowledged."""
        try:
            size = (await session.facts(handle)).size or 0
            if size < self._acknowledged:
                raise Unavailable("the server lost what was sent so far; try again")
        except BaseException:
            session.channel.close_handle(handle)
            raise

    async def _room(self, session: Session, size: int) -> Session:
        while self._sent and self.length - self._acknowledged + size > _UNDER_WAY:
            await self._acknowledge(session)
        return session

    async def _acknowledge(self, session: Session) -> None:
        sent = self._sent[0]
        await taken(session, self._name, sent.answer, sent.size)
        self._sent.popleft()
        self._acknowledged += sent.size
        self._tries.afresh()

    async def _arrived(self, session: Session) -> Facts:
        can_sync = self._syncs and session.offers("fsync@openssh.com")
        while can_sync and self._sent and not session.keeps_order:
            await self._acknowledge(session)
        syncing = session.sync(self._handle) if can_sync else None
        looking = session.facts(self._handle)
        while self._sent:
            await self._acknowledge(session)
        if syncing is not None:
            await syncing
        facts = await looking
        if facts.size != self.length:  # some servers answer out of order
            facts = await session.facts(self._handle)
        if facts.size != self.length:
            raise Corrupted(f"{self.length} bytes were sent and {facts.size} arrived")
        if self._mode is not None and facts.mode is not None and facts.mode & 0o777 != self._mode:
            await session.set_open(self._handle, attributes(mode=self._mode))
        if syncing is None:
            await session.close(self._handle)  # some servers say only now that a disk is full
            self._handle = b""
        return facts

    def _let_go(self) -> None:
        """Close the temporary."""
        session, self._session = self._session, None
        handle, self._handle = self._handle, b""
        if session is not None:
            session.handles -= 1
            if handle:
                session.channel.close_handle(handle)

    async def _abandon(self) -> None:
        """Remove the temporary as well as that can be done now; also when cancelled."""
        task = asyncio.create_task(self._remove())
        await ended(task, min(_PATIENCE, self._service.timeout))
        if task.cancelled() or not task.result():
            _log.warning("a temporary file, %r, is left behind; sweep clears it", self.path)

    async def _remove(self) -> bool:
        """Whether it is gone."""
        for sent in self._sent:
            sent.answer.drop()
        session = self._session
        self._let_go()
        if self._opening is not None:  # removed before it is made, it would stay
            await _answered(self._opening)
        try:
            if session is not None:
                with suppress(Lost):
                    await session.remove(self._name)
                    return True
            await self._service.call(lambda session: session.remove(self._name))
        except Refused as refused:
            return refused.is_missing
        except (Lost, StorageError):
            return False
        return True


async def taken(session: Session, path: bytes, answer: Answer[None], size: int) -> None:
    """The server took so many bytes for a path; `QuotaExceeded` where it has no room for them."""
    try:
        await answer
    except Refused as refused:
        if not refused.is_vague or not session.offers("statvfs@openssh.com", b"2"):
            raise
        if (await session.space(path.rpartition(b"/")[0] or b".")).free >= size:
            raise
        raise QuotaExceeded("the server's disk is full, or this user's share of it") from refused


async def _itself(session: Session) -> Session:
    return session


async def _answered(opening: Answer[bytes]) -> None:
    try:
        await asyncio.wait([opening.future])
    finally:
        opening.drop()
