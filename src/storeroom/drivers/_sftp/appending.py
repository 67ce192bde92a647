"""Adding to the end of a file in place.

All of a body is here, or on the server, before the first byte is added: one that fails adds nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, NamedTuple

from storeroom.contracts.body import Body, Piece
from storeroom.contracts.errors import Corrupted, StorageError, Unavailable
from storeroom.contracts.values import ReadOptions, Stat, WriteOptions
from storeroom.drivers._sftp import wire
from storeroom.drivers._sftp.facts import stat_of
from storeroom.drivers._sftp.failures import Lost, Refused
from storeroom.drivers._sftp.reading import opened
from storeroom.drivers._sftp.rules import check_kept
from storeroom.drivers._sftp.session import Session
from storeroom.drivers._sftp.storing import Storing, poured
from storeroom.drivers._sftp.uploading import Upload, taken
from storeroom.drivers._sftp.wire import Facts, attributes

__all__ = ["extended"]

_HELD: Final = 1 << 20

Pieces = Callable[[], AsyncGenerator[bytes]]


@dataclass(slots=True)
class _Addition:
    """What is to be added to a file, and how far that is; of the `last` piece nobody knows yet."""

    pieces: Pieces
    size: int
    is_new: bool = False
    before: int | None = None
    done: int = 0
    last: Piece = b""


class _Open(NamedTuple):
    session: Session
    name: bytes
    handle: bytes


async def extended(storing: Storing, path: str, body: Body, how: WriteOptions) -> Stat:
    """Add a body to a file, or make one of it."""
    check_kept(how)
    if not how.overwrite:  # there is nothing to add to, then
        return await storing.write(path, body, how)
    way = await storing.service.call(lambda session: storing.root.way(session, path))
    way.target()
    async with aclosing(body.blocks(_HELD)) as blocks:
        first = await anext(blocks, b"")
        second = await anext(blocks, b"")
        if not second:
            return await _added(storing, path, how, _Addition(_given(first), len(first)))
        async with storing.upload(path, way, None) as upload:
            return await _spooled(storing, path, how, upload, _joined(first, second, blocks))


async def _spooled(
    storing: Storing, path: str, how: WriteOptions, upload: Upload, content: Body
) -> Stat:
    """Through a temporary file on the server."""
    await poured(content, upload, await storing.begun(upload))
    await upload.finish()
    addition = _Addition(lambda: _read(storing, upload.path), upload.length)
    return await _added(storing, path, how, addition)


def _joined(first: bytes, second: bytes, rest: AsyncGenerator[bytes]) -> Body:
    async def chunks() -> AsyncGenerator[bytes]:
        yield first
        yield second
        async for block in rest:
            yield block

    return Body(chunks)


def _given(data: bytes) -> Pieces:
    async def once() -> AsyncGenerator[bytes]:
        yield data

    return once


async def _read(storing: Storing, path: str) -> AsyncGenerator[bytes]:
    async with await opened(storing.service, storing.root, path, ReadOptions()) as source:
        async for chunk in source:
            yield chunk


async def _added(storing: Storing, path: str, how: WriteOptions, addition: _Addition) -> Stat:
    mode = storing.rules.file_mode(how.visibility)
    work = storing.service.call(lambda session: _add(storing, session, path, mode, addition))
    try:
        return stat_of(path, await storing.service.settled(work))
    except Lost as lost:
        if addition.before is None:
            raise
        raise _unknown() from lost


async def _add(
    storing: Storing, session: Session, path: str, mode: int | None, addition: _Addition
) -> Facts:
    name = storing.root.at(path)
    if addition.before is not None:
        return await _looked_at(session, name, addition)
    way = await storing.root.way(session, path)
    folder = path.rpartition("/")[0]
    if way.nearest != folder:
        await storing.folding.make(folder)
    addition.is_new = way.target() is None or addition.is_new
    handle = await _opened(storing, session, path, mode, is_new=addition.is_new)
    try:
        return await _filled(storing, _Open(session, name, handle), mode, addition)
    finally:
        session.channel.close_handle(handle)


async def _opened(
    storing: Storing, session: Session, path: str, mode: int | None, *, is_new: bool
) -> bytes:
    name = storing.root.at(path)
    flags = wire.TO_WRITE | wire.TO_APPEND
    if not is_new:
        return await session.open(name, flags)

    async def made() -> bytes:
        return await session.open(name, flags | wire.TO_CREATE, mode=mode)

    return await storing.folding.rooted(path, made)


async def _filled(storing: Storing, file: _Open, mode: int | None, addition: _Addition) -> Facts:
    session, handle = file.session, file.handle
    addition.before = before = (await session.facts(handle)).size or 0
    try:
        await _pour(file, addition)
        if storing.rules.syncs and session.offers("fsync@openssh.com"):
            await session.sync(handle)
        if addition.is_new and mode is not None:
            await session.set_open(handle, attributes(mode=mode))
    except (Refused, StorageError, asyncio.CancelledError) as error:
        if await _taken_back(file, addition) or isinstance(error, asyncio.CancelledError):
            raise
        raise _unknown() from error
    facts = await session.facts(handle)
    if (facts.size or 0) < before + addition.size:
        raise Corrupted(f"{addition.size} bytes were added and fewer arrived")
    return facts


async def _pour(file: _Open, addition: _Addition) -> None:
    most = file.session.write_size
    async with aclosing(addition.pieces()) as chunks:
        async for chunk in chunks:
            for at in range(0, len(chunk), most):
                await _write(file, addition, memoryview(chunk)[at : at + most])


async def _write(file: _Open, addition: _Addition, piece: memoryview) -> None:
    addition.last = piece
    answer = file.session.write(file.handle, (addition.before or 0) + addition.done, [piece])
    try:
        await asyncio.wait([answer.future])
    finally:  # also when cancelled: whether it was added is to be known
        await taken(file.session, file.name, answer, len(piece))
        addition.done += len(piece)
        addition.last = b""


async def _taken_back(file: _Open, addition: _Addition) -> bool:
    """Whether the file is as long as it was; not where somebody else may have added something too.

    One that was made for this stays, empty: others may have opened it already, to add to it.
    """
    session, before = file.session, addition.before or 0
    try:
        now = (await session.facts(file.handle)).size or 0
        if now <= before:
            return True
        if not await _is_ours(file, addition, now - before - addition.done):
            return False
        await session.set_open(file.handle, attributes(size=before))
    except Refused:
        return False
    return True


async def _is_ours(file: _Open, addition: _Addition, surplus: int) -> bool:
    """Whether what is behind the pieces that arrived is the beginning of the last one.

    A disk that is full takes a part of a piece, and the server only says that it failed.
    """
    if not surplus:
        return True
    if not 0 < surplus <= len(addition.last):
        return False
    reading = await file.session.open(file.name, wire.TO_READ)
    try:
        start = (addition.before or 0) + addition.done
        found = await file.session.read(reading, start, surplus)
    finally:
        file.session.channel.close_handle(reading)
    return found == addition.last[:surplus]


async def _looked_at(session: Session, name: bytes, addition: _Addition) -> Facts:
    """No reply came to some of it: it may have been added all the same, so it is not sent again."""
    facts = await session.found(name)
    if facts is not None and facts.size == (addition.before or 0) + addition.size:
        return facts
    raise _unknown()


def _unknown() -> Unavailable:
    return Unavailable(
        "it broke off while adding, so the file may end in a part of what was to be added; look at "
        "it before adding again",
        retryable=False,
    )
