"""Mock: a disk that is slow, fails now and then and is soon full, to try out what stands on it."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing
from random import Random
from typing import Literal, TypeVar, get_args

from storeroom.contracts import errors
from storeroom.contracts.abilities import ABILITIES, Append, Multipart, Versions
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError, StorageError
from storeroom.contracts.nearest import nearest
from storeroom.contracts.source import Source
from storeroom.contracts.values import PLAIN, WHOLE, ReadOptions, Stat, WriteOptions
from storeroom.layers._around import Around
from storeroom.layers._quota.counted import Counted

__all__ = ["Mock", "When"]

T = TypeVar("T")

When = Literal["before", "during", "after"]
"""Before anything is done, in the middle of the bytes, or when all is done and only the answer is lost."""

_KINDS = {
    name: kind
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type) and issubclass(kind, StorageError)
}
_IMMEDIATE = frozenset(("public_url", "origin", "local_path"))
_LOOKING = frozenset(
    (
        *("stat", "read", "scan", "presign_read", "presign_write", "presign_post", "verify_url"),
        *("read_visibility", "has_folder", "digest", "presign_part", "list_parts", "read_tags"),
        *("list_versions", "read_version"),
    )
)
_OPERATIONS = frozenset(
    {"stat", "read", "write", "remove", "scan"}
    | {name for kind in ABILITIES for name in vars(kind) if not name.startswith("_")} - _IMMEDIATE
)


class Mock(Around):
    """Every call takes `latency` seconds, or between two numbers of them, and a part of them fails.

    `failure_rate` of the calls, from 0 to 1, raise the kind that `error` names: those of a driver's
    methods in `fail_on`, or any. One `seed` gives the same course of calls the same failures.
    `max_bytes` and `max_files` are a quota, as of the layer `quota`.
    """

    def __init__(
        self,
        inner: StorageDriver,
        /,
        *,
        latency: float | tuple[float, float] = 0.0,
        failure_rate: float = 0.0,
        error: str = "Unavailable",
        when: When = "before",
        fail_on: Collection[str] | None = None,
        seed: int = 0,
        max_bytes: int | None = None,
        max_files: int | None = None,
    ) -> None:
        self._latency = _range(latency)
        _check_rate(failure_rate)
        if when not in get_args(When):
            raise ConfigError(f"when is one of {', '.join(get_args(When))}, not {when!r}")
        self._kind = _kind(error)
        self._fail_on = _OPERATIONS if fail_on is None else _operations(fail_on)
        if max_bytes is not None or max_files is not None:
            inner = Counted(inner, max_bytes=max_bytes, max_files=max_files)
        super().__init__(inner)
        self._rate = failure_rate
        self._when: When = when
        self._random = Random(seed)  # noqa: S311 - it is to be foreseen

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        await self._wait()
        strikes = self._strikes(operation)
        if not strikes:
            return await call()
        if self._when == "after" and operation not in _LOOKING:
            await call()
        raise self._error(operation, path)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        if self._when != "during":
            return await super().read(path, how)
        return await self._cut("read", path, lambda: self.inner.read(path, how))

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        if self._when != "during":
            return await super().read_version(path, version, how)
        native = self.inner_ability(Versions)
        return await self._cut(
            "read_version", path, lambda: native.read_version(path, version, how)
        )

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        Body.checked(body)
        if self._when != "during":
            return await super().write(path, body, how)
        return await self._sent("write", path, body, lambda cut: self.inner.write(path, cut, how))

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        if self._when != "during":
            return await super().extend(path, body, how)
        native = self.inner_ability(Append)
        return await self._sent("extend", path, body, lambda cut: native.extend(path, cut, how))

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        if self._when != "during":
            return await super().write_part(path, upload, number, body)
        native = self.inner_ability(Multipart)
        return await self._sent(
            "write_part", path, body, lambda cut: native.write_part(path, upload, number, cut)
        )

    async def _wait(self) -> None:
        least, most = self._latency
        if most:
            await asyncio.sleep(self._drawn(least, most) if most > least else most)

    def _strikes(self, operation: str) -> bool:
        if not self._rate or operation not in self._fail_on:
            return False
        return self._drawn(0.0, 1.0) < self._rate

    def _drawn(self, least: float, most: float) -> float:
        return least + (most - least) * self._random.random()

    def _error(self, operation: str, path: str) -> StorageError:
        reason = "the mock failed this call on purpose"
        return self._kind(reason, operation=operation, path=path or None)

    async def _cut(
        self, operation: str, path: str, read: Callable[[], Awaitable[Source]]
    ) -> Source:
        await self._wait()
        strikes = self._strikes(operation)
        source = await read()
        if not strikes:
            return source
        at = int(self._drawn(0, source.size or 0))
        error = self._error(operation, path)
        return Source(
            source.stat,
            _Broken(source, at, error),
            size=source.size,
            chunk_size=source.chunk_size,
        )

    async def _sent(
        self, operation: str, path: str, body: Body, send: Callable[[Body], Awaitable[T]]
    ) -> T:
        await self._wait()
        if not self._strikes(operation):
            return await send(body)
        at = int(self._drawn(0, body.size or 0))
        cut = _broken(body, at, self._error(operation, path))
        try:
            return await send(cut)
        finally:
            await cut.aclose()


class _Broken(AsyncIterator[bytes]):
    """The first bytes of a source, and then a failure."""

    __slots__ = ("_error", "_left", "_source")

    def __init__(self, source: Source, at: int, error: StorageError) -> None:
        self._source = source
        self._left = at
        self._error = error

    async def __anext__(self) -> bytes:
        if not self._left:
            raise self._error
        chunk = (await anext(self._source, b""))[: self._left]
        self._left -= len(chunk)
        if not chunk:
            raise self._error
        return chunk

    async def aclose(self) -> None:
        await self._source.aclose()


def _broken(body: Body, at: int, error: StorageError) -> Body:
    """The first bytes of a body, and then a failure."""

    async def chunks() -> AsyncGenerator[bytes]:
        left = at
        async with aclosing(body.__aiter__()) as pulled:
            async for chunk in pulled:
                if len(chunk) > left:
                    if left:
                        yield chunk[:left]
                    break
                left -= len(chunk)
                yield chunk
        raise error

    return Body(chunks, size=body.size, replayable=body.replayable)


def _range(latency: float | tuple[float, float]) -> tuple[float, float]:
    both = latency if isinstance(latency, tuple) and len(latency) == 2 else (latency, latency)
    for seconds in both:
        if type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
            raise ConfigError(f"latency is a number of seconds from 0, or two, not {latency!r}")
    least, most = both
    if most < least:
        raise ConfigError(f"latency goes from the shorter to the longer, not {latency!r}")
    return least, most


def _check_rate(rate: float) -> None:
    if type(rate) not in (int, float) or not 0 <= rate <= 1:
        raise ConfigError(f"failure_rate is a part between 0 and 1, not {rate!r}")


def _kind(name: str) -> type[StorageError]:
    if name not in _KINDS:
        raise ConfigError(f"error names a kind of failure, not {name!r}; {nearest(name, _KINDS)}")
    return _KINDS[name]


def _operations(names: Collection[str]) -> frozenset[str]:
    if isinstance(names, str):
        raise ConfigError(f"fail_on is a list of a driver's methods, such as [{names!r}]")
    for name in names:
        if name not in _OPERATIONS:
            hint = nearest(name, sorted(_OPERATIONS))
            raise ConfigError(f"fail_on names a driver's methods, not {name!r}; {hint}")
    return frozenset(names)
