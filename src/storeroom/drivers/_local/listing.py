"""Listing page by page in the byte order of full paths; nothing is held open between the pages.

A folder `a` sorts as `a/`, right before its content and behind `a.txt`, as prefixes do in object
stores. Each folder's names are read at once and sorted; facts are looked up per page.
"""

import logging
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from storeroom.contracts.errors import Obstructed, StorageError, translating
from storeroom.contracts.paths import RESERVED, are_plain, is_listable
from storeroom.contracts.values import Folder, ScanOptions, Stat
from storeroom.drivers._local.beneath import Tree
from storeroom.drivers._local.compiled import looked_at
from storeroom.drivers._local.directory import Directory, is_link
from storeroom.drivers._local.facts import listed
from storeroom.drivers._local.failures import is_missing, is_swapped, reading
from storeroom.drivers._local.root import Root

PAGE = 1000
_FIRST_PAGE = 64

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


class _Level:
    __slots__ = ("folder", "keys")

    def __init__(self, folder: str, keys: list[str]) -> None:
        self.folder = folder
        self.keys = keys  # in reverse: the next one is the last; a folder's ends with "/"


class Listing:
    """One listing under way; every `page` is a call in a worker thread, an empty one the end."""

    def __init__(self, root: Root, folder: str, how: ScanOptions, strangers: Strangers) -> None:
        self._root = root
        self._folder = folder
        self._how = how
        self._strangers = strangers
        self._levels: list[_Level] | None = None
        self._size = _FIRST_PAGE

    def page(self) -> list[Stat | Folder]:
        if self._levels is None:
            self._levels = self._begun()
        found: list[Stat | Folder] = []
        while self._levels and len(found) < self._size:
            self._advance(self._levels, found)
        self._size = PAGE
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
        if not level.keys:
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
        while level.keys and len(found) < self._size:
            if not level.keys[-1].endswith("/"):
                names = _next_files(level.keys, self._size - len(found))
                found += [
                    listed(above + name, facts)
                    for name, facts in zip(names, looked_at(directory, names), strict=True)
                    if facts is not None and stat.S_ISREG(facts.st_mode)
                ]
                continue
            key = level.keys.pop()
            name = key[:-1]
            facts = directory.find(name)
            if facts is None or is_link(facts) or not stat.S_ISDIR(facts.st_mode):
                continue
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
        files, folders, others = _sorted_out(directory)
        above = f"{folder}/" if folder else ""
        if starting or not are_plain(folder, [*files, *folders, *others]):
            for names, are_ours in ((files, True), (folders, True), (others, False)):
                names[:] = self._shown(folder, above, starting, names, are_ours=are_ours)
        elif others and self._how.strangers == "refuse":
            self._refuse(folder, others[0], is_listable=True)
        keys = [*files, *(f"{name}/" for name in folders)]
        if self._how.after is not None:
            keys = [
                key for key in keys if self._is_behind(above + key) or self._is_within(above + key)
            ]
        return _Level(folder, sorted(keys, reverse=True))

    def _shown(
        self, folder: str, above: str, starting: str, names: list[str], *, are_ours: bool
    ) -> Iterator[str]:
        for name in names:
            if not name.startswith(starting) or name.startswith(RESERVED):
                continue
            listable = is_listable(above + name)
            if listable and are_ours:
                yield name
            elif self._how.strangers == "refuse":
                self._refuse(folder, name, is_listable=listable)
            elif not listable:
                self._strangers.met(folder, name)

    def _refuse(self, folder: str, name: str, *, is_listable: bool) -> None:
        what = "is no regular file" if is_listable else "breaks the path rule"
        raise Obstructed(f"{name!r} in it {what}; remove or rename it first", path=folder)

    def _is_behind(self, key: str) -> bool:
        return self._how.after is None or key > self._how.after

    def _is_within(self, key: str) -> bool:
        """Whether a listing that goes deep resumes inside this folder."""
        after = self._how.after
        return self._how.deep and after is not None and key[-1] == "/" and after.startswith(key)


def _next_files(keys: list[str], most: int) -> list[str]:
    """Up to so many files off the end of the keys, as far as no folder comes between."""
    names: list[str] = []
    while keys and len(names) < most and not keys[-1].endswith("/"):
        names.append(keys.pop())
    return names


def _sorted_out(directory: Directory) -> tuple[list[str], list[str], list[str]]:
    """The names of the files, the folders, and all else."""
    files: list[str] = []
    folders: list[str] = []
    others: list[str] = []
    for entry in directory.entries():
        try:
            if entry.is_file(follow_symlinks=False):
                files.append(entry.name)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                others.append(entry.name)
        except FileNotFoundError:
            continue
    return files, folders, others


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
