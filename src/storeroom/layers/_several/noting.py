"""Noting: which disks missed which changes, and bringing them up to date."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError, NotFound, StorageError
from storeroom.contracts.turns import PathTurns
from storeroom.contracts.values import Stat
from storeroom.layers._several.change import nobody
from storeroom.layers._several.ledger import Ledger
from storeroom.layers._several.mending import is_younger, mend, mend_folder
from storeroom.layers._several.several import SILENT, Several

__all__ = ["Noting"]


class Noting(Several):
    """Disks that hold the same files, and what each of them missed.

    A change is acknowledged when `needed` disks have it. `asked` disks are looked at before a read,
    where more than one the newest file counts; it is missing where `certain` of them say so. What a
    disk missed is noted, in memory and for up to `journal` paths, is not read from there, and is
    mended behind the calls that come upon it, if `repair` says so.
    """

    def __init__(
        self,
        disks: tuple[StorageDriver, ...],
        /,
        *,
        needed: int,
        asked: int,
        certain: int,
        repair: bool,
        journal: int,
        patience: float,
        trips: int,
    ) -> None:
        super().__init__(disks, patience=patience, trips=trips)
        if type(journal) is not int or journal < 1:
            raise ConfigError(f"journal counts paths, so at least 1, not {journal!r}")
        self._needed = needed
        self._asked = asked
        self._certain = certain
        self._repair = repair
        self._ledger = Ledger(len(disks), journal)
        self._turns = PathTurns()
        self._refusing: set[int] = set()

    def _readers(self, path: str, but: Iterable[int] = ()) -> list[int]:
        """Who may be read from, those first that answer."""
        up = self._up()
        may = (self._ledger.fresh(path) or self._ledger.doubtful(path)) - set(but)
        return sorted(may, key=lambda number: (number not in up, number))

    def _seen(self, path: str, number: int) -> None:
        if self._ledger.knows(path):
            self._ledger.settle(path, number)
            self._send_mending(path)

    def _nobody(self, path: str, failures: dict[int, Exception]) -> StorageError:
        names = self.names
        lacking = [names[n] for n in range(len(names)) if n not in failures]
        also = f"{', '.join(map(repr, lacking))} missed a change of it" if lacking else ""
        return nobody(names, path, failures, also)

    def _returned(self, number: int) -> None:
        if self._repair and self._ledger.amiss():
            self._send_return(number, "")

    def _send_return(self, number: int, folder: str) -> None:
        self._errands.send(("return", number), lambda: self._mend_all(folder, number))

    def _send_mending(self, path: str) -> None:
        if self._repair and self._ledger.knows(path):
            self._errands.send(("mend", path), lambda: self._mend_one(path))

    async def _mend_all(self, folder: str, number: int) -> None:
        """Mend what this disk missed under the folder, as far as it can be now, oldest first."""
        for key in self._ledger.amiss(folder, number):
            await self._mend_one(key)

    async def _mend_one(self, key: str) -> None:
        """Bring the disks that missed a change of the path up to date, as far as they answer."""
        with suppress(StorageError):  # it stays noted, and is tried again
            async with self._turns.taken(key):
                await self._mend(key)

    async def _mend(self, key: str) -> None:
        up = self._up()
        if not self._ledger.fresh(key):
            settled = next((n for n in up if n in self._ledger.doubtful(key)), None)
            if settled is None:
                return
            await self._ask(settled, lambda disk: _probed(disk, key.removesuffix("/")))
            self._ledger.settle(key, settled)
        fresh = self._ledger.fresh(key)
        source = next((number for number in up if number in fresh), None)
        found = {} if key.endswith("/") else await self._found(key, up)
        if source is None or (found and source not in found):
            return
        if self._is_outdated(key, found):
            self._ledger.forget(key)
            return
        for number in up:
            if number in fresh or number in self._ledger.out or self._is_busy(number):
                continue
            if key.endswith("/"):
                await mend_folder(self._ask, key.removesuffix("/"), source, number)
            elif number in found:
                await mend(self._ask, key, source, number, found[number])
            else:
                continue
            self._ledger.mended(key, number)

    async def _found(self, path: str, numbers: Sequence[int]) -> dict[int, Stat | None]:
        """What those of the disks that answer have at the path."""
        found: dict[int, Stat | None] = {}
        for number in numbers:
            with suppress(*SILENT):
                try:
                    found[number] = await self._ask(number, lambda disk: disk.stat(path))
                except NotFound:
                    found[number] = None
        return found

    def _is_outdated(self, path: str, found: Mapping[int, Stat | None]) -> bool:
        """Whether another process changed the path since it was noted what it should be."""
        note = self._ledger.noted(path)
        if note is None:
            return False
        for number, stat in found.items():
            etag = "" if stat is None else stat.etag
            if number in note.etags and etag not in (None, note.etags[number]):
                return True
            if number not in note.disks and is_younger(stat, note.since):
                return True
        return False


async def _probed(disk: StorageDriver, path: str) -> None:
    with suppress(NotFound):
        await disk.stat(path)
