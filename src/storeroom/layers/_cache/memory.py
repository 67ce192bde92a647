"""Entries in this process's memory: the least recently used make room."""

from collections import OrderedDict
from time import monotonic

from storeroom.layers._cache.entry import EVERYTHING, Change, Entry
from storeroom.layers._cache.fills import Fill, Fills
from storeroom.layers._cache.store import NOTHING, Found

__all__ = ["MemoryStore"]

_ABSENT = 1024


class MemoryStore(Fills):
    """Entries up to `max_bytes` and `max_entries`; safe between threads and loops.

    Hits take no lock: each step of theirs is one call on a dictionary. Answers that there is no file
    have room for 1,024 of their own, so that asking for what is not there throws nothing out.
    """

    errors = 0

    def __init__(self, *, max_bytes: int, max_entries: int) -> None:
        super().__init__()
        self.evictions = 0
        self.weight = 0
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._held: OrderedDict[str, Entry] = OrderedDict()
        self._absent: OrderedDict[str, Entry] = OrderedDict()

    @property
    def entries(self) -> int:
        """How many are held."""
        return len(self._held) + len(self._absent)

    def peek(self, path: str, /) -> Entry | None:
        """What may be used without asking anybody."""
        entry, now = self._held.get(path), monotonic()
        if entry is None or entry.until <= now or self.hears_until <= now:
            return None
        try:
            self._held.move_to_end(path)
        except KeyError:  # another thread was faster
            return None
        return entry

    async def get(self, path: str, /) -> Found:
        """What is held of a file."""
        entry = self._held.get(path) or self._absent.get(path)
        if entry is None:
            return NOTHING
        with self.lock:
            if path in self._held:
                self._held.move_to_end(path)
        return Found(entry if self.is_believed else Entry(entry.stat, entry.content, 0.0))

    async def put(self, path: str, entry: Entry, fill: Fill, found: Found, /) -> None:
        """Hold it, unless the file was changed since the fill began."""
        with self.lock:
            if fill.is_spoiled():
                return
            self._drop(path)
            if entry.stat is None:
                self._absent[path] = entry
                if len(self._absent) > min(_ABSENT, self._max_entries):
                    self._absent.popitem(last=False)
            elif entry.weight <= self._max_bytes:
                self._held[path] = entry
                self.weight += entry.weight
                self._make_room()

    def change(self, change: Change, /) -> None:
        """Forget these files."""
        with self.lock:
            self.spoil(change)
            for path in self._touched(change):
                self._drop(path)

    async def announce(self, change: Change, /) -> None:
        """Nobody else to tell."""

    async def settle(self) -> None:
        """Nobody else to tell."""

    async def aclose(self) -> None:
        """Let go of everything."""
        with self.lock:
            self.spoil(EVERYTHING)
            self._held.clear()
            self._absent.clear()
            self.weight = 0

    def _touched(self, change: Change) -> tuple[str, ...] | list[str]:
        if change.folder is None:
            return change.paths
        return [path for path in (*self._held, *self._absent) if change.touches(path)]

    def _drop(self, path: str) -> None:
        self._absent.pop(path, None)
        entry = self._held.pop(path, None)
        if entry is not None:
            self.weight -= entry.weight

    def _make_room(self) -> None:
        while self.weight > self._max_bytes or len(self._held) > self._max_entries:
            _, oldest = self._held.popitem(last=False)
            self.weight -= oldest.weight
            self.evictions += 1
