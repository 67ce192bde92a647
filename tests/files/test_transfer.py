"""Files to and from this machine's file system."""

import os
from pathlib import Path

import pytest

from storeroom.contracts.errors import (
    AlreadyExists,
    InvalidPath,
    NotFound,
    Obstructed,
    StorageError,
    Unsupported,
)
from storeroom.drivers.memory import MemoryDriver


@pytest.fixture
def disk() -> MemoryDriver:
    return MemoryDriver()


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


async def test_a_local_file_goes_up(disk: MemoryDriver, tmp_path: Path) -> None:
    (tmp_path / "a [1].txt").write_bytes(b"contents")
    local = str(tmp_path / "a [1].txt")
    assert await disk.upload_from(local, "b", metadata={"by": "me"}) == "b"
    assert await disk.get("b") == b"contents"
    with pytest.raises(AlreadyExists):
        await disk.upload_from(local, "b", overwrite=False)
    with pytest.raises(NotFound, match="the local file"):
        await disk.upload_from(tmp_path / "missing", "c")


async def test_a_file_comes_down_whole(disk: MemoryDriver, tmp_path: Path) -> None:
    await disk.put("a", bytes(3 << 20))
    told: list[tuple[int, int | None]] = []
    target = tmp_path / "new" / "folder" / "b"
    assert await disk.download_to("a", target, progress=lambda *now: told.append(now)) == target
    assert target.read_bytes() == bytes(3 << 20)
    assert told[-1] == (3 << 20, 3 << 20)
    await disk.put("a", b"short")
    await disk.download_to("a", str(target))
    assert tree(tmp_path) == {"new/folder/b": b"short"}


async def test_a_missing_file_leaves_the_local_one(disk: MemoryDriver, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"old")
    with pytest.raises(NotFound):
        await disk.download_to("missing", tmp_path / "b")
    assert tree(tmp_path) == {"b": b"old"}


async def test_a_local_file_is_not_replaced_unless_allowed(
    disk: MemoryDriver, tmp_path: Path
) -> None:
    (tmp_path / "b").write_bytes(b"old")
    await disk.put("a", b"new")
    with pytest.raises(AlreadyExists, match="the local file"):
        await disk.download_to("a", tmp_path / "b", overwrite=False)
    await disk.download_to("a", tmp_path / "c", overwrite=False)
    assert tree(tmp_path) == {"b": b"old", "c": b"new"}


async def test_a_local_folder_is_in_the_way(disk: MemoryDriver, tmp_path: Path) -> None:
    await disk.put("a", b"x")
    with pytest.raises(Obstructed, match="name a file in it"):
        await disk.download_to("a", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="the local file"):
        await disk.download_to("a", tmp_path / "file" / "b")
    assert tree(tmp_path) == {"file": b""}


async def test_a_local_folder_goes_up(disk: MemoryDriver, tmp_path: Path) -> None:
    for name in ("a b.txt", "sub/é%2F.txt", "sub/deep/.hidden", "sub/0"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    told: list[int] = []
    report = await disk.upload_directory(
        tmp_path, "up/", concurrency=2, progress=lambda done, _: told.append(done)
    )
    assert report.done == {name: f"up/{name}" for name in tree(tmp_path)}
    assert disk.all_paths() == sorted(report.done.values())
    assert sorted(told) == [1, 2, 3, 4]
    assert (await disk.upload_directory(str(tmp_path))).done["sub/0"] == "sub/0"


async def test_links_and_bad_names_are_reported_and_not_followed(
    disk: MemoryDriver, tmp_path: Path
) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "up" / "good").write_bytes(b"x")
    (tmp_path / "up" / "back\\slash").write_bytes(b"x")
    (tmp_path / "up" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "up" / "folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "up" / "pipe")
    report = await disk.upload_directory(tmp_path / "up")
    assert report.done == {"good": "good"}
    assert {name: type(error) for name, error in report.failed.items()} == {
        "back\\slash": InvalidPath,
        "folder": Unsupported,
        "link": Unsupported,
    }


async def test_a_missing_local_folder_is_not_found(disk: MemoryDriver, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await disk.upload_directory(tmp_path / "missing")


async def test_a_folder_comes_down(disk: MemoryDriver, tmp_path: Path) -> None:
    await disk.put_many({"f/a": b"1", "f/b/c d": b"2", "foo": b"3"})
    report = await disk.download_directory("f", tmp_path / "to")
    assert report.done == {"f/a": tmp_path / "to/a", "f/b/c d": tmp_path / "to/b/c d"}
    assert tree(tmp_path) == {"to/a": b"1", "to/b/c d": b"2"}
    again = await disk.download_directory("f", tmp_path / "to", overwrite=False)
    assert {type(error) for error in again.failed.values()} == {AlreadyExists}


async def test_names_of_a_stranger_cannot_leave_the_local_folder(tmp_path: Path) -> None:
    disk = MemoryDriver(paths="service")
    names = ("f/../../evil", "f//abs", "f/good", "f/back\\slash", "f/\u202etxt")
    for name in names:
        await disk.put(name, b"x")
    report = await disk.download_directory("f", tmp_path / "to" / "here")
    assert set(report.done) == {"f/good"}
    assert {type(error) for error in report.failed.values()} == {InvalidPath}
    assert tree(tmp_path) == {"to/here/good": b"x"}


async def test_a_link_in_the_local_folder_leads_nowhere(disk: MemoryDriver, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "sub").symlink_to(tmp_path / "outside")
    await disk.put("f/sub/a", b"x")
    report = await disk.download_directory("f", tmp_path / "to")
    assert type(report.failed["f/sub/a"]) is InvalidPath
    assert tree(tmp_path / "outside") == {}
