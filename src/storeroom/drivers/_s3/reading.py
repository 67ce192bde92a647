"""Bytes coming out: one request brings facts and bytes."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import AsyncIterator, Mapping
from typing import Final

from storeroom.contracts.errors import NotModified, PreconditionFailed
from storeroom.contracts.source import Source
from storeroom.contracts.values import ReadOptions
from storeroom.drivers._s3.ahead import Ahead
from storeroom.drivers._s3.chunks import Chunks, Reading, is_partial
from storeroom.drivers._s3.guards import md5_of
from storeroom.drivers._s3.headers import stat_of
from storeroom.drivers._s3.wire import Refused, Reply, Request

__all__ = ["looked_at", "opened", "size_of", "stored_digest"]

_AT_ONCE: Final = 256 << 10


async def looked_at(
    reading: Reading, path: str, query: tuple[tuple[str, str], ...] = ()
) -> Mapping[str, str]:
    """The headers of an object, without its bytes."""
    headers = dict(reading.headers)
    if reading.stored_checksums:
        headers["x-amz-checksum-mode"] = "ENABLED"
    reply = await reading.service.call(Request("HeadObject", "HEAD", path, query, headers))
    await reply.read()
    return reply.headers


async def opened(
    reading: Reading, path: str, how: ReadOptions, query: tuple[tuple[str, str], ...] = ()
) -> Source:
    """The source of an object, or of a part of it."""
    headers = dict(reading.headers)
    if how.if_match is not None:
        headers["if-match"] = how.if_match
    if how.if_none_match is not None:
        headers["if-none-match"] = how.if_none_match
    if how.stop == how.start:
        return await _empty(reading, path, headers, query)
    ranged = how.start > 0 or how.stop is not None
    if ranged:
        headers["range"] = f"bytes={how.start}-{'' if how.stop is None else how.stop - 1}"
    elif reading.verify and reading.stored_checksums:
        headers["x-amz-checksum-mode"] = "ENABLED"
    request = Request("GetObject", "GET", path, query, headers)
    try:
        reply = await reading.service.call(request)
    except Refused as refused:
        if refused.status != 416:
            raise
        del headers["range"]
        return await _empty(reading, path, headers, query)
    _check_etag(reply, how)
    return await _source(reading, request, reply, how)


def _check_etag(reply: Reply, how: ReadOptions) -> None:
    """Some services pass over conditions; what they sent tells."""
    etag = reply.headers.get("etag")
    if how.if_match is not None and etag != how.if_match:
        reply.close()
        raise PreconditionFailed("the file is not the one that if_match names")
    if how.if_none_match is not None and etag == how.if_none_match:
        reply.close()
        raise NotModified("the file is still the one that if_none_match names")


async def _empty(
    reading: Reading, path: str, headers: dict[str, str], query: tuple[tuple[str, str], ...]
) -> Source:
    reply = await reading.service.call(Request("HeadObject", "HEAD", path, query, headers))
    await reply.read()
    size = _number(reply.headers.get("content-length"))
    return Source(stat_of(path, reply.headers, size, tiered=reading.tiered), b"")


async def _source(reading: Reading, request: Request, reply: Reply, how: ReadOptions) -> Source:
    length = _number(reply.headers.get("content-length"))
    partial = is_partial(reply)
    if partial:
        start, total = how.start, _total(reply.headers.get("content-range"))
        stop = start + length if length is not None else how.stop
    else:  # all of it, asked for or not
        start, total, stop = 0, length, length
    stat = stat_of(request.key or "", reply.headers, total, tiered=reading.tiered)
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


def size_of(headers: Mapping[str, str], /) -> int | None:
    """How many bytes the object has, by the headers of a look at it."""
    return _number(headers.get("content-length"))


def stored_digest(reading: Reading, headers: Mapping[str, str], algorithm: str, /) -> str | None:
    """The hash that the service keeps of a whole object, in hex; None where it keeps none of that kind."""
    if algorithm == "md5":
        found = md5_of(headers) if reading.md5_etags else None
        return None if found is None else found.hex()
    known = headers.get(f"x-amz-checksum-{algorithm}")
    if not known or "-" in known or algorithm not in ("sha1", "sha256"):
        return None
    try:
        return b64decode(known, validate=True).hex()
    except (NotBase64, ValueError):
        return None


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


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _total(text: str | None) -> int | None:
    """The size of the object, of `bytes 0-9/100`."""
    return _number(text.rpartition("/")[2]) if text else None
