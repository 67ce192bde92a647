"""Quota: what does not fit is refused and changes nothing, and every change is counted."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from storeroom.contracts.abilities import Append, Copy, CopyFrom, Folders, Move, Versions
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    AlreadyExists,
    ConfigError,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import PLAIN, RemoveOptions, Stat, WriteOptions
from storeroom.disk import Disk
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around, Compression, Encryption, Layer, Scoped
from storeroom.layers.encryption import new_key
from storeroom.layers.quota import Quota, Usage
from storeroom.manager import StorageManager
from storeroom.testing import Faults
from tests.layers.everything import Bare, Everything, fates, filled
from tests.layers.forgotten import Failing, forgotten, two_chunks

T = TypeVar("T")


class Asked(Around):
    """Notes what is asked of the driver; `lost` calls are done and fail all the same."""

    def __init__(self, inner: StorageDriver) -> None:
        super().__init__(inner)
        self.seen: list[str] = []
        self.lost: set[str] = set()
        self.fails: set[str] = set()

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        self.seen.append(operation)
        if operation in self.fails:
            raise Unavailable("for now")
        answer = await call()
        if operation in self.lost:
            raise Unavailable("the answer was lost")
        return answer


async def used(quota: Quota) -> tuple[int, int]:
    usage = await quota.usage()
    assert usage == await quota.recount()
    return usage.bytes, usage.files


async def chunks(*sizes: int) -> AsyncGenerator[bytes]:
    for size in sizes:
        await asyncio.sleep(0)
        yield bytes(size)


@asynccontextmanager
async def writing(quota: Quota, path: str, size: int) -> AsyncGenerator[None]:
    """A write that has sent its bytes and ends with the block."""
    sent, go_on = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncGenerator[bytes]:
        yield bytes(size)
        sent.set()
        await go_on.wait()

    task = asyncio.create_task(quota.write(path, Body(body)))
    await sent.wait()
    yield
    go_on.set()
    await task


async def test_what_is_there_counts_from_the_first_use() -> None:
    driver = MemoryDriver()
    await filled(driver, "a", "b/c", "é %2F")
    asked = Asked(driver)
    quota = Quota(asked, max_bytes=20)
    assert asked.seen == []
    assert await quota.usage() == Usage(10, 3, 20, None)
    await quota.usage()
    assert asked.seen == ["scan"]
    with pytest.raises(QuotaExceeded, match="10 of 20 bytes are stored"):
        await quota.put("d", bytes(11))
    await quota.put("d", bytes(10))


async def test_each_change_is_counted() -> None:
    quota = Quota(Everything())
    steps: list[tuple[Callable[[], Awaitable[Any]], tuple[int, int]]] = [
        (lambda: quota.put("a", bytes(10)), (10, 1)),
        (lambda: quota.put("a", bytes(4)), (4, 1)),
        (lambda: quota.put("b.bin", chunks(3, 0, 2)), (9, 2)),
        (lambda: quota.append("a", bytes(2)), (11, 2)),
        (lambda: quota.append("new", bytes(1)), (12, 3)),
        (lambda: quota.append("a", chunks(1, 1)), (14, 3)),
        (lambda: quota.prepend("a", bytes(1)), (15, 3)),
        (lambda: quota.copy("a", "f/c"), (24, 4)),
        (lambda: quota.copy("new", "f/c"), (16, 4)),
        (lambda: quota.move("f/c", "a"), (7, 3)),
        (lambda: quota.put_many({"f/x": b"1", "f/y": b"22"}), (10, 5)),
        (lambda: quota.copy_directory("f", "g"), (13, 7)),
        (lambda: quota.delete("a"), (12, 6)),
        (lambda: quota.delete("missing"), (12, 6)),
        (lambda: quota.delete_many(["f/x", "f/y", "nothing"]), (9, 4)),
        (lambda: quota.delete_directory("g"), (6, 2)),
        (lambda: quota.delete_directory("missing"), (6, 2)),
        (lambda: quota.set_visibility("new", "public"), (6, 2)),
        (lambda: quota.set_attributes("new", content_type="a/b"), (6, 2)),
        (lambda: quota.copy("new", "new"), (6, 2)),
        (lambda: quota.move("new", "new"), (6, 2)),
    ]
    for number, (step, expected) in enumerate(steps):
        await step()
        assert await used(quota) == expected, number


@pytest.mark.parametrize("size", [8, 600_000])
async def test_what_does_not_fit_changes_nothing(size: int) -> None:
    driver = Everything()
    await filled(driver, "old", "b")
    quota = Quota(driver, max_bytes=8, max_files=2)
    before = driver.whole()
    for path in ("new", "old"):
        for content in (bytes(size), chunks(2, size), chunks(*[2] * 9)):
            with pytest.raises(QuotaExceeded, match="quota has no room for a file of ") as caught:
                await quota.put(path, content)
            assert caught.value.path == path
            assert isinstance(caught.value, OSError)
    with pytest.raises(QuotaExceeded):
        await quota.append("old", bytes(size))
    with pytest.raises(QuotaExceeded):
        await quota.append("old", chunks(1, size))
    with pytest.raises(QuotaExceeded):
        await quota.put("third", b"")
    assert driver.whole() == before
    assert await used(quota) == (4, 2)


async def test_a_known_size_is_refused_before_a_byte_is_asked_for() -> None:
    asked = Asked(MemoryDriver())
    quota = Quota(asked, max_bytes=8)
    body = Body(lambda: chunks(9), size=9)
    with pytest.raises(QuotaExceeded):
        await quota.write("a", body)
    assert "write" not in asked.seen
    assert await body.peek(1) == b"\0"


async def test_a_file_may_be_replaced_where_nothing_is_left() -> None:
    quota = Quota(MemoryDriver(), max_bytes=10, max_files=1)
    await quota.put("a", bytes(10))
    for size in (10, 3, 10):
        await quota.put("a", bytes(size))
    await quota.move("a", "b")
    with pytest.raises(QuotaExceeded):
        await quota.copy("b", "c")
    assert await used(quota) == (10, 1)


async def test_a_disk_over_its_limit_can_be_emptied() -> None:
    driver = MemoryDriver()
    await driver.put("a", bytes(20))
    await driver.put("b", bytes(20))
    quota = Quota(driver, max_bytes=10)
    with pytest.raises(QuotaExceeded):
        await quota.put("c", b"x")
    await quota.put("a", bytes(19))
    await quota.delete("b")
    await quota.put("a", bytes(10))
    assert await used(quota) == (10, 1)


async def test_a_condition_that_fails_gives_everything_back() -> None:
    quota = Quota(MemoryDriver(), max_bytes=10)
    await quota.put("a", bytes(5))
    for _ in range(5):
        with pytest.raises(AlreadyExists):
            await quota.put("a", bytes(9), overwrite=False)
        with pytest.raises(NotFound):
            await quota.copy("missing", "b")
        with pytest.raises(NotFound):
            await quota.move("missing", "b")
    assert await used(quota) == (5, 1)


async def test_create_only_finds_the_file_also_where_there_is_no_room() -> None:
    for driver in (MemoryDriver(), Bare(MemoryDriver())):
        quota = Quota(driver, max_bytes=4, max_files=2)
        await quota.put_many({"a": bytes(3), "b": bytes(1)})
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda quota=quota: quota.put("b", bytes(9), overwrite=False),
            lambda quota=quota: quota.put("b", chunks(1, 8), overwrite=False),
            lambda quota=quota: quota.copy("a", "b", overwrite=False),
        ]
        for call in calls:
            with pytest.raises(AlreadyExists):
                await call()
        with pytest.raises(QuotaExceeded):
            await quota.put("c", b"", overwrite=False)
        assert await used(quota) == (4, 2)


async def test_a_body_that_fails_gives_everything_back() -> None:
    async def failing() -> AsyncGenerator[bytes]:
        yield bytes(9)
        raise ZeroDivisionError

    quota = Quota(MemoryDriver(), max_bytes=10)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            await quota.put("a", failing())
    await quota.put("b", bytes(10))
    assert await used(quota) == (10, 1)


async def test_what_counts_a_body_is_closed_where_the_driver_fails() -> None:
    quota = Quota(Failing())
    with forgotten() as found:
        for store in (quota.put, quota.append):
            with pytest.raises(Unavailable):
                await store("a", two_chunks())
    assert found == []


async def test_a_cancelled_write_gives_everything_back_when_it_matters() -> None:
    quota = Quota(MemoryDriver(), max_bytes=10)
    going = asyncio.Event()

    async def stuck() -> AsyncGenerator[bytes]:
        yield bytes(9)
        going.set()
        await asyncio.Event().wait()

    for number in range(100):
        going.clear()
        task = asyncio.create_task(quota.write(f"{number}", Body(stuck)))
        await going.wait()
        with pytest.raises(QuotaExceeded):
            await quota.put("b", bytes(2))
        task.cancel()
        await asyncio.wait([task])
    await quota.put("b", bytes(10))
    assert await used(quota) == (10, 1)


async def test_no_change_asks_for_all_that_is_in_doubt() -> None:
    asked = Asked(MemoryDriver())
    quota = Quota(asked)
    together = asyncio.Barrier(101)

    async def body() -> AsyncGenerator[bytes]:
        yield b"x"
        await together.wait()

    tasks = [asyncio.create_task(quota.write(f"{one}", Body(body))) for one in range(100)]
    asked.lost.add("write")
    await together.wait()
    asked.fails.add("stat")
    await asyncio.wait(tasks)
    asked.seen.clear()
    with pytest.raises(Unavailable):
        await quota.put("b", b"")
    await quota.usage()
    assert asked.seen == ["stat"] * 3  # and no more while the disk is away
    asked.fails.clear()
    asked.lost.clear()
    for _ in range(50):
        asked.seen.clear()
        await quota.put("b", b"")
        assert len(asked.seen) <= 4
    assert asked.seen == ["stat", "write"]  # few enough are left
    assert await used(quota) == (100, 101)


@pytest.mark.parametrize("verb", ["write", "rename", "extend", "copy_within", "remove"])
@pytest.mark.parametrize("lost", [True, False])
async def test_after_a_lost_answer_the_disk_is_asked(verb: str, *, lost: bool) -> None:
    driver = Everything()
    await driver.put("a", bytes(3))
    asked = Asked(driver)
    quota = Quota(asked, max_bytes=20)
    (asked.lost if lost else asked.fails).add(verb)
    call = {
        "write": lambda: quota.put("b", bytes(9)),
        "rename": lambda: quota.ability(Move).rename("a", "b"),
        "extend": lambda: quota.ability(Append).extend("a", Body(bytes(9))),
        "copy_within": lambda: quota.ability(Copy).copy_within("a", "b"),
        "remove": lambda: quota.remove("a"),
    }[verb]
    with pytest.raises(Unavailable):
        await call()
    usage = await quota.usage()
    assert (usage.bytes, usage.files) == (
        sum(len(found.content) for found in driver._store.objects.values()),
        driver.count(),
    )


async def test_while_the_disk_cannot_be_asked_the_largest_outcome_counts() -> None:
    driver = MemoryDriver()
    asked = Asked(driver)
    quota = Quota(asked, max_bytes=10)
    await quota.put("a", b"x")

    async def breaking() -> AsyncGenerator[bytes]:
        yield bytes(8)
        asked.fails.add("stat")
        raise Unavailable("cut")

    with pytest.raises(Unavailable, match="cut"):
        await quota.put("b", breaking(), content_type="a/b")
    assert (await quota.usage()).bytes == 9
    asked.fails.clear()
    assert (await quota.usage()).bytes == 1


async def test_a_copy_of_what_is_being_written_goes_as_a_stream() -> None:
    driver = MemoryDriver()
    await driver.put("a", bytes(3))
    asked = Asked(driver)
    quota = Quota(asked, max_bytes=20)
    async with writing(quota, "a", 5):
        with pytest.raises(Unsupported, match="being changed"):
            await quota.ability(Copy).copy_within("a", "b")
        asked.seen.clear()
        await quota.copy("a", "b")
        assert "copy_within" not in asked.seen
        await quota.put("a", bytes(7))  # nobody waits for the writer
    assert await used(quota) == (8, 2)


async def test_who_changes_what_is_being_copied_waits_for_the_service() -> None:
    class Holding(Asked):
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def around(self, operation: str, path: str, call: Any, /) -> Any:
            if operation == "copy_within":
                self.reached.set()
                await self.go_on.wait()
            return await super().around(operation, path, call)

    driver = MemoryDriver()
    await driver.put("a", bytes(3))
    holding = Holding(driver)
    quota = Quota(holding, max_bytes=20)
    copying = asyncio.create_task(quota.copy("a", "b"))
    await holding.reached.wait()
    writing = asyncio.create_task(quota.put("a", bytes(15)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not writing.done()
    holding.go_on.set()
    await asyncio.gather(copying, writing)
    assert await used(quota) == (18, 2)


async def test_a_copy_from_the_same_store_is_kept_as_it_is_too() -> None:
    driver = MemoryDriver()
    quota = Quota(Scoped(driver, "t"), max_bytes=20)
    await quota.put("a", bytes(3))
    async with writing(quota, "a", 1):
        with pytest.raises(Unsupported, match="being changed"):
            await quota.ability(CopyFrom).copy_from(driver, "t/a", "b")
    await driver.put("outside", bytes(2))
    await quota.ability(CopyFrom).copy_from(driver, "outside", "b")
    assert await used(quota) == (3, 2)


async def test_versions_are_counted() -> None:
    driver = Everything()
    quota = Quota(driver, max_bytes=10)
    await quota.put("a", bytes(9))
    await quota.put("a", bytes(2))
    native = quota.ability(Versions)
    (version,) = [version async for version in native.list_versions("a")]
    await quota.put("b", bytes(8))
    with pytest.raises(QuotaExceeded):
        await native.restore_version("a", version.id)
    await quota.delete("b")
    await native.restore_version("a", version.id)
    assert await used(quota) == (9, 1)
    await native.remove_version("a", version.id)
    assert await used(quota) == (9, 1)


async def test_what_others_change_is_seen_by_a_recount() -> None:
    driver = MemoryDriver()
    quota = Quota(driver, max_bytes=10)
    await quota.put("a", bytes(5))
    await driver.put("b", bytes(5))
    assert (await quota.usage()).bytes == 5
    assert await quota.recount() == Usage(10, 2, 10, None)


async def test_a_recount_waits_for_nobody() -> None:
    quota = Quota(MemoryDriver(), max_bytes=10)
    async with writing(quota, "a", 5):
        async with asyncio.timeout(5):
            await quota.recount()
            await quota.put("b", bytes(3))
    assert await used(quota) == (8, 2)


async def test_a_count_that_fails_is_made_again() -> None:
    asked = Asked(MemoryDriver())
    quota = Quota(asked, max_bytes=10)
    asked.fails.add("scan")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await quota.put("a", b"x")
    asked.fails.clear()
    await quota.put("a", b"x")
    asked.fails.add("scan")
    with pytest.raises(Unavailable):
        await quota.recount()
    assert (await quota.usage()).bytes == 1


async def test_sizes_that_a_listing_does_not_tell_are_asked_for() -> None:
    class Silent(Layer):
        async def scan(self, folder: str = "", how: Any = None, /) -> Any:
            async for entry in self.inner.scan(folder):
                yield Stat(entry.path)

    driver = MemoryDriver()
    await filled(driver, "a", "bc")
    assert await Quota(Silent(driver)).usage() == Usage(3, 2, None, None)

    class Unknowing(Silent):
        async def stat(self, path: str, /) -> Stat:
            return Stat(path)

    with pytest.raises(Unsupported, match=r"counted for the quota: 'a': its size is not told"):
        await Quota(Unknowing(driver)).usage()


async def test_it_says_what_was_asked_and_what_there_is() -> None:
    quota = Quota(MemoryDriver(), max_bytes=10, max_files=2)
    await quota.put("a", bytes(5))
    held = "5 of 10 bytes and 1 of 2 files are stored or on their way"
    for asked, call in (
        ("a file of 1,000 bytes", quota.put("b", bytes(1000))),
        ("a file of at least 11 bytes", quota.put("b", chunks(4, 7))),
        ("1,000 more bytes", quota.append("a", bytes(1000))),
    ):
        with pytest.raises(QuotaExceeded, match=f"no room for {asked}: {held}"):
            await call


async def test_a_stale_condition_is_told_before_a_lack_of_room() -> None:
    quota = Quota(MemoryDriver(), max_bytes=5)
    await quota.put("a", bytes(5))
    etag = (await quota.metadata("a")).etag
    for path, stale in (("a", "m-0"), ("missing", etag)):
        with pytest.raises(PreconditionFailed):
            await quota.write(path, Body(bytes(30)), WriteOptions(if_match=stale))
    with pytest.raises(QuotaExceeded):
        await quota.write("a", Body(bytes(30)), WriteOptions(if_match=etag))
    assert await quota.get("a") == bytes(5)


async def test_a_count_that_fails_names_the_call_and_the_file() -> None:
    driver = Faults(MemoryDriver()).fail("scan", Unavailable)
    quota = Quota(driver, max_bytes=10)
    with pytest.raises(Unavailable, match=r"^put 'f/a' .*not be counted for the quota: ") as caught:
        await quota.put("f/a", b"x")
    assert (caught.value.path, caught.value.operation) == ("f/a", "put")

    class Poor(MemoryDriver):  # without metadata only the file itself says how much is in it
        async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
            return await super().write(path, body, replace(how, metadata=None))

    poor = Poor()
    await Compression(Encryption(poor, key=new_key())).put("f/locked", b"abc" * 100_000)
    outside = Quota(Compression(Encryption(poor, key=new_key())), max_bytes=10_000)
    with pytest.raises(PermissionDenied, match=r"^put 'b' .*: 'f/locked': .* locked with the key"):
        await outside.put("b", b"x")
    inside = Compression(Encryption(Quota(poor, max_bytes=10_000), key=new_key()))
    assert await inside.put("b", b"x") == "b"


async def test_a_driver_of_six_verbs_is_enough() -> None:
    driver = MemoryDriver()
    quota = Quota(Bare(driver), max_bytes=10)
    await quota.put("f/a", bytes(5))
    await quota.copy("f/a", "f/b")
    with pytest.raises(QuotaExceeded):
        await quota.append("f/a", b"x")
    await quota.delete("f/b")
    await quota.move("f/a", "f/c")
    await quota.delete_directory("f")
    assert await used(quota) == (0, 0)


async def test_a_real_folder_is_removed_with_its_empty_ones(tmp_path: Path) -> None:
    quota = Quota(LocalDriver(tmp_path, durability="none"), max_bytes=100)
    await quota.put_many({f"f/{number}/x": b"12" for number in range(5)})
    await quota.make_directory("f/empty/deep")
    assert await used(quota) == (10, 5)
    assert await quota.ability(Folders).remove_folder("f") is True
    assert not await quota.directory_exists("f")
    assert await used(quota) == (0, 0)


async def test_a_file_written_into_a_folder_on_its_way_out_is_counted_once() -> None:
    driver = MemoryDriver()
    await filled(driver, "f/a", "f/b")
    quota = Quota(driver, max_bytes=100)
    async with writing(quota, "f/c", 3):
        await quota.delete_directory("f")
    assert await used(quota) == (3, 1)


async def test_many_puts_at_once_share_what_is_left() -> None:
    driver = MemoryDriver()
    quota = Quota(driver, max_bytes=100, max_files=50)
    puts = (quota.put(f"{number}", chunks(3, 3, 1)) for number in range(60))
    done = await asyncio.gather(*puts, return_exceptions=True)
    assert sum(isinstance(one, str) for one in done) <= 14
    assert all(isinstance(one, str | QuotaExceeded) for one in done)
    assert (await used(quota))[0] <= 100
    puts = (quota.put(f"{number}", bytes(7)) for number in range(60))
    await asyncio.gather(*puts, return_exceptions=True)
    assert await used(quota) == (98, 14)


async def test_several_loops_share_one_count() -> None:
    quota = Quota(MemoryDriver(), max_bytes=100)

    async def work(name: str) -> None:
        puts = (quota.put(f"{name}/{number}", bytes(7)) for number in range(10))
        await asyncio.gather(*puts, return_exceptions=True)

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, work(name)) for name in "abc"))
    assert await used(quota) == (98, 14)


async def test_a_removal_under_a_condition_is_counted_as_it_ends() -> None:
    quota = Quota(MemoryDriver())
    await quota.put("a", bytes(3))
    with pytest.raises(Exception, match="if_match"):
        await quota.remove("a", RemoveOptions("m-99"))
    assert await used(quota) == (3, 1)


async def test_urls_for_uploads_are_the_disks_own() -> None:
    """What is uploaded to the service directly could not be counted."""
    disk = Disk(Quota(MemoryDriver(), max_bytes=10), signing_key="0123456789abcdef")
    upload = await disk.temporary_upload_url("a", 60)
    assert upload.url.startswith("/storage/a")
    with pytest.raises(Unsupported):
        await Disk(Quota(Everything())).temporary_upload_url("a", 60)


def test_what_becomes_of_each_ability() -> None:
    driver = Everything()
    table = fates(Quota(driver), driver)
    assert table["hidden"] == {"LocalPath", "Multipart", "PresignPost", "PresignWrite"}
    assert table["adapted"] == {
        *("Append", "BulkRemove", "Copy", "CopyFrom", "Folders", "Move", "Versions")
    }
    assert table["kept"] == {
        *("Attributes", "Checksum", "Leases", "Origin", "PresignRead", "PublicUrl", "Sweep"),
        *("Tags", "Tiers", "Times", "VerifyUrl", "Visibility"),
    }
    assert table.keys() == {"hidden", "adapted", "kept"}


@pytest.mark.parametrize(
    "options", [{"max_bytes": -1}, {"max_bytes": "1 GB"}, {"max_files": 1.5}, {"max_files": True}]
)
def test_bad_settings_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Quota(MemoryDriver(), **options)


async def test_it_is_made_by_a_configuration() -> None:
    layers = [{"layer": "quota", "max_bytes": 3, "max_files": 2}]
    config = {"default": "m", "disks": {"m": {"driver": "memory", "layers": layers}}}
    async with StorageManager.isolated(config) as manager:
        await manager.put("a", b"xyz")
        with pytest.raises(QuotaExceeded):
            await manager.put("b", b"x")
        assert await manager.disk("m").layer(Quota).usage() == Usage(3, 1, 3, 2)
