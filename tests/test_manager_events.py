"""Storage.events: every disk of a manager tells what is done on it, whatever stands behind its name."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from storeroom import (
    Closed,
    Disk,
    MemoryDriver,
    NotFound,
    Storage,
    StorageManager,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.abilities import Append, Copy, LocalPath, PresignRead, PublicUrl
from storeroom.drivers.local import LocalDriver
from storeroom.events import Event
from storeroom.layers import Retry, Scoped
from storeroom.layers.observe import Observe
from storeroom.manager.reporting import Reporting
from storeroom.testing.calls import Recorder
from tests.layers.everything import Bare
from tests.layers.test_layer import Sing, Singing

KEY = "a signing key of enough bytes"
DISKS = {
    "a": {"driver": "memory", "url": "/a"},
    "b": {"driver": "memory", "url": "/b", "layers": [{"layer": "retry"}]},
    "t1": {"driver": "scoped", "disk": "a", "prefix": "t1"},
}
CONFIG: dict[str, Any] = {"default": "a", "disks": DISKS, "signing_key": KEY}


class Told(list[tuple[str, str, str]]):
    """What happened: event, disk and path."""

    def __call__(self, event: Event) -> None:
        self.append((event.name, event.disk, event.path))

    def taken(self) -> list[tuple[str, str, str]]:
        found = list(self)
        self.clear()
        return found


@pytest.fixture
def manager() -> StorageManager:
    return StorageManager.isolated(CONFIG)


@pytest.fixture
def told(manager: StorageManager) -> Told:
    told = Told()
    for name in ("written", "read", "removed", "copied", "moved", "listed", "failed"):
        manager.events.on(name, told)  # type: ignore[call-overload]
    return told


async def test_without_listeners_nothing_stands_around_a_driver(manager: StorageManager) -> None:
    for disk in (manager.disk("a"), manager.disk("b"), manager.build("memory://")):
        assert await disk._ready() is disk.driver
    assert await manager._ready() is manager.driver
    off = manager.events.on("written", lambda event: None)
    assert isinstance(await manager._ready(), Reporting)
    off()
    assert await manager._ready() is manager.driver


async def test_every_disk_tells_under_its_name(manager: StorageManager, told: Told) -> None:
    await manager.put("x", b"")
    await manager.disk("b").put("x", b"")
    await manager.disk("b").scoped("t").put("y", b"")
    assert await manager.disk("a").read_only().get("x") == b""
    assert told == [
        ("written", "a", "x"),
        ("written", "b", "x"),
        ("written", "b", "t/y"),
        ("read", "a", "x"),
    ]


async def test_a_disk_on_another_tells_and_so_does_the_other(
    manager: StorageManager, told: Told
) -> None:
    await manager.disk("t1").put("x", b"")
    assert told == [("written", "a", "t1/x"), ("written", "t1", "x")]


async def test_what_is_set_by_hand_tells_too(manager: StorageManager, told: Told) -> None:
    held = manager.disk("b")
    manager.set_driver(MemoryDriver(), "b")
    await held.put("x", b"")
    manager.set_driver(Bare(MemoryDriver()), "new")
    await manager.disk("new").put("y", b"")
    with manager.swap(None, MemoryDriver()) as swapped:
        await swapped.put("z", b"")
        await manager.delete("z")
    with pytest.raises(NotFound):
        await manager.get("z")
    assert told == [
        ("written", "b", "x"),
        ("written", "new", "y"),
        ("written", "a", "z"),
        ("removed", "a", "z"),
        ("failed", "a", "z"),
    ]


async def test_listeners_stay_through_every_change(manager: StorageManager, told: Told) -> None:
    held = manager.disk("b")
    await held.put("x", b"")
    await manager.purge("b")
    await held.put("x", b"")
    await manager.aclose()
    await held.put("x", b"")
    manager.configure({"default": "b", "disks": {"b": {"driver": "memory"}}})
    await manager.put("x", b"")
    manager.configure_disk("b", "memory", url="/new")
    await held.put("x", b"")
    manager.forget_disk("b")
    await held.put("x", b"")
    assert told == [("written", "b", "x")] * 6


async def test_a_fake_tells_through_all_who_use_it(manager: StorageManager, told: Told) -> None:
    with manager.fake("s3") as fake:
        await fake.put("x", b"")
        held = manager.disk("s3")
        await held.put("y", b"")
        await fake.scoped("t").put("z", b"")
        await fake.copy("x", "t/c", disk=held)
        fake.fail("get", Unavailable)
        with pytest.raises(Unavailable):
            await held.get("x")
        assert told.taken() == [
            ("written", "s3", "x"),
            ("written", "s3", "y"),
            ("written", "s3", "t/z"),
            ("copied", "s3", "x"),
            ("failed", "s3", "x"),
        ]
        fake.assert_exists(["x", "y", "t/z", "t/c"]).assert_count("", 4, recursive=True)
        assert fake.calls == [
            *(("put", "x"), ("put", "y"), ("put", "t/z"), ("copy", "x", "t/c"), ("get", "x")),
        ]
        assert isinstance(fake.driver, Recorder)
        assert told == []
    with manager.fake() as fake:
        await manager.put("x", b"")
        fake.assert_exists("x")
    assert told == [("written", "a", "x")]


async def test_a_disk_on_demand_tells_and_is_closed_as_before(
    manager: StorageManager, told: Told
) -> None:
    async with manager.build("memory://", name="export") as disk:
        await disk.put("x", b"")
        await disk.scoped("t").put("y", b"")
        driver = disk.driver
    assert told == [("written", "export", "x"), ("written", "export", "t/y")]
    assert isinstance(driver, MemoryDriver)
    with pytest.raises(Closed):
        await driver.stat("x")


async def test_each_manager_has_its_own(manager: StorageManager, told: Told) -> None:
    other = StorageManager.isolated(CONFIG)
    await other.put("x", b"")
    assert told == []
    assert manager.events is manager.events
    assert other.events is not manager.events
    assert Storage.events is StorageManager().events


async def test_what_a_disk_is_does_not_change(
    manager: StorageManager, told: Told, tmp_path: Path
) -> None:
    local = LocalDriver(tmp_path)
    disk = manager.set_driver(local, "local")
    assert isinstance(disk.driver, LocalDriver)
    assert disk.driver is local is manager.disk("local").driver
    assert isinstance(manager.disk("b").layer(Retry), Retry)
    assert isinstance(manager.disk("t1").layer(Scoped), Scoped)
    with pytest.raises(Unsupported, match="no layer Observe"):
        disk.layer(Observe)
    with pytest.raises(Unsupported, match="no layer Observe"):
        disk.stats()
    assert disk.traits is local.traits
    assert disk.supports(Append)
    assert not disk.supports(Sing)
    assert disk.url("x") == "/storage/x"
    assert disk.path("x") == str(tmp_path / "x")
    assert repr(disk) == "Disk('local')"
    assert manager.set_driver(Singing(), "song").ability(Sing).sing() == "la"
    await manager.aclose()
    await disk.put("x", b"not closed, for it was set by hand")


async def test_abilities_are_told_of(manager: StorageManager, told: Told) -> None:
    await manager.put("x", b"")
    disk = manager.disk()
    await disk.ability(Copy).copy_within("x", "y")
    await manager.ability(Copy).copy_within("x", "z")
    assert told[1:] == [("copied", "a", "x")] * 2
    assert disk.ability(PublicUrl).public_url("x") == "/a/x"
    with pytest.raises(Unsupported, match="memory has no LocalPath"):
        disk.ability(LocalPath)


async def test_temporary_urls_are_as_before(manager: StorageManager) -> None:
    silent = await manager.temporary_url("x", 60)
    told = Told()
    manager.events.on("*", told)
    for source in (manager, manager.disk("t1"), manager.scoped("t1")):
        url = await source.temporary_url("x", 60)
        assert (await source.verify_temporary_url(url)).path == "x"
        assert source.ability(PresignRead)
    assert (await manager.verify_temporary_url(silent)).path == "x"
    assert silent.partition("?")[0] == "/a/x"


async def test_copies_between_disks_tell_on_both(manager: StorageManager, told: Told) -> None:
    manager.set_driver(Bare(MemoryDriver()), "plain")
    await manager.put("x", b"1")
    await manager.copy("x", "y", disk="plain")
    assert told.taken() == [("written", "a", "x"), ("read", "a", "x"), ("written", "plain", "y")]
    await manager.copy("x", "y", disk="b")
    assert told.taken() == [("copied", "b", "x")]
    await manager.move("x", "z")
    assert told.taken() == [("moved", "a", "x")]


@pytest.mark.parametrize("listening", [False, True])
async def test_two_names_of_one_driver_are_one_place(
    manager: StorageManager,
    listening: bool,  # noqa: FBT001
) -> None:
    driver = Bare(MemoryDriver())
    one, other = manager.set_driver(driver, "one"), manager.set_driver(driver, "other")
    if listening:
        manager.events.on("*", lambda event: None)
    await one.put("x/y", b"1")
    await one.move("x/y", "x/y", disk="other")
    await one.copy("x/y", "x/y", disk=other)
    await one.move("x/y", "x/y", disk=driver)
    with pytest.raises(ValueError, match="cannot go into itself"):
        await one.copy_directory("x", "x/z", disk=other)
    assert await other.get("x/y") == b"1"


async def test_listening_may_begin_between_two_steps_of_a_verb(manager: StorageManager) -> None:
    class Late(Bare):
        async def stat(self, path: str, /) -> Any:
            manager.events.on("*", lambda event: None)
            return await super().stat(path)

    disk = manager.set_driver(Late(MemoryDriver()), "late")
    await disk.put("x", b"1")
    await disk.move("x", "x")
    await disk.move("x", "y")
    assert await disk.all_files() == ["y"]


async def test_a_listener_may_use_the_manager(manager: StorageManager) -> None:
    seen: list[str] = []

    @manager.events.on("written")
    async def mirror(event: Event) -> None:
        await manager.copy(event.path, f"copies/{event.path}", disk="b")
        await manager.put(f"{event.path}.done", b"")

    manager.events.on("written", lambda event: seen.append(event.path))
    await manager.put("x", b"1")
    assert await manager.disk("b").all_files() == ["copies/x"]
    assert seen == ["x.done", "x"]


async def test_what_a_listener_does_is_a_verb_of_its_own(manager: StorageManager) -> None:
    async def mirror(event: Event) -> None:
        await manager.copy("x", "y")
        with pytest.raises(NotFound) as caught:
            await manager.get("missing")
        assert caught.value.operation == "get"

    off = manager.events.on("written", mirror)
    verbs: list[tuple[str, str | None]] = []
    for name in ("written", "copied", "failed"):
        manager.events.on(name, lambda event: verbs.append((event.name, event.verb)))  # type: ignore[call-overload]
    with manager.fake() as fake:
        await manager.put("x", b"1")
        off()
        assert verbs == [("copied", "copy"), ("failed", "get"), ("written", "put")]
        assert fake.calls == [("put", "x"), ("copy", "x", "y"), ("get", "missing")]
    assert manager.events.failures == 0


async def test_listeners_come_back_after_a_test(manager: StorageManager, told: Told) -> None:
    state = manager._saved()
    late = Told()
    manager.events.on("*", late)
    await manager.put("x", b"")
    assert late.taken()
    manager._restore(state)
    await manager.put("y", b"")
    assert late == []
    assert told == [("written", "a", "x"), ("written", "a", "y")]


async def test_an_old_driver_is_let_go_of(manager: StorageManager, told: Told) -> None:
    reports = manager._shelf.reports
    for _ in range(3):
        manager.set_driver(MemoryDriver(), "b")
        await manager.disk("b").put("x", b"")
        with manager.swap("b", MemoryDriver()):
            await manager.disk("b").put("x", b"")
        manager.configure(CONFIG)
        await manager.put("x", b"")
    manager.forget_disk("b")
    assert len(reports._layers) == 1
    before = manager._saved()
    manager.set_driver(MemoryDriver(), "c")
    await manager.disk("c").put("x", b"")
    manager._restore(before)
    assert {name for name, _ in reports._layers} <= {"a"}
    await manager.aclose()
    assert reports._layers == {}


async def test_a_driver_that_is_built_meanwhile_tells(told: Told, manager: StorageManager) -> None:
    await asyncio.gather(*(manager.disk("b").put(f"{number}", b"") for number in range(10)))
    assert sorted(told) == [("written", "b", f"{number}") for number in range(10)]


async def test_threads_may_listen_and_change_while_others_use_it(manager: StorageManager) -> None:
    stop = threading.Event()

    def change() -> None:
        while not stop.wait(0.001):
            off = manager.events.on("*", lambda event: None)
            with manager.swap("a", MemoryDriver()):
                pass
            off()
            manager.configure(CONFIG)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(100):
            await manager.put("x", b"")
            await manager.files()
            await asyncio.sleep(0)
    finally:
        stop.set()
        changing.join()
    assert not manager.events


async def test_a_disk_of_its_own_has_no_events() -> None:
    disk = Disk(MemoryDriver(), name="own")
    assert await disk._ready() is disk.driver
