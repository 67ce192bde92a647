"""ReadThrough: a fast disk before a slow one, filled by what is read."""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Container,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from storeroom.contracts.abilities import (
    ABILITIES,
    BulkRemove,
    Folders,
    LocalPath,
    PresignPost,
    PresignWrite,
    Sweep,
    find,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    ConfigError,
    NotFound,
    NotModified,
    PreconditionFailed,
    StorageError,
    Timeout,
)
from storeroom.contracts.paths import inside
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    DEEP,
    PLAIN,
    WHOLE,
    ReadOptions,
    Stat,
    Traits,
    WriteOptions,
)
from storeroom.files import Files
from storeroom.files._bounded import each, listed
from storeroom.files.carrying import carried
from storeroom.layers._around import Around
from storeroom.layers._places import met
from storeroom.layers._several.errands import Errands
from storeroom.layers._several.health import Health
from storeroom.layers._several.marks import Mark, mark_of, marked, unmarked
from storeroom.layers._several.promoting import Promoting
from storeroom.layers._several.restating import is_here, restated
from storeroom.layers._together import through

__all__ = ["ReadThrough"]

A = TypeVar("A")
T = TypeVar("T")

_CHANGING = frozenset(
    (
        *("write", "remove", "extend", "rename", "copy_within", "copy_from", "change_attributes"),
        *("change_time", "complete_parts", "restore_version", "remove_version"),
    )
)
_AT_ONCE = 16
_NOTED = 10_000
_log = logging.getLogger("storeroom")


