"""A write is whole or not there, has the modes asked for, and survives as long as it promises."""
# ruff: noqa: ASYNC240 - a test may block

import asyncio
import errno
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    Corrupted,
    InvalidPath,
    NotFound,
    Obstructed,
    PreconditionFailed,
    QuotaExceeded,
    Unavailable,
)
from storeroom.contracts.values import RemoveOptions, Stat, WriteOptions
from storeroom.drivers._local.writing import Writing
from storeroom.drivers.local import LocalDriver

MIB = 1 << 20
Left = Callable[[], list[str]]


async def parts(count: int = 3, *, fill: bytes = b"n") -> AsyncIterator[bytes]:
    for _ in range(count):
        yield fill * MIB


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
async def test_modes_are_those_asked_for_whatever_the_umask(
    kind: type[LocalDriver], root: Path, mask: int
) -> None:
    with umask(mask):
        async with kind(root) as disk:
            await disk.put("a/b/public", b"", visibility="public")
            await disk.put("private", b"", visibility="private")
            await disk.put("streamed", parts(), visibility="private")
            await disk.append("appended", b"")
            await disk.make_directory("made")
            await disk.make_folder("own/own", "private")
    assert (mode(root), mode(root / "a"), mode(root / "a/b")) == (0o755, 0o755, 0o755)
    assert (mode(root / "a/b/public"), mode(root / "private")) == (0o644, 0o600)
    assert (mode(root / "streamed"), mode(root / "appended")) == (0o600, 0o644)
    assert (mode(root / "made"), mode(root / "own"), mode(root / "own/own")) == (
        0o755,
        0o755,
        0o700,
    )


async def test_a_private_disk_makes_private_files_and_folders(
    kind: type[LocalDriver], root: Path
) -> None:
    async with kind(root, visibility="private") as disk:
        await disk.put("a/b", b"")
    assert (mode(root), mode(root / "a"), mode(root / "a/b")) == (0o700, 0o700, 0o600)


async def test_permissions_override_the_modes_and_are_recognized(
    kind: type[LocalDriver], root: Path
) -> None:
    permissions = {"file": {"public": 0o640}, "folder": {"public": 0o750}}
    async with kind(root, permissions=permissions) as disk:
        await disk.put("a/b", b"")
        assert await disk.visibility("a/b") == "public"
        (root / "a/b").chmod(0o664)
        assert await disk.visibility("a/b") == "public"
        (root / "a/b").chmod(0o660)
        assert await disk.visibility("a/b") == "private"
    assert (mode(root / "a"), mode(root)) == (0o750, 0o750)


async def test_an_overwrite_without_visibility_gets_the_disks_own(
    disk: LocalDriver, root: Path
) -> None:
    await disk.put("a", b"", visibility="private")
    await disk.put("a", b"")
    assert mode(root / "a") == 0o644


async def test_copies_and_moves_keep_the_mode(disk: LocalDriver, root: Path) -> None:
    await disk.put("a", b"1")
    (root / "a").chmod(0o751)
    await disk.copy("a", "b")
    await disk.move("a", "c")
    assert (mode(root / "b"), mode(root / "c")) == (0o751, 0o751)
    await disk.copy_within("b", "d", WriteOptions(visibility="private"))
    assert mode(root / "d") == 0o600


async def test_the_root_is_made_by_the_first_write_and_not_by_looking(
    disk: LocalDriver, root: Path
) -> None:
    assert not await disk.exists("a")
    assert await disk.all_files() == []
    assert await disk.has_folder("")
    assert not await disk.has_folder("a")
    assert not await disk.remove("a")
    assert await disk.sweep(timedelta()) == 0
    with pytest.raises(NotFound):
        await disk.move("a", "b")
    with pytest.raises(NotFound):
        await disk.copy("a", "b")
    assert not root.exists()
    await disk.append("a/b", b"1")
    assert (root / "a/b").read_bytes() == b"1"


async def test_a_root_that_is_a_file_is_in_the_way(kind: type[LocalDriver], root: Path) -> None:
    root.write_text("")
    disk = kind(root)
    with pytest.raises(NotFound):
        await disk.get("a")
    with pytest.raises(Obstructed):
        await disk.put("a", b"")


