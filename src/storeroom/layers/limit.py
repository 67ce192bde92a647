"""Limit: so many calls at a time, and so many bytes a second."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Self, TypeVar

from storeroom.contracts.abilities import Append, Multipart, Versions
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError
from storeroom.contracts.source import Source
from storeroom.contracts.turns import Turns
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
from storeroom.layers._bucket import Bucket

__all__ = ["Limit"]

T = TypeVar("T")


class Limit(Around):
    """At most `concurrency` calls at work; at most so many bytes a second read and written.

    A call has its place while the disk works for it, and not while it waits for the caller: between
    two chunks read, two entries listed, or for the next chunk of a body. So a copy that reads and
    writes here never waits for itself. Who comes first is served first. The limits are those of this
    object, whatever threads and event loops use it.
    """

    def __init__(
        self,
        inner: StorageDriver,
        /,
        *,
        concurrency: int | None = None,
        read_rate: int | None = None,
        write_rate: int | None = None,
    ) -> None:
        given = {"concurrency": concurrency, "read_rate": read_rate, "write_rate": write_rate}
        _check(given)
        super().__init__(inner)
        self._turns = None if concurrency is None else Turns(concurrency)
        self._reads = None if read_rate is None else Bucket(read_rate)
        self._writes = None if write_rate is None else Bucket(write_rate)

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        async with _Place(self._turns):
            return await call()

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        return await self._slowed(await super().read(path, how))

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await self._sent(body, lambda slowed: self.inner.write(path, slowed, how))

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Append)
        return await self._sent(body, lambda slowed: native.extend(path, slowed, how))

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        native = self.inner_ability(Multipart)
        return await self._sent(
            body, lambda slowed: native.write_part(path, upload, number, slowed)
        )

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        async with aclosing(self._stepped(self.inner.scan(folder, how))) as entries:
            async for entry in entries:
                yield entry

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        versions = self.inner_ability(Versions).list_versions(path)
        async with aclosing(self._stepped(versions)) as stepped:
            async for version in stepped:
                yield version

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        return await self._slowed(await super().read_version(path, version, how))

    async def _slowed(self, source: Source) -> Source:
        slowed = source.through(lambda chunks: _Chunks(chunks, self._turns, self._reads))
        if slowed is source and self._reads is not None:
            await self._reads.passing(source.size or 0)
        return slowed

    async def _sent(self, body: Body, send: Callable[[Body], Awaitable[T]]) -> T:
        place = _Place(self._turns)
        slowed = _slowed(Body.checked(body), place, self._writes)
        async with place:
            try:
                return await send(slowed)
            finally:
                if slowed is not body:
                    await slowed.aclose()

    async def _stepped(self, items: AsyncIterator[T]) -> AsyncGenerator[T]:
        try:
            while True:
                try:
                    async with _Place(self._turns):
                        item = await anext(items)
                except StopAsyncIteration:
                    return
                yield item
        finally:
            await closed(items)


class _Place:
    """One call's place among those at work, which it leaves while the disk has to wait for it."""

    __slots__ = ("_taken", "_turns")

    def __init__(self, turns: Turns | None) -> None:
        self._turns = turns
        self._taken = False

    async def __aenter__(self) -> Self:
        await self.take()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()

    async def take(self) -> None:
        if self._turns is not None and not self._taken:
            await self._turns.take()
            self._taken = True

    def leave(self) -> None:
        if self._turns is not None and self._taken:
            self._taken = False
            self._turns.give()


class _Chunks(AsyncIterator[bytes]):
    """A class, not a generator: dropping it releases the source at once, without a loop."""

    __slots__ = ("_bucket", "_chunk", "_source", "_start", "_turns")

    def __init__(self, source: Source, turns: Turns | None, bucket: Bucket | None) -> None:
        self._source = source
        self._turns = turns
        self._bucket = bucket
        self._chunk: bytes = b""
        self._start = 0

    async def __anext__(self) -> bytes:
        if self._start == len(self._chunk):
            async with _Place(self._turns):
                self._chunk = await anext(self._source)
            self._start = 0
        piece: bytes = self._chunk
        if self._bucket is not None:
            piece = piece[self._start : self._start + self._bucket.piece]
            await self._bucket.passing(len(piece))
        self._start += len(piece)
        return piece

    async def aclose(self) -> None:
        await self._source.aclose()


def _slowed(body: Body, place: _Place, bucket: Bucket | None) -> Body:
    """The body, which leaves the place while it waits for the caller or its bytes' time."""
    if body.whole is not None and (bucket is None or not body.whole):
        return body

    async def chunks() -> AsyncGenerator[bytes]:
        async with aclosing(body.__aiter__()) as pulled:
            place.leave()
            async for chunk in pulled:
                for piece in (chunk,) if bucket is None else bucket.cut(chunk):
                    place.leave()
                    if bucket is not None:
                        await bucket.passing(len(piece))
                    await place.take()
                    yield piece
                place.leave()
            await place.take()

    return Body(chunks, size=body.size, replayable=body.replayable)


def _check(given: dict[str, int | None]) -> None:
    if all(value is None for value in given.values()):
        raise ConfigError(f"say what to limit: {', '.join(given)}")
    for name, value in given.items():
        if value is not None and (type(value) is not int or value < 1):
            unit = "calls" if name == "concurrency" else "bytes a second"
            raise ConfigError(f"{name} is a number of {unit}, at least 1, not {value!r}")
