"""Conditions on writes, and writes at once."""

import asyncio

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    AlreadyExists,
    NotFound,
    PreconditionFailed,
    Unsupported,
)
from storeroom.contracts.values import Stat, WriteOptions
from storeroom.testing._suite.frame import (
    Suite,
    content,
    files_in,
    snapshot,
    streamed,
    write,
)

__all__ = ["Conditions"]


class Conditions(Suite):
    """`overwrite=False` and `if_match` are honoured, or `Unsupported` before any effect."""

    async def test_create_only_makes_a_new_file(self, store: StorageDriver) -> None:
        how = WriteOptions(overwrite=False)
        if "overwrite" not in store.traits.conditions:
            with pytest.raises(Unsupported):
                await write(store, "a", b"x", how)
            assert await files_in(store) == []
            return
        await write(store, "a", b"x", how)
        assert await content(store, "a") == b"x"

    async def test_create_only_leaves_what_is_there(self, store: StorageDriver) -> None:
        honours = "overwrite" in store.traits.conditions
        await write(store, "a", b"old")
        with pytest.raises(AlreadyExists if honours else Unsupported):
            await write(store, "a", b"new", WriteOptions(overwrite=False))
        with pytest.raises(AlreadyExists if honours else Unsupported):
            await store.write("a", streamed(b"n", b"ew"), WriteOptions(overwrite=False))
        assert await snapshot(store) == {"a": b"old"}

    async def test_create_only_has_exactly_one_winner(self, store: StorageDriver) -> None:
        if "overwrite" not in store.traits.conditions:
            self.skip("overwrite")

        async def attempt(number: int) -> int | None:
            body = streamed(b"%d," % number * 500, b"%d" % number)
            try:
                await store.write("folder/a", body, WriteOptions(overwrite=False))
            except AlreadyExists:
                return None
            return number

        won = [n for n in await asyncio.gather(*map(attempt, range(20))) if n is not None]
        assert len(won) == 1
        assert await content(store, "folder/a") == b"%d," % won[0] * 500 + b"%d" % won[0]
        assert await files_in(store) == ["folder/a"]

    async def test_the_etag_changes_with_every_overwrite(self, store: StorageDriver) -> None:
        if "if_match" not in store.traits.conditions:
            self.skip("if_match")
        etags = {(await self._written(store, b"%d" % number)).etag for number in range(10)}
        assert None not in etags
        assert len(etags) == 10

    async def test_the_etag_stays_while_the_file_does(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": b"x", "b": b"x"})
        first = await driver.stat("a")
        await content(driver, "a")
        async with await driver.read("a") as source:
            assert source.stat.etag == first.etag
        assert (await driver.stat("a")).etag == first.etag

    async def test_if_match_replaces_the_file_it_names(self, store: StorageDriver) -> None:
        old = await self._written(store, b"old")
        how = WriteOptions(if_match=old.etag or "unknown")
        if "if_match" not in store.traits.conditions:
            with pytest.raises(Unsupported):
                await write(store, "a", b"new", how)
            assert await content(store, "a") == b"old"
            return
        await write(store, "a", b"new", how)
        assert await content(store, "a") == b"new"

    async def test_a_stale_if_match_changes_nothing(self, store: StorageDriver) -> None:
        honours = "if_match" in store.traits.conditions
        old = await self._written(store, b"old")
        await write(store, "a", b"newer")
        for body in (Body(b"mine"), streamed(b"mi", b"ne")):
            with pytest.raises(PreconditionFailed if honours else Unsupported):
                await store.write("a", body, WriteOptions(if_match=old.etag or "unknown"))
        assert await snapshot(store) == {"a": b"newer"}

    async def test_if_match_on_a_missing_file_makes_none(self, store: StorageDriver) -> None:
        old = await self._written(store, b"old")
        await store.remove("a")
        with pytest.raises((PreconditionFailed, NotFound, Unsupported)):
            await write(store, "a", b"new", WriteOptions(if_match=old.etag or "unknown"))
        assert await files_in(store) == []

    async def test_if_match_has_exactly_one_winner(self, store: StorageDriver) -> None:
        if "if_match" not in store.traits.conditions:
            self.skip("if_match")
        old = await self._written(store, b"old")

        async def attempt(number: int) -> int | None:
            try:
                await write(store, "a", b"%d" % number, WriteOptions(if_match=old.etag))
            except PreconditionFailed:
                return None
            return number

        won = [n for n in await asyncio.gather(*map(attempt, range(20))) if n is not None]
        assert len(won) == 1
        assert await content(store, "a") == b"%d" % won[0]

    async def test_concurrent_writes_leave_one_of_them_whole(self, store: StorageDriver) -> None:
        bodies = [bytes([65 + n]) * (5000 + n) for n in range(12)]
        await asyncio.gather(*(store.write("a", streamed(b[:3000], b[3000:])) for b in bodies))
        assert await content(store, "a") in bodies
        assert await files_in(store) == ["a"]

    async def test_readers_never_see_a_torn_file(self, store: StorageDriver) -> None:
        if not store.traits.atomic:
            self.skip("atomic")
        bodies = [bytes([65 + n]) * (3000 + n) for n in range(10)]
        await write(store, "a", bodies[0])
        finished = False

        async def overwrite() -> None:
            for data in bodies[1:]:
                await store.write("a", streamed(data[:1000], data[1000:]))

        async def watch() -> None:
            while not finished:
                assert await content(store, "a") in bodies
                await asyncio.sleep(0)

        watchers = [asyncio.create_task(watch()) for _ in range(3)]
        await overwrite()
        finished = True
        await asyncio.gather(*watchers)

    async def _written(self, store: StorageDriver, data: bytes) -> Stat:
        await write(store, "a", data)
        return await store.stat("a")
