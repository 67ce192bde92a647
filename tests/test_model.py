"""A disk is a dictionary: any sequence of verbs leaves what the same sequence leaves in a dict."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from storeroom.contracts.errors import AlreadyExists, NotFound, Obstructed, StorageError
from storeroom.contracts.paths import inside
from storeroom.contracts.values import Stat
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.files import Files

T = TypeVar("T")

NAMES = st.sampled_from(["a", "b", "a b", "%2F", "é", "e\u0301"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FOLDERS = st.one_of(st.just(""), PATHS)
DATA = st.binary(max_size=20)
SETTINGS = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


class DiskIsADict(RuleBasedStateMachine):
    """`files` is what there is; `made` the folders that stay without files."""

    real = False

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.made: set[str] = set()
        self.runner = asyncio.Runner()
        self.disk = self.make()

    def make(self) -> Files:
        return MemoryDriver()

    def teardown(self) -> None:
        self.run(self.disk.driver.aclose())
        self.runner.close()

    def run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return self.runner.run(awaited())

    def fails(self, work: Awaitable[Any], *kinds: type[StorageError]) -> None:
        with pytest.raises(kinds):
            self.run(work)

    def folders(self) -> set[str]:
        shown = set(self.made)
        shown.update(parent for path in (*self.files, *self.made) for parent in parents(path))
        return shown

    def in_the_way(self, path: str) -> bool:
        return self.real and (path in self.made or any(p in self.files for p in parents(path)))

    def keep(self, path: str, data: bytes) -> None:
        self.files[path] = data
        if self.real:
            self.made.update(parents(path))

    @rule(path=PATHS, data=DATA, overwrite=st.booleans(), pieces=st.booleans())
    def put(self, path: str, data: bytes, overwrite: bool, pieces: bool) -> None:  # noqa: FBT001
        content: Any = [data[:3], data[3:]] if pieces else data
        work = self.disk.put(path, content, overwrite=overwrite)
        if self.in_the_way(path):
            self.fails(work, Obstructed, AlreadyExists)
        elif path in self.files and not overwrite:
            self.fails(work, AlreadyExists)
        else:
            assert self.run(work) == path
            self.keep(path, data)

    @rule(path=PATHS, data=DATA, front=st.booleans())
    def extend(self, path: str, data: bytes, front: bool) -> None:  # noqa: FBT001
        work = (self.disk.prepend if front else self.disk.append)(path, data)
        if self.in_the_way(path):
            self.fails(work, Obstructed)
            return
        self.run(work)
        old = self.files.get(path, b"")
        self.keep(path, data + old if front else old + data)

    @rule(path=PATHS)
    def delete(self, path: str) -> None:
        assert self.run(self.disk.delete(path)) is (path in self.files)
        self.files.pop(path, None)

    @rule(path=PATHS, to=PATHS, overwrite=st.booleans(), move=st.booleans())
    def copy_or_move(self, path: str, to: str, overwrite: bool, move: bool) -> None:  # noqa: FBT001
        work = (self.disk.move if move else self.disk.copy)(path, to, overwrite=overwrite)
        if path not in self.files:
            self.fails(work, NotFound, Obstructed, AlreadyExists)
        elif path == to:
            assert self.run(work) == to
        elif self.in_the_way(to):
            self.fails(work, Obstructed, AlreadyExists)
        elif to in self.files and not overwrite:
            self.fails(work, AlreadyExists)
        else:
            assert self.run(work) == to
            self.keep(to, self.files[path])
            if move:
                del self.files[path]

    @rule(folder=PATHS)
    def make_directory(self, folder: str) -> None:
        work = self.disk.make_directory(folder)
        if self.real and any(name in self.files for name in (folder, *parents(folder))):
            self.fails(work, Obstructed)
            return
        self.run(work)
        self.made.add(folder)
        if self.real:
            self.made.update(parents(folder))

    @rule(folder=PATHS)
    def delete_directory(self, folder: str) -> None:
        work = self.disk.delete_directory(folder)
        if self.real and folder in self.files:
            with suppress(Obstructed):
                assert self.run(work) is False
            return
        assert self.run(work) is (folder in self.folders())
        self.files = {path: d for path, d in self.files.items() if not inside(folder, path)}
        self.made = {name for name in self.made if name != folder and not inside(folder, name)}

    @precondition(lambda self: not self.real)
    @rule(folder=PATHS, to=PATHS, move=st.booleans())
    def copy_or_move_directory(self, folder: str, to: str, move: bool) -> None:  # noqa: FBT001
        if folder == to or inside(folder, to) or inside(to, folder):
            return
        under = {path for path in self.files if inside(folder, path)}
        verb = self.disk.move_directory if move else self.disk.copy_directory
        report = self.run(verb(folder, to))
        assert report.done == {path: to + path[len(folder) :] for path in under}
        self.files.update({to + path[len(folder) :]: self.files[path] for path in under})
        if move:
            self.files = {path: d for path, d in self.files.items() if path not in under}
            self.made = {name for name in self.made if name != folder and not inside(folder, name)}

    @rule(path=PATHS, start=st.integers(0, 25), length=st.none() | st.integers(0, 25))
    def read(self, path: str, start: int, length: int | None) -> None:
        stop = None if length is None else start + length
        work = self.disk.get(path, start=start, stop=stop)
        if path in self.files:
            assert self.run(work) == self.files[path][start:stop]
            assert self.run(self.disk.size(path)) == len(self.files[path])
        else:
            self.fails(work, NotFound)

    @rule(folder=FOLDERS)
    def look_around(self, folder: str) -> None:
        def shallow(paths: Any) -> list[str]:
            return sorted(p for p in paths if p.rpartition("/")[0] == folder)

        assert self.run(self.disk.files(folder)) == shallow(self.files)
        assert self.run(self.disk.directories(folder)) == shallow(self.folders())
        there = not folder or folder in self.folders()
        assert self.run(self.disk.directory_exists(folder)) is there
        assert self.run(self.disk.exists(folder or "a")) is ((folder or "a") in self.files)

    @rule(after=PATHS)
    def resume(self, after: str) -> None:
        async def rest() -> list[str]:
            entries = self.disk.entries(recursive=True, after=after)
            return sorted([e.path async for e in entries if isinstance(e, Stat)])

        wanted = sorted(path for path in self.files if path > after)
        assert self.run(rest()) == wanted

    @invariant()
    def it_holds_what_the_dict_holds(self) -> None:
        assert self.run(self.disk.all_files()) == sorted(self.files)
        assert self.run(self.disk.all_directories()) == sorted(self.folders())
        assert self.run(self.disk.get_many(self.files)).done == self.files


class RealFolders(DiskIsADict):
    real = True

    def make(self) -> Files:
        return MemoryDriver(folders="real")


class Local(DiskIsADict):
    real = True

    def make(self) -> Files:
        self.root = tempfile.mkdtemp(prefix="storeroom-model-")
        return LocalDriver(Path(self.root) / "root", durability="none")

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.root)


TestMemory = DiskIsADict.TestCase
TestMemory.settings = SETTINGS
TestRealFolders = RealFolders.TestCase
TestRealFolders.settings = SETTINGS
TestLocal = Local.TestCase
TestLocal.settings = SETTINGS
