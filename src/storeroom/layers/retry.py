"""Retry: tries again what failed for the moment, for drivers that do not do so themselves."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from secrets import SystemRandom
from typing import TypeVar

from storeroom.contracts.abilities import (
    Attributes,
    BulkRemove,
    Copy,
    CopyFrom,
    Multipart,
    Versions,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError, StorageError
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    ANY,
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    RemoveOptions,
    ScanOptions,
    Stat,
    WriteOptions,
)
from storeroom.layers._around import Around
from storeroom.layers._resume import Place, Resumed

__all__ = ["Retry"]

T = TypeVar("T")

_ONCE = frozenset(
    (
        *("acquire_lease", "complete_parts", "extend", "release_lease", "remove_version"),
        *("rename", "restore_version", "sweep"),
    )
)
"""What a second call would do twice, or answer wrongly where the first one's answer was lost."""

_random = SystemRandom()


class Retry(Around):
    """Calls that fail with a `retryable` error are made again, up to `attempts` in all.

    Between them it waits a random time of up to `base` seconds, doubled at each and at most `cap`.
    Made again is only what may happen twice: not `rename`, `extend` and their like, no write with a
    condition (its own first try could be what it meets), no body that cannot be replayed. A read
    that breaks goes on where it stopped if the etag is known and still the same, a listing if the
    service lists in order. `retries` of a driver inside and this layer exclude each other.
    """

    def __init__(
        self,
        inner: StorageDriver,
        /,
        *,
        attempts: int = 3,
        base: float = 0.1,
        cap: float = 10.0,
    ) -> None:
        _check(attempts, base, cap)
        _refuse_second(inner)
        super().__init__(inner)
        self._attempts = attempts
        self._base = base
        self._cap = cap

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        if operation in _ONCE:
            return await call()
        answer, _ = await self._tried(call)
        return answer

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        source = await super().read(path, how)
        etag = source.stat.etag
        if etag is None:
            return source
        return source.through(
            lambda broken: Resumed(
                broken,
                replace(how, if_match=etag),
                lambda rest: self.inner.read(path, rest),
                self._wait,
            )
        )

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        Body.checked(body)
        if not body.replayable or _is_conditional(how):
            return await self.inner.write(path, body, how)
        stat, _ = await self._tried(lambda: self.inner.write(path, body, how), body)
        return stat

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        if how.if_match is not None:
            return await self.inner.remove(path, how)
        answer, failures = await self._tried(lambda: self.inner.remove(path, how))
        return _doubted(answer, failures)

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        place, failures = Place(), 0
        while True:
            try:
                async with aclosing(self.inner.scan(folder, place.onward(how))) as entries:
                    async for entry in entries:
                        if place.passed(entry):
                            failures = 0
                            yield entry
                return
            except StorageError as error:
                if place.begun and not self.inner.traits.ordered:
                    raise
                failures += 1
                await self._wait(error, failures)

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        if _is_conditional(how):
            return await self.inner_ability(Copy).copy_within(path, to, how)
        return await super().copy_within(path, to, how)

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        if _is_conditional(how):
            return await self.inner_ability(CopyFrom).copy_from(source, path, to, how)
        return await super().copy_from(source, path, to, how)

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        if _is_conditional(how):
            return await self.inner_ability(Attributes).change_attributes(path, how)
        return await super().change_attributes(path, how)

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        native = self.inner_ability(Multipart)
        if not body.replayable:
            return await native.write_part(path, upload, number, body)
        etag, _ = await self._tried(lambda: native.write_part(path, upload, number, body), body)
        return etag

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        native, failures = self.inner_ability(BulkRemove), 0
        found: dict[str, bool | StorageError | None] = {}
        left = list(paths)
        while True:
            answers = await _removed(native, left, must=not found)
            found.update({path: _doubted(answer, failures) for path, answer in answers.items()})
            left = [path for path, answer in answers.items() if _is_passing(answer)]
            failures += 1
            if not left or failures == self._attempts:
                return found
            await asyncio.sleep(self._delay(failures))

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        source = await super().read_version(path, version, how)
        native = self.inner_ability(Versions)
        return source.through(
            lambda broken: Resumed(
                broken, how, lambda rest: native.read_version(path, version, rest), self._wait
            )
        )

    async def _tried(
        self, call: Callable[[], Awaitable[T]], body: Body | None = None
    ) -> tuple[T, int]:
        """The answer, and how many failures came before it."""
        failures = 0
        while True:
            try:
                return await call(), failures
            except StorageError as error:
                if body is not None and body.error is not None:
                    raise
                failures += 1
                await self._wait(error, failures)

    async def _wait(self, error: StorageError, failures: int) -> None:
        """Wait for the next attempt, or raise the error where there is none."""
        if not error.retryable or failures >= self._attempts:
            raise error
        await asyncio.sleep(self._delay(failures))

    def _delay(self, failures: int) -> float:
        # "Full jitter": https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        return _random.uniform(0, min(self._cap, self._base * 2 ** min(failures - 1, 63)))


def _check(attempts: int, base: float, cap: float) -> None:
    if type(attempts) is not int or attempts < 1:
        raise ConfigError(f"attempts counts all calls, so at least 1, not {attempts!r}")
    for name, seconds in (("base", base), ("cap", cap)):
        if type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
            raise ConfigError(f"{name} is a number of seconds from 0, not {seconds!r}")


def _refuse_second(inner: object) -> None:
    layer: object | None = inner
    while layer is not None:
        if isinstance(layer, Retry) or getattr(layer, "retries", None):
            name = type(layer).__name__
            raise ConfigError(f"{name} retries already; both would multiply: keep one of the two")
        layer = getattr(layer, "inner", None)


def _is_conditional(how: WriteOptions) -> bool:
    return not how.overwrite or how.if_match is not None


def _is_passing(answer: object) -> bool:
    return isinstance(answer, StorageError) and answer.retryable


def _doubted(answer: T, failures: int) -> T | None:
    """What is known after failures: "nothing was there" may be the work of a lost attempt."""
    return None if failures and answer is False else answer


async def _removed(
    native: BulkRemove, paths: list[str], *, must: bool
) -> Mapping[str, bool | StorageError | None]:
    try:
        return await native.remove_many(paths)
    except StorageError as error:
        if must and not error.retryable:
            raise
        return dict.fromkeys(paths, error)
