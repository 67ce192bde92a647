"""TimeLimit: calls that get nowhere are given up, without a limit to how long a transfer takes."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from storeroom.contracts.abilities import Append, Multipart, Versions
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError, Timeout
from storeroom.contracts.patience import at_most
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    ScanOptions,
    Stat,
    Version,
    WriteOptions,
)
from storeroom.layers._around import Around, closed
from storeroom.layers._clock import Clock, promptly

__all__ = ["TimeLimit"]

T = TypeVar("T")

_WORK = frozenset(
    (
        *("complete_parts", "copy_from", "copy_within", "digest", "remove_folder", "remove_many"),
        *("rename", "restore_version", "sweep"),
        *("change_attributes", "change_tier"),  # a copy of the file onto itself on S3
    )
)
"""What takes the longer, the more there is to do, and shows no progress meanwhile."""

_AT_ONCE = 1 << 20


class TimeLimit(Around):
    """Calls of which nothing came for `seconds` are ended with `Timeout`.

    The time is idle time: that of one answer, of one chunk read, of one entry listed, of the body's
    next chunk taken. What the caller's own body takes is not counted. `work` is the limit, in seconds,
    for what the service does at length and out of sight, such as copies and hashes; None leaves it alone.
    """

    def __init__(
        self, inner: StorageDriver, /, *, seconds: float = 30.0, work: float | None = None
    ) -> None:
        _check("seconds", seconds)
        if work is not None:
            _check("work", work)
        super().__init__(inner)
        self._seconds = seconds
        self._work = work

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        seconds = self._work if operation in _WORK else self._seconds
        if seconds is None:
            return await call()
        with at_most(seconds):
            return await promptly(call(), Clock(seconds, operation, path))

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        return self._watched(await super().read(path, how), "read", path)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await self._sent(
            "write", path, body, lambda timed: self.inner.write(path, timed, how)
        )

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Append)
        return await self._sent("extend", path, body, lambda timed: native.extend(path, timed, how))

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        native = self.inner_ability(Multipart)
        return await self._sent(
            "write_part", path, body, lambda timed: native.write_part(path, upload, number, timed)
        )

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        async with aclosing(self._paced(self.inner.scan(folder, how), "scan", folder)) as entries:
            async for entry in entries:
                yield entry

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        versions = self.inner_ability(Versions).list_versions(path)
        async with aclosing(self._paced(versions, "list_versions", path)) as paced:
            async for version in paced:
                yield version

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        source = await super().read_version(path, version, how)
        return self._watched(source, "read_version", path)

    def _watched(self, source: Source, operation: str, path: str) -> Source:
        return source.through(lambda chunks: _Chunks(chunks, self._seconds, operation, path))

    async def _sent(
        self, operation: str, path: str, body: Body, send: Callable[[Body], Awaitable[T]]
    ) -> T:
        with at_most(self._seconds):
            async with Clock(self._seconds, operation, path) as clock:
                timed = _timed(Body.checked(body), clock)
                try:
                    return await send(timed)
                finally:
                    if timed is not body:
                        await timed.aclose()

    async def _paced(self, items: AsyncIterator[T], operation: str, path: str) -> AsyncGenerator[T]:
        try:
            while True:
                try:
                    item = await promptly(anext(items), Clock(self._seconds, operation, path))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            await closed(items)


class _Chunks(AsyncIterator[bytes]):
    """A class, not a generator: dropping it releases the source at once, without a loop."""

    __slots__ = ("_ended", "_operation", "_path", "_seconds", "_source")

    def __init__(self, source: Source, seconds: float, operation: str, path: str) -> None:
        self._source = source
        self._seconds = seconds
        self._operation = operation
        self._path = path
        self._ended: Timeout | None = None

    async def __anext__(self) -> bytes:
        if self._ended is not None:  # what was cancelled would look like the end of the file
            raise self._ended
        try:
            clock = Clock(self._seconds, self._operation, self._path)
            return await promptly(anext(self._source), clock)
        except Timeout as error:
            self._ended = error
            raise

    async def aclose(self) -> None:
        await self._source.aclose()


def _timed(body: Body, clock: Clock) -> Body:
    """The body, whose every chunk that is taken restarts the clock."""
    if body.whole is not None and len(body.whole) <= _AT_ONCE:
        return body

    async def chunks() -> AsyncGenerator[bytes]:
        async with aclosing(body.__aiter__()) as pulled:
            while True:
                clock.pause()
                try:
                    chunk = await anext(pulled, None)
                finally:
                    clock.restart()
                if chunk is None:
                    return
                yield chunk

    return Body(chunks, size=body.size, replayable=body.replayable)


def _check(name: str, seconds: float) -> None:
    if type(seconds) not in (int, float) or not 0 < seconds < math.inf:
        raise ConfigError(f"{name} is a number of seconds above 0, not {seconds!r}")