class ReadThrough(Around):
    """Files of `origin`; what is read whole is kept on `fast` too, with its type and metadata.

    Facts and listings are the origin's. All changes are made there, and remove the copy. With `check` a read asks the origin for the
    file's facts first, and gives the copy only of what is there now; without it the copy is trusted as
    long as nobody changes the file past this layer. Files over `max_object` bytes (None: no limit) are
    not copied. A fast disk that fails, or takes longer than `patience` seconds, is done without.
    """

    adapts = frozenset(ABILITIES) - {PresignWrite, PresignPost, LocalPath}

    def __init__(
        self,
        fast: StorageDriver,
        origin: StorageDriver,
        /,
        *,
        check: bool = True,
        max_object: int | None = 100 << 20,
        patience: float = 2.0,
    ) -> None:
        if fast is origin:
            raise ConfigError("fast and origin are one driver; a disk is no copy of itself")
        if met((fast, origin)) is not None:
            raise ConfigError(
                "fast and origin have their files at one place; a disk is no copy of itself"
            )
        _check_fast(fast.traits)
        if max_object is not None and (type(max_object) is not int or max_object < 0):
            raise ConfigError(f"max_object is a number of bytes or None, not {max_object!r}")
        if type(patience) not in (int, float) or not 0 < patience < math.inf:
            raise ConfigError(f"patience is a number of seconds above 0, not {patience!r}")
        super().__init__(origin)
        self._fast = fast
        self._check = check
        self._max = math.inf if max_object is None else max_object
        self._patience = patience
        self._health = Health(3)
        self._storing = Health(3)
        self._errands = Errands()
        self._promotions: dict[str, asyncio.Future[Any]] = {}
        self._changes: Counter[str] = Counter()
        self._late: Counter[str] = Counter()
        self._doubted: set[str] = set()
        self._is_blind = False
        self._told_failure = False

    def __repr__(self) -> str:
        return f"ReadThrough({self._fast!r}, {self._inner!r})"

    @property
    def disks(self) -> tuple[StorageDriver, StorageDriver]:
        """The fast disk and the origin."""
        return self._fast, self._inner

    def described(self, inside: Traits, /) -> Traits:
        """The traits of the origin."""
        return inside

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        _ = self.inner
        if not self._may_use(path):
            return await self.inner.read(path, how)
        copy, is_free = await self._copy(path, how)
        if copy is not None:
            return copy
        whole = how.start == 0 and how.stop is None
        if not (is_free and whole) or path in self._promotions or _is_among(self._changes, path):
            return await self.inner.read(path, how)
        if not self._storing.is_up and not self._storing.is_due():
            return await self.inner.read(path, how)
        return await self._promoted(path, how)

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        if operation not in _CHANGING:
            return await call()
        return await self._changed((path,), call)

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        call = super().rename
        return await self._changed((to,), lambda: call(path, to, how))

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        call = super().copy_within
        return await self._changed((to,), lambda: call(path, to, how))

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        native = self.inner_ability(BulkRemove)
        return await self._changed(paths, lambda: native.remove_many(paths))

    async def remove_folder(self, folder: str, /) -> bool:
        native = self.inner_ability(Folders)
        return await self._changed((f"{folder}/",), lambda: native.remove_folder(folder))

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """This layer where the origin has the ability; either disk can have what to sweep."""
        if kind is Sweep and find(self._fast, kind) is not None:
            return self  # type: ignore[return-value]  # by its declaration
        return super().offer(kind)

    async def sweep(self, older_than: timedelta, /) -> int:
        count = 0 if find(self.inner, Sweep) is None else await super().sweep(older_than)
        native = find(self._fast, Sweep)
        if native is not None:
            try:
                count += await native.sweep(older_than)
            except StorageError as error:
                self._failed(error)
        return count

    async def aclose(self) -> None:
        """Close this layer with what it is storing, and both disks but for shared ones."""
        if self._closed:
            return
        await self._errands.aclose()
        closing = [super().aclose()]
        if not self._borrows and not getattr(self._fast, "shared", False):
            closing.append(self._fast.aclose())
        await through(closing)

    async def _ready(self) -> StorageDriver:
        if isinstance(self._fast, Files):
            await self._fast._ready()
        return await super()._ready()

    def _may_use(self, path: str) -> bool:
        """Whether the fast disk is to be asked about the path."""
        if self._is_blind:
            return False
        doubted = () if self._check else [*_among(self._doubted, path)]
        for key in doubted:
            self._send_drop(key)
        return not doubted and (self._health.is_up or self._health.is_due())

    async def _copy(self, path: str, how: ReadOptions) -> tuple[Source | None, bool]:
        """The bytes from the fast disk, and where there are none whether they may be stored there."""
        part = ReadOptions(how.start, how.stop, chunk_size=how.chunk_size)
        try:
            copy = await self._soon(self._fast.read(path, part))
        except NotFound:
            return None, True
        except StorageError:
            return None, False
        mark = mark_of(copy.stat)
        try:
            if mark is None or mark.size != copy.stat.size:
                await copy.aclose()
                return None, mark is not None
            stat = await self.inner.stat(path) if self._check else unmarked(copy.stat, mark)
            if not mark.is_same(Mark.of(stat)) or (
                not self._check and _is_among(self._doubted, path)
            ):
                await copy.aclose()
                return None, True
            _check_conditions(stat, how)
            return await restated(copy, stat), False
        except BaseException:
            await copy.aclose()
            raise

    async def _promoted(self, path: str, how: ReadOptions) -> Source:
        """The bytes from the origin, stored on the fast disk on the way."""
        begun = self._promotions[path] = asyncio.get_running_loop().create_future()
        try:
            source = await self.inner.read(path, how)
            if source.size is None or source.size > self._max or not self._is_current(path, begun):
                return source
            if is_here(source):
                return await self._stored_at_once(path, source)
            stat, size = source.stat, source.size
            promoting = Promoting(
                source,
                lambda body: self._stored(path, stat, body),
                self._patience,
                lambda: self._storing.failed(hangs=True),
            )
            self._keep(path, promoting.task)
            chunk_size = source.chunk_size
            return Source(stat, promoting, size=size, release=promoting.stop, chunk_size=chunk_size)
        finally:
            self._storing.left()
            if self._is_current(path, begun):
                del self._promotions[path]

    def _is_current(self, path: str, begun: "asyncio.Future[Any]") -> bool:
        return self._promotions.get(path) is begun

    async def _stored_at_once(self, path: str, source: Source) -> Source:
        data = await source.read()
        storing = asyncio.ensure_future(self._stored(path, source.stat, Body(data)))
        self._keep(path, storing)
        try:
            await asyncio.wait({storing}, timeout=self._patience)
            if not storing.done():
                self._storing.failed(hangs=True)
        finally:
            storing.cancel()
        return Source(source.stat, data, chunk_size=source.chunk_size)

    def _keep(self, path: str, task: "asyncio.Future[Any]") -> None:
        self._promotions[path] = task
        self._errands.keep(("promotion", path), task)
        task.add_done_callback(lambda ended: self._forget(path, ended))

    def _forget(self, path: str, task: "asyncio.Future[Any]") -> None:
        if self._is_current(path, task):
            del self._promotions[path]

    async def _stored(self, path: str, stat: Stat, body: Body) -> None:
        how = replace(carried(stat), metadata=marked(stat.metadata, Mark.of(stat)), carried=False)
        try:
            await self._fast.write(path, body, how)
        except StorageError as error:
            if body.error is None:
                self._storing.failed()
                self._failed(error)
        else:
            self._storing.answered()

    async def _changed(self, paths: Sequence[str], call: Callable[[], Awaitable[T]]) -> T:
        """Do it on the origin; whatever comes of it, no older copy is given from then on."""
        with self._marked_as_changing(paths):
            try:
                return await call()
            finally:
                if not self._check:
                    self._doubt(paths)
                count = min(len(paths), _AT_ONCE) or 1
                await each(listed(paths), str, self._dropped, concurrency=count)

    @contextmanager
    def _marked_as_changing(self, paths: Sequence[str]) -> Generator[None]:
        self._changes.update(paths)
        for path in paths:
            self._overtake(path)
        try:
            yield
        finally:
            for path in paths:
                self._overtake(path)
                self._changes[path] -= 1
                if not self._changes[path]:
                    del self._changes[path]

    def _overtake(self, key: str) -> None:
        """What is being stored is of a file that changes: it must not stay."""
        folder = key.removesuffix("/")
        for path in [key] if folder == key else _inside(folder, self._promotions):
            self._overtake_one(path)

    def _overtake_one(self, path: str) -> None:
        task = self._promotions.pop(path, None)
        if task is None or task.done() or task.get_loop().is_closed():
            return
        self._late[path] += 1
        task.add_done_callback(lambda _: self._overtaken(path))
        task.get_loop().call_soon_threadsafe(task.cancel)

    def _overtaken(self, path: str) -> None:
        self._late[path] -= 1
        if not self._late[path]:
            del self._late[path]
            self._send_drop(path)

    def _send_drop(self, key: str) -> None:
        self._errands.send(("drop", key), lambda: self._dropped(key))

    def _doubt(self, paths: Sequence[str]) -> None:
        self._doubted.update(paths)
        if len(self._doubted) > _NOTED and not self._is_blind:
            self._is_blind = True
            _log.warning("too many copies could not be removed; the fast disk is not read any more")

    async def _dropped(self, key: str) -> None:
        """Remove a copy, or all in a folder; what stays, or may come yet, is not trusted."""
        if not self._health.is_up and not self._health.is_due():
            return
        folder = key.removesuffix("/")
        try:
            if folder == key:
                await self._drop(key)
            else:
                await self._drop_all(folder)
        except StorageError as error:
            self._failed(error)
            return
        if not (self._late[key] if folder == key else _inside(folder, self._late)):
            self._doubted.discard(key)

    async def _drop(self, path: str) -> None:
        with suppress(NotFound):
            found = await self._soon(self._fast.stat(path))
            if mark_of(found) is not None:
                await self._soon(self._fast.remove(path))

    async def _drop_all(self, folder: str) -> None:
        report = await each(self._copies(folder), str, self._drop, concurrency=_AT_ONCE)
        for error in report.failed.values():
            raise error

    async def _copies(self, folder: str) -> AsyncGenerator[str]:
        entries = self._fast.scan(folder, DEEP)
        try:
            while (entry := await self._soon(anext(entries, None))) is not None:
                if isinstance(entry, Stat):
                    yield entry.path
        finally:
            with suppress(RuntimeError):  # it hangs, and so cannot be closed
                await entries.aclose()

    async def _soon(self, call: Awaitable[T]) -> T:
        """What the fast disk answers, or `Timeout`."""
        task = asyncio.ensure_future(call)
        try:
            await asyncio.wait({task}, timeout=self._patience)
        except BaseException:
            self._health.left()
            raise
        finally:
            if not task.done():
                task.cancel()
                self._errands.keep("left", task)
        if not task.done():
            self._health.failed(hangs=True)
            raise Timeout(f"the fast disk took longer than {self._patience:g} s")
        try:
            answer = task.result()
        except NotFound:
            self._health.answered()
            raise
        except StorageError as error:
            if error.retryable:
                self._health.failed()
            else:
                self._health.answered()
            raise
        except BaseException:
            self._health.left()
            raise
        self._health.answered()
        return answer

    def _failed(self, error: StorageError) -> None:
        if not self._told_failure:
            self._told_failure = True
            _log.warning("the fast disk fails and is done without: %s", error)


