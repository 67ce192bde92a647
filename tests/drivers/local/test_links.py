"""No verb follows a link, whatever it leads to and whenever it is put in place."""
# ruff: noqa: ASYNC240 - a test may block

import ctypes
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    NotFound,
    Obstructed,
    PermissionDenied,
    StorageError,
    Unavailable,
)
from storeroom.contracts.values import ScanOptions, WriteOptions
from storeroom.drivers._local import beneath
from storeroom.drivers._local.directory import READ
from storeroom.drivers.local import LocalDriver

Verb = Callable[[LocalDriver, str], Awaitable[object]]

READING: dict[str, Verb] = {
    "stat": lambda disk, path: disk.stat(path),
    "read": lambda disk, path: disk.read(path),
    "get": lambda disk, path: disk.get(path),
    "exists": lambda disk, path: disk.exists(path),
    "digest": lambda disk, path: disk.digest(path, "sha256"),
    "read_visibility": lambda disk, path: disk.read_visibility(path),
    "copy_from_it": lambda disk, path: disk.copy(path, "copied"),
    "rename_it": lambda disk, path: disk.rename(path, "renamed"),
    "change_visibility": lambda disk, path: disk.change_visibility(path, "private"),
    "change_attributes": lambda disk, path: disk.set_attributes(path, metadata={"a": "b"}),
    "change_time": lambda disk, path: disk.change_time(path, datetime(2001, 1, 1, tzinfo=UTC)),
}
WRITING: dict[str, Verb] = {
    "put": lambda disk, path: disk.put(path, b"new"),
    "put_in_parts": lambda disk, path: disk.put(path, parts(), size=3 << 20),
    "create": lambda disk, path: disk.put(path, b"new", overwrite=False),
    "append": lambda disk, path: disk.append(path, b"new"),
    "append_in_parts": lambda disk, path: disk.extend(path, Body(parts, size=3 << 20)),
    "copy_onto_it": lambda disk, path: disk.copy("kept", path),
    "rename_onto_it": lambda disk, path: disk.rename("kept", path),
    "rename_onto_it_if_new": lambda disk, path: disk.rename(
        "kept", path, WriteOptions(overwrite=False)
    ),
}
REMOVING: dict[str, Verb] = {"remove": lambda disk, path: disk.remove(path)}
FOLDERS: dict[str, Verb] = {
    "has_folder": lambda disk, path: disk.has_folder(path),
    "make_folder": lambda disk, path: disk.make_folder(path),
    "remove_folder": lambda disk, path: disk.remove_folder(path),
    "files": lambda disk, path: disk.files(path),
    "all_files": lambda disk, path: disk.all_files(path),
}
FILES = READING | WRITING | REMOVING


async def parts():
    for _ in range(3):
        yield b"x" * (1 << 20)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the root with a secret in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    (folder / "secret").chmod(0o640)
    os.utime(folder / "secret", (1, 1))
    return folder


@pytest.fixture
def untouched(outside: Path) -> Iterator[None]:
    """Fails if anything outside is read or changed."""
    yield
    found = (outside / "secret").stat()
    assert os.listdir(outside) == ["secret"]
    assert (outside / "secret").read_text() == "secret"
    assert (found.st_mtime, found.st_mode & 0o777) == (1, 0o640)
    assert not os.listxattr(outside / "secret")


@pytest.fixture
async def linked(disk: LocalDriver, root: Path, outside: Path) -> LocalDriver:
    """A disk with every sort of link on it."""
    await disk.put("kept", b"kept")
    (root / "file").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    (root / "relative").symlink_to("../outside/secret")
    (root / "inner").symlink_to("kept")
    (root / "dangling").symlink_to(outside / "nothing")
    (root / "loop").symlink_to("loop")
    (root / "zero").symlink_to("/dev/zero")
    (root / "magic").symlink_to("/proc/self/root")
    return disk


LINKS = ["file", "relative", "inner", "dangling", "loop", "zero", "folder", "folder/secret"]
LINKS += ["folder/new", "folder/a/b", "magic/etc/passwd"]


@pytest.mark.parametrize("path", LINKS)
@pytest.mark.parametrize("verb", FILES)
async def test_no_verb_of_files_follows_a_link(
    linked: LocalDriver, untouched: None, verb: str, path: str
) -> None:
    with pytest.raises(PermissionDenied, match="link"):
        await FILES[verb](linked, path)
    assert await linked.get("kept") == b"kept"
    assert await linked.all_files() == ["kept"]


@pytest.mark.parametrize("path", ["folder", "folder/a", "dangling", "magic/etc"])
@pytest.mark.parametrize("verb", FOLDERS)
async def test_no_verb_of_folders_follows_a_link(
    linked: LocalDriver, untouched: None, verb: str, path: str
) -> None:
    with pytest.raises(PermissionDenied, match="link"):
        await FOLDERS[verb](linked, path)


@pytest.mark.parametrize("path", LINKS)
@pytest.mark.parametrize("verb", FILES)
async def test_checked_paths_refuse_links_that_stand_there(
    checked_kind: type[LocalDriver],
    root: Path,
    outside: Path,
    untouched: None,
    verb: str,
    path: str,
) -> None:
    disk = checked_kind(root)
    await linked.__wrapped__(disk, root, outside)
    with pytest.raises(PermissionDenied, match="link"):
        await FILES[verb](disk, path)


async def test_removing_a_folder_removes_the_links_and_not_what_they_lead_to(
    disk: LocalDriver, root: Path, outside: Path, untouched: None
) -> None:
    await disk.put("a/b/c", b"")
    (root / "a/link").symlink_to(outside)
    (root / "a/b/link").symlink_to(outside / "secret")
    assert await disk.delete_directory("a")
    assert os.listdir(root) == []


