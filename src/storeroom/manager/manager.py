"""StorageManager: named disks, made on first use and closed together."""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from storeroom.contracts import threads
from storeroom.contracts.abilities import find
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.stats import Stats
from storeroom.disk import Disk, reporting
from storeroom.events import Events
from storeroom.files import Files
from storeroom.manager.reports import Reports
from storeroom.manager.shelf import Handle, Shelf, Source, State, closed

if TYPE_CHECKING:
    from storeroom.testing.fake import FakeDisk

__all__ = ["StorageManager"]

A = TypeVar("A")


class StorageManager(Files):
    """Named disks; its own verbs are those of the default disk.

    `StorageManager()` is always the process's one, which `storeroom.Storage` is too;
    `StorageManager.isolated(config)` is a private one. Configuration is read on first use, and a
    driver is built when it is first needed. Safe between threads and event loops.
    """

    _shelf: Shelf
    _process: "StorageManager | None" = None
    _birth = threading.Lock()

    def __new__(cls) -> Self:
        with StorageManager._birth:
            if StorageManager._process is None:
                StorageManager._process = cls._over(Shelf())
            return cast(Self, StorageManager._process)

    @classmethod
    def isolated(cls, config: Source | None = None, /) -> Self:
        """A manager for a library or a test; without `config` it looks for one like any other."""
        shelf = Shelf()
        if config is not None:
            shelf.configure(config)
        return cls._over(shelf)

    @classmethod
    def _over(cls, shelf: Shelf) -> Self:
        manager = object.__new__(cls)
        manager._shelf = shelf
        return manager

    def __repr__(self) -> str:
        return f"StorageManager({', '.join(self._shelf.names())})"

    @property
    def events(self) -> Events:
        """Who listens to what is done on the disks of this manager, whatever they stand on.

        Disks that are configured, set, faked or built on demand tell it of every call, without further
        ado. Listeners stay until they are taken off: `off = Storage.events.on("written", listener)`.
        """
        return self._shelf.events

    def disk(self, name: str | None = None, /) -> Disk:
        """A disk by name, the default one without; an unknown name is a `ConfigError` here.

        It looks its driver up at every call, so it may be made at import time and follows every
        change of the configuration.
        """
        if name is not None:
            self._shelf.check(name)
        return Handle(self._shelf, name)

    def build(self, config: Mapping[str, Any] | str, /, *, name: str = "ondemand") -> Disk:
        """A disk of its own from a mapping as in the configuration, or a URL; close it yourself."""
        driver, keys = self._shelf.built_apart(name, config), self._shelf.keys()
        disk = Disk(driver, name=name, signing_key=keys)
        return reporting(disk, Reports(self.events).over)

    def configure(self, source: Source | None = None, /) -> None:
        """Take this mapping or file as the configuration; None looks for one again on next use.

        A wrong one raises `ConfigError` and changes nothing. Disks in hand follow; drivers set by
        `set_driver`, `swap` and `fake` stay in front.
        """
        self._shelf.configure(source)

    def configure_disk(self, name: str, driver: str, /, **options: Any) -> Disk:
        """Add a disk, or change one: `driver` is a driver's name with its options, or a URL."""
        if not isinstance(driver, str):
            raise TypeError("driver is a name or a URL; for a driver use set_driver(driver, name)")
        self._shelf.configure_disk(name, driver, options)
        return Handle(self._shelf, name)

    def set_driver(self, driver: StorageDriver, name: str | None = None, /) -> Disk:
        """Put a driver in front of a disk's own, configured or not, until `forget_disk(name)`.

        Who made the driver closes it.
        """
        self._shelf.give(driver, name)
        return Handle(self._shelf, name)

    @contextmanager
    def swap(self, name: str | None, driver: StorageDriver, /) -> Generator[Disk]:
        """`set_driver` for the length of a `with` block."""
        name = name or self._shelf.default()
        before = self._shelf.give(driver, name)
        try:
            yield Handle(self._shelf, name)
        finally:
            self._shelf.give_back(name, before)

    def fake(
        self, name: str | None = None, /, *, driver: str | None = None, url: str | None = None
    ) -> "FakeDisk":
        """For a test: an empty disk in this one's place that behaves like it, with assertions.

        It goes with its `with` block, or with the test where the pytest plugin is installed. A disk
        that is not configured is taken for the service of its name, or `driver`; `url` is what its
        addresses begin with.
        """
        from storeroom.testing.fake import fake

        made = fake(self, name, driver=driver, url=url)
        return reporting(made, self._shelf.reports.over)

    def extend(self, name: str, factory: Callable[..., StorageDriver], /) -> None:
        """Make a driver known: its options in the configuration become arguments of `factory`."""
        self._shelf.extend(name, factory)

    def forget_disk(self, name: str | None = None, /) -> None:
        """Let go of a disk's driver, set or built, so that the next use builds it anew."""
        self._shelf.forget(name)

    async def purge(self, name: str | None = None, /) -> None:
        """Close what was built for a disk, the default one without a name; it opens again when used."""
        await closed(self._shelf.taken(name or self._shelf.default()))

    async def aclose(self) -> None:
        """Close all that was built; the disks open again when used."""
        await closed(self._shelf.all_taken())

    async def __aenter__(self) -> Self:
        await threads.run(self._shelf.config)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def driver(self) -> StorageDriver:
        """The default disk's driver or outermost layer."""
        return self._shelf.driver(None)

    def stats(self) -> Stats:
        """What was done on the default disk so far, where its layer `Observe` counts it."""
        return self._borrowed().stats()

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """The default disk's ability."""
        return find(self._borrowed(), kind)

    async def _ready(self) -> StorageDriver:
        return await self._shelf.ready(None)

    async def _other(self, disk: Any) -> StorageDriver:
        if isinstance(disk, str):
            return await self._shelf.ready(disk)
        return await super()._other(disk)

    def _borrowed(self) -> Disk:
        return Handle(self._shelf, None)

    @property
    def _label(self) -> str:
        return self._shelf.label(None)

    def _saved(self) -> State:
        return self._shelf.saved()

    def _restore(self, state: State) -> None:
        self._shelf.restore(state)
