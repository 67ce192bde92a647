"""Shelf: the drivers behind the names of a manager, and the live handles on them."""

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from storeroom.contracts import threads
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import StorageError
from storeroom.contracts.forks import after_fork
from storeroom.disk import Disk, check_driver
from storeroom.events import Events
from storeroom.manager.reports import Reports
from storeroom.signing import SigningKeys

if TYPE_CHECKING:
    from storeroom.config import Builder, DiskConfig, Filesystems

__all__ = ["Factory", "Handle", "Shelf", "Source", "State", "closed"]

Source = Mapping[str, Any] | str | PathLike[str]
"""A configuration, or the file that holds one."""

Factory = Callable[..., StorageDriver]
"""Makes a driver from its options."""


@dataclass(frozen=True, slots=True)
class State:
    """A shelf as it was at a moment."""

    filesystems: "Filesystems | None"
    given: Mapping[str, StorageDriver]
    built: Mapping[str, StorageDriver]
    extended: Mapping[str, Factory]
    heard: Mapping[str, tuple[object, ...]]


class Shelf:
    """The drivers behind the names: `given` by hand go before those `built` from configuration.

    `retired` holds drivers built for a configuration that is no longer, until they are closed.
    Reading a dict needs no lock; whatever changes or builds takes it.
    """

    def __init__(self) -> None:
        self._renew()
        after_fork(self, Shelf._renew)
        self._filesystems: Filesystems | None = None
        self._given: dict[str, StorageDriver] = {}
        self._built: dict[str, StorageDriver] = {}
        self._retired: list[tuple[str, StorageDriver]] = []
        self._extended: dict[str, Factory] = {}
        self.events = Events()
        self.reports = Reports(self.events)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def names(self) -> list[str]:
        known = self._filesystems
        return sorted({*(() if known is None else known.disks), *self._given})

    def label(self, name: str | None) -> str:
        known = self._filesystems
        return name or (None if known is None else known.default) or "default"

    def config(self) -> "Filesystems":
        with self._lock:
            if self._filesystems is None:
                self._filesystems = self._read(None)
            return self._filesystems

    def default(self) -> str:
        return self.config().chosen()

    def keys(self) -> SigningKeys | None:
        return self.config().keys

    def check(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a disk's name is a str, not {type(name).__name__}")
        if name not in self._given:
            self.config().disk(name)

    async def ready(self, name: str | None) -> StorageDriver:
        """The driver, under what tells of its calls while anybody listens."""
        driver = self._current(name)
        if driver is None:
            driver = await threads.run(self.driver, name)
        return self.reports.over(driver, name or self.default()) if self.events else driver

    def driver(self, name: str | None) -> StorageDriver:
        driver = self._current(name)
        if driver is not None:
            return driver
        with self._lock:
            name = name or self.default()
            driver = self._current(name)
            return self._opened(name) if driver is None else driver

    def built_apart(self, name: str, raw: Mapping[str, Any] | str) -> StorageDriver:
        from storeroom.config import disk_config

        config = disk_config(name, raw, extended=self._extended)
        self.config().check_references(name, config)
        return self._build(name, config)

    def configure(self, source: Source | None) -> None:
        with self._lock:
            self._filesystems = None if source is None else self._read(source)
            self._retire(list(self._built))

    def configure_disk(self, name: str, driver: str, options: Mapping[str, Any]) -> None:
        from storeroom.config import disk_config, from_url, is_url

        raw = {**from_url(driver), **options} if is_url(driver) else {"driver": driver, **options}
        with self._lock:
            config = disk_config(name, raw, extended=self._extended)
            changed = self.config().with_disk(name, config)
            self._builder().check(name, config)
            self._filesystems = changed
            self._retire([name])

    def give(self, driver: StorageDriver, name: str | None) -> StorageDriver | None:
        """Put a driver in front: the one that was there before."""
        check_driver(driver)
        with self._lock:
            name = name or self.default()
            before = self._given.get(name)
            self._given[name] = driver
            self.reports.forget(name)
            return before

    def give_back(self, name: str, before: StorageDriver | None) -> None:
        with self._lock:
            if before is None:
                self._given.pop(name, None)
            else:
                self._given[name] = before
            self.reports.forget(name)

    def extend(self, name: str, factory: Factory) -> None:
        if not callable(factory):
            raise TypeError("extend takes a name and a function that makes a driver")
        with self._lock:
            self._extended[name] = factory

    def forget(self, name: str | None) -> None:
        with self._lock:
            name = name or self.default()
            self._given.pop(name, None)
            self._retire([name])

    def taken(self, name: str) -> list[StorageDriver]:
        """The built drivers of a name, no longer ours."""
        with self._lock:
            self._retire([name])
            taken = [driver for owner, driver in self._retired if owner == name]
            self._retired = [item for item in self._retired if item[0] != name]
            return taken

    def all_taken(self) -> list[StorageDriver]:
        with self._lock:
            self._retire(list(self._built))
            retired, self._retired = self._retired, []
            return [driver for _, driver in retired]

    def saved(self) -> State:
        with self._lock:
            return State(
                self._filesystems,
                dict(self._given),
                dict(self._built),
                dict(self._extended),
                self.events.saved(),
            )

    def restore(self, state: State) -> None:
        """As it was; what was built then and closed since is built anew when used."""
        with self._lock:
            alive = {id(driver) for driver in self._built.values()}
            alive |= {id(driver) for _, driver in self._retired}
            back = {name: one for name, one in state.built.items() if id(one) in alive}
            if self._filesystems is state.filesystems:
                back = {**self._built, **back}
            self._retire([name for name in self._built if self._built[name] is not back.get(name)])
            self._retired = [item for item in self._retired if item[1] is not back.get(item[0])]
            for name in {*self._given, *state.given, *back}:
                self.reports.forget(name)
            self._built = back
            self._given = dict(state.given)
            self._extended = dict(state.extended)
            self._filesystems = state.filesystems
            self.events.restore(state.heard)

    def _current(self, name: str | None) -> StorageDriver | None:
        if name is None:
            known = self._filesystems
            if known is None or known.default is None:
                return None
            name = known.default
        given = self._given.get(name)
        return given if given is not None else self._built.get(name)

    def _opened(self, name: str) -> StorageDriver:
        driver = self._built[name] = self._build(name, self.config().disk(name))
        return driver

    def _build(self, name: str, config: "DiskConfig") -> StorageDriver:
        try:
            return self._builder().build(name, config)
        except StorageError as error:
            error.located(disk=name)
            raise

    def _retire(self, names: Iterable[str]) -> None:
        for name in names:
            driver = self._built.pop(name, None)
            self.reports.forget(name)
            if driver is not None:
                self._retired.append((name, driver))

    def _read(self, source: Source | None) -> "Filesystems":
        from storeroom.config import filesystems, look

        read = filesystems(look(source), extended=self._extended)
        builder = self._builder()
        for name, config in read.disks.items():
            builder.check(name, config)
        return read

    def _builder(self) -> "Builder":
        from storeroom.config import Builder

        return Builder(self._extended, lambda name: Handle(self, name))


class Handle(Disk):
    """A manager's disk: it looks up who serves its name, now, at every call; None is the default."""

    shared = True

    def __init__(self, shelf: Shelf, name: str | None, /) -> None:
        self._shelf = shelf
        self._name = name
        self._reports = shelf.reports.over

    def __repr__(self) -> str:
        return f"Disk({self._label!r})"

    @property
    def name(self) -> str:
        return self._name or self._shelf.default()

    @property
    def driver(self) -> StorageDriver:
        return self._shelf.driver(self._name)

    async def aclose(self) -> None:
        """Close what the manager built for this disk; it opens again when used."""
        await closed(self._shelf.taken(self.name))

    async def _ready(self) -> StorageDriver:
        return await self._shelf.ready(self._name)

    async def _other(self, disk: Any) -> StorageDriver:
        if isinstance(disk, str):
            return await self._shelf.ready(disk)
        return await super()._other(disk)

    def _signing_keys(self) -> SigningKeys | None:
        return self._shelf.keys()

    @property
    def _label(self) -> str:
        return self._shelf.label(self._name)


async def closed(drivers: Iterable[StorageDriver]) -> None:
    """Close all, the last built first, also when one fails."""
    async with AsyncExitStack() as stack:
        for driver in drivers:
            stack.push_async_callback(driver.aclose)
