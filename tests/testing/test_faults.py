"""Faults fail when and how a test says, before anything of the call has happened."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic

import pytest

from storeroom import (
    AlreadyExists,
    Corrupted,
    InvalidArgument,
    LocalDriver,
    MemoryDriver,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    Storage,
    StorageManager,
    Timeout,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.abilities import ABILITIES, Copy, Multipart, find
from storeroom.contracts.body import Body
from storeroom.layers.retry import Retry
from storeroom.testing import FakeDisk, Faults


@pytest.fixture(params=["s3", "ftp", "local"])
def disk(request: pytest.FixtureRequest) -> Iterator[FakeDisk]:
    with StorageManager.isolated().fake(request.param) as disk:
        yield disk


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(0)
        yield part


async def outcomes(disk: FakeDisk, count: int) -> list[bool]:
    done: list[bool] = []
    for number in range(count):
        try:
            await disk.put(f"f {number}", b"x")
        except Unavailable:
            done.append(False)
        else:
            done.append(True)
    return done


async def test_a_verb_fails_once_and_works_again(disk: FakeDisk) -> None:
    await disk.put("a", b"old")
    disk.fail("put")
    with pytest.raises(Unavailable, match="a fault that the test asked for") as caught:
        await disk.put("a", b"new")
    assert (caught.value.operation, caught.value.path) == ("put", "a")
    assert caught.value.disk == disk.name
    assert caught.value.retryable
    disk.assert_exists("a", b"old")
    await disk.put("a", b"new")
    disk.assert_exists("a", b"new")


async def test_times_and_after_count_calls(disk: FakeDisk) -> None:
    disk.fail("put", times=2, after=1)
    assert await outcomes(disk, 5) == [True, False, False, True, True]


async def test_a_call_that_is_let_pass_passes_with_all_of_its_requests(disk: FakeDisk) -> None:
    await disk.put("a", "1")
    disk.fail("append", after=1).fail("move", after=1)
    await disk.append("a", "2")
    await disk.move("a", "b")
    with pytest.raises(Unavailable):
        await disk.append("b", "3")
    with pytest.raises(Unavailable):
        await disk.move("b", "c")
    disk.assert_exists("b", "1\n2").assert_count("", 1)


async def test_without_times_it_fails_for_ever_and_until_it_is_healed(disk: FakeDisk) -> None:
    disk.fail("put", times=None)
    assert await outcomes(disk, 4) == [False] * 4
    disk.heal()
    assert await outcomes(disk, 2) == [True] * 2


async def test_only_the_verb_that_people_typed_fails(disk: FakeDisk) -> None:
    disk.fail("put", times=None)
    path = await disk.put_file("f", b"x")
    await disk.put_json("j", 1)
    with pytest.raises(Unavailable):
        await disk.put("a", b"")
    disk.assert_exists([path, "j"])


async def test_a_drivers_verb_fails_under_whatever_people_typed(disk: FakeDisk) -> None:
    disk.fail("write", PermissionDenied, times=2).fail("stat", Timeout)
    with pytest.raises(PermissionDenied):
        await disk.put("a", b"")
    with pytest.raises(PermissionDenied):
        await disk.put_file("f", b"x")
    with pytest.raises(Timeout):
        await disk.exists("a")


async def test_a_pattern_of_paths_picks_the_calls(disk: FakeDisk) -> None:
    disk.fail("put", path="avatars/*.png", times=None)
    await disk.put("avatars/1.jpg", b"")
    await disk.put("x/avatars/1.png", b"")
    for path in ("avatars/1.png", "avatars/a b/2.png"):
        with pytest.raises(Unavailable):
            await disk.put(path, b"")
    disk.assert_count("", 2, recursive=True)


async def test_any_error_can_be_raised_also_one_in_hand(disk: FakeDisk) -> None:
    told = AlreadyExists("as the test says", path="elsewhere")
    disk.fail("get", told, times=2).fail("get", ZeroDivisionError)
    raised: list[Exception] = []
    for _ in range(2):
        with pytest.raises(AlreadyExists, match="as the test says") as caught:
            await disk.get("a")
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert told.__traceback__ is None
    with pytest.raises(ZeroDivisionError):
        await disk.get("a")


async def test_synchronous_verbs_fail_too() -> None:
    with Storage.fake("s3") as disk:
        disk.fail("url", Unsupported)
        with pytest.raises(Unsupported):
            disk.url("a")
        assert disk.url("a")


async def test_listings_streams_and_abilities_fail(disk: FakeDisk) -> None:
    disk.fail("files").fail("entries").fail("read_stream").fail("delete_directory")
    with pytest.raises(Unavailable):
        await disk.files()
    with pytest.raises(Unavailable):
        await anext(disk.entries())
    with pytest.raises(Unavailable):
        await disk.read_stream("a")
    with pytest.raises(Unavailable):
        await disk.delete_directory("f")


async def test_one_of_many_fails_alone(disk: FakeDisk) -> None:
    disk.fail("put_many", path="b")
    report = await disk.put_many({"a": b"1", "b": b"2", "c": b"3"})
    assert set(report.done) == {"a", "c"}
    assert isinstance(report.failed["b"], Unavailable)


async def test_a_copy_to_another_disk_fails_at_its_source() -> None:
    storage = StorageManager.isolated()
    with storage.fake("one", driver="s3") as one, storage.fake("two", driver="s3") as two:
        await one.put("a", b"1")
        one.fail("copy")
        with pytest.raises(Unavailable):
            await one.copy("a", "b", disk=two)
        two.assert_empty()


async def test_an_unsupported_copy_falls_back() -> None:
    with Storage.fake("s3") as disk:
        await disk.put("a", b"1")
        disk.fail("copy_within", Unsupported)
        await disk.copy("a", "b")
        disk.assert_exists("b", b"1")


async def test_a_read_that_ends_early_is_corrupted(disk: FakeDisk) -> None:
    await disk.put("a", b"0123456789")
    disk.truncate("get", at=4).truncate("read_stream", at=4)
    with pytest.raises(Corrupted, match="4 of 10 bytes"):
        await disk.get("a")
    async with disk.read_stream("a") as source:
        assert await source.read(4) == b"0123"
        with pytest.raises(Corrupted, match="4 of 10 bytes"):
            await source.read()
    assert await disk.get("a") == b"0123456789"


@pytest.mark.parametrize("content", [b"0123456789", "pieces"])
async def test_a_write_that_ends_early_changes_nothing(
    disk: FakeDisk, content: bytes | str
) -> None:
    await disk.put("a", b"old")
    disk.truncate("put", at=4)
    with pytest.raises(Corrupted, match="broke off after 4 bytes"):
        await disk.put("a", pieces(b"012", b"34567") if content == "pieces" else content)
    disk.assert_exists("a", b"old")
    await disk.put("a", b"0123")
    disk.assert_exists("a", b"0123")


async def test_a_short_body_is_not_truncated(disk: FakeDisk) -> None:
    disk.truncate("put", at=4)
    await disk.put("a", b"0123")
    disk.assert_exists("a", b"0123")


async def test_a_quota_holds_over_all_files(disk: FakeDisk) -> None:
    await disk.put("a", b"12345")
    disk.quota(10)
    await disk.put("b", b"12345")
    for content in (b"1", pieces(b"", b"1")):
        with pytest.raises(QuotaExceeded, match="10 bytes"):
            await disk.put("c", content)
    with pytest.raises(QuotaExceeded):
        await disk.append("a", b"6")
    with pytest.raises(QuotaExceeded):
        await disk.copy("a", "c")
    with pytest.raises(QuotaExceeded):
        await disk.put("a", b"123456")
    await disk.put("a", b"54321")
    await disk.delete("b")
    await disk.put("c", b"1")
    disk.assert_exists("a", b"54321").assert_count("", 2)
    disk.quota(None)
    await disk.put("c", b"x" * 100)


async def test_a_quota_holds_for_writes_at_once() -> None:
    with Storage.fake("s3") as disk:
        disk.quota(10)
        jobs = [disk.put(f"f{n}", pieces(b"123", b"456")) for n in range(5)]
        done = await asyncio.gather(*jobs, return_exceptions=True)
        assert sum(isinstance(one, QuotaExceeded) for one in done) == 4
        disk.assert_count("", 1)


async def test_a_rate_fails_the_same_calls_for_the_same_seed(disk: FakeDisk) -> None:
    first = await outcomes(disk.failure_rate(0.5, seed=7), 40)
    again = await outcomes(disk.failure_rate(0.5, seed=7), 40)
    other = await outcomes(disk.failure_rate(0.5, seed=8), 40)
    assert first == again != other
    assert 5 < sum(first) < 35
    assert await outcomes(disk.failure_rate(0), 10) == [True] * 10
    assert await outcomes(disk.failure_rate(1), 10) == [False] * 10


async def test_latency_comes_before_every_request() -> None:
    with Storage.fake("s3") as disk:
        disk.latency(0.02)
        before = monotonic()
        await disk.put("a", b"")
        await disk.get("a")
        assert monotonic() - before >= 0.04


async def test_a_body_that_was_looked_into_is_stored_whole(disk: FakeDisk) -> None:
    disk.quota(100)
    await disk.put("no extension", pieces(b"\x89PNG\r\n", b"\x1a\n", b"rest"))
    disk.assert_exists("no extension", b"\x89PNG\r\n\x1a\nrest")


@pytest.mark.parametrize(
    ("verb", "near"), [("putt", "'put'"), ("reed", "'read'"), ("scoped", "'copy'|there are")]
)
def test_an_unknown_verb_is_refused_with_the_nearest(verb: str, near: str) -> None:
    with Storage.fake("s3") as disk, pytest.raises(InvalidArgument, match=near):
        disk.fail(verb)


def test_what_makes_no_sense_is_refused() -> None:
    faults = Faults(MemoryDriver())
    for wrong in (
        lambda: faults.fail("put", times=0),
        lambda: faults.fail("put", after=-1),
        lambda: faults.truncate("get", at=-1),
        lambda: faults.failure_rate(1.5),
        lambda: faults.latency(-1),
        lambda: faults.quota(-1),
    ):
        with pytest.raises(InvalidArgument):
            wrong()
    for kind in ("Unavailable", KeyboardInterrupt, 3):
        with pytest.raises(TypeError, match="an error's class"):
            faults.fail("put", kind)  # type: ignore[arg-type]


async def test_it_stands_on_any_driver_and_under_any_layer(tmp_path: Path) -> None:
    faults = Faults(LocalDriver(tmp_path / "root"))
    async with Retry(faults, attempts=3, base=0) as disk:
        faults.fail("put", times=2).fail("read")
        await disk.put("a", b"1")
        assert await disk.get("a") == b"1"
        faults.fail("put", times=3)
        with pytest.raises(Unavailable):
            await disk.put("a", b"2")
        assert await disk.get("a") == b"1"


def test_it_has_all_abilities_of_the_driver_inside() -> None:
    inner = MemoryDriver()
    for kind in ABILITIES:
        assert (find(Faults(inner), kind) is None) == (find(inner, kind) is None)


async def test_calls_of_drivers_verbs_count_one_by_one() -> None:
    driver = MemoryDriver()
    faults = Faults(driver).fail("put", after=1).fail("copy")
    await faults.write("a", Body(b"1"))
    with pytest.raises(Unavailable):
        await faults.write("b", Body(b"1"))
    with pytest.raises(Unavailable):
        await faults.ability(Copy).copy_within("a", "b")
    assert driver.all_paths() == ["a"]
    with pytest.raises(NotFound):
        await faults.stat("b")


async def test_a_part_of_an_upload_fails() -> None:
    with Storage.fake("s3") as disk:
        parts = disk.ability(Multipart)
        upload = await parts.start_parts("a")
        disk.fail("write_part")
        with pytest.raises(Unavailable):
            await parts.write_part("a", upload, 1, Body(b"1"))
        assert await parts.list_parts("a", upload) == {}
