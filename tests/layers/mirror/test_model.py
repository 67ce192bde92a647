"""Random changes under random faults: what was acknowledged is there, and healed disks are equal."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import NotFound, StorageError
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.failover import Failover
from storeroom.layers.mirror import Mirror
from tests.layers.moody import Mood, Moody

PATHS = ("a", "a b/%2F", "a b/c", "é", "z/y/x")
MADE: dict[str, Callable[..., Any]] = {
    "all": lambda *disks, trips: Mirror(*disks[:2], trips=trips, patience=0.2),
    "all of three": lambda *disks, trips: Mirror(*disks, trips=trips, patience=0.2),
    "quorum": lambda *disks, trips: Mirror(*disks, write="quorum", trips=trips, patience=0.2),
    "any": lambda *disks, trips: Mirror(*disks, write=1, trips=trips, patience=0.2),
    "failover": lambda *disks, trips: Failover(*disks[:2], trips=trips, patience=0.2),
    "two standbys": lambda *disks, trips: Failover(*disks, alone="refuse", trips=trips),
    "short journal": lambda *disks, trips: Failover(*disks, journal=2, trips=trips),
}
BIG = 300_000


class World:
    """A layer over moody disks, and for each path what may be there: bytes, or None for nothing."""

    def __init__(self, kind: str, seed: int) -> None:
        self.random = Random(seed)
        self.stores = [MemoryDriver() for _ in range(3)]
        self.disks = [Moody(store) for store in self.stores]
        self.layer = MADE[kind](*self.disks, trips=self.random.choice((1, 2, 1000)))
        self.count = len(self.layer.disks)
        self.may: dict[str, set[bytes | None]] = {path: {None} for path in PATHS}
        self.number = 0

    def set_moods(self) -> None:
        """Each disk's weather for a while."""
        for disk in self.disks:
            bad = self.random.choice((0.0, 0.0, 0.3, 1.0))
            kinds: tuple[Mood, ...] = self.random.choice((("down",), ("lost",), ("down", "lost")))
            disk.mood = self.mood(bad, kinds)

    def mood(self, bad: float, kinds: tuple[Mood, ...]) -> Callable[[str, str], Mood]:
        def mood(operation: str, path: str) -> Mood:
            return self.random.choice(kinds) if self.random.random() < bad else "well"

        return mood

    def content(self) -> bytes:
        self.number += 1
        text = b"%d " % self.number
        return text * (BIG // len(text)) if self.random.random() < 0.1 else text

    async def step(self) -> None:
        path, to = self.random.sample(PATHS, 2)
        do = self.random.choice((self.put, self.put, self.delete, self.get, self.get, self.copy))
        if self.random.random() < 0.15:
            self.set_moods()
        if do == self.copy:
            await self.copy(path, to, move=self.random.random() < 0.5)
        elif self.random.random() < 0.1:
            await self.listed()
        elif self.random.random() < 0.1:
            await self.emptied()
        else:
            await do(path)

    async def put(self, path: str) -> None:
        data = self.content()
        if await self.changed({path: {data}}, self.layer.write(path, self.body(data))):
            held = [store._store.objects.get(path) for store in self.stores]
            count = sum(found is not None and found.content == data for found in held)
            assert count >= self.layer._needed

    def body(self, data: bytes) -> Body:
        if self.random.random() < 0.5:
            return Body(data)

        async def chunks() -> Any:
            for start in range(0, len(data), 70_000):
                yield data[start : start + 70_000]

        return Body(chunks)

    async def delete(self, path: str) -> None:
        await self.changed({path: {None}}, self.layer.remove(path))

    async def emptied(self) -> None:
        """Remove a folder, of which each file then may be gone."""
        new: dict[str, set[bytes | None]] = {
            path: {None} for path in PATHS if path.startswith("a b/")
        }
        await self.changed(new, self.layer.remove_folder("a b"))

    async def copy(self, path: str, to: str, *, move: bool) -> None:
        if self.may[path] == {None}:
            return
        new: dict[str, set[bytes | None]] = {to: self.may[path] - {None}}
        if move:
            new[path] = {None}
        call = self.layer.rename(path, to) if move else self.layer.copy_within(path, to)
        try:
            await self.changed(new, call)
        except NotFound:
            assert None in self.may[path]
            self.may[path] = {None}

    async def changed(self, new: dict[str, set[bytes | None]], call: Any) -> bool:
        """Do it: acknowledged it is so, else it may be so. Whether it was acknowledged."""
        before = {path: set(may) for path, may in self.may.items()}
        for path, may in new.items():
            self.may[path] = before[path] | may
        try:
            await call
        except NotFound:
            self.may |= {path: before[path] for path in new}
            raise
        except StorageError:
            return False
        self.may |= new
        return True

    async def get(self, path: str) -> None:
        """What is read may be there, and from then on is what there is."""
        try:
            found: bytes | None = await self.layer.get(path)
        except NotFound:
            found = None
        except StorageError:
            return
        assert found in self.may[path], (path, found, self.may[path])
        self.may[path] = {found}

    async def listed(self) -> None:
        try:
            found = set(await self.layer.all_files())
        except StorageError:
            return
        certain = {path for path in PATHS if None not in self.may[path]}
        possible = {path for path in PATHS if self.may[path] != {None}}
        if self.layer._asked == 1:
            assert certain <= found <= possible

    async def healed(self) -> None:
        """Everything is well again: all that was acknowledged is there, on every disk."""
        for disk in self.disks:
            disk.be("well")
        for path in PATHS:
            await self.get(path)
        report = await self.layer.heal()
        report.raise_failures()
        assert (await self.layer.verify()).ok
        for path in PATHS:
            await self.get(path)
        first, *others = [store._store.objects for store in self.stores[: self.count]]
        wanted = {path: data for path in PATHS for data in self.may[path] if data is not None}
        assert {path: found.content for path, found in first.items()} == wanted
        for other in others:
            assert {path: found.content for path, found in other.items()} == wanted


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("kind", MADE)
async def test_nothing_acknowledged_is_lost(kind: str, part: int) -> None:
    for seed in range(part * 20, part * 20 + 20):
        world = World(kind, seed)
        for _ in range(30):
            await world.step()
        await world.healed()
        await world.layer.aclose()
