"""Which disks hold the truth about which paths, as far as this process knows."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from storeroom.contracts.forks import after_fork

__all__ = ["Ledger", "Note"]


@dataclass(frozen=True, slots=True)
class Note:
    """Which disks are fresh, since when, and with which etags where they are known, "" for no file.

    If they are `doubtful`, one of them is the truth, and which one is not known.
    """

    disks: frozenset[int]
    etags: Mapping[int, str] = field(default_factory=dict[int, str])
    doubtful: bool = False
    since: datetime = field(default_factory=lambda: datetime.now(UTC))


class Ledger:
    """What every disk is worth for every path: fresh, doubtful or stale.

    A path that is not in here is fresh on all disks that are not `out`. Where an outcome is unknown
    on all of them they are doubtful: the first one that is looked at is then the truth. A path that
    ends in `/` is a folder, without what is in it. Holds up to `limit` paths: then the disks that are
    stale anywhere are out as a whole until they are healed, unless that would be all of them.
    """

    def __init__(self, disks: int, limit: int, /) -> None:
        self._all = frozenset(range(disks))
        self._limit = limit
        self._renew()
        after_fork(self, Ledger._renew)
        self._notes: dict[str, Note] = {}
        self._slipped: frozenset[int] = frozenset()
        self.out: frozenset[int] = frozenset()

    def knows(self, path: str, /) -> bool:
        """Whether some disk is not fresh here."""
        return path in self._notes

    def fresh(self, path: str, /) -> frozenset[int]:
        """The disks whose file at the path, or whose lack of one, is the truth."""
        note = self._notes.get(path)
        if note is None:
            return self._all - self.out
        return frozenset[int]() if note.doubtful else note.disks - self.out

    def doubtful(self, path: str, /) -> frozenset[int]:
        """The disks of which one is the truth, and none is known to be."""
        note = self._notes.get(path)
        return note.disks - self.out if note is not None and note.doubtful else frozenset[int]()

    @property
    def is_full(self) -> bool:
        """Whether it can take note of nothing more, because every disk is stale somewhere."""
        return len(self._notes) >= self._limit

    def is_whole(self, disk: int, folder: str = "", /) -> bool:
        """Whether nothing under the folder is stale or doubtful on the disk."""
        return disk not in self.out and not any(self.amiss(folder, disk))

    def amiss(self, folder: str = "", disk: int | None = None, /) -> list[str]:
        """The paths under the folder that are not fresh on this disk, on any without one; oldest first."""
        if not self._notes:
            return []
        with self._lock:
            known = list(self._notes.items())
        return [
            key
            for key, note in known
            if key.startswith(f"{folder}/" if folder else "")
            and (disk is None or note.doubtful or disk not in note.disks)
        ]

    def noted(self, path: str, /) -> Note | None:
        """What is noted of the path."""
        return self._notes.get(path)

    def note(
        self,
        path: str,
        /,
        *,
        held: Collection[int],
        unsure: Collection[int],
        etags: Mapping[int, str],
    ) -> None:
        """What a change came to: `held` have it, `unsure` may have it, all others are as before.

        Where somebody has it, it is the truth from now on, whatever the caller was told; `etags` are
        those of the ones that have it.
        """
        before, maybe = self.fresh(path), frozenset(unsure) - self.out
        old = before - maybe
        with self._lock:
            self._slipped |= self.out - frozenset(held)
            if has := frozenset(held) - self.out:
                self._put(path, Note(has, etags))
            elif maybe and old:
                self._put(path, Note(old))
            elif maybe and before:
                self._put(path, Note(before, doubtful=True))
            self._bound()

    def settle(self, path: str, disk: int, /) -> None:
        """Of the doubtful ones this disk is the truth."""
        with self._lock:
            note = self._notes.get(path)
            if note is not None and note.doubtful:
                self._put(path, Note(frozenset((disk,))))

    def mended(self, path: str, disk: int, /) -> None:
        """The disk now has the truth about the path."""
        with self._lock:
            if (note := self._notes.get(path)) is not None:
                self._put(path, replace(note, disks=note.disks | {disk}))

    def forget(self, path: str, /) -> None:
        """Somebody else changed the path: what is noted of it no longer holds."""
        with self._lock:
            self._notes.pop(path, None)

    def healing(self) -> None:
        """From now on it is noted whether a disk that is out misses a change."""
        with self._lock:
            self._slipped = frozenset()

    def healed(self) -> frozenset[int]:
        """Everything was compared: who is out nevertheless, having missed a change meanwhile."""
        with self._lock:
            self.out &= self._slipped
            return self.out

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def _put(self, path: str, note: Note) -> None:
        if not note.doubtful and note.disks >= self._all - self.out:
            self._notes.pop(path, None)
        else:
            self._notes[path] = note

    def _bound(self) -> None:
        if len(self._notes) < self._limit:
            return
        stale = self.out
        for note in self._notes.values():
            stale |= self._all - ({min(note.disks)} if note.doubtful else note.disks)
        if stale < self._all:  # somebody has to be the truth; else nothing may be forgotten
            self.out = stale
            self._notes.clear()
