"""Listing page by page in the byte order of full paths; nothing is held open between the pages.

A folder `a` sorts as `a/`, right before its content and behind `a.txt`, as prefixes do in object
stores. Each folder's names are read at once and sorted; facts are looked up per page.
"""

import logging
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from storeroom.contracts.errors import Obstructed, StorageError, translating
from storeroom.contracts.paths import RESERVED, is_listable
from storeroom.contracts.values import Folder, ScanOptions, Stat
from storeroom.drivers._local.beneath import Tree
from storeroom.drivers._local.directory import Directory, is_link
from storeroom.drivers._local.facts import listed
from storeroom.drivers._local.failures import is_missing, is_swapped, reading
from storeroom.drivers._local.root import Root

PAGE = 1000

Kind = Literal["file", "folder", "other"]
_log = logging.getLogger("storeroom")


class Strangers:
    """Names the path rule refuses: warned of once per disk."""

    __slots__ = ("_warned",)

    def __init__(self) -> None:
        self._warned = False

    def met(self, folder: str, name: str) -> None:
        if not self._warned:
            self._warned = True
            where = repr(folder) if folder else "the root"
            _log.warning("%r in %s breaks the path rule and is not listed", name, where)


class _Step(NamedTuple):
    key: str
    kind: Kind


class _Level:
    __slots__ = ("folder", "steps")

    def __init__(self, folder: str, steps: list[_Step]) -> None:
        self.folder = folder
        self.steps = steps  # in reverse: the next one is the last


class Listing:
    """One listing under way; every `page` is a call in a worker thread, an empty one the end."""

    def __init__(self, root: Root, folder: str, how: ScanOptions, strangers: Strangers) -> None:
        self._root = root
        self._folder = folder
        self._how = how
        self._strangers = strangers
        self._levels: list[_Level] | None = None

    def page(self) -> list[Stat | Folder]:
        if self._levels is None:
            self._levels = self._begun()
        found: list[Stat | Folder] = []
        while self._levels and len(found) < PAGE:
            self._advance(self._levels, found)
        return found

    def _begun(self) -> list[_Level]:
        try:
            with self._root.tree().directory(self._folder) as directory:
                return [self._level(directory, self._folder, self._how.starting)]
        except OSError as error:
            if isinstance(error, StorageError) or not is_missing(error):
                raise
            return []

    def _advance(self, levels: list[_Level], found: list[Stat | Folder]) -> None:
        level = levels[-1]
        if not level.steps:
            levels.pop()
            return
        with _reopened(self._root.tree(), level.folder) as directory:
            if directory is None:
                levels.pop()
                return
            self._look(directory, level, levels, found)

    def _look(
        self,
        directory: Directory,
        level: _Level,
        levels: list[_Level],
        found: list[Stat | Folder],
    ) -> None:
        above = f"{level.folder}/" if level.folder else ""
        while level.steps and len(found) < PAGE:
            key, kind = level.steps.pop()
            name = key.removesuffix("/")
            facts = directory.find(name)
            if facts is None or is_link(facts):
                continue
            if kind == "file" and stat.S_ISREG(facts.st_mode):
                found.append(listed(above + name, facts))
            elif kind == "folder" and stat.S_ISDIR(facts.st_mode):
                if self._is_behind(above + key):
                    found.append(Folder(above + name))
                if self._how.deep:
                    self._descend(directory, name, above, levels)
                    return

    def _descend(self, directory: Directory, name: str, above: str, levels: list[_Level]) -> None:
        folder = above + name
        with translating(reading, "scan", folder):
            try:
                with directory.child(name) as child:
                    levels.append(self._level(child, folder, ""))
            except OSError as error:
                if isinstance(error, StorageError) or not is_swapped(error):
                    raise

    def _level(self, directory: Directory, folder: str, starting: str) -> _Level:
        steps = sorted(self._steps(directory, folder, starting), reverse=True)
        return _Level(folder, steps)

    def _steps(self, directory: Directory, folder: str, starting: str) -> Iterator[_Step]:
        above = f"{folder}/" if folder else ""
        for entry in directory.entries():
            name = entry.name
            if not name.startswith(starting) or name.startswith(RESERVED):
                continue
            kind = _kind(entry)
            if not self._may_show(folder, above, name, kind):
                continue
            key = f"{name}/" if kind == "folder" else name
            if self._is_behind(above + key) or (kind == "folder" and self._is_within(above + key)):
                yield _Step(key, kind)

    def _is_behind(self, key: str) -> bool:
        return self._how.after is None or key > self._how.after

    def _is_within(self, key: str) -> bool:
        """Whether a listing that goes deep resumes inside this folder."""
        return self._how.deep and self._how.after is not None and self._how.after.startswith(key)

    def _may_show(self, folder: str, above: str, name: str, kind: Kind) -> bool:
        listable = is_listable(above + name)
        if listable and kind != "other":
            return True
        if self._how.strangers == "refuse":
            what = "is no regular file" if listable else "breaks the path rule"
            raise Obstructed(f"{name!r} in it {what}; remove or rename it first", path=folder)
        if not listable:
            self._strangers.met(folder, name)
        return False


@contextmanager
def _reopened(tree: Tree, folder: str) -> Generator[Directory | None]:
    """The folder again, None where it is gone or no folder any more."""
    try:
        directory = tree.directory(folder)
    except OSError as error:
        if not is_swapped(error):
            raise
        yield None
        return
    with directory:
        yield directory


def _kind(entry: "os.DirEntry[str]") -> Kind:
    try:
        if entry.is_symlink():
            return "other"
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "file" if entry.is_file(follow_symlinks=False) else "other"
    except FileNotFoundError:
        return "other"
