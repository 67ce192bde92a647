"""Mirror: what is acknowledged, what is read, and how disks that differ are found and mended."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storeroom import Storage, StorageManager
from storeroom.contracts.abilities import (
    Attributes,
    BulkRemove,
    Copy,
    Folders,
    LocalPath,
    Move,
    PublicUrl,
    Tiers,
    Times,
    Versions,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    AlreadyExists,
    Closed,
    ConfigError,
    Corrupted,
    InvalidArgument,
    NotFound,
    Obstructed,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import PLAIN, RemoveOptions, Traits, WriteOptions
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.drivers.s3 import S3Driver
from storeroom.layers._several.tee import Tee
from storeroom.layers.mirror import Mirror
from storeroom.layers.readonly import ReadOnly
from storeroom.layers.retry import Retry
from storeroom.layers.scoped import Scoped
from storeroom.testing import Faults
from tests.layers.everything import Everything, fates
from tests.layers.moody import Moody

BIG = b"0123456789" * 60_000
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


class Pair:
    """A mirror over moody disks."""

    def __init__(self, count: int = 2, **options: Any) -> None:
        self.stores = [MemoryDriver() for _ in range(count)]
        self.disks = [Moody(store) for store in self.stores]
        options = {"patience": 0.05, "trips": 1000} | options
        self.mirror = Mirror(*self.disks, **options)

    def contents(self) -> list[dict[str, bytes]]:
        return [
            {path: found.content for path, found in store._store.objects.items()}
            for store in self.stores
        ]

    async def quiet(self) -> None:
        """Wait until nothing goes on behind the calls."""
        while tasks := list(self.mirror._errands._tasks):
            await asyncio.wait(tasks)


@pytest.fixture
async def pair() -> AsyncGenerator[Pair]:
    pair = Pair()
    yield pair
    await pair.mirror.aclose()


async def chunks(*pieces: bytes) -> AsyncGenerator[bytes]:
    for piece in pieces:
        yield piece


async def test_a_write_is_on_all_disks(pair: Pair) -> None:
    metadata = {"title": "é"}
    await pair.mirror.put(
        "a b/%2F", b"x", content_type="text/x", metadata=metadata, tags={"k": "v"}
    )
    await pair.mirror.put("big", chunks(BIG, b"!", BIG))
    assert pair.contents() == [{"a b/%2F": b"x", "big": BIG + b"!" + BIG}] * 2
    for store in pair.stores:
        stat = await store.stat("a b/%2F")
        assert (stat.content_type, stat.metadata) == ("text/x", metadata)
        assert await store.read_tags("a b/%2F") == {"k": "v"}


async def test_a_stream_is_read_once_and_never_held(pair: Pair) -> None:
    """The slowest disk sets the pace: while it takes nothing, no more than a few blocks are read."""
    gate = asyncio.Event()
    read = 0

    class Slow(MemoryDriver):
        async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Any:
            await gate.wait()
            return await super().write(path, body, how)

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield bytes(1 << 20)

    mirror = Mirror(MemoryDriver(), Slow(), patience=5)
    writing = asyncio.ensure_future(mirror.put("a", endless()))
    before = -1
    while read != before or not read:
        before = read
        for _ in range(100):
            await asyncio.sleep(0)
    assert read < 10
    gate.set()
    await writing
    assert read == 100
    assert [await disk.size("a") for disk in mirror.disks] == [100 << 20] * 2


async def test_no_other_disk_has_what_the_first_one_refuses() -> None:
    for error in (QuotaExceeded, PermissionDenied, Obstructed):
        for content in (b"new", BIG):
            pair = Pair()
            faulty = Faults(pair.disks[0]).fail("write", error, times=None)
            mirror = Mirror(faulty, pair.disks[1])
            await pair.disks[1].put("a", b"old")
            with pytest.raises(error):
                await mirror.write("a", Body(lambda content=content: chunks(content)))
            assert pair.contents() == [{}, {"a": b"old"}]


async def test_a_write_that_a_disk_misses_is_no_success(pair: Pair) -> None:
    pair.disks[1].be("down", "write")
    for content in (b"x", chunks(BIG, BIG)):
        with pytest.raises(Unavailable, match="only 'memory 1' took it and 2 must") as caught:
            await pair.mirror.put("a", content)
        assert isinstance(caught.value.__cause__, Unavailable)
        assert "whether it counts shows when it is read" in str(caught.value)
    pair.disks[1].be("well")
    assert await pair.mirror.get("a") == BIG + BIG
    await pair.quiet()
    assert pair.contents() == [{"a": BIG + BIG}] * 2


async def test_all_failures_are_told_together() -> None:
    pair = Pair(3, write="quorum")
    for disk in pair.disks[1:]:
        disk.be("down", "write")
    with pytest.raises(Unavailable, match=r"'memory 2' failed .*'memory 3' failed") as caught:
        await pair.mirror.put("a", b"x")
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert caught.value.retryable
    await pair.mirror.aclose()


async def test_a_quorum_is_enough() -> None:
    pair = Pair(3, write="quorum")
    pair.disks[1].be("down")
    await pair.mirror.put("a", b"x")
    assert [sorted(found) for found in pair.contents()] == [["a"], [], ["a"]]
    assert await pair.mirror.delete("a")
    pair.disks[0].be("down")
    with pytest.raises(Unavailable):
        await pair.mirror.put("a", b"x")
    await pair.mirror.aclose()


async def test_what_the_callers_body_raises_is_raised_and_no_disk_is_blamed(pair: Pair) -> None:
    await pair.mirror.put("a", b"old")

    async def broken() -> AsyncGenerator[bytes]:
        yield BIG
        raise Unavailable("elsewhere")

    with pytest.raises(Unavailable, match=r"^put 'a' on disk 'mirror': elsewhere"):
        await pair.mirror.put("a", broken())
    assert pair.contents() == [{"a": b"old"}] * 2
    assert not pair.mirror._ledger.knows("a")


async def test_a_disk_that_does_not_answer_is_passed_over(pair: Pair) -> None:
    await pair.mirror.put("f/a", b"x")
    pair.disks[0].be("down")
    assert await pair.mirror.get("f/a") == b"x"
    assert (await pair.mirror.metadata("f/a")).size == 1
    assert await pair.mirror.all_files() == ["f/a"]
    assert pair.mirror.url("f/a") == "/storage/f/a"
    assert not await pair.mirror.exists("g")
    pair.disks[1].be("down")
    with pytest.raises(Unavailable, match=r"'memory 1' failed.*'memory 2' failed"):
        await pair.mirror.get("f/a")


async def test_a_disk_that_hangs_is_given_up_and_the_call_goes_on(pair: Pair) -> None:
    await pair.mirror.put("a", b"x")
    for mood in ("hangs", "stuck"):
        pair.disks[0].freed.clear()
        pair.disks[0].be(mood)  # type: ignore[arg-type]
        async with asyncio.timeout(2):
            assert await pair.mirror.get("a") == b"x"
            assert await pair.mirror.all_files() == ["a"]
        assert pair.mirror._up() == [1]
        pair.disks[0].freed.set()
        pair.disks[0].be("well")
        assert (await pair.mirror.verify()).ok
        assert pair.mirror._up() == [0, 1]


async def test_a_slow_disk_that_answers_a_probe_is_waited_for(pair: Pair) -> None:
    await pair.mirror.put("a", b"x")
    pair.disks[0].be("stuck", "read")
    reading = asyncio.ensure_future(pair.mirror.get("a"))
    await pair.disks[0].called("stat", "storeroom-is-it-there")
    assert not reading.done()
    pair.disks[0].freed.set()
    assert await reading == b"x"
    assert ("read", "a") not in pair.disks[1].calls


async def test_a_write_that_cannot_be_stopped_spoils_no_later_one() -> None:
    pair = Pair(write=1)
    await pair.mirror.put("a", b"old")
    pair.disks[0].be("stuck", "write", "stat")
    async with asyncio.timeout(2):
        await pair.mirror.put("a", b"newer")
        pair.disks[0].be("well", "")
        await pair.mirror.put("a", b"newest")
    assert pair.contents()[1] == {"a": b"newest"}
    assert pair.contents()[0] == {"a": b"old"}
    pair.disks[0].freed.set()
    await pair.quiet()
    assert pair.contents()[0] == {"a": b"newer"}
    assert await pair.mirror.get("a") == b"newest"
    (await pair.mirror.heal()).raise_failures()
    assert pair.contents() == [{"a": b"newest"}] * 2
    await pair.mirror.aclose()


@pytest.mark.parametrize("call", ["get", "put", "stream", "refused"])
async def test_nobody_who_stops_waits_for_a_disk_that_is_stuck(pair: Pair, call: str) -> None:
    await pair.mirror.put("a", b"old")
    disks = list(pair.disks)
    disks[call == "refused"].be("stuck")
    first = Faults(disks[0])
    mirror = Mirror(first, disks[1], patience=0.05)
    if call == "get":
        task: asyncio.Future[Any] = asyncio.ensure_future(mirror.get("a"))
    elif call == "put":
        task = asyncio.ensure_future(mirror.put("a", b"new"))
    else:
        task = asyncio.ensure_future(mirror.put("a", chunks(BIG, BIG)))
    if call == "refused":
        first.fail("write", QuotaExceeded)
    else:
        await disks[0].called("read" if call == "get" else "write", "a")
        task.cancel()
    ended, _ = await asyncio.wait({task}, timeout=2)
    assert ended
    assert task.cancelled() or isinstance(task.exception(), QuotaExceeded)
    for disk in disks:
        disk.freed.set()
        disk.be("well")
    await mirror.aclose()


async def test_a_disk_whose_connections_are_all_busy_is_not_taken_for_dead() -> None:
    """No probe gets through, but the bytes move, or it is the caller who has none."""

    class Pooled(Moody):
        pool = asyncio.Semaphore(2)

        async def around(self, operation: str, path: str, call: Any, /) -> Any:
            async with self.pool:
                return await super().around(operation, path, call)

    pooled = Pooled(MemoryDriver())
    mirror = Mirror(pooled, MemoryDriver(), patience=0.05)
    silent = asyncio.Event()

    async def slow(count: int) -> AsyncGenerator[bytes]:
        yield BIG
        for _ in range(count):
            await asyncio.sleep(0.01)
            yield b"x"

    async def waits() -> AsyncGenerator[bytes]:
        yield BIG
        await silent.wait()
        yield b"x"

    async with asyncio.timeout(5):
        waiting = asyncio.ensure_future(mirror.put("b", waits()))
        await mirror.put("a", slow(30))
        silent.set()
        await waiting
    assert [await disk.size("a") for disk in mirror.disks] == [len(BIG) + 30] * 2
    assert mirror._up() == [0, 1]
    await mirror.aclose()


@pytest.mark.parametrize("content", [b"new", BIG])
async def test_a_cancelled_write_leaves_one_truth(pair: Pair, content: bytes) -> None:
    await pair.mirror.put("a", b"old")
    pair.disks[1].be("hangs", "write")
    writing = asyncio.ensure_future(pair.mirror.write("a", Body(lambda: chunks(content))))
    await pair.disks[1].called("write", "a")
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    pair.disks[1].be("well")
    found = await pair.mirror.get("a")
    assert found in (b"old", content)
    await pair.quiet()
    assert pair.contents() == [{"a": found}] * 2


async def test_conditions_are_the_first_disks(pair: Pair) -> None:
    await pair.mirror.put("a", b"1", overwrite=False)
    for content in (b"2", BIG):
        with pytest.raises(AlreadyExists):
            await pair.mirror.put("a", chunks(content), overwrite=False)
    first = await pair.mirror.metadata("a")
    assert first.etag == (await pair.stores[0].stat("a")).etag
    await pair.mirror.put("a", BIG, if_match=first.etag)
    for content in (b"2", BIG):
        with pytest.raises(PreconditionFailed):
            await pair.mirror.put("a", chunks(content), if_match=first.etag)
    with pytest.raises(PreconditionFailed):
        await pair.mirror.remove("a", RemoveOptions(first.etag))
    assert pair.contents() == [{"a": BIG}] * 2


async def test_an_etag_is_good_for_the_disk_it_is_of(pair: Pair) -> None:
    """Both memory disks number their etags: the same one names other bytes on the other disk."""
    await pair.stores[0].put("b", b"moves the first one's numbers on")
    await pair.mirror.put("a", b"one")
    await pair.mirror.put("a", b"two")
    of_first = (await pair.mirror.metadata("a")).etag
    pair.disks[0].be("down")
    of_second = (await pair.mirror.metadata("a")).etag
    assert of_second == f"1:{(await pair.stores[1].stat('a')).etag}"
    with pytest.raises(PreconditionFailed, match="read it again"):
        await pair.mirror.get("a", if_match=of_first)
    assert await pair.mirror.get("a", if_match=of_second) == b"two"
    assert await pair.mirror.get("a", if_none_match=of_first) == b"two"
    pair.disks[0].be("well")
    with pytest.raises(PreconditionFailed):
        await pair.mirror.put("a", b"three", if_match=of_second)


async def test_a_mirror_of_mirrors_knows_whose_etag_it_is(pair: Pair) -> None:
    outer = Mirror(pair.mirror, MemoryDriver())
    await pair.stores[0].put("b", b"moves the first one's numbers on")
    await outer.put("a", b"one")
    pair.disks[0].be("down", "read", "stat")
    etag = (await outer.metadata("a")).etag
    assert etag == f"0:1:{(await pair.stores[1].stat('a')).etag}"
    assert await outer.get("a", if_match=etag) == b"one"
    assert (await outer.metadata("a")).etag == etag


async def test_a_quorum_reads_what_another_process_wrote() -> None:
    """Two mirrors over the same disks, of which each knows nothing of what the other one missed."""
    pair = Pair(3, write="quorum")
    others = [Moody(store.twin()) for store in pair.stores]
    other = Mirror(*others, write="quorum")
    await other.put("a", b"old")
    pair.disks[0].be("down")
    await pair.mirror.put("a", b"new")
    await pair.mirror.put("b", b"new")
    for path in ("a", "b"):
        assert await other.get(path) == b"new"
        assert (await other.metadata(path)).size == 3
    with pytest.raises(AlreadyExists):
        await other.put("b", b"x", overwrite=False)
    await pair.mirror.delete("a")
    assert not await other.exists("a")
    etag = (await other.metadata("b")).etag
    await pair.mirror.put("b", b"newer")
    with pytest.raises(PreconditionFailed):
        await other.put("b", b"x", if_match=etag)
    assert await other.get("b") == b"newer"
    await other.put("b", b"mine", if_match=(await other.metadata("b")).etag)
    assert await pair.mirror.get("b") == b"mine"
    await pair.mirror.aclose()


async def test_a_file_that_one_disk_lost_is_read_from_the_other(pair: Pair) -> None:
    await pair.mirror.put("a", b"x")
    await pair.stores[0].delete("a")
    assert await pair.mirror.exists("a")
    assert await pair.mirror.get("a") == b"x"
    assert pair.contents()[0] == {}


async def test_what_one_disk_lost_is_changed_all_the_same(pair: Pair) -> None:
    disk = pair.mirror
    calls = (
        lambda: disk.checksum("a"),
        lambda: disk.visibility("a"),
        lambda: disk.copy("a", "b"),
        lambda: disk.set_attributes("a", content_type="text/odd"),
        lambda: disk.set_visibility("a", "public"),
        lambda: disk.move("a", "c"),
    )
    for call in calls:
        await disk.put("a", b"x")
        await pair.stores[0].delete("a")
        await call()
    assert pair.contents() == [{"b": b"x", "c": b"x"}] * 2
    with pytest.raises(NotFound):
        await disk.copy("a", "d")


async def test_a_folder_goes_with_the_files_that_one_disk_lost(pair: Pair) -> None:
    await pair.mirror.put("f/a", b"x")
    await pair.mirror.put("f/é", b"x")
    await pair.stores[0].delete("f/a")
    assert await pair.mirror.delete_directory("f")
    assert pair.contents() == [{}, {}]


async def test_a_folder_is_there_for_a_file_that_the_first_disk_missed() -> None:
    pair = Pair(write=1, repair=False)
    pair.disks[0].be("down", "write")
    await pair.mirror.put("f/a", b"x")
    pair.disks[0].be("well")
    assert await pair.mirror.directory_exists("f")
    assert not await pair.mirror.directory_exists("g")
    pair.disks[1].be("down")
    with pytest.raises(Unavailable):
        await pair.mirror.directory_exists("f")
    await pair.mirror.aclose()


async def test_a_quorum_makes_nothing_of_an_older_file() -> None:
    """Another process wrote while one disk was down, which this one has no note of."""
    pair = Pair(3, write="quorum")
    other = Mirror(*(store.twin() for store in pair.stores), write="quorum")
    for path in ("a", "m"):
        await other.put(path, b"old")
    pair.disks[0].be("down")
    for path in ("a", "m"):
        await pair.mirror.put(path, b"new")
    elsewhere = MemoryDriver()
    assert await other.checksum("a", "md5") == await pair.stores[1].checksum("a", "md5")
    await other.copy("a", "b")
    await other.move("m", "n")
    await other.copy("a", "c", disk=elsewhere)
    for store in pair.stores:
        assert [await store.get(path) for path in ("b", "n")] == [b"new", b"new"]
    assert await elsewhere.get("c") == b"new"
    for kind in (Copy, Move, Attributes, Times, Tiers):
        assert not other.supports(kind)
        assert Mirror(MemoryDriver(), MemoryDriver()).supports(kind)
    with pytest.raises(Unsupported, match="put the file again"):
        await other.set_attributes("a", content_type="text/odd")
    await pair.mirror.aclose()


@pytest.mark.parametrize("name", ["a", "b"])
async def test_a_move_to_one_of_its_own_disks_removes_nothing(name: str) -> None:
    disks: dict[str, Any] = {name: {"driver": "memory"} for name in "ab"}
    disks |= {
        "all": {"driver": "mirror", "disks": ["a", "b"]},
        "one": {"driver": "mirror", "disks": ["a", "b"], "write": 1},
    }
    storage = StorageManager.isolated({"disks": disks})
    for mirror in ("all", "one"):
        disk = storage.disk(mirror)
        await disk.put("x", b"x")
        await disk.move("x", "x", disk=name)
        assert await storage.disk("a").get("x") == await storage.disk("b").get("x") == b"x"
        await disk.move("x", "y", disk=name)
        assert await storage.disk(name).all_files() == ["y"]
        await storage.disk(name).copy("y", "y", disk=mirror)
        assert await storage.disk("a").get("y") == await storage.disk("b").get("y") == b"x"
        await disk.delete("y")
    await storage.aclose()


async def test_a_delete_that_a_disk_missed_comes_back_nowhere(pair: Pair) -> None:
    await pair.mirror.put("a", b"x")
    pair.disks[1].be("down")
    with pytest.raises(Unavailable):
        await pair.mirror.delete("a")
    pair.disks[1].be("well")
    assert not await pair.mirror.exists("a")
    await pair.quiet()
    assert pair.contents() == [{}, {}]


async def test_a_stale_disk_is_neither_read_nor_listed() -> None:
    pair = Pair(write=1, repair=False)
    await pair.mirror.put("f/a", b"old")
    pair.disks[0].be("down", "write", "remove")
    await pair.mirror.put("f/a", b"new")
    await pair.mirror.put("f/b", b"new")
    pair.disks[0].be("well")
    assert await pair.mirror.get("f/a") == b"new"
    assert await pair.mirror.files("f") == ["f/a", "f/b"]
    pair.disks[1].be("down")
    for call in (pair.mirror.get("f/a"), pair.mirror.exists("f/b"), pair.mirror.files("f")):
        with pytest.raises(Unavailable, match="'memory 1' missed a change of it"):
            await call
    assert await pair.mirror.files("g") == []
    await pair.mirror.aclose()


async def test_folders_are_mended_too(pair: Pair) -> None:
    await pair.mirror.put("f/a", b"1")
    await pair.mirror.put("f/b/c", b"2")
    pair.disks[1].be("down")
    for path in ("f/a", "f/b/c"):
        with pytest.raises(Unavailable):
            await pair.mirror.delete(path)
    with pytest.raises(Unavailable):
        await pair.mirror.make_directory("g/h")
    pair.disks[1].be("well")
    assert await pair.mirror.all_files() == []
    await pair.quiet()
    assert pair.contents() == [{}, {}]
    assert await pair.stores[1].directory_exists("g/h")
    assert await pair.mirror.delete_directory("g")
    assert [await store.directory_exists("g") for store in pair.stores] == [False, False]


async def test_a_file_stored_after_its_folder_was_removed_is_not_removed_with_it() -> None:
    """Each disk missed one of two changes, of which the second is about a part of the first."""
    pair = Pair(write=1)
    await pair.mirror.put("f/a", b"old")
    await pair.mirror.put("f/b", b"old")
    pair.disks[1].be("down")
    await pair.mirror.delete_directory("f")
    pair.disks[0].be("down")
    pair.disks[1].be("well")
    await pair.mirror.put("f/a", b"new")
    assert await pair.mirror.get("f/a") == b"new"
    pair.disks[0].be("well")
    assert not await pair.mirror.exists("f/b")
    assert await pair.mirror.get("f/a") == b"new"
    assert await pair.mirror.all_files() == ["f/a"]
    (await pair.mirror.heal()).raise_failures()
    assert pair.contents() == [{"f/a": b"new"}] * 2
    await pair.mirror.aclose()


async def test_a_copy_of_what_is_doubtful_is_the_same_everywhere() -> None:
    pair = Pair(write=1, repair=False)
    await pair.mirror.put("a", b"old")
    for disk, mood in zip(pair.disks, ("lost", "down"), strict=True):
        disk.be(mood, "write")  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await pair.mirror.put("a", b"new")
    assert [found["a"] for found in pair.contents()] == [b"new", b"old"]
    for disk in pair.disks:
        disk.be("well")
    await pair.mirror.copy("a", "b")
    await pair.mirror.move("a", "c")
    assert pair.contents() == [{"b": b"new", "c": b"new"}] * 2
    await pair.mirror.aclose()


async def test_changes_in_place_reach_all_disks(pair: Pair) -> None:
    await pair.mirror.put("a", b"x", tags={"k": "v"})
    pair.disks[1].be("down", "change_attributes", "rename", "copy_within", "change_tags")
    for call in (
        lambda: pair.mirror.set_attributes("a", content_type="text/odd"),
        lambda: pair.mirror.copy("a", "b"),
        lambda: pair.mirror.move("a", "c d/%2F"),
    ):
        with pytest.raises(Unavailable):
            await call()
    pair.disks[1].be("well")
    assert (await pair.mirror.metadata("c d/%2F")).content_type == "text/odd"
    await pair.mirror.get("b")
    await pair.mirror.all_files()
    await pair.quiet()
    assert pair.contents() == [{"b": b"x", "c d/%2F": b"x"}] * 2
    for path in ("b", "c d/%2F"):
        assert (await pair.stores[1].stat(path)).content_type == "text/odd"
        assert await pair.stores[1].read_tags(path) == {"k": "v"}


async def test_verify_finds_what_differs(pair: Pair) -> None:
    for path in ("same", "f/size", "f/content", "f/missing", "other/x"):
        await pair.mirror.put(path, b"12345")
    await pair.stores[1].put("f/size", b"1")
    await pair.stores[1].put("f/content", b"54321")
    await pair.stores[0].delete("f/missing")
    found = await pair.mirror.verify()
    assert (found.files, found.ok) == (5, False)
    kinds = {path: one.kind for path, one in found.differing.items()}
    assert kinds == {"f/size": "size", "f/content": "content", "f/missing": "missing"}
    assert found.differing["f/missing"].found["memory 1"] is None
    assert found.differing["f/size"].found["memory 2"].size == 1  # type: ignore[union-attr]
    assert set((await pair.mirror.verify(deep=False)).differing) == {"f/size", "f/missing"}
    assert (await pair.mirror.verify("other")).ok
    pair.disks[0].be("down")
    with pytest.raises(Unavailable):
        await pair.mirror.verify()


async def test_heal_takes_the_newest_and_leaves_what_nobody_can_know(pair: Pair) -> None:
    await pair.mirror.put("newer", b"old")
    await pair.stores[1].put("newer", b"new", content_type="text/odd")
    await pair.stores[0].put("one only", b"x")
    for store, content in zip(pair.stores, (b"1", b"2"), strict=True):
        await store.put("equally old", content)
        await store.change_time("equally old", YESTERDAY)
    report = await pair.mirror.heal()
    assert report.done == {"newer": "copied from 'memory 2' to 'memory 1'"}
    assert {path: type(error) for path, error in report.failed.items()} == {
        "one only": Corrupted,
        "equally old": Corrupted,
    }
    assert "heal(prefer=...)" in str(report.failed["one only"])
    assert await pair.stores[0].get("newer") == b"new"
    assert (await pair.stores[0].stat("newer")).content_type == "text/odd"


@pytest.mark.parametrize(("prefer", "there"), [("memory 1", True), ("memory 2", False)])
async def test_heal_does_what_the_preferred_disk_says(
    pair: Pair, prefer: str, *, there: bool
) -> None:
    await pair.stores[0].put("one only", b"x")
    await pair.mirror.put("b", b"old")
    await pair.stores[1].put("b", b"newer")
    report = await pair.mirror.heal(prefer=prefer)
    assert report.ok
    assert set(report.done) == {"b", "one only"}
    wanted = {"one only": b"x", "b": b"old"} if there else {"b": b"newer"}
    assert pair.contents() == [wanted] * 2
    with pytest.raises(InvalidArgument, match="'newest' or a disk, 'memory 1', 'memory 2'"):
        await pair.mirror.heal(prefer="gcs")


async def test_an_empty_disk_is_filled(pair: Pair) -> None:
    files = {f"f/{number}/é %2F": b"%d" % number for number in range(40)}
    for path, content in files.items():
        await pair.stores[0].put(path, content, metadata={"n": "é"})
    (await pair.mirror.heal(prefer="memory 1")).raise_failures()
    assert pair.contents() == [files] * 2
    assert (await pair.stores[1].stat("f/1/é %2F")).metadata == {"n": "é"}


async def test_a_journal_that_is_full_puts_the_disk_out_until_it_is_healed() -> None:
    pair = Pair(write=1, journal=3, repair=False)
    pair.disks[0].be("down", "write")
    for number in range(5):
        await pair.mirror.put(f"{number}", b"x")
    assert pair.mirror._ledger.out == {0}
    pair.disks[0].be("well")
    assert await pair.mirror.all_files() == ["0", "1", "2", "3", "4"]
    pair.disks[1].be("down")
    with pytest.raises(Unavailable):
        await pair.mirror.get("0")
    pair.disks[1].be("well")
    (await pair.mirror.heal()).raise_failures()
    assert pair.mirror._ledger.out == set()
    pair.disks[1].be("down")
    assert await pair.mirror.get("0") == b"x"
    await pair.mirror.aclose()


async def test_where_all_disks_miss_something_a_full_journal_takes_no_more_changes() -> None:
    pair = Pair(write=1, journal=4, repair=False)
    for number in range(4):
        pair.disks[number % 2].be("down", "write")
        await pair.mirror.put(f"{number}", b"x")
        pair.disks[number % 2].be("well")
    with pytest.raises(Unavailable, match="call heal"):
        await pair.mirror.put("5", b"x")
    (await pair.mirror.heal()).raise_failures()
    await pair.mirror.put("5", b"x")
    assert sorted(pair.contents()[0]) == sorted(pair.contents()[1]) == ["0", "1", "2", "3", "5"]
    await pair.mirror.aclose()


async def test_a_disk_that_comes_back_is_noticed_and_mended() -> None:
    pair = Pair(write=1, trips=1)
    pair.disks[0].be("down")
    await pair.mirror.put("a", b"x")
    assert pair.mirror._up() == [1]
    pair.disks[0].be("well")
    async with asyncio.timeout(5):
        while pair.contents()[0] != {"a": b"x"}:
            await pair.mirror.exists("a")
            await asyncio.sleep(0.02)
    assert pair.mirror._up() == [0, 1]
    await pair.mirror.aclose()


async def test_a_disk_that_is_given_up_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    pair = Pair(write=1, trips=1)
    pair.disks[0].be("down")
    caplog.set_level("INFO", "storeroom")
    for _ in range(3):
        assert not await pair.mirror.exists("a")
    pair.disks[0].be("well")
    await pair.mirror._all_up()
    await pair.mirror.aclose()
    assert [record.getMessage() for record in caplog.records] == [
        "mirror: 'memory 1' does not answer and is done without",
        "mirror: 'memory 1' answers again",
    ]


async def test_only_a_lack_of_answers_opens_the_breaker() -> None:
    pair = Pair(trips=1)
    for call in (pair.mirror.get("missing"), pair.mirror.metadata("missing")):
        with pytest.raises(NotFound):
            await call
    await pair.mirror.put("a", b"x")
    with pytest.raises(AlreadyExists):
        await pair.mirror.put("a", b"x", overwrite=False)
    assert pair.mirror._up() == [0, 1]
    await pair.mirror.aclose()


async def test_nothing_is_left_running_when_it_is_closed() -> None:
    pair = Pair(write=1)
    await pair.mirror.put("a", b"x")
    before = asyncio.all_tasks()
    pair.disks[0].be("stuck")
    await pair.mirror.get("a")
    pair.disks[0].freed.set()
    await pair.mirror.aclose()
    assert asyncio.all_tasks() == before
    with pytest.raises(Closed):
        await pair.mirror.get("a")


async def test_a_mirror_closes_its_own_disks_and_no_shared_one() -> None:
    storage = StorageManager.isolated({"disks": {"m": {"driver": "memory"}}})
    own = MemoryDriver()
    mirror = Mirror(storage.disk("m"), own)
    await mirror.put("a", b"x")
    await mirror.aclose()
    assert await storage.disk("m").get("a") == b"x"
    with pytest.raises(Closed):
        await own.get("a")


async def test_disks_are_closed_at_once_and_all_of_them() -> None:
    met = asyncio.Barrier(3)

    class Waiting(MemoryDriver):
        async def aclose(self) -> None:
            await met.wait()
            await super().aclose()
            raise Unavailable("it was gone already")

    disks = [Waiting(), Waiting(), Waiting()]
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await Mirror(*disks).aclose()
    for disk in disks:
        with pytest.raises(Closed):
            await disk.get("a")


async def test_it_promises_what_all_disks_promise() -> None:
    plain = Faults(MemoryDriver())
    keeps = plain.traits.keeps - {"metadata"}

    class Poor(MemoryDriver):
        @property
        def traits(self) -> Traits:
            return replace(super().traits, keeps=keeps, segment_bytes=9, conditions=frozenset())

    mirror = Mirror(MemoryDriver(), Poor())
    assert mirror.traits.segment_bytes == 9
    for refused in ({"metadata": {"a": "b"}}, {"overwrite": False}, {"if_match": "m-1"}):
        with pytest.raises(Unsupported):
            await mirror.write("a", Body(b"x"), WriteOptions(**refused))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="9"):
        await mirror.write("a segment too long", Body(b"x"))
    assert [await disk.all_files() for disk in mirror.disks] == [[], []]


@pytest.mark.parametrize(
    "options",
    [
        {"write": "most"},
        {"write": 0},
        {"write": 3},
        {"write": True},
        {"journal": 0},
        {"patience": 0},
        {"patience": "1"},
        {"trips": 0},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Mirror(MemoryDriver(), MemoryDriver(), **options)


def test_a_disk_is_no_copy_of_itself() -> None:
    driver = MemoryDriver()
    with pytest.raises(ConfigError, match="no copy of itself"):
        Mirror(driver, MemoryDriver(), driver)


@pytest.mark.parametrize(
    "disks",
    [
        lambda: (LocalDriver("/srv/media"), LocalDriver("/srv/../srv/media/")),
        lambda: (Scoped(LocalDriver("/srv"), "a/b"), Scoped(LocalDriver("/srv/a"), "b")),
        lambda: (S3Driver("media", region="eu-west-1"), S3Driver("media", region="eu-west-1")),
        lambda: (Retry(driver := MemoryDriver()), Faults(driver)),
        lambda: (Mirror(MemoryDriver(), driver := MemoryDriver()), MemoryDriver(), driver),
    ],
)
def test_disks_at_one_place_are_refused(disks: Callable[[], tuple[StorageDriver, ...]]) -> None:
    with pytest.raises(ConfigError, match="have their files at one place"):
        Mirror(*disks())


@pytest.mark.parametrize(
    "disks",
    [
        lambda: (Scoped(driver := MemoryDriver(), "a"), Scoped(driver, "b")),
        lambda: (S3Driver("media", region="eu-west-1"), S3Driver("copy", region="eu-west-1")),
        lambda: (Moody(driver := MemoryDriver()), driver),  # it may be elsewhere, for all we know
    ],
)
def test_disks_that_may_be_two_are(disks: Callable[[], tuple[StorageDriver, ...]]) -> None:
    assert Mirror(*disks()).traits.writable


def test_a_read_only_disk_is_no_mirror() -> None:
    with pytest.raises(ConfigError, match="'memory 2' cannot be written to"):
        Mirror(MemoryDriver(), ReadOnly(MemoryDriver()))


def test_what_becomes_of_each_ability() -> None:
    assert fates(Mirror(Everything(), Everything(root="/mnt")), Everything()) == {
        "adapted": {
            *("PublicUrl", "PresignRead", "VerifyUrl", "Copy", "Origin", "Move", "Visibility"),
            *("Folders", "Checksum", "Sweep", "Attributes", "Times", "Tags", "Tiers"),
        },
        "hidden": {
            *("PresignWrite", "PresignPost", "CopyFrom", "BulkRemove", "Append", "Multipart"),
            *("Versions", "Leases", "LocalPath"),
        },
    }


def test_an_ability_needs_all_disks_or_one() -> None:
    class Few(ReadOnly):
        @property
        def traits(self) -> Traits:
            return self.inner.traits

    mirror = Mirror(MemoryDriver(), Few(MemoryDriver()))
    assert mirror.supports(PublicUrl)
    assert mirror.supports(Folders)
    assert not mirror.supports(Tiers)
    assert not mirror.supports(BulkRemove)
    assert not mirror.supports(Versions)
    assert not mirror.supports(LocalPath)


async def test_temporary_urls_of_disks_that_sign_none_are_for_the_mirror() -> None:
    disks = {
        "a": {"driver": "memory"},
        "both": {"driver": "mirror", "disks": ["a", "memory://"]},
    }
    key = "0123456789abcdef"
    storage = StorageManager.isolated({"default": "both", "disks": disks, "signing_key": key})
    await storage.put("x", b"x")
    url = await storage.temporary_url("x", 60)
    assert (await storage.verify_temporary_url(url)).path == "x"
    with pytest.raises(PermissionDenied):
        await storage.disk("a").verify_temporary_url(url)
    upload = await storage.temporary_upload_url("y", 60)
    assert (await storage.verify_temporary_url(upload.url, method="PUT")).path == "y"
    await storage.aclose()


async def test_it_is_found_by_its_class() -> None:
    disks = {
        "a": {"driver": "memory"},
        "both": {"driver": "mirror", "disks": ["a", "memory://"], "prefix": "t 1"},
    }
    Storage.configure({"default": "both", "disks": disks})
    await Storage.put("x", b"x")
    mirror = Storage.disk().layer(Mirror)
    assert mirror.names == ("a", "memory")
    assert (await mirror.verify()).files == 1
    assert await Storage.disk("a").all_files() == ["t 1/x"]
    assert await mirror.disks[1].get("t 1/x") == b"x"  # type: ignore[attr-defined]


async def test_what_compares_leaves_nothing_running_where_a_disk_fails(pair: Pair) -> None:
    for number in range(20):
        await pair.mirror.put(f"{number}", b"x")
    before = asyncio.all_tasks()
    pair.disks[0].mood = lambda operation, path: (
        "down" if (operation, path) == ("stat", "0") else "well"
    )
    pair.disks[1].be("hangs", "digest")
    with pytest.raises(Unavailable):
        await pair.mirror.verify()
    assert asyncio.all_tasks() == before


async def test_a_file_that_is_removed_while_it_is_compared_is_gone(pair: Pair) -> None:
    await pair.mirror.put("a", b"x")

    class Racing(MemoryDriver):
        async def digest(self, path: str, algorithm: str, /) -> str:
            for disk in mirror.disks:
                await disk.remove(path)
            return await super().digest(path, algorithm)

    mirror = Mirror(Racing(), MemoryDriver())
    await mirror.put("a", b"x")
    assert (await mirror.verify()).ok
    await mirror.put("a", b"x")
    assert (await mirror.heal()).done == {}


async def test_what_a_branch_of_a_body_raises_is_its_own() -> None:
    """One error for all would keep alive whatever each of its raisers held."""
    tee = Tee(Body(lambda: chunks(b"x")), 2)
    await tee.drop(0)
    await tee.drop(1)
    errors: list[Exception] = []
    for number in range(2):
        try:
            await tee.branch(number).content()
        except Corrupted as error:
            errors.append(error)
    first, second = errors
    assert first is not second
