"""What was found out about files, by their etags: a bounded memory of the last ones."""

import threading
from collections import OrderedDict
from typing import NamedTuple

from storeroom.contracts.forks import after_fork
from storeroom.layers._compression.table import ENTRY, Table

__all__ = ["Known", "Seen"]

_MOST = 512
_HEAVIEST = 8 << 20


class Seen(NamedTuple):
    """A file as of `etag`: its table, None where it is stored as it is."""

    etag: str
    table: Table | None


class Known:
    """The last files that were looked into, safe between threads."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, Seen] = OrderedDict()
        self._weight = 0
        self._renew()
        after_fork(self, Known._renew)

    def get(self, path: str, /) -> Seen | None:
        """What is known of the path."""
        with self._lock:
            seen = self._seen.get(path)
            if seen is not None:
                self._seen.move_to_end(path)
            return seen

    def note(self, path: str, etag: str | None, table: Table | None, /) -> None:
        """Remember it; without an etag nobody could tell later whether it is still so."""
        if not path or etag is None or _weight(table) > _HEAVIEST:
            return
        with self._lock:
            self._drop(path)
            self._seen[path] = Seen(etag, table)
            self._weight += _weight(table)
            while len(self._seen) > _MOST or self._weight > _HEAVIEST:
                self._drop(next(iter(self._seen)))

    def forget(self, path: str, /) -> None:
        """It is no longer so."""
        with self._lock:
            self._drop(path)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def _drop(self, path: str) -> None:
        seen = self._seen.pop(path, None)
        if seen is not None:
            self._weight -= _weight(seen.table)


def _weight(table: Table | None) -> int:
    return 0 if table is None else len(table) * ENTRY
