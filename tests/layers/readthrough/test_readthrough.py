"""ReadThrough: what is copied when it is read, when the copy is given, and when it is not."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storeroom import StorageManager
from storeroom.contracts.abilities import LocalPath, PresignPost, PresignWrite, Sweep
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    Closed,
    ConfigError,
    Corrupted,
    NotFound,
    NotModified,
    PermissionDenied,
    PreconditionFailed,
    Unavailable,
)
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.drivers.sftp import SFTPDriver
from storeroom.layers.readonly import ReadOnly
from storeroom.layers.readthrough import ReadThrough
from storeroom.testing import Faults
from tests.layers.everything import Everything, fates
from tests.layers.moody import Moody

BIG = b"0123456789" * 300_000


class Two:
    """A fast disk before an origin, both moody."""

    def __init__(self, **options: Any) -> None:
        self.fast_store, self.store = MemoryDriver(), MemoryDriver()
        self.fast, self.origin = Moody(self.fast_store), Moody(self.store)
        self.disk = ReadThrough(self.fast, self.origin, **({"patience": 0.2} | options))

    def copies(self) -> dict[str, bytes]:
        return {path: found.content for path, found in self.fast_store._store.objects.items()}

    def reads(self) -> list[str]:
        return [path for operation, path in self.origin.calls if operation == "read"]

    async def quiet(self) -> None:
        while tasks := list(self.disk._errands._tasks):
            await asyncio.wait(tasks)


@pytest.fixture(params=[True, False], ids=["checked", "trusted"])
async def two(request: pytest.FixtureRequest) -> AsyncGenerator[Two]:
    two = Two(check=request.param)
    yield two
    for disk in (two.fast, two.origin):
        disk.freed.set()
    await two.disk.aclose()


@pytest.mark.parametrize("content", [b"", b"x", BIG])
async def test_what_is_read_is_copied_and_read_from_the_copy(two: Two, content: bytes) -> None:
    path, facts = "a b/%2F é", {"title": "é", "n": "1"}
    await two.store.put(
        path, content, content_type="text/x", cache_control="no-store", metadata=facts
    )
    for _ in range(3):
        async with two.disk.read_stream(path) as source:
            assert await source.read() == content
            stat, known = source.stat, await two.store.stat(path)
            assert (stat.content_type, stat.cache_control) == ("text/x", "no-store")
            assert (stat.metadata, stat.etag, stat.modified) == (facts, known.etag, known.modified)
    assert two.reads() == [path]
    assert two.copies() == {path: content}
    copy = await two.fast_store.stat(path)
    assert (copy.content_type, copy.cache_control) == ("text/x", "no-store")
    assert facts.items() <= (copy.metadata or {}).items()


async def test_ranges_and_conditions_are_answered_by_the_copy(two: Two) -> None:
    await two.store.put("a", BIG)
    assert await two.disk.get("a", start=5, stop=15) == BIG[5:15]
    assert two.copies() == {}
    await two.disk.get("a")
    etag = (await two.disk.metadata("a")).etag
    count = len(two.reads())
    assert await two.disk.get("a", start=5, stop=15) == BIG[5:15]
    assert await two.disk.get("a", if_match=etag, start=1, stop=2) == b"1"
    with pytest.raises(NotModified):
        await two.disk.get("a", if_none_match=etag)
    with pytest.raises(PreconditionFailed):
        await two.disk.get("a", if_match="m-99")
    assert len(two.reads()) == count


async def test_a_change_is_the_origins_and_takes_the_copy_away(two: Two) -> None:
    changes = (
        lambda: two.disk.put("f/a", b"new"),
        lambda: two.disk.append("f/a", b"more"),
        lambda: two.disk.copy("b", "f/a"),
        lambda: two.disk.move("c", "f/a"),
        lambda: two.disk.move("f/a", "d"),
        lambda: two.disk.set_attributes("f/a", content_type="text/odd"),
        lambda: two.disk.delete("f/a"),
        lambda: two.disk.delete_many(["f/a", "b"]),
        lambda: two.disk.delete_directory("f"),
    )
    for change in changes:
        for path in ("f/a", "b", "c"):
            await two.disk.put(path, path.encode())
        assert await two.disk.get("f/a") == b"f/a"
        assert "f/a" in two.copies()
        await change()
        assert "f/a" not in two.copies()
        there = await two.store.exists("f/a")
        assert await two.disk.exists("f/a") is there
        if there:
            assert await two.disk.get("f/a") == await two.store.get("f/a")
            kind = (await two.store.stat("f/a")).content_type
            async with two.disk.read_stream("f/a") as source:
                assert source.stat.content_type == kind
        else:
            with pytest.raises(NotFound):
                await two.disk.get("f/a")


async def test_a_change_past_the_layer_is_noticed_where_copies_are_checked() -> None:
    checked, trusted = Two(), Two(check=False)
    for two in (checked, trusted):
        await two.store.put("a", b"old")
        await two.store.put("b", b"old")
        for path in ("a", "b"):
            await two.disk.get(path)
        await two.store.put("a", b"new")
        await two.store.delete("b")
    assert await checked.disk.get("a") == b"new"
    assert checked.copies()["a"] == b"new"
    with pytest.raises(NotFound):
        await checked.disk.get("b")
    assert await trusted.disk.get("a") == b"old"


async def test_trusted_copies_do_without_the_origin() -> None:
    two = Two(check=False)
    await two.store.put("a", b"x")
    await two.disk.get("a")
    two.origin.be("down")
    assert await two.disk.get("a") == b"x"
    with pytest.raises(Unavailable):
        await two.disk.get("b")
    checked = Two()
    await checked.store.put("a", b"x")
    await checked.disk.get("a")
    checked.origin.be("down")
    with pytest.raises(Unavailable):
        await checked.disk.get("a")


async def test_a_reader_that_leaves_early_leaves_no_half_file(two: Two) -> None:
    await two.store.put("a", BIG)
    async with two.disk.read_stream("a") as source:
        assert await source.read(10) == BIG[:10]
    assert two.copies() == {}
    source = await two.disk.read("a")
    await anext(source)
    del source
    gc.collect()
    await two.quiet()
    assert two.copies() == {}
    assert await two.disk.get("a") == BIG
    assert two.copies() == {"a": BIG}


async def test_a_reader_that_takes_exactly_all_bytes_completes_the_copy(two: Two) -> None:
    await two.store.put("a", BIG)
    async with two.disk.read_stream("a") as source:
        assert await source.read(len(BIG)) == BIG
    assert two.copies() == {"a": BIG}


async def test_a_read_that_breaks_off_leaves_no_half_file() -> None:
    store = MemoryDriver()
    await store.put("a", BIG)
    fast = MemoryDriver()
    disk = ReadThrough(fast, Faults(store).truncate("read", at=1_500_000))
    with pytest.raises(Corrupted):
        await disk.get("a")
    assert fast.count() == 0
    assert await disk.get("a") == BIG
    assert fast.count() == 1


async def test_many_readers_make_one_copy(two: Two) -> None:
    await two.store.put("a", BIG)
    found = await asyncio.gather(*(two.disk.get("a") for _ in range(8)))
    assert set(found) == {BIG}
    writes = [path for operation, path in two.fast.calls if operation == "write"]
    assert writes == ["a"]
    assert two.copies() == {"a": BIG}


async def test_large_files_are_not_copied() -> None:
    two = Two(max_object=3)
    await two.store.put("large", b"1234")
    await two.store.put("small", b"123")
    assert await two.disk.get("large") == b"1234"
    assert await two.disk.get("small") == b"123"
    assert two.copies() == {"small": b"123"}
    everything = Two(max_object=None)
    await everything.store.put("a", BIG)
    await everything.disk.get("a")
    assert everything.copies() == {"a": BIG}


@pytest.mark.parametrize("mood", ["down", "lost", "hangs", "stuck"])
async def test_a_fast_disk_that_fails_is_done_without(two: Two, mood: Any) -> None:
    await two.store.put("a", BIG)
    await two.store.put("b", b"b")
    assert await two.disk.get("a") == BIG
    await two.store.put("f/c", b"c")
    two.fast.be(mood)
    async with asyncio.timeout(5):
        assert await two.disk.get("a") == BIG
        assert await two.disk.get("b") == b"b"
        await two.disk.put("a", b"new")
        assert await two.disk.get("a") == b"new"
        assert await two.disk.delete_directory("f")
    two.fast.freed.set()
    two.fast.be("well")
    await two.quiet()
    assert await two.disk.get("a") == b"new"
    assert await two.disk.get("b") == b"b"


@pytest.mark.parametrize("content", [b"small", BIG])
@pytest.mark.parametrize("mood", ["down", "lost", "hangs", "stuck"])
async def test_a_copy_that_cannot_be_stored_holds_nobody_up(
    two: Two, mood: Any, content: bytes
) -> None:
    await two.store.put("a", content)
    two.fast.be(mood, "write")
    async with asyncio.timeout(5):
        assert await two.disk.get("a") == content
    two.fast.freed.set()
    await two.quiet()
    assert two.copies() in ({}, {"a": content})


async def test_a_copy_under_way_is_overtaken_by_a_change(two: Two) -> None:
    """A read began before a change, and its copy is stored after it: the copy must not stay."""
    await two.store.put("a", BIG)
    source = await two.disk.read("a")
    first = await anext(source)
    await two.disk.put("a", b"new")
    rest = await source.read()
    assert first + rest == BIG
    await source.aclose()
    await two.quiet()
    assert await two.disk.get("a") == b"new"
    assert two.copies() == {"a": b"new"}


async def test_a_copy_that_cannot_be_stopped_is_removed_again(two: Two) -> None:
    await two.store.put("a", b"old")
    two.fast.be("stuck", "write")
    async with asyncio.timeout(5):
        assert await two.disk.get("a") == b"old"
        await two.disk.put("a", b"new")
        two.fast.be("well", "")
        assert await two.disk.get("a") == b"new"
    two.fast.freed.set()
    await two.quiet()
    assert await two.disk.get("a") == b"new"


async def test_a_copy_that_could_not_be_removed_is_not_trusted() -> None:
    two = Two(check=False)
    await two.store.put("a", b"old")
    await two.disk.get("a")
    two.fast.be("down", "remove")
    await two.disk.put("a", b"new")
    assert two.copies() == {"a": b"old"}
    assert await two.disk.get("a") == b"new"
    two.fast.be("well")
    await two.disk.put("a", b"newer")
    assert await two.disk.get("a") == b"newer"
    assert await two.disk.get("a") == b"newer"
    assert two.copies() == {"a": b"newer"}


async def test_a_copy_that_could_not_be_removed_is_removed_when_it_can_be() -> None:
    two = Two(check=False)
    for path in ("a", "f/b", "f/g/c"):
        await two.disk.put(path, b"old")
        await two.disk.get(path)
    two.fast.be("down", "remove", "scan")
    await two.disk.put("a", b"new")
    await two.disk.delete_directory("f")
    await two.store.put("f/g/c", b"new")
    two.fast.be("well")
    for path in ("a", "f/g/c"):
        assert await two.disk.get(path) == b"new"
        await two.quiet()
        assert await two.disk.get(path) == b"new"
    assert two.copies() == {"a": b"new", "f/g/c": b"new"}
    await two.disk.aclose()


async def test_a_large_folder_does_not_flood_the_fast_disk(two: Two) -> None:
    at_once: set[str] = set()
    most = 0

    class Counting(Moody):
        async def around(self, operation: str, path: str, call: Any, /) -> Any:
            nonlocal most
            at_once.add(path)
            most = max(most, len(at_once))
            try:
                await asyncio.sleep(0)
                return await super().around(operation, path, call)
            finally:
                at_once.discard(path)

    for number in range(100):
        await two.store.put(f"f/{number}", b"x")
        await two.disk.get(f"f/{number}")
    disk = ReadThrough(Counting(two.fast_store), two.store)
    await disk.delete_directory("f")
    assert two.copies() == {}
    assert 1 < most <= 20


async def test_a_fast_disk_is_tried_again_whatever_it_said(two: Two) -> None:
    await two.store.put("a", b"x")
    faulty = Faults(two.fast)
    disk = ReadThrough(faulty, two.origin, patience=0.2)
    faulty.fail("read", Unavailable, times=3)
    for _ in range(3):
        await disk.get("a")
    assert not disk._health.is_up
    faulty.fail("read", PermissionDenied)
    async with asyncio.timeout(5):
        while not disk._health.is_up:
            await disk.get("a")
            await asyncio.sleep(0.02)
    await disk.get("a")
    assert two.copies() == {"a": b"x"}


async def test_where_nothing_can_be_stored_it_is_not_tried_at_every_read(two: Two) -> None:
    for number in range(20):
        await two.store.put(f"{number}", b"x")
    two.fast.be("hangs", "write")
    for number in range(20):
        assert await two.disk.get(f"{number}") == b"x"
    assert [operation for operation, _ in two.fast.calls].count("write") < 5


async def test_what_a_crash_left_is_swept_on_both_disks(tmp_path: Path) -> None:
    fast, origin = (LocalDriver(tmp_path / name) for name in ("fast", "origin"))
    for disk in (fast, origin):
        await disk.put("a", b"x")
        left = Path(disk.local_path("x")).with_name(".storeroom-tmp-1")
        await asyncio.to_thread(left.write_bytes, b"half")
    assert await ReadThrough(fast, origin).sweep(timedelta(0)) == 2
    assert ReadThrough(fast, MemoryDriver()).supports(Sweep)
    assert not ReadThrough(MemoryDriver(), MemoryDriver()).supports(Sweep)


async def test_what_else_lies_on_the_fast_disk_is_neither_given_nor_replaced(two: Two) -> None:
    await two.fast_store.put("a", b"somebody else's", metadata={"storeroom-copy-of": "=x =y =z"})
    await two.fast_store.put("b", b"somebody else's")
    for path in ("a", "b"):
        with pytest.raises(NotFound):
            await two.disk.get(path)
        await two.disk.put(path, b"ours")
        assert await two.disk.get(path) == b"ours"
    assert set(two.copies().values()) == {b"somebody else's"}


@pytest.mark.parametrize(
    ("fast", "why"),
    [
        (lambda: SFTPDriver("host", agent=True), r"\(sftp\) keeps no metadata.*layer cache"),
        (lambda: ReadOnly(MemoryDriver()), r"\(memory\) cannot be written to"),
        (lambda: LocalDriver("/srv/media"), "at one place"),
    ],
)
def test_a_fast_disk_that_cannot_hold_copies_is_refused(
    fast: Callable[[], StorageDriver], why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        ReadThrough(fast(), LocalDriver("/srv/media"))


async def test_both_disks_are_closed_unless_they_are_shared(two: Two) -> None:
    await two.disk.aclose()
    for call in (two.disk.get("a"), two.fast_store.get("a"), two.store.get("a")):
        with pytest.raises(Closed):
            await call
    storage = StorageManager.isolated(
        {
            "default": "both",
            "disks": {
                "fast": {"driver": "memory"},
                "slow": {"driver": "memory"},
                "both": {"driver": "readthrough", "disks": ["fast", "slow"], "max_object": 5},
            },
        }
    )
    await storage.put("a", b"x")
    assert await storage.get("a") == b"x"
    await storage.disk().aclose()
    assert await storage.disk("fast").get("a") == b"x"
    assert isinstance(storage.disk().layer(ReadThrough), ReadThrough)
    await storage.aclose()


@pytest.mark.parametrize(
    "options", [{"max_object": -1}, {"max_object": True}, {"patience": 0}, {"patience": "x"}]
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ReadThrough(MemoryDriver(), MemoryDriver(), **options)
    driver = MemoryDriver()
    with pytest.raises(ConfigError, match="no copy of itself"):
        ReadThrough(driver, driver)


def test_what_becomes_of_each_ability() -> None:
    table = fates(ReadThrough(MemoryDriver(), Everything()), Everything())
    assert table["hidden"] == {kind.__name__ for kind in (PresignWrite, PresignPost, LocalPath)}
    assert set(table) == {"hidden", "adapted"}


async def test_a_read_only_origin_is_one() -> None:
    disk = ReadThrough(MemoryDriver(), ReadOnly(MemoryDriver()))
    with pytest.raises(PermissionError):
        await disk.write("a", Body(b"x"))
