"""Fills: what was read before a change must not be stored after it."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from math import inf
from time import monotonic

from storeroom.contracts.forks import after_fork
from storeroom.layers._cache.entry import Change

__all__ = ["Fill", "Fills"]


class Fill:
    """One reading of a file that may end in the store."""

    __slots__ = ("_spoiled", "begun")

    def __init__(self) -> None:
        self.begun = monotonic()
        self._spoiled = False

    def spoil(self) -> None:
        """The file was changed since this began."""
        self._spoiled = True

    def is_spoiled(self) -> bool:
        """Whether what was read may be from before a change."""
        return self._spoiled


class Fills:
    """The fills under way, by path. Whoever stores holds `lock` while it asks whether it `is_spoiled`.

    Changes elsewhere are heard of until `hears_until`; after it nothing is used unasked.
    `is_shared` says that a change anywhere is seen here before it returns there.
    """

    hears_until = inf
    is_shared = False

    def __init__(self) -> None:
        self._renew()
        after_fork(self, Fills._renew)
        self._under_way: dict[str, set[Fill]] = {}

    @property
    def is_believed(self) -> bool:
        """Whether changes elsewhere are heard of."""
        return monotonic() < self.hears_until

    @contextmanager
    def filling(self, path: str, /) -> Generator[Fill]:
        """A fill of this path, which begins before the file is read."""
        fill = Fill()
        with self.lock:
            self._under_way.setdefault(path, set()).add(fill)
        try:
            yield fill
        finally:
            with self.lock:
                held = self._under_way[path]
                held.discard(fill)
                if not held:
                    del self._under_way[path]

    def spoil(self, change: Change, /) -> None:
        """Let no fill of these files be stored; under `lock`."""
        if change.folder is None:
            touched = [path for path in change.paths if path in self._under_way]
        else:
            touched = [path for path in self._under_way if change.touches(path)]
        for path in touched:
            for fill in self._under_way[path]:
                fill.spoil()

    def _renew(self) -> None:
        self.lock = threading.Lock()
