"""StorageManager: named disks, live handles on them, and every change while the program runs."""

import asyncio
import copy
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from storeroom import (
    Closed,
    ConfigError,
    Disk,
    MemoryDriver,
    NotFound,
    PermissionDenied,
    Storage,
    StorageManager,
)
from storeroom.contracts.abilities import PresignRead, PublicUrl
from storeroom.files import calling
from storeroom.layers.scoped import Scoped

KEY = "a signing key of enough bytes"
TWO = {
    "default": "a",
    "disks": {
        "a": {"driver": "memory", "url": "/a"},
        "b": {"driver": "memory", "url": "/b"},
        "t1": {"driver": "scoped", "disk": "a", "prefix": "t1"},
    },
}


class Watched(MemoryDriver):
    """A driver that counts its makings and closings."""

    made: ClassVar[list["Watched"]] = []
    slow = 0.0

    def __init__(self, *, url: str = "/watched") -> None:
        super().__init__(url=url)
        self.closed = 0
        self.thread = threading.current_thread()
        if self.slow:
            time.sleep(self.slow)
        self.made.append(self)

    async def aclose(self) -> None:
        self.closed += 1
        await super().aclose()


class Stubborn(Watched):
    async def aclose(self) -> None:
        await super().aclose()
        raise NotFound("it does not close well")


@pytest.fixture
def manager() -> StorageManager:
    return StorageManager.isolated(TWO)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    monkeypatch.setattr(Watched, "made", [])
    return Watched


@pytest.fixture
def watching(watched: type[Watched]) -> StorageManager:
    storage = StorageManager.isolated({})
    storage.extend("watched", watched)
    storage.extend("stubborn", Stubborn)
    disks = {name: {"driver": "watched", "url": f"/{name}"} for name in ("a", "b")}
    storage.configure({"default": "a", "disks": disks})
    return storage


class TestTheManager:
    def test_there_is_one_per_process(self) -> None:
        assert StorageManager() is StorageManager() is Storage
        assert copy.copy(Storage) is Storage

    def test_threads_do_not_make_two(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: StorageManager(), range(100))) == {Storage}

    def test_an_isolated_one_shares_nothing(self) -> None:
        one, other = StorageManager.isolated(TWO), StorageManager.isolated(TWO)
        assert one is not other
        assert one.disk("a").driver is not other.disk("a").driver
        one.extend("tape", MemoryDriver)
        with pytest.raises(ConfigError, match="no driver 'tape'"):
            other.build("tape://")
        with pytest.raises(ConfigError, match="no disk 'b'"):
            Storage.disk("b")

    async def test_its_verbs_are_those_of_the_default_disk(self, manager: StorageManager) -> None:
        await manager.put("x.txt", "text")
        assert await manager.disk("a").text("x.txt") == "text"
        assert await manager.disk().text("x.txt") == "text"
        assert await manager.disk("b").missing("x.txt")
        assert manager.url("x.txt") == "/a/x.txt"
        assert manager.driver is manager.disk("a").driver
        assert manager.supports(PublicUrl)
        assert await manager.scoped("t1").all_files() == []
        with pytest.raises(NotFound, match="get 'y' on disk 'a'"):
            await manager.get("y")

    async def test_it_copies_between_its_disks_by_name(self, manager: StorageManager) -> None:
        await manager.put("x", b"1")
        await manager.copy("x", "y", disk="b")
        await manager.disk("b").move("y", "z", disk="t1")
        assert await manager.all_files() == ["t1/z", "x"]
        with pytest.raises(ConfigError, match="no disk 'c'"):
            await manager.copy("x", "y", disk="c")
        with pytest.raises(TypeError, match="disk is a disk or a driver, not int"):
            await manager.copy("x", "y", disk=5)

    async def test_it_reports_its_own_verbs(self, manager: StorageManager) -> None:
        seen: list[object] = []

        class Looking(MemoryDriver):
            async def stat(self, path: str, /) -> Any:
                seen.append(calling.get())
                return await super().stat(path)

        manager.set_driver(Looking())
        with pytest.raises(NotFound):
            await manager.size("x")
        (call,) = seen
        assert (call.verb, call.owner) == ("size", manager)

    def test_it_shows_names_and_no_more(self, manager: StorageManager) -> None:
        assert repr(manager) == "StorageManager(a, b, t1)"
        assert repr(manager.disk("a")) == "Disk('a')"


