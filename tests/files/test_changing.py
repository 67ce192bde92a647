"""Copies, moves, folders and many at once: on one disk and across disks."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    Corrupted,
    InvalidArgument,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.source import Source
from storeroom.contracts.values import PLAIN, WHOLE, ReadOptions, Stat, WriteOptions
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.files import Files

FILES = {"f/a [1].txt": b"1", "f/b/%2F é": b"22", "f/b/c/d": b"", "foo": b"x"}


class Elsewhere(MemoryDriver):
    """A disk of another service: nothing is copied to it at the service."""

    def offer(self, kind: Any, /) -> Any:
        hidden = ("CopyFrom", "Origin", "BulkRemove", "Checksum", "Copy", "Move", "LocalPath")
        return None if kind.__name__ in hidden else self


class Forgetful(Elsewhere):
    """Changes what it stores."""

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await super().write(path, Body(b"not " + await body.content()), how)


@pytest.fixture
def disk() -> MemoryDriver:
    return MemoryDriver()


@pytest.fixture(params=["memory", "elsewhere", "local"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "local":
        return LocalDriver(tmp_path / "root")
    return MemoryDriver() if request.param == "memory" else Elsewhere()


async def held(disk: Files) -> dict[str, bytes]:
    return {path: await disk.get(path) for path in await disk.all_files()}


async def test_a_copy_goes_to_another_disk(disk: MemoryDriver, other: Files) -> None:
    await disk.put("a.txt", b"contents", metadata={"by": "me"}, cache_control="no-store")
    assert await disk.copy("a.txt", "b/c.bin", disk=other) == "b/c.bin"
    assert await held(other) == {"b/c.bin": b"contents"}
    stat = await other.metadata("b/c.bin")
    assert (stat.content_type, stat.cache_control) == ("text/plain", "no-store")
    assert stat.metadata == {"by": "me"}
    assert await disk.get("a.txt") == b"contents"


async def test_a_move_goes_to_another_disk(disk: MemoryDriver, other: Files) -> None:
    await disk.put("a", bytes(3 << 20), metadata={"by": "me"})
    assert await disk.move("a", "b/c", disk=other) == "b/c"
    assert await held(other) == {"b/c": bytes(3 << 20)}
    assert (await other.metadata("b/c")).metadata == {"by": "me"}
    assert disk.count() == 0


async def test_nothing_goes_over_what_is_there_unless_allowed(
    disk: MemoryDriver, other: Files
) -> None:
    await disk.put("a", b"new")
    await other.put("a", b"old")
    for verb in (disk.copy, disk.move):
        with pytest.raises(AlreadyExists):
            await verb("a", "a", disk=other, overwrite=False)
    assert (await held(disk), await held(other)) == ({"a": b"new"}, {"a": b"old"})


async def test_a_missing_source_changes_nothing_on_the_other_disk(
    disk: MemoryDriver, other: Files
) -> None:
    await other.put("a", b"old")
    for verb in (disk.copy, disk.move):
        with pytest.raises(NotFound):
            await verb("missing", "a", disk=other)
    assert await held(other) == {"a": b"old"}


async def test_metadata_drops_where_the_other_disk_keeps_none(disk: MemoryDriver) -> None:
    class Bare(Elsewhere):
        async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
            if how.metadata and not how.carried:
                raise Unsupported("no metadata")
            return await super().write(path, body, WriteOptions())

    bare = Bare()
    await disk.put("a", b"x", metadata={"by": "me"})
    await disk.copy("a", "b", disk=bare)
    assert await held(bare) == {"b": b"x"}
    with pytest.raises(Unsupported):
        await bare.put("c", b"x", metadata={"by": "me"})


async def test_a_source_is_removed_only_after_its_copy_is_verified(disk: MemoryDriver) -> None:
    await disk.put("a", b"precious")
    with pytest.raises(Corrupted, match="the source stays"):
        await disk.move("a", "b", disk=Forgetful())
    assert await disk.get("a") == b"precious"


async def test_a_source_that_changed_meanwhile_is_not_removed() -> None:
    class Busy(Elsewhere):
        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            source = await super().read(path, how)
            await super().write(path, Body(b"newer"))
            return source

    disk, other = Busy(), MemoryDriver()
    await disk.put("a", b"old")
    with pytest.raises(PreconditionFailed):
        await disk.move("a", "b", disk=other)
    assert disk.all_paths() == ["a"]


async def test_the_other_disk_may_be_the_same_disk(disk: MemoryDriver) -> None:
    await disk.put("a", b"x")
    await disk.copy("a", "b", disk=disk)
    await disk.move("a", "a", disk=disk)
    await disk.copy("a", "a", disk=disk.twin())
    assert await held(disk) == {"a": b"x", "b": b"x"}


@pytest.mark.parametrize("kind", ["memory", "local"])
async def test_a_move_to_itself_through_a_second_disk_loses_nothing(
    kind: str, tmp_path: Path
) -> None:
    disk = MemoryDriver() if kind == "memory" else LocalDriver(tmp_path)
    twin = disk.twin() if isinstance(disk, MemoryDriver) else LocalDriver(tmp_path)
    await disk.put("a", b"precious")
    with contextlib.suppress(PreconditionFailed):
        await disk.move("a", "a", disk=twin)
    assert await held(disk) == {"a": b"precious"}


async def test_something_else_than_a_disk_is_a_type_error(disk: MemoryDriver) -> None:
    await disk.put("a", b"x")
    for wrong in (5, object(), ["s3"]):
        with pytest.raises(TypeError, match="disk is a disk"):
            await disk.copy("a", "b", disk=wrong)


async def test_a_folder_is_copied_to_another_disk(disk: MemoryDriver, other: Files) -> None:
    await disk.put_many(FILES)
    told: list[tuple[int, int | None]] = []
    report = await disk.copy_directory(
        "f", "to", disk=other, concurrency=2, progress=lambda *now: told.append(now)
    )
    wanted = {path: f"to{path[1:]}" for path in FILES if path != "foo"}
    assert report.ok
    assert report.done == wanted
    assert await held(other) == {new: FILES[old] for old, new in wanted.items()}
    assert await held(disk) == FILES
    assert sorted(told) == [(1, None), (2, None), (3, None)]


async def test_a_folder_is_moved_to_another_disk(disk: MemoryDriver, other: Files) -> None:
    await disk.put_many(FILES)
    report = await disk.move_directory("f/", "", disk=other)
    assert report.ok
    assert await held(other) == {path[2:]: FILES[path] for path in FILES if path != "foo"}
    assert await held(disk) == {"foo": b"x"}


async def test_the_whole_disk_is_copied(disk: MemoryDriver, other: Files) -> None:
    await disk.put_many(FILES)
    assert (await disk.copy_directory("", "", disk=other)).ok
    assert await held(other) == FILES


async def test_what_fails_in_a_folder_is_reported_and_stays(disk: MemoryDriver) -> None:
    other = MemoryDriver()
    await disk.put_many(FILES)
    await other.put("to/b/c/d", b"in the way")
    report = await disk.move_directory("f", "to", disk=other, overwrite=False)
    assert set(report.failed) == {"f/b/c/d"}
    assert isinstance(report.failed["f/b/c/d"], AlreadyExists)
    assert await held(disk) == {"f/b/c/d": b"", "foo": b"x"}
    with pytest.raises(ExceptionGroup):
        report.raise_failures()


async def test_empty_folders_go_along_where_folders_are_real(tmp_path: Path) -> None:
    disk, other = LocalDriver(tmp_path / "a"), MemoryDriver(folders="real")
    await disk.make_directory("f/empty/deep")
    await disk.put("f/a", b"x")
    assert (await disk.copy_directory("f", "g", disk=other)).ok
    assert await other.all_directories() == ["g", "g/empty", "g/empty/deep"]
    assert (await disk.move_directory("f", "h", disk=MemoryDriver())).ok
    assert await disk.all_directories() == []


async def test_a_missing_folder_has_nothing_to_copy(disk: MemoryDriver) -> None:
    assert (await disk.copy_directory("missing", "to")).done == {}
    assert (await disk.move_directory("missing", "to")).ok


async def test_names_a_stranger_left_stop_what_would_leave_them_behind() -> None:
    stranger = MemoryDriver(paths="service")
    await stranger.put("f/a", b"x")
    await stranger.put("f//b", b"x")
    disk = stranger.twin()
    assert await disk.all_files() == ["f/a"]
    for verb in (disk.delete_directory("f"), disk.move_directory("f", "g")):
        with pytest.raises(StorageError, match=r'paths="service"'):
            await verb
    assert stranger.all_paths() == ["f//b", "f/a"]
    assert await stranger.delete_directory("f") is True


async def test_the_root_is_neither_deleted_nor_moved(disk: MemoryDriver) -> None:
    await disk.put("a", b"x")
    with pytest.raises(InvalidPath, match="the whole disk"):
        await disk.delete_directory("/")
    with pytest.raises(InvalidPath, match="the whole disk"):
        await disk.move_directory("", "a", disk=MemoryDriver())


async def test_a_list_given_to_delete_names_delete_many(disk: MemoryDriver) -> None:
    for paths in (["a"], ("a",), {"a"}):
        with pytest.raises(TypeError, match="delete_many"):
            await disk.delete(paths)  # type: ignore[arg-type]


async def test_one_path_given_to_many_is_a_type_error(disk: MemoryDriver) -> None:
    for verb in (disk.get_many, disk.delete_many, disk.put_many):
        for path in ("abc", Path("abc")):
            with pytest.raises(TypeError, match="_many"):
                await verb(path)  # type: ignore[operator]


async def test_many_are_put_from_a_mapping_or_pairs(disk: MemoryDriver) -> None:
    report = await disk.put_many({"a": b"1", "b": "2"}, content_type="a/b")
    assert report.done == {"a": "a", "b": "b"}
    await disk.put_many((path, [b"3"]) for path in ("c", "d"))
    assert await held(disk) == {"a": b"1", "b": b"2", "c": b"3", "d": b"3"}
    assert (await disk.metadata("a")).content_type == "a/b"


async def test_one_failure_neither_hides_nor_stops_the_others(disk: MemoryDriver) -> None:
    report = await disk.put_many({"a": b"1", "../b": b"2", "c": {1: 2}, "d": b"4"})  # type: ignore[dict-item]
    assert set(report.done) == {"a", "d"}
    assert type(report.failed["../b"]) is InvalidPath
    assert type(report.failed["c"]) is TypeError
    got = await disk.get_many(["a", "missing", "", Path("d")])
    assert got.done == {"a": b"1", "d": b"4"}
    assert {path: type(error) for path, error in got.failed.items()} == {
        "missing": NotFound,
        "": InvalidPath,
    }


async def test_many_keep_to_their_concurrency() -> None:
    class Counting(MemoryDriver):
        now = most = 0

        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.now -= 1
            return await super().read(path, how)

    disk = Counting()
    await disk.put_many({f"{number}": b"x" for number in range(30)})
    assert len((await disk.get_many(map(str, range(30)), concurrency=3)).done) == 30
    assert disk.most == 3
    with pytest.raises(InvalidArgument, match="concurrency"):
        await disk.get_many(["1"], concurrency=0)


async def test_an_iterable_that_fails_is_raised(disk: MemoryDriver) -> None:
    def paths() -> Iterator[str]:
        yield "a"
        raise ZeroDivisionError

    for verb in (disk.get_many, disk.delete_many):
        with pytest.raises(ZeroDivisionError):
            await verb(paths())


@pytest.mark.parametrize("kind", [MemoryDriver, Elsewhere])
async def test_many_are_deleted_from_any_iterable(kind: type[MemoryDriver]) -> None:
    disk = kind()
    told: list[int] = []
    await disk.put_many({f"{number}": b"x" for number in range(30)})
    paths = (str(number) for number in range(31))
    report = await disk.delete_many(paths, progress=lambda done, _: told.append(done))
    assert report.ok
    assert report.done == {str(number): number < 30 for number in range(31)}
    assert told[-1] == 31
    assert disk.count() == 0


async def test_deleting_falls_back_when_the_bulk_is_unsupported() -> None:
    class Narrow(MemoryDriver):
        async def remove_many(
            self, paths: Sequence[str], /
        ) -> Mapping[str, bool | StorageError | None]:
            raise Unsupported("not on this endpoint")

    disk = Narrow()
    await disk.put_many({f"{number}": b"x" for number in range(5)})
    report = await disk.delete_many(str(number) for number in range(5))
    assert len(report.done) == 5
    assert disk.count() == 0


async def test_a_failed_bulk_is_reported_for_its_paths() -> None:
    class Away(MemoryDriver):
        async def remove_many(
            self, paths: Sequence[str], /
        ) -> Mapping[str, bool | StorageError | None]:
            raise Unavailable("away")

    report = await Away().delete_many(["a", "../b"])
    assert {path: type(error) for path, error in report.failed.items()} == {
        "a": Unavailable,
        "../b": InvalidPath,
    }


async def test_delete_looks_first_where_the_service_does_not_tell() -> None:
    class Silent(MemoryDriver):
        @property
        def traits(self) -> Any:
            from dataclasses import replace

            return replace(super().traits, tells_removed=False)

        async def remove(self, path: str, how: Any = None, /) -> None:  # type: ignore[override]
            await super().remove(path)

    disk = Silent()
    await disk.put("a", b"x")
    assert [await disk.delete("a"), await disk.delete("a")] == [True, False]
