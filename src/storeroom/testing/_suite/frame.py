"""What the parts of the suite share: hooks to override, fixtures, and the book of skips."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

import pytest

from storeroom.contracts.abilities import find
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.values import (
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    ScanOptions,
    Stat,
    WriteOptions,
)
from storeroom.files import Files

__all__ = [
    "CROWD",
    "Boom",
    "Holder",
    "Suite",
    "chunks_of",
    "content",
    "elsewhere",
    "failing",
    "files_in",
    "folders_in",
    "listed",
    "snapshot",
    "streamed",
    "write",
]

A = TypeVar("A")
T = TypeVar("T")

_AT_ONCE = 32
CROWD: Mapping[str, bytes] = {
    **{f"crowd/file {number:04}.txt": b"%d" % number for number in range(1050)},
    **{f"crowd/sub/{number}/x": b"" for number in range(20)},
    "crowd%/no": b"not in it",
    "crowded/no": b"not in it",
}
"""What the listings of many entries hold; never changed by a test."""


class Boom(Exception):
    """What a caller's own body raises."""


class Holder(Files):
    """The people's verbs over a driver that does not inherit them."""

    def __init__(self, driver: StorageDriver, /) -> None:
        self._held = driver

    @property
    def driver(self) -> StorageDriver:
        return self._held

    def offer(self, kind: Callable[..., A], /) -> A | None:
        return find(self._held, kind)


class Suite:
    """Hooks and fixtures; every test function of a part is marked by the part's `level`.

    `allowed_skips` names what may be skipped and why: an ability, a fact such as "writable", or a
    test. Any other skip fails, and so does one that is allowed and does not happen.
    """

    allowed_skips: ClassVar[Mapping[str, str]] = {}
    tier: ClassVar[str] = "cold"
    _skipped: ClassVar[set[str]] = set()
    _ran: ClassVar[set[str]] = set()

    def __init_subclass__(cls, *, level: str = "core") -> None:
        super().__init_subclass__()
        cls._skipped, cls._ran = set(), set()
        for name, member in vars(cls).items():
            if name.startswith("test_"):
                getattr(pytest.mark, level)(member)

    def make_driver(self, place: Path, /) -> StorageDriver:
        """A driver on the store of this place: a new one for a new, empty folder.

        Those who need no folder take its path as a name. Override this, or the fixture `driver`.
        """
        raise NotImplementedError("override make_driver(self, place), or the fixture driver")

    async def seed(
        self, driver: StorageDriver, files: Mapping[str, bytes], how: WriteOptions = PLAIN, /
    ) -> None:
        """Arrange files; override where `driver` itself cannot be written."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(path: str, data: bytes) -> None:
            async with turn:
                await driver.write(path, Body(data), how)

        async with asyncio.TaskGroup() as group:
            for path, data in files.items():
                group.create_task(one(path, data))

    async def abandon(self, driver: StorageDriver, /) -> None:
        """Leave behind what a crash in mid-write leaves; for drivers with `Sweep`."""
        self.skip("abandon")

    @pytest.fixture
    async def driver(self, tmp_path: Path) -> AsyncGenerator[StorageDriver]:
        """A driver on an empty store."""
        driver = self.make_driver(tmp_path)
        yield driver
        await driver.aclose()

    @pytest.fixture
    async def store(self, driver: StorageDriver) -> StorageDriver:
        """The driver, for tests that write."""
        if not driver.traits.writable:
            self.skip("writable")
        return driver

    @pytest.fixture
    async def files(self, driver: StorageDriver) -> Files:
        """The people's verbs over the driver."""
        return driver if isinstance(driver, Files) else Holder(driver)

    @pytest.fixture
    async def disk(self, files: Files, store: StorageDriver) -> Files:
        """The people's verbs, for tests that write."""
        return files

    @pytest.fixture(scope="class")
    @classmethod
    def shared_crowd(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageDriver]:
        """A driver whose store holds `CROWD`, seeded once per class."""
        suite = cls()
        driver = suite.make_driver(tmp_path_factory.mktemp("crowd"))
        elsewhere(suite.seed(driver, CROWD))
        yield driver
        elsewhere(driver.aclose())

    @pytest.fixture
    def crowded(self, request: pytest.FixtureRequest) -> StorageDriver:
        """A driver whose store holds `CROWD`, which nobody may change."""
        if type(self).make_driver is not Suite.make_driver:
            shared: StorageDriver = request.getfixturevalue("shared_crowd")
            return shared
        own: StorageDriver = request.getfixturevalue("driver")
        elsewhere(self.seed(own, CROWD))
        return own

    @pytest.fixture(autouse=True)
    def counted(self, request: pytest.FixtureRequest) -> None:
        name = request.function.__name__
        self._ran.add(name)
        if name in self.allowed_skips:
            self.skip(name)

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def skips_are_as_allowed(cls) -> Iterator[None]:
        yield
        everything = {name for name in dir(cls) if name.startswith("test_")}
        idle = set(cls.allowed_skips) - cls._skipped
        if idle and cls._ran >= everything:
            pytest.fail(f"allowed_skips names what is not skipped: {sorted(idle)}", pytrace=False)

    def made(self, place: Path, /) -> StorageDriver:
        """A driver of the test's own making, or a skip where only the fixture makes one."""
        if type(self).make_driver is Suite.make_driver:
            self.skip("make_driver")
        return self.make_driver(place)

    def need(self, driver: StorageDriver, kind: Callable[..., A], /) -> A:
        """The driver's ability, or a skip."""
        found = find(driver, kind)
        if found is None:
            self.skip(getattr(kind, "__name__", str(kind)))
        return found

    def skip(self, name: str, /) -> NoReturn:
        """Skip what `allowed_skips` allows to be skipped; fail otherwise."""
        self._skipped.add(name)
        reason = self.allowed_skips.get(name)
        if reason is None:
            pytest.fail(
                f"this skips for {name!r}, which allowed_skips does not name", pytrace=False
            )
        pytest.skip(f"{name}: {reason}")


