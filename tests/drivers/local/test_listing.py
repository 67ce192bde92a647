"""Listings: the order of full paths, names nobody can type, and folders deeper than a stack."""
# ruff: noqa: ASYNC230, ASYNC240 - a test may block

import logging
import os
import random
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from storeroom.contracts.errors import Closed, Obstructed
from storeroom.contracts.values import DEEP, SHALLOW, Folder, ScanOptions, Stat
from storeroom.drivers.local import LocalDriver

NAMES = ["a", "a.txt", "a-b", "a b", "a0", "A", "é", "😀", "%2F", "foo", "foobar", ".hidden", "z"]


def made(root: Path, seed: int) -> None:
    chance = random.Random(seed)
    folders = [root]
    for _ in range(60):
        name, parent = chance.choice(NAMES), chance.choice(folders)
        if (parent / name).exists():
            continue
        if chance.random() < 0.5:
            (parent / name).mkdir(parents=True)
            folders.append(parent / name)
        else:
            parent.mkdir(exist_ok=True)
            (parent / name).write_bytes(b"")


async def paths(disk: LocalDriver, folder: str = "", how: ScanOptions = DEEP) -> list[str]:
    return [entry.path async for entry in disk.scan(folder, how)]


@pytest.mark.parametrize("seed", range(12))
async def test_listings_come_in_the_byte_order_of_full_paths_from_any_point(
    disk: LocalDriver, root: Path, seed: int
) -> None:
    made(root, seed)
    keys = {
        str(found.relative_to(root)): f"{found.relative_to(root)}{'/' if found.is_dir() else ''}"
        for found in root.rglob("*")
    }
    every = sorted(keys, key=lambda path: keys[path].encode())
    assert await paths(disk) == every
    assert disk.traits.ordered
    for after in [*every, "a/", "", "zz", "a.", "foo/"]:
        behind = [path for path in every if keys[path].encode() > after.encode()]
        assert await paths(disk, "", ScanOptions(after=after)) == behind
    shallow = [path for path in every if "/" not in path]
    assert await paths(disk, "", SHALLOW) == shallow
    for starting in ("a", "foo", "é"):
        chosen = [path for path in every if path.startswith(starting)]
        assert await paths(disk, "", ScanOptions(starting=starting)) == chosen
    for folder in (path for path in shallow if (root / path).is_dir()):
        inside = [path for path in every if path.startswith(f"{folder}/")]
        assert await paths(disk, folder) == inside


async def test_folders_and_files_are_told_apart_with_size_time_and_etag(disk: LocalDriver) -> None:
    await disk.put("a/b", b"123")
    folder, file = [entry async for entry in disk.scan()]
    assert folder == Folder("a")
    assert isinstance(file, Stat)
    facts = await disk.stat("a/b")
    assert (file.size, file.modified, file.etag) == (3, facts.modified, facts.etag)


async def test_a_missing_folder_or_a_file_lists_nothing(disk: LocalDriver) -> None:
    await disk.put("a", b"")
    assert await paths(disk, "missing") == []
    assert await paths(disk, "a") == []
    assert await paths(disk, "a/b") == []


async def test_more_than_a_page_is_listed_once_each_and_holds_nothing_between_pages(
    disk: LocalDriver, root: Path, descriptors: object, blocking_allowed: None
) -> None:
    (root / "many").mkdir(parents=True)
    for number in range(2_500):
        (root / f"many/{number:04}").touch()
    assert await disk.files("many") == [f"many/{number:04}" for number in range(2_500)]
    seen = []
    before = descriptors()  # type: ignore[operator]
    async with aclosing(disk.scan("many")) as entries:
        async for entry in entries:
            assert descriptors() == before  # type: ignore[operator]
            seen.append(entry.path)
            if len(seen) == 1_000:
                os.unlink(root / "many/1500")
            if len(seen) == 1_500:
                break
    assert "many/1500" not in seen
    assert descriptors() == before  # type: ignore[operator]


async def test_what_vanishes_in_mid_listing_is_left_out(disk: LocalDriver, root: Path) -> None:
    for number in range(1_500):
        await disk.make_folder(f"{number:04}")
        (root / f"{number:04}/x").touch()
    seen: list[str] = []
    async for entry in disk.scan():
        if not seen:
            await disk.remove_folder("1400")
            (root / "1401/x").unlink()
            (root / "1401").rmdir()
            (root / "1401").symlink_to("1402")
        seen.append(entry.path)
    assert len(seen) == 2 * 1_498
    (root / "1401").unlink()


async def test_names_that_no_path_can_have_are_left_out_with_one_warning(
    disk: LocalDriver, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await disk.put("a/fine", b"")
    for name in (b"\xff\xfe", b"back\\slash", b"new\nline", "b\u202eidi".encode()):
        with open(os.path.join(bytes(root / "a"), name), "wb"):
            pass
    os.mkdir(os.path.join(bytes(root), b"folder\x07"))
    with caplog.at_level(logging.WARNING, "storeroom"):
        assert await disk.all_files() == ["a/fine"]
        assert await paths(disk, "a") == ["a/fine"]
    assert len(caplog.records) == 1
    assert "breaks the path rule" in caplog.text
    with pytest.raises(Obstructed, match="breaks the path rule"):
        await paths(disk, "a", ScanOptions(strangers="refuse"))
    assert await disk.delete_directory("a")
    assert not (root / "a").exists()


@pytest.fixture
def deep(root: Path) -> int:
    """A folder of 3,000 levels with a file at every hundredth."""
    root.mkdir()
    folder = os.open(root, os.O_RDONLY)
    for level in range(3_000):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
        if level % 100 == 0:
            os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    return 3_000


async def test_folders_deeper_than_any_path_are_listed_as_far_as_paths_go_and_removed_whole(
    disk: LocalDriver, deep: int, root: Path
) -> None:
    listed = await paths(disk)
    assert max(path.count("/") for path in listed) == 99
    assert await disk.sweep(timedelta()) == 0
    assert await disk.remove_folder("d")
    assert os.listdir(root) == []


async def test_removing_a_wide_and_deep_folder_removes_all_of_it_and_nothing_beside(
    disk: LocalDriver, root: Path
) -> None:
    for number in range(300):
        await disk.put(f"a/{number % 17}/{number % 5}/{number}", b"")
    await disk.put("ab", b"")
    assert await disk.remove_folder("a")
    assert not await disk.remove_folder("a")
    assert not await disk.remove_folder("ab")
    assert os.listdir(root) == ["ab"]
    await disk.put("x/y", b"")
    assert await disk.remove_folder("")
    assert (root.is_dir(), os.listdir(root)) == (True, [])


async def test_a_listing_begun_before_closing_ends_with_closed_or_what_it_had(
    disk: LocalDriver,
) -> None:
    await disk.put("a", b"")
    await disk.aclose()
    with pytest.raises(Closed):
        await paths(disk)