@pytest.mark.parametrize("name", ["x" * 256, "ä" * 128, "😀" * 64])
async def test_a_name_of_256_bytes_is_an_invalid_path_and_one_of_255_is_fine(
    disk: LocalDriver, name: str
) -> None:
    with pytest.raises(InvalidPath, match="256 bytes"):
        await disk.write(f"a/{name}", Body(b""))
    with pytest.raises(InvalidPath):
        await disk.make_folder(f"{name}/a")
    fitting = name.encode()[:255].decode(errors="ignore")
    await disk.put(f"a/{fitting}", b"")
    assert await disk.files("a") == [f"a/{fitting}"]


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file of this process grows beyond the size: the kernel stops short, then fails."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    disk: LocalDriver, root: Path, temporaries: Left, descriptors: Callable[[], int]
) -> None:
    await disk.put("a", b"old")
    before = descriptors()
    contents = [b"n" * 5_000, parts, lambda: parts(9)]
    with disk_of(3_000):
        for content in contents:
            with pytest.raises(QuotaExceeded):
                await disk.write("a", Body(content))
            with pytest.raises(QuotaExceeded):
                await disk.write("new", Body(content))
            with pytest.raises(QuotaExceeded):
                await disk.extend("a", Body(content))
    assert (root / "a").read_bytes() == b"old"
    assert os.listdir(root) == ["a"]
    assert temporaries() == []
    assert descriptors() == before


async def test_half_of_an_append_is_taken_back(disk: LocalDriver, root: Path) -> None:
    await disk.put("a", b"old")
    async with disk.read_stream("a") as source:
        with disk_of(2 * MIB):
            for content in (b"n" * 3 * MIB, lambda: parts(2)):
                with pytest.raises(QuotaExceeded):
                    await disk.extend("a", Body(content))
        assert await source.read() == b"old"
    assert (root / "a").read_bytes() == b"old"


def killed_append(root: Path) -> None:
    """A file as a program leaves it that is killed while it appends."""
    (root / "a").write_bytes(b"old" + b"par")
    os.setxattr(root / "a", "user.storeroom.adding", b"3 7")


async def test_what_a_killed_append_left_is_not_shown(disk: LocalDriver, root: Path) -> None:
    await disk.put("b", b"")
    killed_append(root)
    assert await disk.get("a") == b"old"
    assert await disk.get("a", start=1) == b"ld"
    assert (await disk.metadata("a")).size == 3
    assert await disk.checksum("a", "md5") == hashlib.md5(b"old").hexdigest()
    async with disk.read_stream("a") as source:
        assert await source.read() == b"old"
    await disk.copy("a", "c")
    assert (root / "c").read_bytes() == b"old"
    (etag,) = {(await disk.metadata("a")).etag}
    await disk.set_attributes("a", metadata={"x": "y"})
    assert await disk.get("a", if_match=etag) == b"old"


async def test_the_next_append_begins_where_a_killed_one_did(disk: LocalDriver, root: Path) -> None:
    await disk.put("b", b"")
    killed_append(root)
    await disk.append("a", b"new")
    assert (root / "a").read_bytes() == b"oldnew"
    assert os.listxattr(root / "a") == []


async def test_an_append_that_was_killed_when_all_was_there_counts(
    disk: LocalDriver, root: Path
) -> None:
    await disk.put("b", b"")
    killed_append(root)
    (root / "a").write_bytes(b"old" + b"part")
    assert await disk.get("a") == b"oldpart"
    await disk.append("a", b"+")
    assert await disk.get("a") == b"oldpart+"


@pytest.mark.parametrize("mark", [b"", b"nonsense", b"1 2 3", b"-5 x"])
async def test_a_mark_of_another_program_means_nothing(
    disk: LocalDriver, root: Path, mark: bytes
) -> None:
    await disk.put("a", b"old")
    os.setxattr(root / "a", "user.storeroom.adding", mark)
    assert await disk.get("a") == b"old"


async def test_readers_see_a_long_append_whole_or_not_at_all(disk: LocalDriver) -> None:
    await disk.put("a", b"old")
    lengths = {3}
    writing = asyncio.create_task(disk.extend("a", Body(lambda: parts(24))))
    while not writing.done():
        lengths |= {len(await disk.get("a")), (await disk.metadata("a")).size or 0}
        await asyncio.sleep(0)
    await writing
    assert lengths <= {3, 3 + 24 * MIB}


