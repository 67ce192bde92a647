"""Made without a loop, used from several, closed for good."""

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import Closed
from storeroom.files import Files
from storeroom.testing._suite.cancelling import Interrupted
from storeroom.testing._suite.frame import (
    Suite,
    content,
    elsewhere,
    files_in,
    listed,
    snapshot,
    write,
)

__all__ = ["Closing", "Loops"]


class Closing(Suite):
    """`aclose`."""

    async def test_closing_twice_is_no_error(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": b"x"})
        await driver.aclose()
        await driver.aclose()

    async def test_closing_before_any_use_is_no_error(self, driver: StorageDriver) -> None:
        await asyncio.gather(driver.aclose(), driver.aclose())

    async def test_every_later_verb_raises_closed(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": b"x"})
        await driver.aclose()
        verbs: list[Callable[[], Awaitable[object]]] = [
            lambda: driver.stat("a"),
            lambda: driver.read("a"),
            lambda: driver.write("a", Body(b"y")),
            lambda: driver.remove("a"),
            lambda: listed(driver),
        ]
        for number, verb in enumerate(verbs):
            if number in (2, 3) and not driver.traits.writable:
                continue
            with pytest.raises(Closed):
                await verb()

    async def test_every_later_word_raises_closed(self, files: Files) -> None:
        await files.driver.aclose()
        for verb in (files.get, files.exists, files.all_files, files.directory_exists, files.size):
            with pytest.raises(Closed):
                await verb("a")

    async def test_the_traits_are_there_after_closing(self, driver: StorageDriver) -> None:
        before = driver.traits
        await driver.aclose()
        assert driver.traits == before

    async def test_a_block_closes_at_its_end(self, files: Files) -> None:
        if not isinstance(files.driver, Files):
            self.skip("Files")
        async with files as same:
            assert same is files
        with pytest.raises(Closed):
            await files.exists("a")

    async def test_what_was_stored_is_there_after_reopening(self, tmp_path: Path) -> None:
        first = self.made(tmp_path)
        await self.seed(first, {"a/b": b"stays"})
        await first.aclose()
        second = self.made(tmp_path)
        assert await snapshot(second) == {"a/b": b"stays"}
        await second.aclose()

    @pytest.mark.parametrize("late", [False, True])
    def test_closing_after_a_cancel_leaves_no_connection(
        self, tmp_path: Path, *, late: bool
    ) -> None:
        async def cancelled(at: int) -> bool:
            driver = self.made(tmp_path)
            verb = Interrupted(driver.stat("a"), at, late=late)
            await asyncio.gather(asyncio.create_task(verb), return_exceptions=True)
            await driver.aclose()
            return verb.reached

        elsewhere(self.made(tmp_path).aclose())  # arranges the place, which may keep a connection
        before, at = _open_sockets(), 0
        while elsewhere(cancelled(at)):
            assert not _open_sockets() - before, at
            at += 1

    async def test_two_drivers_see_one_store(self, tmp_path: Path) -> None:
        first, second = self.made(tmp_path), self.made(tmp_path)
        await self.seed(first, {"a": b"1"})
        assert await content(second, "a") == b"1"
        await self.seed(second, {"a": b"newer"})
        assert await content(first, "a") == b"newer"
        await first.aclose()
        assert await content(second, "a") == b"newer"
        await second.aclose()


class Loops(Suite):
    """One driver, several event loops."""

    def test_it_is_made_without_a_running_loop(self, tmp_path: Path) -> None:
        driver = self.made(tmp_path)
        assert driver.traits.service
        elsewhere(driver.aclose())

    def test_it_is_used_by_one_loop_after_another(self, tmp_path: Path) -> None:
        driver = self.made(tmp_path)
        for number in range(3):
            elsewhere(self.seed(driver, {f"f/{number}": b"%d" % number}))
        assert elsewhere(files_in(driver)) == ["f/0", "f/1", "f/2"]
        elsewhere(driver.aclose())

    async def test_it_is_used_by_two_loops_at_once(self, store: StorageDriver) -> None:
        async def work(name: str) -> None:
            for number in range(10):
                await write(store, f"{name}/{number}", b"%d" % number)
                assert await content(store, f"{name}/{number}") == b"%d" % number

        await asyncio.gather(
            work("here"),
            asyncio.to_thread(elsewhere, work("there")),
            asyncio.to_thread(elsewhere, work("far away")),
        )
        assert len(await files_in(store)) == 30

    async def test_it_lives_on_when_another_loop_has_ended(self, store: StorageDriver) -> None:
        await write(store, "a", b"here")
        for _ in range(3):
            assert await asyncio.to_thread(elsewhere, content(store, "a")) == b"here"
        assert await content(store, "a") == b"here"

    async def test_it_is_closed_from_another_loop(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": b"x"})
        await asyncio.to_thread(elsewhere, driver.aclose())
        with pytest.raises(Closed):
            await driver.stat("a")


def _open_sockets() -> set[int]:
    """Whatever holds them, or holds them no more."""
    sockets = [one for one in gc.get_objects() if issubclass(type(one), socket.socket)]
    return {id(one) for one in sockets if one.fileno() != -1}
