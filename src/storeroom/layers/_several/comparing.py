"""Comparing: whether disks hold the same files, and making it so."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Literal

from storeroom.contracts import threads
from storeroom.contracts.abilities import Checksum, find
from storeroom.contracts.comparison import Comparison, Difference
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    Corrupted,
    InvalidArgument,
    NotFound,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import DEEP, Report, Stat
from storeroom.files._verb import checked_folder
from storeroom.files.facts import digested
from storeroom.layers._several.mending import mend
from storeroom.layers._several.replicated import Replicated
from storeroom.layers._together import together

__all__ = ["Compared"]

_AT_ONCE = 16
_TRIES = 3
_ALGORITHMS = ("md5", "sha256")


class Compared(Replicated):
    """Replicas that can be compared and healed.

    Compared are names, sizes and, if `deep`, hashes of the content: one that all services know, else
    that of the bytes, which are read for it. Type and metadata are not. Listings in order are merged as
    they come; one that is not (see `traits.ordered`) is held in memory.
    """

    async def verify(self, folder: str = "", /, *, deep: bool = True) -> Comparison:
        """What differs between the disks under a folder; `Unavailable` while one of them is down."""
        folder = checked_folder(self, folder)
        await self._all_up()
        differing: dict[str, Difference] = {}
        count = 0
        async with aclosing(self._batches(folder)) as batches:
            async for batch in batches:
                count += len(batch)
                found = await together(self._difference(path, deep=deep) for path in batch)
                differing |= {one.path: one for one in found if one is not None}
        return Comparison(count, differing)

    async def heal(
        self, folder: str = "", /, *, prefer: str = "newest", deep: bool = True
    ) -> Report[str]:
        """Make the disks the same under a folder: what was done to each path, and what could not be.

        What this process knows of missed changes decides first. Else the newest file does, by the
        services' clocks; where a file is missing on some disks, or two are equally old, nothing
        says which is right: that is reported, and done only if `prefer` names the disk that is.
        """
        folder = checked_folder(self, folder)
        preferred = None if prefer == "newest" else self._number(prefer)
        await self._all_up()
        done: dict[str, str] = {}
        failed: dict[str, Exception] = {}
        self._ledger.healing()
        for key in self._ledger.amiss(folder):
            try:
                async with self._turns.taken(key):
                    await self._mend(key)
                if self._ledger.knows(key):
                    raise Unavailable("not all disks that missed a change of it answer", path=key)
                done[key] = "mended"
            except StorageError as error:
                failed[key] = error

        async def one(path: str) -> None:
            try:
                what = await self._healed(path, preferred, deep=deep)
            except StorageError as error:
                failed[path] = error
            else:
                done.update({path: what} if what else {})

        async with aclosing(self._batches(folder)) as batches:
            async for batch in batches:
                await together(one(path) for path in batch)
        if not folder and not failed:
            for number in self._ledger.healed():
                name = self.names[number]
                failed[""] = Unavailable(f"{name!r} missed changes meanwhile; heal again")
        return Report(done, failed)

    async def _all_up(self) -> None:
        """Try those that are down; nothing can be said of disks that do not answer."""
        _ = self.inner
        down = [number for number, health in enumerate(self._health) if not health.is_up]
        answers = await together(self._tried(number) for number in down)
        lacking = [self.names[n] for n, up in zip(down, answers, strict=True) if not up]
        if lacking:
            names = ", ".join(map(repr, lacking))
            raise Unavailable(f"{names} does not answer; the disks are compared when all do")

    def _number(self, name: str) -> int:
        if name not in self.names:
            known = ", ".join(map(repr, self.names))
            raise InvalidArgument(f"prefer is 'newest' or a disk, {known}, not {name!r}")
        return self.names.index(name)

    async def _healed(self, path: str, preferred: int | None, *, deep: bool) -> str | None:
        async with self._turns.taken(path):
            stats, marks = await self._facts(path, deep=deep)
            if len(set(marks.values())) == 1:
                return None
            source = self._right(path, stats, marks) if preferred is None else preferred
            targets = [number for number in marks if marks[number] != marks[source]]
            for number in targets:
                await mend(self._ask, path, source, number, stats[number])
                self._ledger.mended(path, number)
            names = self.names
            others = ", ".join(repr(names[number]) for number in targets)
            if stats[source] is None:
                return f"removed from {others}"
            return f"copied from {names[source]!r} to {others}"

    def _right(self, path: str, stats: dict[int, Stat | None], marks: dict[int, str]) -> int:
        """The disk that has the file as it should be."""
        fresh = sorted(self._ledger.fresh(path) or stats)
        if len({marks[number] for number in fresh}) == 1:
            return fresh[0]
        times = {number: stat.modified for number in fresh if (stat := stats[number]) is not None}
        if len(times) < len(fresh):
            lacking = ", ".join(repr(self.names[n]) for n in fresh if n not in times)
            reason = f"missing on {lacking}, and nothing says whether it was removed or never came"
            raise Corrupted(f"{reason}; heal(prefer=...) says which disk is right", path=path)
        known = {number: time for number, time in times.items() if time is not None}
        newest = max(known.values(), default=None)
        latest = [number for number, time in known.items() if time == newest]
        if len(known) < len(fresh) or len({marks[number] for number in latest}) > 1:
            reason = "the files differ and none is the newest"
            raise Corrupted(f"{reason}; heal(prefer=...) says which disk is right", path=path)
        return latest[0]

    async def _difference(self, path: str, *, deep: bool) -> Difference | None:
        async with self._turns.taken(path):
            stats, marks = await self._facts(path, deep=deep)
        if len(set(marks.values())) == 1:
            return None
        names = self.names
        found = {names[number]: stat for number, stat in stats.items()}
        sizes = {None if stat is None else stat.size for stat in stats.values()}
        kind: Literal["missing", "size", "content"] = "content" if len(sizes) == 1 else "size"
        return Difference(path, "missing" if None in stats.values() else kind, found)

    async def _facts(
        self, path: str, *, deep: bool
    ) -> tuple[dict[int, Stat | None], dict[int, str]]:
        """What each disk has, and what tells it from the others'; somebody may remove it meanwhile."""
        for _ in range(_TRIES):
            stats = await self._stats(path)
            with suppress(NotFound):
                return stats, await self._marks(path, stats, deep=deep)
        raise Unavailable("it comes and goes while it is compared", path=path)

    async def _stats(self, path: str) -> dict[int, Stat | None]:
        async def one(number: int) -> Stat | None:
            try:
                return await self._ask(number, lambda disk: disk.stat(path))
            except NotFound:
                return None

        return dict(enumerate(await together(map(one, range(len(self._disks))))))

    async def _marks(
        self, path: str, stats: Mapping[int, Stat | None], *, deep: bool
    ) -> dict[int, str]:
        """What tells each disk's file from others, "" where there is none."""
        marks = {n: "" if stat is None else f"{stat.size} bytes" for n, stat in stats.items()}
        for size in set(marks.values()) - {""} if deep else ():
            alike = [number for number, mark in marks.items() if mark == size]
            if len(alike) > 1:
                hashes = await _hashes([self._disks[number] for number in alike], path)
                marks |= dict(zip(alike, hashes, strict=True))
        return marks

    async def _batches(self, folder: str) -> AsyncGenerator[list[str]]:
        batch: list[str] = []
        async with aclosing(self._rows(folder)) as rows:
            async for row in rows:
                batch.append(row)
                if len(batch) == _AT_ONCE:
                    yield batch
                    batch = []
        if batch:
            yield batch

    async def _rows(self, folder: str) -> AsyncGenerator[str]:
        """The paths of all files on all disks, each once, in order."""
        _ = self.inner
        async with AsyncExitStack() as stack:
            heads: dict[AsyncGenerator[str], str] = {}
            for number in range(len(self._disks)):
                paths = self._paths(number, folder)
                await stack.enter_async_context(aclosing(paths))
                await _advance(heads, paths)
            while heads:
                path = min(heads.values(), key=str.encode)
                yield path
                for paths in [one for one, head in heads.items() if head == path]:
                    await _advance(heads, paths)

    async def _paths(self, number: int, folder: str) -> AsyncGenerator[str]:
        disk = self._disks[number]
        async with aclosing(disk.scan(folder, DEEP)) as entries:
            if disk.traits.ordered:
                async for entry in entries:
                    if isinstance(entry, Stat):
                        yield entry.path
                return
            found = [entry.path async for entry in entries if isinstance(entry, Stat)]
        for path in await threads.run(sorted, found, key=str.encode):
            yield path


async def _advance(heads: dict[AsyncGenerator[str], str], paths: AsyncGenerator[str]) -> None:
    head = await anext(paths, None)
    if head is None:
        heads.pop(paths, None)
    else:
        heads[paths] = head


async def _hashes(disks: Sequence[StorageDriver], path: str) -> list[str]:
    """The file's hash on each disk: by one algorithm that all services know, else of the bytes."""
    natives = [find(disk, Checksum) for disk in disks]
    if None not in natives:
        for algorithm in _ALGORITHMS:
            with suppress(Unsupported):
                return await together(
                    native.digest(path, algorithm) for native in natives if native is not None
                )
    return await together(digested(disk, path, "sha256") for disk in disks)
