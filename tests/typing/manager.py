"""What type checkers make of disks and their manager; checked by mypy and pyright, never run."""

from collections.abc import Callable
from pathlib import Path
from typing import assert_type

from storeroom import Disk, LocalDriver, MemoryDriver, Storage, StorageManager
from storeroom.contracts.abilities import Multipart, PresignRead
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.stats import Stats, Tally
from storeroom.events import Event, Events
from storeroom.layers.readonly import ReadOnly
from storeroom.layers.retry import Retry
from storeroom.layers.scoped import Scoped
from storeroom.testing.fake import FakeDisk


@Storage.events.on("*")
async def hear(event: Event) -> None:
    assert_type(event.path, str)


def events() -> None:
    assert_type(Storage.events, Events)
    assert_type(Storage.events.on("written", hear), Callable[[], None])
    Storage.events.on("*", lambda event: print(event.disk))
    Storage.events.on("writen", hear)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    Storage.events.on("read", lambda: None)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert_type(Storage.stats(), Stats)
    assert_type(Storage.disk().stats().operations["read"], Tally)


def names() -> None:
    assert_type(Storage, StorageManager)
    assert_type(Storage.disk(), Disk)
    assert_type(Storage.disk("s3"), Disk)
    assert_type(Storage.build("memory://"), Disk)
    assert_type(Storage.build({"driver": "local", "root": "x"}, name="x"), Disk)
    assert_type(StorageManager.isolated({"disks": {}}), StorageManager)
    assert_type(StorageManager.isolated(Path("filesystems.toml")), StorageManager)
    Storage.disk(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def changes(driver: MemoryDriver) -> None:
    assert_type(Storage.configure_disk("x", "memory", url="/x"), Disk)
    assert_type(Storage.set_driver(driver), Disk)
    assert_type(Storage.set_driver(Scoped(Storage.disk(), "x"), "x"), Disk)
    Storage.set_driver("memory")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Storage.configure_disk("x", driver)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Storage.extend("tape", MemoryDriver)
    Storage.extend("folder", LocalDriver)
    with Storage.swap("x", driver) as disk:
        assert_type(disk, Disk)
    with Storage.fake("s3") as fake:
        assert_type(fake, FakeDisk)


async def closing() -> None:
    async with Storage as storage:
        assert_type(storage, StorageManager)
    async with Storage.disk("s3") as disk:
        assert_type(disk, Disk)
    async with Disk(LocalDriver("x"), name="x", signing_key=["new", "old"]) as own:
        assert_type(own, Disk)
    async with MemoryDriver() as driver:
        assert_type(driver, MemoryDriver)
        assert_type(await driver.get("x"), bytes)
    await Storage.purge("s3")
    await Storage.aclose()


def behind(disk: Disk) -> None:
    assert_type(disk.driver, StorageDriver)
    assert_type(disk.supports(Multipart), bool)
    assert_type(disk.layer(Retry), Retry)
    assert_type(disk.scoped("x"), Scoped)
    assert_type(disk.scoped("x").read_only(), ReadOnly)
    assert_type(Storage.read_only(), ReadOnly)


def a_disk_is_a_driver(disk: Disk) -> StorageDriver:
    return Retry(Scoped(disk, "x"), attempts=3)


async def an_ability(disk: Disk) -> None:
    signer: PresignRead = disk.ability(PresignRead)
    parts: Multipart = disk.ability(Multipart)
    assert_type(await parts.start_parts("x"), str)
    del signer
