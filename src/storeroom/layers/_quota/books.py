"""Books: what a disk holds, and what those under way may yet make of it; arithmetic without I/O."""

import threading
from dataclasses import dataclass, field

from storeroom.contracts.paths import inside
from storeroom.contracts.turns import Turns

__all__ = ["Books", "Change", "Region"]


@dataclass(slots=True)
class Entry:
    """One path that is being changed, by `changes` at once, and what is counted for it meanwhile.

    `whole` is the largest file that any of them may leave behind, `added` what appends may add to it.
    `base` is its size before all of them, None for no file. With `doubt` the outcome is not known.
    """

    changes: int = 0
    joined: int = 0
    known: bool = False
    base: int | None = None
    whole: int = 0
    added: int = 0
    files: int = 0
    doubt: bool = False

    @property
    def bytes(self) -> int:
        return self.whole + self.added


@dataclass(slots=True, eq=False)
class Change:
    """One change of one path, which may have happened from `begun` on.

    `creates` says that it is for a new file only, `stale` that it is for another file than was there.
    `old` is the size before it, `sent` the bytes on their way, `added` those that are appended, and
    `size` what it left behind once it is `settled`; `moves_to` is the other end of a rename.
    """

    path: str
    entry: Entry
    mark: int
    alone: bool
    creates: bool = False
    stale: bool = False
    old: int | None = None
    sent: int = 0
    added: int = 0
    begun: bool = False
    settled: bool = False
    size: int | None = None
    moves_to: "Change | None" = None

    def settle(self, size: int | None, /) -> None:
        """Say what is there now: a file of this size, or None."""
        self.settled = True
        self.size = size


@dataclass(slots=True, eq=False)
class Region:
    """A folder that is being removed; `held` are the paths under it that others change meanwhile."""

    folder: str
    held: dict[str, Entry] = field(default_factory=dict[str, Entry])

    def covers(self, path: str) -> bool:
        return not self.folder or inside(self.folder, path)


@dataclass(slots=True)
class Audit:
    """A count under way: of what was listed so far, and of the paths changed meanwhile in place of it."""

    ordered: bool
    bytes: int = 0
    files: int = 0
    apart: set[str] = field(default_factory=set[str])
    passed: set[str] = field(default_factory=set[str])
    last: str = ""

    def has_passed(self, path: str) -> bool:
        return path <= self.last if self.ordered else path in self.passed


