"""Faults: a layer that makes a driver fail as services do, when and how a test says."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from threading import RLock
from typing import Any, Self, TypeVar, cast

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    Corrupted,
    InvalidArgument,
    QuotaExceeded,
    StorageError,
    Unavailable,
)
from storeroom.contracts.source import Source
from storeroom.contracts.values import DEEP, PLAIN, WHOLE, ReadOptions, Stat, WriteOptions
from storeroom.files import Call, calling
from storeroom.layers import Around
from storeroom.testing.words import MANY, check_verb, is_named

__all__ = ["Faults", "Kind", "unharmed"]

T = TypeVar("T")

Kind = type[Exception] | Exception
"""What to raise: an error's class, made anew each time, or an error."""

unharmed: ContextVar[bool] = ContextVar("storeroom_unharmed", default=False)
"""Set while a fake looks at its own files; no fault strikes then."""


class Faults(Around):
    """Any driver, failing to order: `Faults(driver).fail("put", Unavailable, times=2)`.

    Every fault strikes before the driver is asked, so that nothing of the call has happened. A `verb`
    is people's word, and then means their calls of just that verb, or a driver's (`write` is whatever
    stores, `read` whatever reads). `path` is a pattern whose `*` also crosses `/`.
    """

    def __init__(self, inner: StorageDriver, /) -> None:
        super().__init__(inner)
        self._lock = RLock()
        self._failures: list[_Fault] = []
        self._cuts: list[_Fault] = []
        self._latency = 0.0
        self._rate, self._kind, self._random = 0.0, _checked(Unavailable), Random(0)  # noqa: S311
        self._quota: int | None = None

    def fail(
        self,
        verb: str,
        kind: Kind = Unavailable,
        /,
        *,
        times: int | None = 1,
        after: int = 0,
        path: str = "*",
    ) -> Self:
        """Raise `kind` from `verb`, `times` in a row (None: for ever), `after` so many good calls."""
        with self._lock:
            self._failures.append(_Fault(check_verb(verb), path, times, after, _checked(kind)))
        return self

    def truncate(
        self, verb: str, /, *, at: int, times: int | None = 1, after: int = 0, path: str = "*"
    ) -> Self:
        """End the bytes of `verb` early, after `at` of them: `Corrupted`, as a broken connection is."""
        if at < 0:
            raise InvalidArgument(f"at counts bytes from 0, not {at}")
        with self._lock:
            self._cuts.append(_Fault(check_verb(verb), path, times, after, Corrupted, at))
        return self

    def latency(self, seconds: float, /) -> Self:
        """Wait before every request from now on."""
        if seconds < 0:
            raise InvalidArgument(f"latency is 0 seconds or more, not {seconds}")
        self._latency = seconds
        return self

    def failure_rate(self, rate: float, kind: Kind = Unavailable, /, *, seed: int = 0) -> Self:
        """Fail this part of all requests, between 0 and 1; one `seed` always fails the same ones."""
        if not 0 <= rate <= 1:
            raise InvalidArgument(f"a rate is between 0 and 1, not {rate}")
        self._rate, self._kind, self._random = rate, _checked(kind), Random(seed)  # noqa: S311
        return self

    def quota(self, size: int | None, /) -> Self:
        """Hold no more than `size` bytes in all files together, None for no limit: `QuotaExceeded`."""
        if size is not None and size < 0:
            raise InvalidArgument(f"a quota is 0 bytes or more, not {size}")
        self._quota = size
        return self

    def heal(self) -> Self:
        """Forget every fault."""
        with self._lock:
            self._failures, self._cuts = [], []
            self._latency, self._rate, self._quota = 0.0, 0.0, None
        return self

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        if self._latency and not unharmed.get():
            await asyncio.sleep(self._latency)
        self._strike(operation, path)
        return await call()

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        cut = self._due(self._cuts, "read", path)
        source = await super().read(path, how)
        return source if cut is None else _shortened(source, cut.at)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        altered = self._altered("write", path, Body.checked(body))
        try:
            return await super().write(path, altered, how)
        finally:
            await _ended(altered, body)

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        altered = self._altered("extend", path, Body.checked(body), added=True)
        try:
            return await super().extend(path, altered, how)
        finally:
            await _ended(altered, body)

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        await self._check_copy(self.inner, path, to)
        return await super().copy_within(path, to, how)

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        await self._check_copy(source, path, to)
        return await super().copy_from(source, path, to, how)

    def public_url(self, path: str, /) -> str:
        self._strike("public_url", path)
        return super().public_url(path)

    def local_path(self, path: str, /) -> str:
        self._strike("local_path", path)
        return super().local_path(path)

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        self._strike("origin", path)
        return super().origin(path)

    def _strike(self, operation: str, path: str) -> None:
        due = self._due(self._failures, operation, path)
        if due is not None:
            raise _made(due.kind, path)
        with self._lock:
            unlucky = self._rate > 0 and not unharmed.get() and self._random.random() < self._rate
        if unlucky:
            raise _made(self._kind, path)

    def _due(self, faults: "list[_Fault]", operation: str, path: str) -> "_Fault | None":
        if unharmed.get():
            return None
        call = calling.get()
        with self._lock:
            return next((fault for fault in faults if fault.strikes(operation, path, call)), None)

    def _altered(self, operation: str, path: str, body: Body, *, added: bool = False) -> Body:
        """The body as it arrives: cut short, or refused where it does not fit in."""
        cut = self._due(self._cuts, operation, path)
        if cut is None and self._quota is None:
            return body

        async def chunks() -> AsyncGenerator[bytes]:
            size = 0
            async with aclosing(body.__aiter__()) as whole:
                async for chunk in whole:
                    if cut is not None and size + len(chunk) > cut.at:
                        yield chunk[: cut.at - size]
                        raise Corrupted(f"the body broke off after {cut.at} bytes", path=path)
                    size += len(chunk)
                    self._check_size(size, path)
                    yield chunk
            await self._check_quota(path, size, added=added)

        return Body(chunks, size=body.size, replayable=body.replayable)

    async def _check_copy(self, source: StorageDriver, path: str, to: str) -> None:
        if self._quota is not None:
            await self._check_quota(to, (await source.stat(path)).size or 0)

    async def _check_quota(self, path: str, size: int, *, added: bool = False) -> None:
        if self._quota is None:
            return
        used = 0
        async with aclosing(self.inner.scan("", DEEP)) as entries:
            async for entry in entries:
                if isinstance(entry, Stat) and (added or entry.path != path):
                    used += entry.size or 0
        self._check_size(used + size, path)

    def _check_size(self, size: int, path: str) -> None:
        if self._quota is not None and size > self._quota:
            raise QuotaExceeded(f"the quota of {self._quota} bytes is used up", path=path)