async def test_the_root_may_be_a_link_because_its_owner_says_so(
    kind: type[LocalDriver], tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    async with kind(tmp_path / "link") as disk:
        await disk.put("a", b"1")
    assert (tmp_path / "real/a").read_bytes() == b"1"


async def test_a_root_replaced_by_a_link_is_still_the_old_one(
    disk: LocalDriver, root: Path, outside: Path, untouched: None
) -> None:
    await disk.put("a", b"1")
    root.rename(root.with_name("moved"))
    root.symlink_to(outside)
    await disk.put("b", b"2")
    assert await disk.files() == ["a", "b"]


async def test_a_root_deleted_and_made_anew_is_found_again(disk: LocalDriver, root: Path) -> None:
    await disk.put("a", b"1")
    (root / "a").unlink()
    root.rmdir()
    assert not await disk.exists("a")
    assert await disk.files() == []
    await disk.put("b", b"2")
    assert (root / "b").read_bytes() == b"2"


@contextmanager
def swapping(first: Path, second: Path) -> Iterator[None]:
    """Exchange two names as fast as the kernel can, from another thread."""
    renameat2 = ctypes.CDLL(None).renameat2
    stopped = threading.Event()

    def attack() -> None:
        while not stopped.is_set():
            renameat2(-100, bytes(first), -100, bytes(second), 2)

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        yield
    finally:
        stopped.set()
        attacker.join()


RACING: dict[str, Verb] = {
    "get": lambda disk, path: disk.get(path),
    "stat": lambda disk, path: disk.stat(path),
    "put": lambda disk, path: disk.put(path, b"inside"),
    "append": lambda disk, path: disk.append(path, b""),
    "remove": lambda disk, path: disk.remove(path),
    "copy": lambda disk, path: disk.copy(path, "copied"),
    "visibility": lambda disk, path: disk.set_visibility(path, "private"),
    "remove_folder": lambda disk, path: disk.remove_folder("there"),
    "scan": lambda disk, path: disk.all_files(),
}


@pytest.mark.parametrize("verb", RACING)
@pytest.mark.parametrize("place", ["folder", "file"])
async def test_a_link_swapped_in_during_the_call_leads_nowhere(
    disk: LocalDriver, root: Path, outside: Path, untouched: None, verb: str, place: str
) -> None:
    await disk.put("there/secret", b"inside")
    await disk.put("file", b"inside")
    link = root / ".storeroom-attack"
    link.symlink_to(outside if place == "folder" else outside / "secret")
    target, path = ("there", "there/secret") if place == "folder" else ("file", "file")
    seen: set[bytes] = set()
    with swapping(root / target, link):
        for _ in range(200):
            try:
                found = await RACING[verb](disk, path)
            except (PermissionDenied, NotFound, Obstructed, Unavailable):
                continue
            if isinstance(found, bytes):
                seen.add(found)
            if verb in ("remove", "remove_folder"):
                await _again(disk, path)
    assert b"secret" not in seen


async def _again(disk: LocalDriver, path: str) -> None:
    try:
        await disk.put(path, b"inside")
    except StorageError:
        return


def test_openat2_is_used_where_the_kernel_has_it(tmp_path: Path) -> None:
    tree = beneath.opened(str(tmp_path))
    assert isinstance(tree, beneath.Beneath)


@pytest.mark.parametrize("opener", [beneath.opened, beneath.opened_walked])
def test_a_tree_does_not_climb_out_even_when_asked(
    opener: Callable[[str], beneath.Tree], tmp_path: Path
) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("")
    (tmp_path / "root/link").symlink_to("..")
    tree = opener(str(tmp_path / "root"))
    with pytest.raises(OSError, match="link"):
        tree.open("link/secret", READ)


@pytest.fixture
def special(root: Path) -> Iterator[None]:
    root.mkdir()
    os.mkfifo(root / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(root, os.O_RDONLY)
    listener.bind(f"/proc/self/fd/{folder}/socket")
    if os.geteuid() == 0:
        os.mknod(root / "device", 0o20666, os.makedev(1, 5))
    else:
        os.mkfifo(root / "device")
    yield
    listener.close()
    os.close(folder)


SPECIAL = ["fifo", "socket", "device"]


@pytest.mark.parametrize("path", SPECIAL)
@pytest.mark.parametrize("verb", READING)
async def test_a_special_file_is_no_file_and_nothing_waits_for_it(
    special: None, disk: LocalDriver, verb: str, path: str
) -> None:
    if verb == "exists":
        assert not await disk.exists(path)
        return
    with pytest.raises(NotFound):
        await READING[verb](disk, path)


@pytest.mark.parametrize("path", [*SPECIAL, "folder"])
@pytest.mark.parametrize("verb", WRITING)
async def test_a_special_file_or_a_folder_is_in_the_way_of_writes(
    special: None, disk: LocalDriver, root: Path, verb: str, path: str
) -> None:
    await disk.put("kept", b"kept")
    await disk.make_directory("folder")
    before = (root / path).lstat()
    with pytest.raises(Obstructed):
        await WRITING[verb](disk, path)
    assert (root / path).lstat().st_ino == before.st_ino
    assert await disk.all_files() == ["kept"]


async def test_special_files_and_links_are_not_listed_nor_removed(
    special: None, linked: LocalDriver, root: Path
) -> None:
    assert await linked.files() == ["kept"]
    assert await linked.directories() == []
    assert [await linked.remove(path) for path in SPECIAL] == [False] * 3
    with pytest.raises(Obstructed, match="no regular file"):
        [entry async for entry in linked.scan("", ScanOptions(strangers="refuse"))]
    assert len(os.listdir(root)) == 12
