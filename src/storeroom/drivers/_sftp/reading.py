"""Reading: small files in one go, larger ones in pieces that are asked for before their turn."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from storeroom.contracts.errors import Corrupted, NotFound, Unavailable, translating
from storeroom.contracts.source import Source
from storeroom.contracts.values import ReadOptions
from storeroom.drivers._sftp import wire
from storeroom.drivers._sftp.channel import Answer
from storeroom.drivers._sftp.facts import check_conditions, etag_of, stat_of
from storeroom.drivers._sftp.failures import Lost
from storeroom.drivers._sftp.failures import reading as looked
from storeroom.drivers._sftp.place import Root
from storeroom.drivers._sftp.service import Service
from storeroom.drivers._sftp.session import Session
from storeroom.drivers._sftp.wire import Facts

__all__ = ["opened"]

_AHEAD: Final = 2 << 20
_AT_FIRST: Final = 2


@dataclass(slots=True)
class _Open:
    """A file opened to be read, and the first piece of what is wanted of it."""

    session: Session
    handle: bytes
    facts: Facts
    start: int
    stop: int
    first: bytes


async def opened(service: Service, root: Root, path: str, how: ReadOptions) -> Source:
    """A file's bytes, or a range of them."""
    found = await service.call(lambda session: _open(session, root, path, how))
    stat = stat_of(path, found.facts)
    if len(found.first) == found.stop - found.start:
        found.session.channel.close_handle(found.handle)
        return Source(stat, found.first, chunk_size=how.chunk_size)
    pieces = _Pieces(service, root, path, found)
    return Source(
        stat,
        pieces.chunks(),
        size=found.stop - found.start,
        release=pieces.close,
        chunk_size=how.chunk_size,
    )


async def _open(session: Session, root: Root, path: str, how: ReadOptions) -> _Open:
    facts = (await root.way(session, path)).file()
    check_conditions(facts, how)
    handle = await session.open(root.at(path), wire.TO_READ)
    try:
        start, stop = _span(facts, how)
        count = min(stop - start, session.read_size)
        reading = session.read(handle, start, count) if count else None
        facts = await _facts_of(session, handle)
        check_conditions(facts, how)
        start, stop = _span(facts, how)
        first = b"" if reading is None else (await reading)[: stop - start]
        return _Open(session, handle, facts, start, stop, first)
    except BaseException:
        session.channel.close_handle(handle)
        raise


class _Pieces:
    """The rest of a file: some pieces are under way while one is used; a lost session is replaced."""

    def __init__(self, service: Service, root: Root, path: str, found: _Open) -> None:
        self._service = service
        self._root = root
        self._path = path
        self._found = found
        self._tries = service.tries()
        self._next = found.start + len(found.first)
        self._under_way: deque[tuple[int, int, Answer[bytes]]] = deque()
        self._most = _AT_FIRST
        self._closed = False
        found.session.handles += 1

    async def chunks(self) -> AsyncGenerator[bytes]:
        first, self._found.first = self._found.first, b""
        at = self._found.start + len(first)
        if first:
            yield first
        while at < self._found.stop:
            with translating(looked, "read", self._path):
                piece = await self._piece(at)
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Does not wait for the server; the garbage collector may call it in any thread."""
        if self._closed:
            return
        self._closed = True
        loop = self._found.session.channel.loop
        if loop is _running():
            self._let_go()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        self._found.session.handles -= 1
        for _, _, answer in self._under_way:
            answer.drop()
        self._under_way.clear()
        self._found.session.channel.close_handle(self._found.handle)

    async def _piece(self, at: int) -> bytes:
        while True:
            try:
                if self._found.session.lost is not None:
                    await self._reopen(at)
                return await self._taken()
            except Lost as lost:
                await self._tries.again(lost)

    async def _taken(self) -> bytes:
        self._ask()
        offset, count, answer = self._under_way.popleft()
        data = await answer
        if not data:
            raise Corrupted(f"the file ends at {offset}, and {self._found.stop} bytes were told of")
        if len(data) > count:
            raise Corrupted(f"the server sent {len(data)} bytes where {count} were asked for")
        if len(data) < count:  # which a server may do; the rest is asked for again
            rest = self._found.session.read(
                self._found.handle, offset + len(data), count - len(data)
            )
            self._under_way.appendleft((offset + len(data), count - len(data), rest))
        self._tries.afresh()
        self._most = min(2 * self._most, max(1, _AHEAD // self._found.session.read_size))
        return data

    def _ask(self) -> None:
        """Keep as many pieces under way as there may be."""
        session = self._found.session
        while self._next < self._found.stop and len(self._under_way) < self._most:
            count = min(session.read_size, self._found.stop - self._next)
            answer = session.read(self._found.handle, self._next, count)
            self._under_way.append((self._next, count, answer))
            self._next += count

    async def _reopen(self, at: int) -> None:
        """Go on where it stopped, if the file is still the same."""
        session, path = await self._service.session(), self._path
        (await self._root.way(session, path)).file()
        handle = await session.open(self._root.at(path), wire.TO_READ)
        try:
            facts = await _facts_of(session, handle)
            if etag_of(facts) != etag_of(self._found.facts):
                raise Unavailable("the file changed before all of it was read; read it again")
        except BaseException:
            session.channel.close_handle(handle)
            raise
        self._found.session.handles -= 1
        session.handles += 1
        self._found.session, self._found.handle = session, handle
        self._under_way.clear()
        self._next = at


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _facts_of(session: Session, handle: bytes) -> Facts:
    facts = await session.facts(handle)
    if facts.kind not in ("file", "unknown"):
        raise NotFound("this is not a regular file")
    return facts


def _span(facts: Facts, how: ReadOptions) -> tuple[int, int]:
    """Where the wanted range begins and ends in the file."""
    if facts.size is None:
        raise Unavailable("the server does not tell how large the file is", retryable=False)
    start = min(how.start, facts.size)
    return start, facts.size if how.stop is None else max(start, min(how.stop, facts.size))