@dataclass(slots=True)
class _Fault:
    """When to strike; a call that `after` lets pass does so with all of its requests."""

    verb: str
    path: str
    times: int | None
    after: int
    kind: Kind
    at: int = 0
    passed: list[tuple[Call, str]] = field(default_factory=list[tuple[Call, str]])

    def __post_init__(self) -> None:
        if self.after < 0 or (self.times is not None and self.times < 1):
            raise InvalidArgument(
                f"times is 1 or more, or None, and after 0 or more: {self.times}, {self.after}"
            )

    def strikes(self, operation: str, path: str, call: Call | None) -> bool:
        if self.times == 0 or not is_named(self.verb, operation, call):
            return False
        if not fnmatchcase(path, self.path) or self._passes(path, call):
            return False
        self.times = None if self.times is None else self.times - 1
        return True

    def _passes(self, path: str, call: Call | None) -> bool:
        if call is None:
            self.after -= 1
            return self.after >= 0
        key = (call, path if call.verb in MANY else "")
        if key in self.passed:
            return True
        if self.after > len(self.passed):
            self.passed.append(key)
            return True
        return False


def _checked(kind: Any) -> Kind:
    owner = kind if isinstance(kind, type) else type(kind)
    if issubclass(owner, Exception):
        return cast(Kind, kind)
    raise TypeError(f"a fault is an error's class or an error, not {kind!r}")


def _made(kind: Kind, path: str) -> Exception:
    if isinstance(kind, Exception):
        return copy.copy(kind)
    reason = "a fault that the test asked for"
    return kind(reason, path=path) if issubclass(kind, StorageError) else kind(reason)


async def _ended(altered: Body, body: Body) -> None:
    if altered is not body:
        await altered.aclose()


def _shortened(source: Source, at: int) -> Source:
    async def chunks() -> AsyncGenerator[bytes]:
        async with source:
            if at:
                yield await source.read(at)

    return Source(source.stat, chunks(), size=source.size, chunk_size=source.chunk_size)
