"""Adding to the end of a file in place.

All of a body is here, or on the server, before the first byte is added: one that fails adds nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted, Unavailable
from storeroom.contracts.values import ReadOptions, Stat, WriteOptions
from storeroom.drivers._sftp import wire
from storeroom.drivers._sftp.facts import stat_of
from storeroom.drivers._sftp.failures import Refused
from storeroom.drivers._sftp.reading import opened
from storeroom.drivers._sftp.rules import check_kept
from storeroom.drivers._sftp.session import Session
from storeroom.drivers._sftp.storing import Storing, poured
from storeroom.drivers._sftp.uploading import Upload
from storeroom.drivers._sftp.wire import Facts, attributes

__all__ = ["extended"]

_HELD: Final = 1 << 20

Pieces = Callable[[], AsyncGenerator[bytes]]


@dataclass(slots=True)
class _Addition:
    """What is to be added to a file, and how far that is."""

    pieces: Pieces
    size: int
    before: int | None = None
    done: int = 0


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
    return stat_of(path, await storing.service.settled(work))


async def _add(
    storing: Storing, session: Session, path: str, mode: int | None, addition: _Addition
) -> Facts:
    if addition.before is not None:
        return await _looked_at(storing, session, path, addition)
    way = await storing.root.way(session, path)
    folder = path.rpartition("/")[0]
    if way.nearest != folder:
        await storing.folding.make(folder)
    is_new = way.target() is None
    flags = wire.TO_WRITE | wire.TO_APPEND | (wire.TO_CREATE if is_new else 0)
    handle = await session.open(storing.root.at(path), flags, mode=mode if is_new else None)
    try:
        addition.before = (await session.facts(handle)).size or 0
        await _pour(session, handle, addition)
        if storing.rules.syncs and session.offers("fsync@openssh.com"):
            await session.sync(handle)
        if is_new and mode is not None:
            await session.set_open(handle, attributes(mode=mode))
        facts = await session.facts(handle)
    finally:
        session.channel.close_handle(handle)
    if (facts.size or 0) < addition.before + addition.size:
        raise Corrupted(f"{addition.size} bytes were added and fewer arrived")
    return facts


async def _pour(session: Session, handle: bytes, addition: _Addition) -> None:
    before = addition.before or 0
    try:
        async with aclosing(addition.pieces()) as chunks:
            async for chunk in chunks:
                for at in range(0, len(chunk), session.write_size):
                    piece = memoryview(chunk)[at : at + session.write_size]
                    await _write(session, handle, addition, piece)
    except (Refused, asyncio.CancelledError):
        now = (await session.facts(handle)).size
        if addition.done and now == before + addition.done:  # nobody else has added anything
            await session.set_open(handle, attributes(size=before))
        raise


async def _write(session: Session, handle: bytes, addition: _Addition, piece: memoryview) -> None:
    answer = session.write(handle, (addition.before or 0) + addition.done, [piece])
    try:
        await asyncio.wait([answer.future])
    finally:  # also when cancelled: whether it was added is to be known
        await answer
        addition.done += len(piece)


async def _looked_at(storing: Storing, session: Session, path: str, addition: _Addition) -> Facts:
    """No reply came to some of it: it may have been added all the same, so it is not sent again."""
    facts = await session.found(storing.root.at(path))
    if facts is not None and facts.size == (addition.before or 0) + addition.size:
        return facts
    raise Unavailable(
        "the connection was lost while adding, so the file may end in a part of what was to be "
        "added; look at it before adding again",
        path=path,
        retryable=False,
    )