class TestDisks:
    def test_an_unknown_name_fails_at_once(self, manager: StorageManager) -> None:
        with pytest.raises(ConfigError, match="there is no disk 'c'; there are: a, b, t1"):
            manager.disk("c")
        with pytest.raises(TypeError, match="a disk's name is a str, not int"):
            manager.disk(5)

    def test_asking_for_one_changes_nothing(self, watching: StorageManager) -> None:
        disk = watching.disk("b")
        assert Watched.made == []
        assert disk.url("x") == "/b/x"
        assert watching.url("x") == "/a/x"
        assert len(Watched.made) == 2

    async def test_two_tasks_on_two_disks_do_not_mix(self, manager: StorageManager) -> None:
        async def use(name: str, other: str) -> None:
            disk = manager.disk(name)
            for number in range(20):
                await disk.put(f"{number}", name)
                await asyncio.sleep(0)
                assert await manager.disk(name).text(f"{number}") == name
                assert disk.url("x") == f"/{name}/x"
                assert disk.name == name

        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(use("a", "b"))
                group.create_task(use("b", "a"))

    async def test_every_error_of_a_disk_names_it(self, manager: StorageManager) -> None:
        for name in ("a", "b", "t1"):
            with pytest.raises(NotFound) as caught:
                await manager.disk(name).get("x")
            assert (caught.value.disk, caught.value.path) == (name, "x")

    async def test_a_driver_that_cannot_be_built_is_told_on_use(self) -> None:
        storage = StorageManager.isolated({"disks": {"media": "sftp://host"}})
        disk = storage.disk("media")
        with pytest.raises(
            ConfigError, match=r"on disk 'media': nothing to come in with: give password"
        ):
            await disk.put("a", b"")
        with pytest.raises(ConfigError, match="on disk 'media'"):
            disk.url("a")

    async def test_a_closed_one_opens_again(self, watching: StorageManager) -> None:
        disk = watching.disk()
        async with disk:
            await disk.put("x", b"")
        (first,) = Watched.made
        assert first.closed == 1
        assert await disk.all_files() == []
        await watching.purge()
        await watching.purge("b")
        await disk.aclose()
        async with watching:
            await watching.disk("b").put("x", b"")
        assert [driver.closed for driver in Watched.made] == [1, 1, 1]
        await disk.put("x", b"")
        assert Watched.made[-1].closed == 0

    async def test_a_view_of_a_disk_does_not_close_it(self, watching: StorageManager) -> None:
        for source in (watching, watching.disk()):
            for view in (source.scoped("x"), source.read_only()):
                async with view:
                    assert await view.all_files() == []
        assert [driver.closed for driver in Watched.made] == [0]

    async def test_a_view_follows_its_disk(self, manager: StorageManager) -> None:
        view = manager.scoped("folder")
        await view.put("x", b"")
        manager.configure({"disks": {"c": {"driver": "memory"}}})
        assert await view.all_files() == []
        await view.put("y", b"")
        assert await manager.all_files() == ["folder/y"]

    async def test_temporary_urls_carry_its_name(self) -> None:
        storage = StorageManager.isolated({**TWO, "signing_key": KEY})
        url = await storage.disk("a").temporary_url("x", 60)
        assert url.startswith("/a/x?")
        with pytest.raises(PermissionDenied):
            await storage.disk("b").verify_temporary_url(url)
        assert storage.ability(PresignRead)

    async def test_temporary_urls_of_a_disk_on_a_disk_are_the_inner_ones(self) -> None:
        storage = StorageManager.isolated({**TWO, "signing_key": KEY})
        for view in (storage.disk("t1"), storage.scoped("t1")):
            url = await view.temporary_url("x", 60)
            assert (await view.verify_temporary_url(url)).path == "x"
            assert (await storage.verify_temporary_url(url)).path == "t1/x"
            with pytest.raises(PermissionDenied):
                await view.verify_temporary_url(await storage.temporary_url("x", 60))


