"""Bytes coming out: one request brings facts and bytes."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

from storeroom.contracts.errors import NotModified, PreconditionFailed
from storeroom.contracts.source import Source
from storeroom.contracts.values import WHOLE, ReadOptions
from storeroom.drivers._http.ahead import Ahead
from storeroom.drivers._http.chunks import Chunks, Reading, is_partial, number
from storeroom.drivers._http.wire import Refused, Reply, Request

__all__ = ["looked_at", "opened"]

_AT_ONCE: Final = 256 << 10


async def looked_at(
    reading: Reading, path: str, version: str | None = None, /
) -> Mapping[str, str]:
    """The headers of a file, or of a version of it, without its bytes."""
    return await _headers(reading, reading.head(reading.get(path, WHOLE, version)))


async def opened(
    reading: Reading, path: str, how: ReadOptions, version: str | None = None, /
) -> Source:
    """The source of a file or of a part of it, or of a version."""
    request = reading.get(path, how, version)
    if how.stop == how.start:
        return await _empty(reading, request, how)
    if how.start > 0 or how.stop is not None:
        request.headers["range"] = f"bytes={how.start}-{'' if how.stop is None else how.stop - 1}"
    else:
        reading.whole(request)
    try:
        reply = await reading.service.call(request)
    except Refused as refused:
        if refused.status != 416:
            raise
        return await _empty(reading, request, how)
    try:
        _check_etag(reading, reply.headers, how)
        return await _source(reading, request, reply, how)
    except BaseException:
        reply.close()
        raise


def _check_etag(reading: Reading, headers: Mapping[str, str], how: ReadOptions) -> None:
    """Some services pass over conditions; what they sent tells."""
    etag = reading.etag_of(headers)
    if how.if_match is not None and etag != how.if_match:
        raise PreconditionFailed("the file is not the one that if_match names")
    if how.if_none_match is not None and etag == how.if_none_match:
        raise NotModified("the file is still the one that if_none_match names")


async def _empty(reading: Reading, request: Request, how: ReadOptions) -> Source:
    headers = await _headers(reading, reading.head(request))
    _check_etag(reading, headers, how)
    return Source(await reading.known(request.key or "", headers, reading.size_of(headers)), b"")


async def _headers(reading: Reading, request: Request) -> Mapping[str, str]:
    reply = await reading.service.call(request)
    await reply.read()
    return reply.headers


async def _source(reading: Reading, request: Request, reply: Reply, how: ReadOptions) -> Source:
    length = number(reply.headers.get("content-length"))
    partial = is_partial(reply)
    if partial:
        start, total = how.start, _total(reply.headers.get("content-range"))
        stop = start + length if length is not None else how.stop
    else:  # all of it, asked for or not
        start, total, stop = 0, length, length
    stat = await reading.known(request.key or "", reply.headers, total)
    wanted = stop
    if how.stop is not None and (wanted is None or how.stop < wanted):
        wanted = how.stop
    whole = not partial and how.start == 0 and wanted == stop
    guard = reading.guard(reply.headers) if whole else None
    expected = None if wanted is None else max(0, wanted - how.start)
    exact = start == how.start and wanted == stop
    if exact and stat.etag and stop is not None and _is_for_many(reading, expected):
        first = Chunks(reading, request, reply, stat, None, start, stop)
        ahead = Ahead(reading, request, first, stat, guard, start, stop)
        return Source(stat, ahead, size=expected, release=ahead.release, chunk_size=how.chunk_size)
    chunks = Chunks(reading, request, reply, stat, guard, start, stop)
    if exact and expected is not None and expected <= _AT_ONCE:
        return Source(stat, await chunks.all(), chunk_size=how.chunk_size)
    bytes_of: AsyncIterator[bytes] = chunks
    if not exact:
        bytes_of = _cut(chunks, how.start - start, None if wanted is None else wanted - start)
    return Source(stat, bytes_of, size=expected, release=chunks.release, chunk_size=how.chunk_size)


def _is_for_many(reading: Reading, size: int | None) -> bool:
    """Whether it is worth several connections."""
    return reading.concurrency > 1 and size is not None and size > 2 * reading.piece


async def _cut(chunks: Chunks, start: int, stop: int | None) -> AsyncIterator[bytes]:
    """The part asked for, of a service that sends everything whatever one asks."""
    at = 0
    try:
        async for chunk in chunks:
            piece = chunk[max(0, start - at) : None if stop is None else max(0, stop - at)]
            at += len(chunk)
            if piece:
                yield piece
            if stop is not None and at >= stop:
                return
    finally:
        await chunks.aclose()


def _total(text: str | None) -> int | None:
    """The size of the object, of `bytes 0-9/100`."""
    return number(text.rpartition("/")[2]) if text else None
