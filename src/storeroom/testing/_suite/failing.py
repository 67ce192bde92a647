"""Bodies that fail, and paths that are refused: nothing changes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from storeroom.contracts.abilities import Append
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import Corrupted, InvalidArgument, InvalidPath, Unsupported
from storeroom.files import Files
from storeroom.testing._suite.frame import (
    Boom,
    Suite,
    content,
    failing,
    files_in,
    listed,
    snapshot,
    streamed,
)
from storeroom.testing._suite.names import HOSTILE, NOT_FOLDERS

__all__ = ["Failing", "Refusing"]

BIG = b"x" * 300_000


class Failing(Suite):
    """What a body that fails leaves behind: the old file, or none."""

    async def test_a_body_that_raises_half_way_leaves_the_old_file(
        self, store: StorageDriver
    ) -> None:
        await self._old_survives(store, lambda: failing(BIG, b"more", error=Boom()), Boom)

    async def test_a_body_that_raises_half_way_makes_no_new_file(
        self, store: StorageDriver
    ) -> None:
        await self._nothing_appears(store, lambda: failing(BIG, b"more", error=Boom()), Boom)

    async def test_a_body_that_raises_at_once_leaves_the_old_file(
        self, store: StorageDriver
    ) -> None:
        await self._old_survives(store, lambda: failing(error=Boom()), Boom)

    async def test_a_body_that_raises_at_once_makes_no_new_file(self, store: StorageDriver) -> None:
        await self._nothing_appears(store, lambda: failing(error=Boom()), Boom)

    async def test_a_body_that_raises_at_its_end_changes_nothing(
        self, store: StorageDriver
    ) -> None:
        await self._old_survives(store, lambda: failing(b"all of it", error=Boom(), size=9), Boom)

    async def test_a_short_body_changes_nothing(self, store: StorageDriver) -> None:
        await self._old_survives(store, lambda: streamed(b"five!", size=10), Corrupted)
        await self._nothing_appears(store, lambda: streamed(b"five!", size=10), Corrupted)

    async def test_a_long_body_changes_nothing(self, store: StorageDriver) -> None:
        await self._old_survives(store, lambda: streamed(b"five!", b"more", size=5), Corrupted)
        await self._nothing_appears(store, lambda: streamed(BIG, BIG, size=5), Corrupted)

    async def test_an_empty_body_that_announced_bytes_changes_nothing(
        self, store: StorageDriver
    ) -> None:
        await self._old_survives(store, lambda: streamed(size=1), Corrupted)

    async def test_a_consumed_body_changes_nothing(self, store: StorageDriver) -> None:
        def consumed() -> Body:
            return body

        body = streamed(b"once")
        assert await body.content() == b"once"
        await self._old_survives(store, consumed, InvalidArgument)

    async def test_the_callers_own_exception_passes_unchanged(self, store: StorageDriver) -> None:
        for error in (Boom("mine"), OSError(2, "mine"), TimeoutError("mine"), KeyError("mine")):
            for pieces in ((), (b"x",), (BIG, BIG)):
                with pytest.raises(type(error)) as caught:
                    await store.write("a", failing(*pieces, error=error))
                assert caught.value is error
        assert await listed(store) == []

    async def test_a_failed_write_can_be_made_again(self, store: StorageDriver) -> None:
        with pytest.raises(Boom):
            await store.write("a/b", failing(BIG, error=Boom()))
        await store.write("a/b", streamed(BIG, b"!"))
        assert await content(store, "a/b") == BIG + b"!"

    async def test_a_failed_body_is_stopped(self, store: StorageDriver) -> None:
        stopped = False

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal stopped
            try:
                while True:
                    yield BIG
            finally:
                stopped = True

        body = Body(chunks, size=10)
        with pytest.raises(Corrupted):
            await store.write("a", body)
        await body.aclose()
        assert stopped
        assert await files_in(store) == []

    async def test_writes_that_fail_together_spoil_no_other(self, store: StorageDriver) -> None:
        async def attempt(number: int) -> None:
            body = streamed(BIG, b"%d" % number) if number % 2 else failing(BIG, error=Boom())
            await store.write(f"f/{number}", body)

        answers = await asyncio.gather(*map(attempt, range(8)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [Boom, type(None)] * 4
        wanted = {f"f/{number}": BIG + b"%d" % number for number in (1, 3, 5, 7)}
        assert await snapshot(store) == wanted

    async def test_an_append_that_fails_leaves_the_old_file(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"old"})

        async def chunks() -> AsyncIterator[bytes]:
            yield BIG
            await asyncio.sleep(0)
            raise Boom

        for verb in (disk.append, disk.prepend):
            with pytest.raises(Boom):
                await verb("a", chunks())
            with pytest.raises(Boom):
                await verb("new", chunks())
        assert await snapshot(disk.driver) == {"a": b"old"}

    async def test_a_native_append_that_fails_leaves_the_old_file(
        self, store: StorageDriver
    ) -> None:
        native = self.need(store, Append)
        await self.seed(store, {"a": b"old"})
        with pytest.raises(Boom):
            await native.extend("a", failing(BIG, BIG, BIG, BIG, BIG, error=Boom()))
        with pytest.raises(Corrupted):
            await native.extend("a", streamed(BIG, BIG, BIG, BIG, BIG, size=7))
        with pytest.raises(Corrupted):
            await native.extend("a", streamed(b"x", size=7))
        assert await snapshot(store) == {"a": b"old"}

    async def _old_survives(
        self, store: StorageDriver, body: Callable[[], Body], error: type[Exception]
    ) -> None:
        await self.seed(store, {"a/b": b"the old one"})
        with pytest.raises(error):
            await store.write("a/b", body())
        assert await snapshot(store) == {"a/b": b"the old one"}

    async def _nothing_appears(
        self, store: StorageDriver, body: Callable[[], Body], error: type[Exception]
    ) -> None:
        before = await snapshot(store)
        with pytest.raises(error):
            await store.write("new folder/new", body())
        assert await snapshot(store) == before
        assert await files_in(store, "new folder") == []


class Refusing(Suite):
    """Paths that no verb takes."""

    async def test_stat_refuses_hostile_paths(self, driver: StorageDriver) -> None:
        await self._refused(driver, HOSTILE, driver.stat)

    async def test_read_refuses_hostile_paths(self, driver: StorageDriver) -> None:
        await self._refused(driver, HOSTILE, driver.read)

    async def test_write_refuses_hostile_paths(self, store: StorageDriver) -> None:
        await self._refused(store, HOSTILE, lambda path: store.write(path, Body(b"x")))

    async def test_remove_refuses_hostile_paths(self, store: StorageDriver) -> None:
        await self._refused(store, HOSTILE, store.remove)

    async def test_scan_refuses_hostile_folders(self, driver: StorageDriver) -> None:
        await self._refused(driver, NOT_FOLDERS, lambda folder: listed(driver, folder))

    async def test_people_cannot_use_hostile_paths(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"x"})
        verbs: list[Callable[[str], Awaitable[object]]] = [
            *(disk.get, disk.exists, disk.metadata, disk.delete, disk.checksum, disk.mime_type),
            lambda path: disk.put(path, b"x"),
            lambda path: disk.append(path, b"x"),
            lambda path: disk.copy("a", path),
            lambda path: disk.copy(path, "b"),
            lambda path: disk.move("a", path),
            lambda path: disk.move(path, "b"),
            lambda path: disk.temporary_url(path, 60),
        ]
        for verb in verbs:
            await self._refused(disk.driver, HOSTILE, verb)
        assert await snapshot(disk.driver) == {"a": b"x"}

    async def test_people_cannot_use_hostile_folders(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a/b": b"x"})
        verbs: list[Callable[[str], Awaitable[object]]] = [
            *(disk.files, disk.all_directories, disk.directory_exists),
            disk.delete_directory,
            lambda folder: disk.copy_directory("a", folder),
            lambda folder: disk.move_directory("a", folder),
            lambda folder: disk.move_directory(folder, "c"),
        ]
        for verb in verbs:
            await self._refused(disk.driver, NOT_FOLDERS, verb)
        assert await snapshot(disk.driver) == {"a/b": b"x"}

    async def test_a_url_or_local_path_of_a_hostile_path_is_refused(self, files: Files) -> None:
        for verb in (files.url, files.path):
            for path in HOSTILE:
                with pytest.raises((InvalidPath, Unsupported)):
                    verb(path)

    async def _refused(
        self,
        driver: StorageDriver,
        paths: tuple[str, ...],
        verb: Callable[[str], Awaitable[object]],
    ) -> None:
        if not driver.traits.strict_paths:
            self.skip("strict_paths")
        before = await listed(driver)
        accepted = [path for path in paths if not await _is_refused(verb, path)]
        assert accepted == []
        assert await listed(driver) == before


async def _is_refused(verb: Callable[[str], Awaitable[object]], path: str) -> bool:
    try:
        await verb(path)
    except InvalidPath:
        return True
    return False
