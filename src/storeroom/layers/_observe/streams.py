"""Measured: the bytes of a source, counted and timed until they end, however they do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Protocol

from storeroom.contracts.source import Source
from storeroom.layers._observe.watch import Watch

__all__ = ["Measured"]


class _Observer(Protocol):
    def inside(self, watch: Watch, /) -> AbstractContextManager[None]: ...
    async def over(self, watch: Watch, error: BaseException | None, /) -> None: ...
    def over_now(self, watch: Watch, /) -> None: ...


class Measured(AsyncIterator[bytes]):
    """A class, not a generator: dropping it releases the source at once, without a loop."""

    __slots__ = ("_loop", "_observer", "_source", "_watch")

    def __init__(self, observer: _Observer, watch: Watch, source: Source, /) -> None:
        self._observer = observer
        self._watch: Watch | None = watch
        self._source = source
        self._loop = asyncio.get_running_loop()

    async def __anext__(self) -> bytes:
        watch = self._watch
        try:
            if watch is None or watch.span is None:
                chunk = await anext(self._source)
            else:
                with self._observer.inside(watch):
                    chunk = await anext(self._source)
        except StopAsyncIteration:
            if watch is not None:
                watch.came(0)
            await self._over(None)
            raise
        except BaseException as error:
            await self._over(error)
            raise
        if watch is not None:
            watch.came(len(chunk))
        return chunk

    async def aclose(self) -> None:
        try:
            await self._source.aclose()
        except BaseException as error:
            await self._over(error)
            raise
        await self._over(None)

    async def _over(self, error: BaseException | None) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stat = self._source.stat
            await self._observer.over(watch, error)

    def __del__(self) -> None:
        watch, self._watch = getattr(self, "_watch", None), None
        if watch is None:
            return
        # Not in here: a finalizer may come while this thread holds a lock of a log or an exporter.
        try:
            self._loop.call_soon_threadsafe(self._observer.over_now, watch)
        except RuntimeError:  # the loop is closed
            self._observer.over_now(watch)
