"""Quota under many changes at once: never beyond the limit, and in the end exactly what is there."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from random import Random
from typing import Any, TypeVar

import pytest

from storeroom.contracts.abilities import BulkRemove, Versions
from storeroom.contracts.body import Body
from storeroom.contracts.errors import StorageError, Unavailable
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around
from storeroom.layers.quota import Quota
from tests.layers.everything import Everything

T = TypeVar("T")

MAX_BYTES = 100
MAX_FILES = 5
PATHS = ("a", "b", "f/a", "f/b", "f/g/a", "é %2F")


class Restless(Around):
    """Lets others go first, before and after each call; some calls fail, or only seem to."""

    def __init__(self, inner: Everything, random: Random) -> None:
        super().__init__(inner)
        self.store = inner
        self.random = random
        self.fails = True
        self.beyond: list[tuple[str, int, int]] = []

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        await self.pause()
        if self.fails and self.random.random() < 0.06:
            raise Unavailable("before")
        answer = await call()
        self.look(operation)
        await self.pause()
        if self.fails and self.random.random() < 0.06:
            raise Unavailable("the answer was lost")
        return answer

    async def pause(self) -> None:
        for _ in range(self.random.randrange(3)):
            await asyncio.sleep(0)

    def look(self, operation: str) -> None:
        used, files = held(self.store)
        if used > MAX_BYTES or files > MAX_FILES:
            self.beyond.append((operation, used, files))


def held(driver: MemoryDriver) -> tuple[int, int]:
    sizes = [len(found.content) for found in driver._store.objects.values()]
    return sum(sizes), len(sizes)


class Trial:
    """Random changes of one disk, many of them at once."""

    def __init__(self, seed: int, *, ordered: bool = True) -> None:
        self.random = Random(seed)
        self.driver = Everything()
        self.restless = Restless(self.driver, self.random)
        self.quota = Quota(self.restless, max_bytes=MAX_BYTES, max_files=MAX_FILES)

    async def run(self) -> None:
        for path in self.random.sample(PATHS, 3):
            await self.driver.write(path, Body(bytes(self.random.randrange(20))))
        workers = [asyncio.create_task(self.work()) for _ in range(6)]
        for worker in workers:
            await worker
        assert self.restless.beyond == []
        self.restless.fails = False
        usage = await self.quota.usage()
        assert (usage.bytes, usage.files) == held(self.driver)
        assert self.quota._books._entries == {}
        assert self.quota._books._pins == {}
        assert await self.quota.recount() == usage

    async def work(self) -> None:
        for _ in range(8):
            change = asyncio.create_task(self.change())
            if self.random.random() < 0.2:
                for _ in range(self.random.randrange(12)):
                    await asyncio.sleep(0)
                change.cancel()
            try:
                await change
            except (StorageError, ZeroDivisionError):
                pass
            except asyncio.CancelledError:
                assert change.cancelled()

    def change(self) -> Coroutine[Any, Any, object]:
        disk, path, to = self.quota, self.random.choice(PATHS), self.random.choice(PATHS)
        size = self.random.choice((0, 1, 10, 30, 60, 101))
        return self.random.choice(
            (
                lambda: disk.put(path, bytes(size)),
                lambda: disk.put(path, bytes(size), overwrite=False),
                lambda: disk.put(path, self.chunks(size)),
                lambda: disk.put(path, self.chunks(size, fails=True)),
                lambda: disk.put(path, self.chunks(size), size=size),
                lambda: disk.append(path, bytes(size)),
                lambda: disk.append(path, self.chunks(size)),
                lambda: disk.prepend(path, b"x"),
                lambda: disk.delete(path),
                lambda: disk.delete_many([path, to]),
                lambda: disk.ability(BulkRemove).remove_many([path, to, "../x"]),
                lambda: disk.copy(path, to),
                lambda: disk.move(path, to),
                lambda: disk.delete_directory("f"),
                lambda: disk.copy_directory("f", "h"),
                lambda: disk.ability(Versions).restore_version(path, "m-2"),
                lambda: disk.ability(Versions).remove_version(path, "m-2"),
                disk.recount,
                disk.usage,
            )
        )()

    async def chunks(self, size: int, *, fails: bool = False) -> AsyncGenerator[bytes]:
        for start in range(0, size, 7):
            await self.restless.pause()
            yield bytes(min(7, size - start))
        if fails:
            raise ZeroDivisionError


@pytest.mark.parametrize("start", range(0, 100, 10))
async def test_the_limit_is_never_passed_and_the_sum_is_right_in_the_end(start: int) -> None:
    for seed in range(start, start + 10):
        await Trial(seed).run()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_the_sum_is_right_after_thousands_of_trials() -> None:
    for seed in range(1000, 4000):
        await Trial(seed).run()
