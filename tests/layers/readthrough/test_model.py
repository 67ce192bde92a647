"""Random reads and changes before a fast disk that fails: what is read is what is there."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from storeroom.contracts.errors import NotFound
from storeroom.layers.readthrough import ReadThrough
from tests.layers.moody import Mood
from tests.layers.readthrough.test_readthrough import Two

PATHS = ("a", "f/b %2F", "f/c", "é")
BIG = 3 << 19


class World:
    """A layer whose fast disk has moods, and what its files are."""

    def __init__(self, *, check: bool, seed: int) -> None:
        self.random = Random(seed)
        self.two = Two(check=check, patience=0.05)
        self.two.disk._health._trips = self.random.choice((2, 1000))
        self.files: dict[str, bytes] = {}
        self.number = 0

    @property
    def disk(self) -> ReadThrough:
        return self.two.disk

    def set_mood(self) -> None:
        kinds: tuple[Mood, ...] = ("well", "down", "lost")
        weights = self.random.choice(((1, 0, 0), (3, 1, 1), (0, 1, 1)))
        self.two.fast.mood = lambda operation, path: self.random.choices(kinds, weights)[0]

    async def step(self) -> None:
        path = self.random.choice(PATHS)
        steps: list[Callable[[str], Any]] = [self.put, self.delete, self.move, self.get, self.left]
        if self.random.random() < 0.2:
            self.set_mood()
        await self.random.choices(steps, (3, 1, 1, 8, 2))[0](path)

    async def put(self, path: str) -> None:
        self.number += 1
        content = b"%d " % self.number * (BIG // 4 if self.random.random() < 0.1 else 1)
        await self.disk.put(path, content)
        self.files[path] = content

    async def delete(self, path: str) -> None:
        await self.disk.delete(path)
        self.files.pop(path, None)

    async def move(self, path: str) -> None:
        to = self.random.choice(PATHS)
        if path in self.files and path != to:
            await self.disk.move(path, to)
            self.files[to] = self.files.pop(path)

    async def get(self, path: str) -> None:
        if path not in self.files:
            with pytest.raises(NotFound):
                await self.disk.get(path)
            return
        readers = [self.disk.get(path) for _ in range(self.random.choice((1, 1, 3)))]
        for found in await asyncio.gather(*readers):
            assert found == self.files[path], path

    async def left(self, path: str) -> None:
        """A reader who leaves early, while the file changes."""
        if path in self.files:
            source = await self.disk.read(path)
            await anext(source, None)
            if self.random.random() < 0.5:
                await self.put(path)
            await source.aclose()


@pytest.mark.parametrize("check", [True, False], ids=["checked", "trusted"])
@pytest.mark.parametrize("part", range(2))
async def test_what_is_read_is_what_is_there(part: int, *, check: bool) -> None:
    for seed in range(part * 30, part * 30 + 30):
        world = World(check=check, seed=seed)
        for _ in range(40):
            await world.step()
        world.two.fast.be("well")
        for path in PATHS:
            await world.get(path)
        await world.disk.aclose()