def _check_fast(traits: Traits) -> None:
    lacking = "cannot be written to" if not traits.writable else ""
    if "metadata" not in traits.keeps:
        lacking = "keeps no metadata, where it is noted which state of the file a copy is of"
    if lacking:
        raise ConfigError(
            f"the fast disk ({traits.service}) {lacking}; take another one, such as a local disk on "
            'Linux or S3, or the layer cache, whose store = "..." may be any disk'
        )


def _check_conditions(stat: Stat, how: ReadOptions) -> None:
    if how.if_match is not None and how.if_match != stat.etag:
        raise PreconditionFailed("the file is not the one that if_match names", path=stat.path)
    if how.if_none_match is not None and how.if_none_match == stat.etag:
        raise NotModified("the file is still the one that if_none_match names", path=stat.path)


def _among(keys: Container[str], path: str) -> Iterator[str]:
    """Those of the keys that are the path, or with a `/` at the end a folder that it is in."""
    key = path
    while key:
        if key in keys:
            yield key
        folder, slash, _ = key.removesuffix("/").rpartition("/")
        key = folder + slash


def _is_among(keys: Container[str], path: str) -> bool:
    return any(True for _ in _among(keys, path))


def _inside(folder: str, paths: Iterable[str]) -> list[str]:
    return [path for path in [*paths] if inside(folder, path)]
