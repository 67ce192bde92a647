"""What a test says of a disk: synchronous assertions that show what is there when they fail."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from difflib import get_close_matches
from typing import Any, ParamSpec, Self, TypeVar

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import NotFound
from storeroom.contracts.paths import check_folder, check_path
from storeroom.contracts.values import Folder, ScanOptions, Stat
from storeroom.testing.faults import unharmed

__all__ = ["Assertions"]

P = ParamSpec("P")
T = TypeVar("T")

_Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

_SHOWN = 20
_AROUND = 16


class Assertions:
    """Assertions on the files of a disk, each of which returns the disk.

    They wait for nothing, may be called in an async test, and neither count as calls nor meet faults.
    """

    @property
    def _looked_at(self) -> StorageDriver:
        raise NotImplementedError

    def assert_exists(self, paths: _Paths, /, content: bytes | str | None = None) -> Self:
        """Each path is a file or a folder; with `content`, a file that holds just that."""
        driver = self._looked_at
        for path in _listed(paths):
            if content is not None:
                self._assert_content(path, content)
            elif _at_once(_kind, driver, path) is None:
                raise AssertionError(self._about(f"there is no {path!r}", near=path))
        return self

    def assert_missing(self, paths: _Paths, /) -> Self:
        """No path is a file or a folder."""
        driver = self._looked_at
        for path in _listed(paths):
            found = _at_once(_kind, driver, path)
            if found is not None:
                raise AssertionError(self._about(f"{path!r} is there, as a {found}"))
        return self

    def assert_count(
        self, folder: str | os.PathLike[str], /, n: int, *, recursive: bool = False
    ) -> Self:
        """There are `n` files in the folder, or with `recursive` under it."""
        inside = check_folder(folder)
        files = self._files(inside, deep=recursive)
        if len(files) != n:
            where = f"{'under' if recursive else 'in'} {inside or '/'!r}"
            raise AssertionError(
                f"{_counted(len(files))} {where}, not {n}, on {self!r}{_shown(files)}"
            )
        return self

    def assert_directory_empty(self, folder: str | os.PathLike[str], /) -> Self:
        """There is no file under the folder; empty folders, or no such folder, are empty."""
        inside = check_folder(folder)
        files = self._files(inside, deep=True)
        if files:
            raise AssertionError(
                f"{_counted(len(files))} under {inside or '/'!r}, not none, on {self!r}{_shown(files)}"
            )
        return self

    def assert_empty(self) -> Self:
        """There is no file on the disk."""
        return self.assert_directory_empty("")

    def _assert_content(self, path: str, content: bytes | str) -> None:
        driver = self._looked_at
        found = _at_once(_content, driver, path)
        wanted = content.encode() if isinstance(content, str) else bytes(content)
        if found is None:
            raise AssertionError(self._about(f"there is no file {path!r}", near=path))
        if found != wanted:
            raise AssertionError(f"{path!r} on {self!r} differs: {_difference(found, wanted)}")

    def _files(self, folder: str, *, deep: bool) -> list[str]:
        return _at_once(_paths, self._looked_at, folder, deep=deep)

    def _about(self, fact: str, *, near: str | None = None) -> str:
        files = self._files("", deep=True)
        close = [] if near is None else get_close_matches(near, files, 3, 0.5)
        hint = f"; near it: {', '.join(map(repr, close))}" if close else ""
        return f"{fact} on {self!r}{hint}; {_counted(len(files))}{_shown(files)}"


def _at_once(look: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the coroutine returns, from a loop in a thread of its own: one may run in this one."""

    async def unhurt() -> T:
        unharmed.set(True)
        return await look(*args, **kwargs)

    with ThreadPoolExecutor(1, thread_name_prefix="storeroom-assert") as pool:
        return pool.submit(lambda: asyncio.run(unhurt())).result()


async def _kind(driver: StorageDriver, path: str) -> str | None:
    try:
        await driver.stat(path)
    except NotFound:
        parent = path.rpartition("/")[0]
        async with aclosing(driver.scan(parent, ScanOptions(deep=False))) as entries:
            found = [entry async for entry in entries if entry.path == path]
        return "folder" if any(isinstance(entry, Folder) for entry in found) else None
    return "file"


async def _content(driver: StorageDriver, path: str) -> bytes | None:
    try:
        source = await driver.read(path)
    except NotFound:
        return None
    async with source:
        return await source.read()


async def _paths(driver: StorageDriver, folder: str, *, deep: bool) -> list[str]:
    async with aclosing(driver.scan(folder, ScanOptions(deep=deep))) as entries:
        return sorted([entry.path async for entry in entries if isinstance(entry, Stat)])


def _listed(paths: _Paths) -> list[str]:
    if isinstance(paths, (str, os.PathLike)):
        return [check_path(paths)]
    return [check_path(path) for path in paths]


def _counted(count: int) -> str:
    return f"there is {count} file" if count == 1 else f"there are {count or 'no'} files"


def _shown(files: list[str]) -> str:
    lines = [f"\n  {path!r}" for path in files[:_SHOWN]]
    more = [f"\n  ... and {len(files) - _SHOWN} more"] if len(files) > _SHOWN else []
    return "".join((":" if files else "", *lines, *more))


def _difference(found: bytes, wanted: bytes) -> str:
    try:
        return _by_line(found.decode(), wanted.decode())
    except UnicodeDecodeError:
        return _by_byte(found, wanted)


def _by_line(found: str, wanted: str) -> str:
    pairs = zip(found.splitlines(keepends=True), wanted.splitlines(keepends=True), strict=False)
    for number, (is_there, asked) in enumerate(pairs, 1):
        if is_there != asked:
            return f"line {number} is {_cut(is_there)}, not {_cut(asked)}"
    return _by_length(len(found.splitlines()), len(wanted.splitlines()), "lines")


def _by_byte(found: bytes, wanted: bytes) -> str:
    shorter = min(len(found), len(wanted))
    at = next((i for i in range(shorter) if found[i] != wanted[i]), shorter)
    if at == shorter:
        return _by_length(len(found), len(wanted), "bytes")
    return f"byte {at} on is {found[at : at + _AROUND]!r}, not {wanted[at : at + _AROUND]!r}"


def _by_length(found: int, wanted: int, unit: str) -> str:
    return f"it has {found} {unit}, not {wanted}"


def _cut(line: str) -> str:
    return repr(line) if len(line) <= 80 else f"{line[:80]!r}..."
