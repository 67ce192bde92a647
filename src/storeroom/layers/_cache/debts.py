"""Debts: changes that a shared place has not been told of yet."""

import threading
from collections.abc import Collection
from typing import NamedTuple

from storeroom.contracts.forks import after_fork
from storeroom.layers._cache.entry import Change

__all__ = ["Debts", "Due"]

_MANY = 10_000
_ROOT = ""


class Due(NamedTuple):
    """What is owed at a moment: paths and folders, each with the number of its last change."""

    paths: dict[str, int]
    folders: dict[str, int]

    def changes(self) -> list[Change]:
        """All of it as changes: one for the paths, one for each folder."""
        paths = [Change(tuple(self.paths))] if self.paths else []
        return paths + [Change(folder=folder) for folder in self.folders]

    def without(self, paths: Collection[str], /) -> "Due":
        """What of it is about none of these paths."""
        folders = {
            folder: number
            for folder, number in self.folders.items()
            if not any(map(Change(folder=folder).touches, paths))
        }
        return Due({p: number for p, number in self.paths.items() if p not in paths}, folders)


class Debts:
    """Changes to tell; over 10,000 become one of everything. Safe between threads."""

    def __init__(self) -> None:
        self._renew()
        after_fork(self, Debts._renew)
        self._number = 0
        self._paths: dict[str, int] = {}
        self._folders: dict[str, int] = {}

    def owe(self, change: Change, /) -> None:
        """Note a change."""
        with self._lock:
            self._number += 1
            self._paths.update(dict.fromkeys(change.paths, self._number))
            if change.folder is not None:
                self._folders[change.folder] = self._number
            if len(self._paths) + len(self._folders) > _MANY:
                self._paths.clear()
                self._folders = {_ROOT: self._number}

    def owes(self, path: str, /) -> bool:
        """Whether a change of this file is not told yet."""
        if path in self._paths:
            return True
        with self._lock:
            return any(Change(folder=folder).touches(path) for folder in self._folders)

    def due(self) -> Due | None:
        """All that is to be told now, None where nothing is."""
        with self._lock:
            if not self._paths and not self._folders:
                return None
            return Due(dict(self._paths), dict(self._folders))

    def paid(self, due: Due, /) -> None:
        """It was told; what was changed again since stays."""
        with self._lock:
            for owed, told in ((self._paths, due.paths), (self._folders, due.folders)):
                for key, number in told.items():
                    if owed.get(key) == number:
                        del owed[key]

    def _renew(self) -> None:
        self._lock = threading.Lock()