class TestChanges:
    async def test_a_held_disk_follows_the_configuration(self, manager: StorageManager) -> None:
        held, default = manager.disk("b"), manager.disk()
        assert (held.url("x"), default.url("x")) == ("/b/x", "/a/x")
        disks = {"b": {"driver": "memory", "url": "/new"}, "c": {"driver": "memory", "url": "/c"}}
        manager.configure({"default": "c", "disks": disks})
        assert (held.url("x"), default.url("x"), default.name) == ("/new/x", "/c/x", "c")
        manager.configure({"disks": {"c": {"driver": "memory"}}})
        with pytest.raises(ConfigError, match="there is no disk 'b'"):
            await held.get("x")

    def test_a_wrong_configuration_changes_nothing(self, manager: StorageManager) -> None:
        before = manager.driver
        for wrong in (
            {"disks": {"a": {"driver": "memry"}}},
            {"disks": {"a": {"driver": "memory", "x": 1}}},
            "missing.toml",
        ):
            with pytest.raises(ConfigError):
                manager.configure(wrong)
        assert manager.driver is before
        with pytest.raises(ConfigError):
            manager.configure_disk("a", "memory", x=1)
        with pytest.raises(ConfigError):
            manager.configure_disk("a", "scoped", disk="a", prefix="x")
        assert manager.driver is before

    def test_none_looks_for_a_configuration_again(
        self, manager: StorageManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        manager.configure(None)
        assert manager.disk().name == "local"

    async def test_a_disk_is_added_or_changed_while_running(self, manager: StorageManager) -> None:
        held = manager.disk("b")
        added = manager.configure_disk("c", "memory", url="/c")
        assert added.url("x") == manager.disk("c").url("x") == "/c/x"
        manager.configure_disk("b", "memory://?url=/new", prefix="t2")
        assert held.url("x") == "/new/t2/x"
        manager.configure_disk("d", "scoped", disk="c", prefix="p")
        await manager.disk("d").put("x", b"")
        assert await added.all_files() == ["p/x"]
        with pytest.raises(TypeError, match=r"use set_driver\(driver, name\)"):
            manager.configure_disk("e", MemoryDriver())

    def test_the_first_disk_added_is_the_default(self) -> None:
        storage = StorageManager.isolated({})
        storage.configure_disk("only", "memory")
        storage.configure_disk("other", "memory")
        assert storage.disk().name == "only"

    async def test_a_driver_set_by_hand_goes_first(self, watching: StorageManager) -> None:
        held, mine = watching.disk("b"), Watched(url="/mine")
        assert held.url("x") == "/b/x"
        assert watching.set_driver(mine, "b").url("x") == "/mine/x"
        assert held.url("x") == "/mine/x"
        watching.configure({"disks": {"b": {"driver": "memory"}}})
        assert held.url("x") == "/mine/x"
        await watching.aclose()
        await held.aclose()
        await watching.purge("b")
        assert (mine.closed, held.url("x")) == (0, "/mine/x")
        watching.forget_disk("b")
        assert held.url("x") == "/storage/x"

    def test_a_driver_may_be_set_for_a_name_that_nobody_configured(
        self, manager: StorageManager
    ) -> None:
        driver = MemoryDriver()
        manager.set_driver(driver, "new")
        assert manager.disk("new").driver is driver
        manager.set_driver(driver)
        assert manager.driver is driver
        with pytest.raises(TypeError, match="is no driver"):
            manager.set_driver("memory", "new")
        manager.forget_disk("new")
        with pytest.raises(ConfigError):
            manager.disk("new")

    async def test_what_was_replaced_is_closed_with_the_rest(
        self, watching: StorageManager
    ) -> None:
        first, second = watching.disk("a").driver, watching.disk("b").driver
        watching.set_driver(MemoryDriver(), "a")
        watching.configure_disk("b", "memory")
        assert isinstance(first, Watched)
        assert isinstance(second, Watched)
        assert (first.closed, second.closed) == (0, 0)
        await watching.purge("b")
        assert (first.closed, second.closed) == (0, 1)
        await watching.aclose()
        await watching.aclose()
        assert (first.closed, second.closed) == (1, 1)

    async def test_all_are_closed_also_when_one_fails(self, watching: StorageManager) -> None:
        watching.configure_disk("bad", "stubborn")
        for name in ("a", "bad", "b"):
            _ = watching.disk(name).driver
        with pytest.raises(NotFound, match="does not close well"):
            await watching.aclose()
        assert [driver.closed for driver in Watched.made] == [1, 1, 1]

    async def test_forgetting_builds_anew(self, watching: StorageManager) -> None:
        first = watching.driver
        watching.forget_disk()
        watching.forget_disk("nobody")
        assert watching.driver is not first
        await watching.aclose()
        assert [driver.closed for driver in Watched.made] == [1, 1]

    async def test_a_swap_ends_with_its_block(self, manager: StorageManager) -> None:
        held = manager.disk("b")
        before = held.driver
        with manager.swap("b", MemoryDriver(url="/one")) as swapped:
            assert isinstance(swapped, Disk)
            with manager.swap("b", MemoryDriver(url="/two")):
                assert held.url("x") == swapped.url("x") == "/two/x"
            assert held.url("x") == "/one/x"
        assert held.driver is before
        with pytest.raises(NotFound), manager.swap(None, MemoryDriver(url="/d")):
            await manager.get("only in a")
        assert manager.url("x") == "/a/x"
        with manager.swap("nobody", MemoryDriver()):
            held = manager.disk("nobody")
            await held.put("x", b"")
        with pytest.raises(ConfigError, match="there is no disk 'nobody'"):
            await held.get("x")

    def test_a_factory_goes_before_ours(self, watched: type[Watched]) -> None:
        storage = StorageManager.isolated({})
        storage.extend("memory", watched)
        assert isinstance(storage.build("memory://").driver, watched)
        with pytest.raises(TypeError, match="a function that makes a driver"):
            storage.extend("x", "y")


class TestOnDemand:
    async def test_a_disk_is_built_and_owned(self, watching: StorageManager) -> None:
        async with watching.build({"driver": "watched", "url": "/x"}) as disk:
            assert disk.url("a") == "/x/a"
            assert disk.name == "ondemand"
            await watching.aclose()
            assert await disk.all_files() == []
        (made,) = Watched.made
        assert made.closed == 1
        with pytest.raises(Closed):
            await disk.get("x")

    async def test_one_that_stands_on_a_named_disk_leaves_it_open(
        self, manager: StorageManager
    ) -> None:
        async with manager.build({"driver": "scoped", "disk": "a", "prefix": "p"}) as disk:
            assert isinstance(disk.driver, Scoped)
            await disk.put("x", b"")
        assert await manager.all_files() == ["p/x"]

    async def test_it_signs_under_its_name(self) -> None:
        storage = StorageManager.isolated({**TWO, "signing_key": KEY})
        one, other = (
            storage.build("memory://", name="one"),
            storage.build("memory://", name="other"),
        )
        url = await one.temporary_url("x", 60)
        assert await one.verify_temporary_url(url)
        with pytest.raises(PermissionDenied):
            await other.verify_temporary_url(url)

    def test_a_mistake_names_it(self, manager: StorageManager) -> None:
        for wrong in ("a", "/srv/files", {"driver": "scoped", "disk": "c", "prefix": "x"}):
            with pytest.raises(ConfigError, match="on disk 'ondemand'"):
                manager.build(wrong)


class TestConcurrency:
    def test_one_driver_is_built_for_many_tasks_loops_and_threads(
        self, watching: StorageManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Watched, "slow", 0.05)
        disk = watching.disk("a")
        together = threading.Barrier(4)

        async def many() -> list[Any]:
            return await asyncio.gather(*(disk._ready() for _ in range(10)))

        def loop() -> list[Any]:
            together.wait()
            return asyncio.run(many())

        with ThreadPoolExecutor(4) as pool:
            results = [pool.submit(loop) for _ in range(3)]
            results.append(pool.submit(lambda: (together.wait(), [disk.driver])[1]))
            drivers = {id(driver) for result in results for driver in result.result()}
        assert len(drivers) == len(Watched.made) == 1

    async def test_it_is_built_off_the_loops_thread(self, watching: StorageManager) -> None:
        for call in (
            lambda: watching.get("x"),
            lambda: watching.disk("b").scoped("t").get("x"),
        ):
            with pytest.raises(NotFound):
                await call()
        assert len(Watched.made) == 2
        assert threading.current_thread() not in {driver.thread for driver in Watched.made}

    async def test_the_loop_runs_on_while_it_is_built(
        self, watching: StorageManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Watched, "slow", 0.2)
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        await watching.put("x", b"")
        ticking.cancel()
        assert ticks >= 5

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
    @pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
    def test_a_fork_does_not_wait_for_threads_that_it_does_not_have(
        self, manager: StorageManager
    ) -> None:
        held, release = threading.Event(), threading.Event()

        def hold() -> None:
            with manager._shelf._lock:
                held.set()
                release.wait()

        holding = threading.Thread(target=hold)
        holding.start()
        held.wait()
        child = os.fork()
        if not child:
            os._exit(manager.url("x") != "/a/x")
        release.set()
        holding.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    async def test_one_disk_serves_several_loops(self, manager: StorageManager) -> None:
        await manager.put("x", b"here")

        async def there() -> bytes:
            await manager.put("y", b"there")
            return await manager.get("x")

        assert await asyncio.to_thread(asyncio.run, there()) == b"here"
        assert await manager.get("y") == b"there"

    async def test_changing_while_others_use_it_breaks_nothing(
        self, manager: StorageManager
    ) -> None:
        disk = manager.disk("a")
        stop = threading.Event()

        def change() -> None:
            while not stop.wait(0.001):
                manager.configure(TWO)
                with manager.swap("a", MemoryDriver(url="/a")):
                    pass
                manager.configure_disk("c", "memory")

        changing = threading.Thread(target=change)
        changing.start()
        try:
            for _ in range(100):
                assert disk.url("x") == "/a/x"
                await disk.put("x", b"")
        finally:
            stop.set()
            changing.join()


class TestSaving:
    async def test_everything_comes_back(self, watching: StorageManager) -> None:
        built = watching.driver
        mine = MemoryDriver(url="/mine")
        watching.set_driver(mine, "b")
        state = watching._saved()
        watching.configure({"disks": {"c": {"driver": "memory"}}})
        watching.forget_disk("b")
        watching.extend("watched", MemoryDriver)
        watching.set_driver(MemoryDriver(), "d")
        _ = watching.driver
        watching._restore(state)
        assert watching.driver is built
        assert watching.disk("b").driver is mine
        assert repr(watching) == "StorageManager(a, b)"
        assert isinstance(watching.build("watched://").driver, Watched)
        with pytest.raises(ConfigError):
            watching.disk("d")
        await watching.aclose()
        assert isinstance(built, Watched)
        assert built.closed == 1

    async def test_what_was_closed_meanwhile_is_built_anew(self, watching: StorageManager) -> None:
        first = watching.driver
        state = watching._saved()
        await watching.aclose()
        watching._restore(state)
        assert watching.driver is not first
        await watching.put("x", b"")

    async def test_what_was_built_meanwhile_stays(self, watching: StorageManager) -> None:
        state = watching._saved()
        built = watching.driver
        watching._restore(state)
        assert watching.driver is built


class TestConfigurationIsRead:
    @pytest.fixture
    def file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        path = tmp_path / "filesystems.toml"
        path.write_text("[disks.toml]\ndriver = 'memory'\nurl = '/toml'")
        monkeypatch.chdir(tmp_path)
        return path

    @pytest.fixture
    def wrong(self, file: Path) -> None:
        file.write_text("[disks.toml]\ndriver = 'memroy'")

    def test_on_first_use_and_not_before(self, file: Path) -> None:
        storage = StorageManager.isolated()
        held = storage.disk()
        text = file.read_text()
        file.unlink()
        assert repr(storage) == "StorageManager()"
        file.write_text(text)
        assert held.url("x") == "/toml/x"

    async def test_on_the_loop_by_name_too(self, file: Path) -> None:
        assert StorageManager.isolated().disk("toml").url("x") == "/toml/x"
        assert StorageManager.isolated().url("x") == "/toml/x"

    async def test_when_the_manager_is_entered(self, wrong: None) -> None:
        with pytest.raises(ConfigError, match="did you mean 'memory'"):
            async with StorageManager.isolated():
                raise AssertionError

    def test_again_after_a_mistake_was_corrected(self, file: Path) -> None:
        storage = StorageManager.isolated()
        text = file.read_text()
        file.write_text("disks = [")
        with pytest.raises(ConfigError, match="is not TOML"):
            storage.disk("toml")
        file.write_text(text)
        assert storage.disk("toml").url("x") == "/toml/x"


async def test_a_module_level_disk_follows_a_fake() -> None:
    media = Storage.disk()
    with Storage.fake() as disk:
        await media.put("x", b"")
        disk.assert_exists("x")
    with Storage.fake("s3") as disk:
        await Storage.disk("s3").put("x", b"")
        disk.assert_exists("x")


def test_a_disk_built_on_demand_has_its_name_in_what_is_refused() -> None:
    storage = StorageManager.isolated({"disks": {}})
    with pytest.raises(
        ConfigError, match="on disk 'ondemand': layer 'encryption': key is 32 bytes"
    ):
        storage.build({"driver": "memory", "layers": [{"layer": "encryption", "key": "short"}]})
