"""Bytes coming out: one request brings facts and bytes, a broken one goes on where it stopped."""

import hashlib
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol

from storeroom.contracts import threads
from storeroom.contracts.errors import (
    Corrupted,
    NotModified,
    PreconditionFailed,
    Unavailable,
    translating,
)
from storeroom.contracts.source import Source
from storeroom.contracts.values import ReadOptions, Stat
from storeroom.drivers._s3.headers import stat_of
from storeroom.drivers._s3.presets import Preset
from storeroom.drivers._s3.service import Service
from storeroom.drivers._s3.wire import Lost, Refused, Reply, Request

__all__ = ["Chunks", "Reading", "looked_at", "md5_of", "opened", "size_of", "stored_digest"]

_AT_ONCE: Final = 256 << 10
_BATCH: Final = 1 << 20
_MD5: Final = 34


class Reading:
    """How one driver reads: its service, the headers of every read, and what it verifies."""

    def __init__(
        self, service: Service, preset: Preset, headers: Mapping[str, str], /, *, verify: bool
    ) -> None:
        self.service = service
        self.failed = service.table()
        self.headers = headers
        self.tiered = preset.tiers
        self.verify = verify
        self.stored_checksums = preset.checksum == "crc32"
        self.md5_etags = preset.md5_etags

    def guard(self, headers: Mapping[str, str]) -> "_Guard | None":
        """What the bytes of a whole object are checked against."""
        if not self.verify:
            return None
        get = headers.get
        crc = get("x-amz-checksum-crc32")
        if crc and "-" not in crc:
            return _guard(_Crc(), crc)
        for name in ("sha256", "sha1"):
            known = get(f"x-amz-checksum-{name}")
            if known and "-" not in known:
                return _guard(hashlib.new(name, usedforsecurity=False), known)
        etag = md5_of(headers) if self.md5_etags else None
        return None if etag is None else _Guard(hashlib.md5(usedforsecurity=False), etag)


def md5_of(headers: Mapping[str, str], /) -> bytes | None:
    """The MD5 of an object whose etag is one: plain, uploaded at once, with no key but the service's."""
    etag = headers.get("etag") or ""
    encrypted = headers.get("x-amz-server-side-encryption") or "AES256"
    if len(etag) != _MD5 or encrypted != "AES256":
        return None
    if headers.get("x-amz-server-side-encryption-customer-algorithm"):
        return None
    try:
        return bytes.fromhex(etag[1:-1])
    except ValueError:
        return None


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
    partial = _is_partial(reply)
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
    chunks = Chunks(reading, request, reply, stat, guard, start, stop)
    bytes_of: AsyncIterator[bytes] = chunks
    if start != how.start or wanted != stop:
        bytes_of = _cut(chunks, how.start - start, None if wanted is None else wanted - start)
    expected = None if wanted is None else max(0, wanted - how.start)
    if expected is not None and expected <= _AT_ONCE and bytes_of is chunks:
        return Source(stat, await chunks.all(), chunk_size=how.chunk_size)
    return Source(stat, bytes_of, size=expected, release=chunks.release, chunk_size=how.chunk_size)


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


class Chunks(AsyncIterator[bytes]):
    """The bytes of a reply from `start` to `stop`; where it breaks off, the rest of another one."""

    __slots__ = ("_at", "_guard", "_reading", "_reply", "_request", "_stat", "_stop")

    def __init__(
        self,
        reading: Reading,
        request: Request,
        reply: Reply,
        stat: Stat,
        guard: "_Guard | None",
        start: int,
        stop: int | None,
    ) -> None:
        self._reading = reading
        self._request = request
        self._reply = reply
        self._stat = stat
        self._guard = guard
        self._at = start
        self._stop = stop

    async def all(self) -> bytes:
        """All of the bytes at once."""
        try:
            content = await self._reply.read()
        except Lost as lost:
            await self._resume(lost)
            content = b"".join([chunk async for chunk in self])
        else:
            if self._stop is not None and self._at + len(content) != self._stop:
                await self._resume(Lost("dropped", "it ended early"))
                content = b"".join([chunk async for chunk in self])
            elif self._guard is not None:
                self._guard.update(content)
                self._guard.check(self._stat.path)
        self.release()
        return content

    async def __anext__(self) -> bytes:
        while True:
            try:
                chunk = await self._reply.chunk()
                if not chunk and self._stop is not None and self._at < self._stop:
                    raise Lost("dropped", "it ended early")
            except Lost as lost:
                await self._resume(lost)
                continue
            if self._guard is not None:
                await self._guard.take(chunk, self._stat.path)
            if not chunk:
                self.release()
                raise StopAsyncIteration
            self._at += len(chunk)
            self._request.attempts = 0
            return chunk

    async def aclose(self) -> None:
        """Give the connection back."""
        self.release()

    def release(self) -> None:
        """Give the connection back; does not block."""
        self._reply.close()

    async def _resume(self, lost: Lost) -> None:
        with translating(self._reading.failed, "read", self._stat.path):
            await self._go_on(lost)

    async def _go_on(self, lost: Lost) -> None:
        """Ask for the rest of the very same object."""
        self._reply.close()
        await self._reading.service.rest(lost, self._request)
        headers = self._request.headers
        if self._at or "range" in headers:
            headers["range"] = f"bytes={self._at}-{'' if self._stop is None else self._stop - 1}"
        if self._stat.etag is not None:
            headers["if-match"] = self._stat.etag
        headers.pop("if-none-match", None)
        try:
            reply = await self._reading.service.call(self._request)
        except Refused as refused:
            if refused.status != 412:
                raise
            raise self._changed() from lost
        if reply.headers.get("etag") != self._stat.etag:
            reply.close()
            raise self._changed() from lost
        if self._at and not _is_partial(reply):
            reply.close()
            raise Unavailable("the connection broke, and the service gives no ranges to go on from")
        self._reply = reply

    def _changed(self) -> Unavailable:
        return Unavailable("the connection broke, and the file changed before the rest was read")


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _Guard:
    """Compares what came with what was stored; large pieces are hashed in a thread."""

    __slots__ = ("_hash", "_held", "_size", "_wanted")

    def __init__(self, by: _Hash, wanted: bytes) -> None:
        self._hash = by
        self._wanted = wanted
        self._held: list[bytes] = []
        self._size = 0

    def update(self, content: bytes) -> None:
        self._hash.update(content)

    async def take(self, chunk: bytes, path: str) -> None:
        """Count the chunk in; the empty one is the end."""
        self._held.append(chunk)
        self._size += len(chunk)
        if chunk and self._size < _BATCH:
            return
        held, self._held, self._size = self._held, [], 0
        await threads.run(self._fed, held)
        if not chunk:
            self.check(path)

    def check(self, path: str) -> None:
        """All is here: `Corrupted` unless it is what was stored."""
        if self._hash.digest() != self._wanted:
            raise Corrupted(
                "the bytes are not those whose checksum the service keeps; read it again, and if "
                "that fails restore it",
                path=path,
            )

    def _fed(self, held: list[bytes]) -> None:
        for chunk in held:
            self._hash.update(chunk)


def _guard(by: _Hash, encoded: str) -> _Guard | None:
    try:
        return _Guard(by, b64decode(encoded, validate=True))
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


def _is_partial(reply: Reply) -> bool:
    """rclone says 200 for a range, and which one it is."""
    return reply.status == 206 or "content-range" in reply.headers


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _total(text: str | None) -> int | None:
    """The size of the object, of `bytes 0-9/100`."""
    return _number(text.rpartition("/")[2]) if text else None