class Mine(Exception):
    """Raised by the caller's own body."""


async def raising() -> AsyncIterator[bytes]:
    async for part in parts(2):
        yield part
    raise Mine


@pytest.mark.parametrize("verb", ["write", "extend"])
async def test_a_body_that_raises_or_lies_changes_nothing(
    disk: LocalDriver, root: Path, temporaries: Left, verb: str
) -> None:
    await disk.put("a", b"old")
    for body, error in [
        (Body(raising), Mine),
        (Body(parts, size=3 * MIB + 1), Corrupted),
        (Body(parts, size=3 * MIB - 1), Corrupted),
        (Body(parts, size=1), Corrupted),
    ]:
        for path in ("a", "new/file"):
            with pytest.raises(error):
                await getattr(disk, verb)(path, Body(body._chunks, size=body.size))
    assert (root / "a").read_bytes() == b"old"
    assert not (root / "new").exists()
    assert temporaries() == []


VERBS = {
    "write": lambda disk: disk.write("a", Body(parts)),
    "write_small": lambda disk: disk.write("a", Body(b"n" * 3 * MIB)),
    "write_new": lambda disk: disk.write("x/y/z", Body(parts)),
    "extend": lambda disk: disk.extend("a", Body(parts)),
    "extend_small": lambda disk: disk.extend("a", Body(b"n" * 3 * MIB)),
    "extend_new": lambda disk: disk.extend("x/y", Body(parts)),
    "copy": lambda disk: disk.copy("b", "a"),
    "rename": lambda disk: disk.rename("b", "a"),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_cancelled_at_any_step_the_file_is_old_or_new(
    disk: LocalDriver, root: Path, temporaries: Left, descriptors: Callable[[], int], verb: str
) -> None:
    new, old = b"n" * 3 * MIB, b"old"
    whole = {old, new, old + new}
    await disk.put("b", new)
    before = descriptors()
    for step in range(60):
        await disk.put("a", old)
        task = asyncio.ensure_future(VERBS[verb](disk))
        for _ in range(step):
            await asyncio.sleep(0)
        task.cancel()
        done = (await asyncio.gather(task, return_exceptions=True))[0]
        assert (root / "a").read_bytes() in whole
        for path in ("x/y", "x/y/z"):
            assert not (root / path).is_file() or (root / path).read_bytes() == new
        assert temporaries() == []
        assert descriptors() == before
        shutil.rmtree(root / "x", ignore_errors=True)
        if not isinstance(done, BaseException):
            await disk.put("b", new)


@pytest.mark.parametrize("verb", ["write", "extend"])
async def test_cancelled_between_two_steps_nothing_is_left(
    disk: LocalDriver, root: Path, temporaries: Left, descriptors: Callable[[], int], verb: str
) -> None:
    await disk.put("a", b"old")
    before, waiting = descriptors(), asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        async for part in parts():
            yield part
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(getattr(disk, verb)("a", Body(stuck)))
    await waiting.wait()
    assert len(temporaries()) == 1
    assert await disk.all_files() == ["a"]
    assert await disk.sweep(timedelta()) == 0, "a writer still holds it"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (root / "a").read_bytes() == b"old"
    assert temporaries() == []
    assert descriptors() == before


@pytest.mark.parametrize("ends", ["whole", "raising", "cancelled", "full"])
async def test_what_comes_next_is_gathered_while_a_part_is_written(
    disk: LocalDriver,
    root: Path,
    temporaries: Left,
    descriptors: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    ends: str,
) -> None:
    await disk.put("a", b"old")
    before, asked, release = descriptors(), asyncio.Event(), threading.Event()
    add, calls = Writing.add, count()

    def held(writing: Writing, *pieces: bytes) -> None:
        add(writing, *pieces)
        if next(calls) == 1:
            assert release.wait(5)
            if ends == "full":
                raise OSError(errno.ENOSPC, "no room")

    async def body() -> AsyncIterator[bytes]:
        async for part in parts(2):
            yield part
        asked.set()
        if ends == "raising":
            raise Mine
        yield b"m" * MIB

    monkeypatch.setattr(Writing, "add", held)
    task = asyncio.create_task(disk.write("a", Body(body)))
    await asked.wait()
    assert not release.is_set(), "the second part is still being written"
    if ends == "cancelled":
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done(), "a worker still has the file"
    release.set()
    error = (await asyncio.gather(task, return_exceptions=True))[0]
    errors = {"raising": Mine, "cancelled": asyncio.CancelledError, "full": QuotaExceeded}
    assert isinstance(error, errors.get(ends, Stat))
    assert (root / "a").read_bytes() == (b"old" if ends != "whole" else b"n" * 2 * MIB + b"m" * MIB)
    assert temporaries() == []
    assert descriptors() == before


def test_a_write_dropped_without_a_word_cleans_up_after_itself(
    disk: LocalDriver, temporaries: Left, descriptors: Callable[[], int]
) -> None:
    before = descriptors()
    writing = Writing(disk._root, disk._rules, "a/b", WriteOptions())
    writing.begin()
    assert len(temporaries()) == 1
    del writing
    assert temporaries() == []
    assert descriptors() == before + 1, "the root stays open"


async def test_a_folder_removed_while_a_file_is_written_into_it_comes_back_or_says_so(
    disk: LocalDriver, root: Path, temporaries: Left
) -> None:
    await disk.put("folder/a", b"old")

    async def removing() -> AsyncIterator[bytes]:
        async for part in parts():
            yield part
        await disk.delete_directory("folder")

    with pytest.raises(Unavailable):
        await disk.put("folder/a", removing())
    assert temporaries() == []
    assert not await disk.exists("folder/a")


async def test_a_folder_renamed_while_a_file_is_written_gets_a_new_one_with_the_file(
    disk: LocalDriver, root: Path, blocking_allowed: None
) -> None:
    await disk.put("folder/a", b"old")

    async def renaming() -> AsyncIterator[bytes]:
        async for part in parts():
            yield part
        os.rename(root / "folder", root / "other")

    await disk.put("folder/a", renaming())
    assert (root / "folder/a").read_bytes() == b"n" * 3 * MIB
    assert (root / "other/a").read_bytes() == b"old"


async def test_leftovers_of_a_crash_are_hidden_and_swept_by_age(
    disk: LocalDriver, root: Path
) -> None:
    await disk.put("a/b/kept", b"")
    for folder in ("", "a", "a/b"):
        (root / folder / f".storeroom-tmp-{len(folder)}").write_bytes(b"half")
    os.utime(root / "a/.storeroom-tmp-1", (1, 1))
    (root / "a/.storeroom-tmp-folder").mkdir()
    assert await disk.all_files() == ["a/b/kept"]
    assert await disk.all_directories() == ["a", "a/b"]
    assert await disk.sweep(timedelta(hours=1)) == 1
    assert await disk.sweep(timedelta()) == 2
    assert await disk.all_files() == ["a/b/kept"]
    await disk.delete_directory("a")
    assert os.listdir(root) == []


async def test_every_overwrite_changes_the_etag(disk: LocalDriver) -> None:
    written = [(await disk.write("a", Body(b"same"))).etag for _ in range(300)]
    assert len(set(written)) == 300
    assert (await disk.stat("a")).etag == written[-1]


async def test_what_a_write_returns_is_what_stat_says(disk: LocalDriver) -> None:
    how = WriteOptions(content_type="text/x", cache_control="no-store", metadata={"ä": "ö"})
    for content in (b"1", parts):
        for path in ("a", "new/b.txt"):
            assert await disk.write(path, Body(content), how) == await disk.stat(path)
            assert await disk.extend(path, Body(content), how) == await disk.stat(path)
            assert await disk.copy_within(path, "copy") == await disk.stat("copy")
    stat = await disk.rename("a", "c/d")
    assert stat == await disk.stat("c/d")
    listed = [entry async for entry in disk.scan("c")]
    assert listed == [Stat("c/d", **{name: stat[name] for name in ("size", "modified", "etag")})]


async def test_conditions_hold_for_every_verb_that_changes(disk: LocalDriver) -> None:
    old = (await disk.write("a", Body(b"1"))).etag
    await disk.put("a", b"2")
    now = (await disk.stat("a")).etag
    await disk.put("b", b"b")
    stale, fresh = WriteOptions(if_match=old), WriteOptions(if_match=now)
    for how in (stale, WriteOptions(overwrite=False)):
        error = PreconditionFailed if how is stale else AlreadyExists
        for content in (b"x", parts):
            with pytest.raises(error):
                await disk.write("a", Body(content), how)
            with pytest.raises(error):
                await disk.extend("a", Body(content), how)
        with pytest.raises(error):
            await disk.copy_within("b", "a", how)
        with pytest.raises(error):
            await disk.rename("b", "a", how)
        with pytest.raises(error):
            await disk.change_attributes("a", how)
    with pytest.raises(PreconditionFailed):
        await disk.remove("a", RemoveOptions(old))
    for path in ("missing", "missing/too"):
        with pytest.raises(PreconditionFailed):
            await disk.write(path, Body(b"x"), fresh)
        with pytest.raises(PreconditionFailed):
            await disk.extend(path, Body(b"x"), fresh)
        with pytest.raises(PreconditionFailed):
            await disk.remove(path, RemoveOptions(now))
    assert await disk.all_files() == ["a", "b"]
    assert await disk.all_directories() == []
    assert await disk.get("a") == b"2"
    assert (await disk.stat("a")).etag == now
    await disk.rename("b", "a", fresh)
    assert await disk.remove("a", RemoveOptions((await disk.stat("a")).etag))


async def test_moving_one_of_two_names_of_a_file_onto_the_other_leaves_one(
    disk: LocalDriver, root: Path
) -> None:
    await disk.put("a", b"1")
    os.link(root / "a", root / "b")
    await disk.move("a", "b")
    assert await disk.files() == ["b"]


async def test_appends_at_the_same_time_are_all_there_and_whole(disk: LocalDriver) -> None:
    await asyncio.gather(*(disk.append("log", b"line %03d\n" % n) for n in range(100)))
    lines = sorted((await disk.get("log")).splitlines())
    assert lines == [b"line %03d" % n for n in range(100)]


@pytest.mark.parametrize(
    ("durability", "fsyncs"), [("none", 0), ("file", 1 + 2 * 2 + 1), ("full", 1 + 2 * 2 + 1)]
)
def test_durability_says_what_is_synced_and_all_before_the_name_appears(
    root: Path, tmp_path: Path, durability: str, fsyncs: int
) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    code = f"""
import asyncio
from storeroom.drivers._local.writing import Writing
from storeroom.drivers.local import LocalDriver
asyncio.run(LocalDriver({str(root)!r}, durability={durability!r}).put("a/b/c", b"1"))
"""
    trace = tmp_path / "trace"
    calls = "trace=fsync,renameat,renameat2,fchmod"
    command = [strace, "-f", "-y", "-e", calls, "-o", str(trace), sys.executable, "-c", code]
    subprocess.run(command, check=True)
    lines = [line for line in trace.read_text().splitlines() if str(root) in line]
    synced = [line for line in lines if "fsync(" in line]
    renamed = next(n for n, line in enumerate(lines) if "rename" in line)
    assert len(synced) == fsyncs
    if fsyncs:
        assert any(".storeroom-tmp-" in line for line in lines[:renamed] if "fsync(" in line)
        assert any(f"{root}/a/b>" in line for line in lines[renamed:] if "fsync(" in line)


def test_an_overwrite_is_on_the_disk_before_its_name_and_its_name_before_it_returns(
    root: Path, tmp_path: Path
) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    code = f"""
import asyncio
from storeroom.drivers.local import LocalDriver
async def twice():
    disk = LocalDriver({str(root)!r})
    await disk.put("a", b"1")
    await disk.put("a", b"2")
asyncio.run(twice())
"""
    trace = tmp_path / "trace"
    calls = "trace=fsync,sync_file_range,renameat,renameat2"
    command = [strace, "-f", "-y", "-e", calls, "-o", str(trace), sys.executable, "-c", code]
    subprocess.run(command, check=True)
    lines = [line for line in trace.read_text().splitlines() if str(root) in line]
    *_, before, renamed, after = lines
    assert "sync" in before
    assert ".storeroom-tmp-" in before
    assert "rename" in renamed
    assert "fsync(" in after


async def test_the_private_modes_are_there_before_the_first_byte(
    disk: LocalDriver, root: Path, blocking_allowed: None
) -> None:
    seen: list[int] = []

    async def looking() -> AsyncIterator[bytes]:
        async for part in parts():
            yield part
        seen.extend(mode(found) for found in root.rglob(".storeroom-tmp-*"))

    await disk.put("a", looking(), visibility="private")
    assert seen == [0o600]
