"""Observe: what is done on a disk as events, counters, logs, traces and metrics."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from storeroom.contracts.abilities import (
    Append,
    BulkRemove,
    Copy,
    CopyFrom,
    Move,
    Multipart,
    Versions,
    find,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError, StorageError
from storeroom.contracts.source import Source
from storeroom.contracts.stats import Stats
from storeroom.contracts.values import (
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    ScanOptions,
    Stat,
    Traits,
    Version,
    WriteOptions,
)
from storeroom.events import Event, Events
from storeroom.files import calling
from storeroom.layers._around import Around, closed
from storeroom.layers._observe.about import About, namespace_of
from storeroom.layers._observe.counters import Counters
from storeroom.layers._observe.records import Records
from storeroom.layers._observe.streams import Measured
from storeroom.layers._observe.watch import Watch, names_of

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from storeroom.layers._observe.metering import Metering
    from storeroom.layers._observe.tracing import Tracing

__all__ = ["Observe"]

A = TypeVar("A")
T = TypeVar("T")

_GETS = {"tracing": "get_tracer", "metrics": "get_meter"}


class Observe(Around):
    """Tells `events` of every call and counts it, and on request logs, traces and measures it.

    `name` is what the disk is called in all of these, `namespace` its bucket or container. `log` is
    the level of a record for each call. `tracing` and `metrics` use OpenTelemetry, its global provider
    for True; only with `paths` do spans hold paths. A read lasts until its stream ends, a listing
    until its last entry. Nothing here changes what a call does: a listener that fails is logged.
    """

    def __init__(
        self,
        inner: StorageDriver,
        /,
        *,
        name: str | None = None,
        namespace: str | None = None,
        events: Events | None = None,
        log: str | None = None,
        tracing: "bool | TracerProvider" = False,
        metrics: "bool | MeterProvider" = False,
        paths: bool = False,
    ) -> None:
        super().__init__(inner)
        self._name = name
        self._namespace = namespace
        self._seen: tuple[Traits, About] | None = None
        self._events = Events() if events is None else events
        self._counters = Counters()
        self._records = None if log is None else Records(log)
        self._tracing = self._traced(tracing, paths=paths) if tracing is not False else None
        self._metering = self._metered(metrics) if metrics is not False else None
        self._more = any((self._records, self._tracing, self._metering))

    @property
    def events(self) -> Events:
        """Who listens to what is done here: `disk.events.on("written", listener)`."""
        return self._events

    def stats(self) -> Stats:
        """What was done through this layer since it was made."""
        return self._counters.snapshot(self._events.failures)

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """This layer for what goes through it; an ability of a third party passes unobserved."""
        return super().offer(kind) if kind in self.adapts else find(self._inner, kind)

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        return await self._watched(Watch(operation, path), call)

    async def stat(self, path: str, /) -> Stat:
        return await self._watched(Watch("stat", path), lambda: self.inner.stat(path))

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        return await self._measured(Watch("read", path), lambda: self.inner.read(path, how))

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await self._sent(
            Watch("write", path), body, lambda counted: self.inner.write(path, counted, how)
        )

    def scan(self, folder: str = "", how: ScanOptions = DEEP, /) -> AsyncGenerator[Stat | Folder]:
        return self._listed(Watch("scan", folder), lambda: self.inner.scan(folder, how))

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Copy)
        watch = Watch("copy_within", path, to)
        return await self._watched(watch, lambda: native.copy_within(path, to, how))

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        native = self.inner_ability(CopyFrom)
        watch = Watch("copy_from", path, to)
        watch.source = source
        return await self._watched(watch, lambda: native.copy_from(source, path, to, how))

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Move)
        watch = Watch("rename", path, to)
        return await self._watched(watch, lambda: native.rename(path, to, how))

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        """As inside; each path has events of its own."""
        native = self.inner_ability(BulkRemove)
        watch = Watch("remove_many", "")
        for path in paths if self._events else ():
            if (event := self._before(watch.one(path))) is not None:
                await self._tell(event)
        self._began(watch)
        try:
            answers = await native.remove_many(paths)
        except BaseException as error:
            self._ended(watch, error)
            await self._tell_each(watch, dict.fromkeys(paths, error))
            raise
        watch.refused = tuple(one for one in answers.values() if isinstance(one, StorageError))
        self._ended(watch, None)
        await self._tell_each(watch, answers)
        return answers

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        native = self.inner_ability(Append)
        return await self._sent(
            Watch("extend", path), body, lambda counted: native.extend(path, counted, how)
        )

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        native = self.inner_ability(Multipart)
        watch = Watch("write_part", path)
        watch.number = number
        return await self._sent(
            watch, body, lambda counted: native.write_part(path, upload, number, counted)
        )

    def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        native = self.inner_ability(Versions)
        return self._listed(Watch("list_versions", path), lambda: native.list_versions(path))

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        native = self.inner_ability(Versions)
        watch = Watch("read_version", path)
        return await self._measured(watch, lambda: native.read_version(path, version, how))

    def inside(self, watch: Watch, /) -> AbstractContextManager[None]:
        """The call's span as the current one, for one step of its stream."""
        return nullcontext() if self._tracing is None else self._tracing.inside(watch)

    async def over(self, watch: Watch, error: BaseException | None, /) -> None:
        """A call has ended: count it and tell of it."""
        self._ended(watch, error)
        if (event := self._after(watch, error)) is not None:
            await self._tell(event)

    def over_now(self, watch: Watch, /) -> None:
        """A stream was dropped: as `over`, where nobody can wait."""
        self._ended(watch, None)
        if (event := self._after(watch, None)) is not None:
            self._tell_now(event)

    async def _watched(self, watch: Watch, call: Callable[[], Awaitable[T]]) -> T:
        if self._events and (event := self._before(watch)) is not None:
            await self._tell(event)
        self._began(watch)
        try:
            answer = await call()
        except BaseException as error:
            await self.over(watch, error)
            raise
        watch.answered(answer)
        self._ended(watch, None)
        if self._events and (event := self._after(watch, None)) is not None:
            await self._tell(event)
        return answer

    async def _sent(self, watch: Watch, body: Body, send: Callable[[Body], Awaitable[T]]) -> T:
        counted = watch.counting(Body.checked(body))
        try:
            return await self._watched(watch, lambda: send(counted))
        finally:
            if counted is not body:
                await counted.aclose()

    async def _measured(self, watch: Watch, call: Callable[[], Awaitable[Source]]) -> Source:
        """What is opened, watched until its bytes end; at once over where all of them are here."""
        if self._events and (event := self._before(watch)) is not None:
            await self._tell(event)
        self._began(watch)
        try:
            source = await call()
        except BaseException as error:
            await self.over(watch, error)
            raise
        if self._tracing is not None:
            self._tracing.detach(watch)
        measured = source.through(lambda chunks: Measured(self, watch, chunks))
        if measured is source:
            watch.opened(source)
            self._ended(watch, None)
            if self._events:
                watch.stat = source.stat
                if (event := self._after(watch, None)) is not None:
                    await self._tell(event)
        return measured

    async def _listed(
        self, watch: Watch, start: Callable[[], AsyncIterator[T]]
    ) -> AsyncGenerator[T]:
        """What is listed, watched until its last entry, or until it is left."""
        if (event := self._before(watch)) is not None:
            await self._tell(event)
        self._began(watch)
        if self._tracing is not None:
            self._tracing.detach(watch)
        watch.entries, failure = 0, None
        try:
            items = start()
            try:
                step = self._step(watch, items)
                while True:
                    try:
                        item = await step()
                    except StopAsyncIteration:
                        break
                    watch.entries += 1
                    yield item
            finally:
                await closed(items)
        except GeneratorExit:
            raise
        except BaseException as error:
            failure = error
            raise
        finally:
            await self.over(watch, failure)

    def _step(self, watch: Watch, items: AsyncIterator[T]) -> Callable[[], Awaitable[T]]:
        """How the next item is waited for."""
        if self._tracing is None:
            return items.__anext__
        return partial(self._tracing.step, watch, items)

    def _began(self, watch: Watch) -> None:
        watch.begin()
        self._counters.began(watch)
        if self._metering is not None:
            self._metering.began(watch)
        if self._tracing is not None:
            self._tracing.began(watch)

    def _ended(self, watch: Watch, error: BaseException | None) -> None:
        watch.end()
        self._counters.ended(watch, error)
        if not self._more:
            return
        with self.inside(watch):
            if self._metering is not None:
                self._metering.ended(watch, error)
            if self._records is not None:
                self._records.ended(watch, error, self._disk)
        if self._tracing is not None:
            self._tracing.ended(watch, error)

    def _before(self, watch: Watch) -> Event | None:
        """What is told before a call, None where nobody would hear it."""
        name = names_of(watch.operation)[0]
        return watch.event_before(name, self._disk) if self._events.hears(name) else None

    def _after(self, watch: Watch, error: BaseException | None) -> Event | None:
        """What is told after a call, None where nobody would hear it."""
        name = names_of(watch.operation)[1] if error is None else "failed"
        return watch.event(name, self._disk, error=error) if self._events.hears(name) else None

    async def _tell_each(self, watch: Watch, answers: Mapping[str, object]) -> None:
        for path, answer in answers.items() if self._events else ():
            error = answer if isinstance(answer, BaseException) else None
            if (event := self._after(watch.one(path, answer), error)) is not None:
                await self._tell(event)

    async def _tell(self, event: Event) -> None:
        """Tell of it outside of the verb under way: what a listener does is a verb of its own."""
        if event.error is not None and not isinstance(event.error, Exception):
            self._tell_now(event)  # cancelled: nobody can wait
            return
        token = calling.set(None)
        try:
            await self._events.tell(event)
        finally:
            calling.reset(token)

    def _tell_now(self, event: Event) -> None:
        token = calling.set(None)
        try:
            self._events.tell_now(event)
        finally:
            calling.reset(token)

    def _about(self) -> About:
        try:
            traits = self._inner.traits
        except StorageError:  # a disk that is configured no more: the call itself will say so
            return About(self._disk, "unknown", self._namespace)
        if self._seen is None or self._seen[0] is not traits:
            namespace = self._namespace or namespace_of(self._inner)
            self._seen = (traits, About(self._disk, traits.service, namespace))
        return self._seen[1]

    @property
    def _disk(self) -> str:
        return self._name or self._label

    def _traced(self, given: "bool | TracerProvider", *, paths: bool) -> "Tracing":
        from storeroom.layers._observe.tracing import Tracing

        return Tracing(self._inner, self._about, _provider("tracing", given), paths=paths)

    def _metered(self, given: "bool | MeterProvider") -> "Metering":
        from storeroom.layers._observe.metering import Metering

        return Metering(self._about, _provider("metrics", given))


def _provider(name: str, given: Any) -> Any:  # a provider of a package that need not be installed
    """The provider given, None for the global one."""
    if given is True:
        return None
    if not callable(getattr(given, _GETS[name], None)):
        raise ConfigError(f"{name} is true, false or a provider of OpenTelemetry, not {given!r}")
    return given