class Books:
    """The sum of all files, with the largest that each change under way may leave; safe between threads.

    Nobody waits for anybody: where several change one path, the largest outcome is counted until the
    last of them is done, and then the path is looked at again.
    """

    def __init__(self, max_bytes: int | None, max_files: int | None, /) -> None:
        self.max_bytes = max_bytes
        self.max_files = max_files
        self.bytes = 0
        self.files = 0
        self._entries: dict[str, Entry] = {}
        self._pins: dict[str, tuple[Turns, int]] = {}
        self._regions: list[Region] = []
        self._audit: Audit | None = None
        self._lock = threading.Lock()

    def join(
        self, path: str, /, *, of: Region | None = None, pinned: bool = False
    ) -> Change | Turns:
        """A change of this path, or the gate to wait at where it is being copied."""
        with self._lock:
            if not pinned and path in self._pins:
                return self._pins[path][0]
            entry = self._entries.setdefault(path, Entry())
            entry.changes += 1
            entry.joined += 1
            if entry.changes > 1:
                entry.doubt = True
            for region in self._regions:
                if region.covers(path) and region is not of and path not in region.held:
                    self._hold(region, path, entry)
            return Change(path, entry, entry.joined, entry.changes == 1)

    def know(self, change: Change, old: int | None, /) -> None:
        """Note the size before the change, which has not begun yet."""
        entry = change.entry
        change.old = old
        with self._lock:
            if not entry.known:
                entry.known, entry.base = True, old
                entry.whole, entry.files = old or 0, int(old is not None)
                self._set_apart(change.path, entry)
            elif change.alone and entry.joined == change.mark:  # nobody else changed it
                self._set(entry, old)
                entry.base, entry.doubt = old, False

    def reserve(self, change: Change, size: int, /) -> bool:
        """Count a file of this size: whether there is room."""
        with self._lock:
            entry = change.entry
            if not self._has_room(entry, max(0, size - entry.whole)):
                return False
            self._raise(entry, size)
            return True

    def append(self, change: Change, size: int, /) -> bool:
        """Count so many bytes appended by this change altogether: whether there is room."""
        with self._lock:
            entry = change.entry
            more = max(0, size - change.added)
            if not self._has_room(entry, more):
                return False
            self._count(more, 1 - entry.files)
            entry.added, entry.files = entry.added + more, 1
            change.added += more
            return True

    def moved(self, source: Change, target: Change, size: int, /) -> None:
        """A rename is done: what was counted at its source is counted at its target, in one step."""
        source.settle(None)
        target.settle(size)
        with self._lock:
            self._set(source.entry, None)
            self._raise(target.entry, size)

    def leave(self, change: Change, /) -> bool:
        """The change is over: whether the path has to be looked at."""
        with self._lock:
            entry = change.entry
            entry.changes -= 1
            if change.begun and not change.settled:
                entry.doubt = True
                if change.moves_to is not None and entry.files:  # it may be at either end
                    self._raise(change.moves_to.entry, entry.bytes)
            if entry.changes:
                return False
            if entry.doubt and entry.known:
                return True
            self._set(entry, change.size if change.settled else entry.base)
            del self._entries[change.path]
            return False

    def full(self, asked: str, /) -> str:
        """Why there is no room for what was asked."""
        limits = (("bytes", self.bytes, self.max_bytes), ("files", self.files, self.max_files))
        held = [f"{used:,} of {most:,} {unit}" for unit, used, most in limits if most is not None]
        room = f"{' and '.join(held)} are stored or on their way"
        return f"the quota has no room for {asked}: {room}"

    def doubts(self, *paths: str) -> dict[str, int]:
        """The paths whose size nobody knows, all or of these, each with a mark for `resolve`."""
        with self._lock:
            return {
                path: entry.joined
                for path, entry in self._entries.items()
                if entry.doubt and not entry.changes and (not paths or path in paths)
            }

    def resolve(self, path: str, mark: int, size: int | None, /) -> None:
        """Note what is there after all, unless somebody changed it again since the mark."""
        with self._lock:
            entry = self._entries.get(path)
            if entry is not None and not entry.changes and entry.joined == mark:
                self._set(self._entries.pop(path), size)

    def pin(self, path: str, /) -> bool:
        """Keep others from beginning to change this path until `unpin`; False where some have begun."""
        with self._lock:
            entry = self._entries.get(path)
            if entry is not None and entry.changes:
                return False
            gate, count = self._pins.get(path) or (Turns(1, taken=1), 0)
            self._pins[path] = (gate, count + 1)
            return True

    def unpin(self, path: str, /) -> None:
        """Let others go on, unless somebody else keeps them."""
        with self._lock:
            gate, count = self._pins.pop(path)
            if count > 1:
                self._pins[path] = (gate, count - 1)
                return
        gate.give()

    def enter(self, folder: str, /) -> Region:
        """Begin to remove a folder."""
        region = Region(folder)
        with self._lock:
            self._regions.append(region)
            for path, entry in self._entries.items():
                if region.covers(path):
                    self._hold(region, path, entry)
        return region

    def depart(self, region: Region, /) -> None:
        """The folder is removed, and with it perhaps what others changed meanwhile: they are in doubt."""
        with self._lock:
            self._regions.remove(region)
            for path, entry in region.held.items():
                entry.changes -= 1
                entry.joined += 1
                if not entry.known and not entry.changes:
                    del self._entries[path]

    def begin_audit(self, *, ordered: bool) -> None:
        """Begin to count anew; what is being changed is counted as it is in the books."""
        with self._lock:
            self._audit = Audit(ordered)
            for path, entry in self._entries.items():
                if entry.known:
                    self._set_apart(path, entry)

    def listed(self, path: str, size: int, /) -> None:
        """Count a file that the audit found."""
        with self._lock:
            audit = self._audit
            if audit is None or path in audit.apart:
                return
            audit.bytes += size
            audit.files += 1
            audit.last = path
            if not audit.ordered:
                audit.passed.add(path)

    def end_audit(self, *, complete: bool) -> None:
        """Put the new sums in place of the old."""
        with self._lock:
            audit, self._audit = self._audit, None
            if audit is not None and complete:
                self.bytes, self.files = audit.bytes, audit.files

    def _hold(self, region: Region, path: str, entry: Entry) -> None:
        region.held[path] = entry
        entry.changes += 1
        entry.joined += 1
        entry.doubt = True

    def _set_apart(self, path: str, entry: Entry) -> None:
        audit = self._audit
        if audit is None or path in audit.apart or audit.has_passed(path):
            return
        audit.apart.add(path)
        audit.bytes += entry.bytes
        audit.files += entry.files

    def _set(self, entry: Entry, size: int | None) -> None:
        self._count((size or 0) - entry.bytes, int(size is not None) - entry.files)
        entry.whole, entry.added, entry.files = size or 0, 0, int(size is not None)

    def _has_room(self, entry: Entry, more: int) -> bool:
        """Whether more bytes, and the file if it is new, fit in; what is in doubt must not be beyond."""
        new = 1 - entry.files
        full = self.max_bytes is not None and self.bytes + more > self.max_bytes
        many = self.max_files is not None and self.files + new > self.max_files
        return not (full and (more or entry.doubt)) and not (many and (new or entry.doubt))

    def _raise(self, entry: Entry, size: int) -> None:
        """Count a file of at least this size."""
        more = max(0, size - entry.whole)
        self._count(more, 1 - entry.files)
        entry.whole, entry.files = entry.whole + more, 1

    def _count(self, more: int, new: int) -> None:
        self.bytes += more
        self.files += new
        if self._audit is not None:
            self._audit.bytes += more
            self._audit.files += new
