"""Disks that are full, read-only, gone or no longer what they were."""
# ruff: noqa: ASYNC240 - a test may block

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import NotFound, PermissionDenied, QuotaExceeded, StorageError
from storeroom.drivers.local import LocalDriver
from tests.safety.disks import KINDS
from tests.safety.mounts import Mounted, may_mount, mounted
from tests.safety.watching import watching

OLD = b"o" * 100_000
TOO_MUCH = b"n" * 1_500_000

Verb = Callable[[LocalDriver], Awaitable[object]]


async def parts() -> AsyncIterator[bytes]:
    for start in range(0, len(TOO_MUCH), 200_000):
        yield TOO_MUCH[start : start + 200_000]


FILLING: dict[str, Verb] = {
    "put": lambda disk: disk.put("new/file.txt", TOO_MUCH),
    "overwrite": lambda disk: disk.put("old.txt", TOO_MUCH),
    "overwrite_in_parts": lambda disk: disk.put("old.txt", parts()),
    "overwrite_announced": lambda disk: disk.put("old.txt", parts(), size=len(TOO_MUCH)),
    "append": lambda disk: disk.append("old.txt", TOO_MUCH),
    "append_in_parts": lambda disk: disk.extend("old.txt", Body(parts)),
    "append_new": lambda disk: disk.append("new.txt", TOO_MUCH),
    "copy": lambda disk: disk.copy("large.txt", "old.txt"),
}
CHANGING: dict[str, Verb] = FILLING | {
    "put_little": lambda disk: disk.put("old.txt", b"1"),
    "move": lambda disk: disk.move("old.txt", "moved.txt"),
    "remove": lambda disk: disk.delete("old.txt"),
    "make_folder": lambda disk: disk.make_folder("made"),
    "remove_folder": lambda disk: disk.remove_folder("folder"),
    "set_visibility": lambda disk: disk.set_visibility("old.txt", "private"),
    "set_attributes": lambda disk: disk.set_attributes("old.txt", metadata={"a": "b"}),
    "change_time": lambda disk: disk.change_time("old.txt", datetime(2001, 1, 1, tzinfo=UTC)),
}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Mounted]:
    """A disk of 1 MiB."""
    if not may_mount(tmp_path):
        pytest.skip("mounting needs root")
    with mounted("-t", "tmpfs", "-o", "size=1m", "tmpfs", on=tmp_path / "small") as disk:
        (disk.folder / "old.txt").write_bytes(OLD)
        (disk.folder / "large.txt").write_bytes(OLD * 5)
        (disk.folder / "folder").mkdir()
        (disk.folder / "folder/file.txt").write_bytes(b"1")
        yield disk


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode) for path in found
    }


def open_in(folder: Path) -> list[str]:
    names = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    found = [os.readlink(name) for name in names if os.path.lexists(name)]
    return [name for name in found if name.startswith(f"{folder}/")]


@pytest.mark.parametrize("verb", FILLING)
async def test_a_full_disk_keeps_what_it_has_and_takes_more_once_there_is_room(
    kind: str, small: Mounted, verb: str
) -> None:
    async with KINDS[kind](small.folder) as disk:
        before = snapshot(small.folder)
        for _ in range(3):
            with pytest.raises(QuotaExceeded):
                await FILLING[verb](disk)
        assert snapshot(small.folder) == before
        assert open_in(small.folder) == []
        await disk.delete("large.txt")
        await disk.put("fits.txt", OLD * 8)
        assert await disk.get("fits.txt") == OLD * 8


async def test_a_disk_with_no_byte_left_still_lists_moves_and_removes(
    kind: str, small: Mounted
) -> None:
    async with KINDS[kind](small.folder) as disk:
        for number in range(10_000):
            try:
                await disk.put(f"fill/{number}.txt", b"x" * 4096)
            except QuotaExceeded:
                break
        else:
            pytest.fail("the disk took more than it has")
        assert (await disk.get("old.txt"), len(await disk.files("fill"))) == (OLD, number)
        await disk.move("old.txt", "moved.txt")
        assert await disk.delete_directory("fill")
        assert await disk.files() == ["large.txt", "moved.txt"]
        assert not list(small.folder.rglob(".storeroom-*"))


@pytest.mark.parametrize("verb", CHANGING)
async def test_a_read_only_disk_says_so_and_still_reads(
    kind: str, small: Mounted, verb: str
) -> None:
    async with KINDS[kind](small.folder) as disk:
        before = snapshot(small.folder)
        small.remount("ro")
        with pytest.raises(PermissionDenied, match="Read-only"):
            await CHANGING[verb](disk)
        assert await disk.sweep(timedelta()) == 0
        assert await disk.get("old.txt") == OLD
        assert await disk.all_files() == ["folder/file.txt", "large.txt", "old.txt"]
        assert snapshot(small.folder) == before
        assert open_in(small.folder) == []
        small.remount("rw")
        await disk.put("new.txt", b"1")


@pytest.mark.parametrize("verb", CHANGING)
async def test_a_root_that_vanishes_is_empty_and_made_anew_by_the_next_write(
    disk: LocalDriver, root: Path, verb: str
) -> None:
    await disk.put("old.txt", OLD)
    shutil.rmtree(root)
    with suppress(NotFound):
        await CHANGING[verb](disk)
    if not root.exists():
        assert await disk.all_files() == []
        with pytest.raises(NotFound):
            await disk.get("old.txt")
    await disk.put("old.txt", OLD)
    assert (root / "old.txt").read_bytes() == OLD


async def test_a_root_that_vanishes_during_a_write_comes_back_whole_or_says_so(
    disk: LocalDriver, root: Path, blocking_allowed: None
) -> None:
    async def vanishing() -> AsyncIterator[bytes]:
        for number in range(4):
            if number == 3:
                shutil.rmtree(root)
            yield OLD * 11  # over a MiB, so that the write has begun

    for path in ("a.txt", "folder/a.txt"):
        await disk.put("there.txt", b"1")
        with pytest.raises(StorageError):
            await disk.put(path, vanishing())
        assert not root.exists() or snapshot(root) == {}


@pytest.mark.parametrize("verb", [*CHANGING, "get", "files", "exists", "sweep"])
async def test_a_root_replaced_by_a_link_is_never_followed(
    disk: LocalDriver, root: Path, outside: Path, verb: str
) -> None:
    (outside / "secret").rename(outside / "old.txt")
    verbs: dict[str, Verb] = CHANGING | {
        "get": lambda disk: disk.get("old.txt"),
        "files": lambda disk: disk.all_files(),
        "exists": lambda disk: disk.exists("old.txt"),
        "sweep": lambda disk: disk.sweep(timedelta()),
    }
    await disk.put("old.txt", OLD)
    shutil.rmtree(root)
    root.symlink_to(outside)
    try:
        with watching(outside) as watch:
            with pytest.raises(PermissionDenied, match="link"):
                await verbs[verb](disk)
            assert not [name for name, _ in watch.events() if name]
    finally:
        (outside / "old.txt").rename(outside / "secret")
    root.unlink()
    await disk.put("old.txt", OLD)
    assert (root / "old.txt").read_bytes() == OLD


async def test_a_root_that_was_a_link_from_the_beginning_may_lead_elsewhere(
    kind: str, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "current").symlink_to("one")
    async with KINDS[kind](tmp_path / "current") as disk:
        await disk.put("a.txt", b"1")
        (tmp_path / "current").unlink()
        (tmp_path / "current").symlink_to("two")
        shutil.rmtree(tmp_path / "one")
        await disk.put("b.txt", b"2")
    assert os.listdir(tmp_path / "two") == ["b.txt"]