def elsewhere(work: Coroutine[Any, Any, T], /) -> T:
    """What the coroutine returns, run on a loop of its own in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def write(
    driver: StorageDriver, path: str, data: bytes, how: WriteOptions = PLAIN, /
) -> Stat:
    """Write bytes."""
    return await driver.write(path, Body(data), how)


async def content(driver: StorageDriver, path: str, how: ReadOptions = WHOLE, /) -> bytes:
    """The bytes that a reader gets."""
    async with await driver.read(path, how) as source:
        return await source.read()


async def listed(
    driver: StorageDriver, folder: str = "", how: ScanOptions = DEEP, /
) -> list[Stat | Folder]:
    """All that a scan yields."""
    async with aclosing(driver.scan(folder, how)) as entries:
        return [entry async for entry in entries]


async def files_in(
    driver: StorageDriver, folder: str = "", how: ScanOptions = DEEP, /
) -> list[str]:
    """The paths of the files that a scan yields, sorted."""
    return sorted(e.path for e in await listed(driver, folder, how) if isinstance(e, Stat))


async def folders_in(
    driver: StorageDriver, folder: str = "", how: ScanOptions = DEEP, /
) -> list[str]:
    """The paths of the folders that a scan yields, sorted."""
    return sorted(e.path for e in await listed(driver, folder, how) if isinstance(e, Folder))


async def snapshot(driver: StorageDriver, /) -> dict[str, bytes]:
    """All files with their bytes."""
    return {path: await content(driver, path) for path in await files_in(driver)}


async def chunks_of(pieces: Iterable[bytes], /) -> AsyncIterator[bytes]:
    """The pieces, with a turn of the loop before each."""
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


def streamed(*pieces: bytes, size: int | None = None) -> Body:
    """A body that comes in pieces."""
    return Body(lambda: chunks_of(pieces), size=size)


def failing(*pieces: bytes, error: Exception, size: int | None = None) -> Body:
    """A body that raises after these pieces."""

    async def chunks() -> AsyncIterator[bytes]:
        async for piece in chunks_of(pieces):
            yield piece
        raise error

    return Body(chunks, size=size)
