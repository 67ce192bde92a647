"""The compiled part: there on Linux, used, and without effect where it cannot do all of it."""

import asyncio
import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from storeroom.contracts.errors import AlreadyExists, NotFound, Obstructed, PermissionDenied
from storeroom.contracts.values import ANY, ReadOptions, WriteOptions
from storeroom.drivers._local import compiled
from storeroom.drivers._local.rules import Durability
from storeroom.drivers.local import LocalDriver

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is made of Linux system calls")


def test_a_build_by_a_newer_python_serves_older_ones() -> None:
    source = Path(compiled.__file__).with_name("_native.c").read_text()
    code = source.partition("#include <Python.h>")[2]
    assert "PyBool_FromLong" in code
    assert "Py_RETURN_" not in code, "3.12's headers count no reference for it, and 3.11 needs one"


async def opened(root: Path, durability: Durability = "none") -> LocalDriver:
    disk = LocalDriver(root, durability=durability)
    await disk.put("folder/first", b"")
    return disk


async def put(disk: LocalDriver, path: str, data: bytes, how: WriteOptions) -> object:
    return await compiled.put(disk._root, disk._rules, path, data, how)


async def drop(disk: LocalDriver, path: str) -> bool | None:
    return await compiled.drop(disk._root, disk._rules, path, ANY)


def left(root: Path) -> list[str]:
    return [name for name in os.listdir(root / "folder") if name.startswith(".storeroom-")]


@pytest.mark.skipif(
    shutil.which("cc") is None or not Path(sysconfig.get_path("include"), "Python.h").exists(),
    reason="there is no compiler for Python's extensions",
)
def test_it_was_compiled_where_it_can_be() -> None:
    assert compiled.IS_COMPILED


@pytest.mark.parametrize("durability", ["none", "file", "full"])
async def test_a_put_makes_and_replaces_files(root: Path, durability: Durability) -> None:
    disk = await opened(root, durability)
    for data in (b"one", b"", b"x" * 100_000):
        stat = await put(disk, "folder/a b", data, WriteOptions())
        assert stat == await disk.metadata("folder/a b")
        assert (root / "folder" / "a b").read_bytes() == data
    assert left(root) == []


async def test_modes_and_what_is_kept_are_as_asked_for(root: Path) -> None:
    disk = await opened(root)
    how = WriteOptions(visibility="private", content_type="text/x-y", metadata={"a": "ü"})
    assert await put(disk, "folder/a", b"1", how)
    assert (root / "folder/a").stat().st_mode & 0o777 == 0o600
    found = await disk.metadata("folder/a")
    assert (found.content_type, found.metadata) == ("text/x-y", {"a": "ü"})


async def test_create_only_leaves_the_old_one_alone(root: Path) -> None:
    disk = await opened(root)
    new = WriteOptions(overwrite=False)
    assert await put(disk, "folder/a", b"1", new)
    assert await put(disk, "folder/a", b"2", new) is None
    with pytest.raises(AlreadyExists):
        await disk.put("folder/a", b"2", overwrite=False)
    assert (root / "folder/a").read_bytes() == b"1"
    assert left(root) == []


async def test_a_missing_folder_a_folder_a_link_and_a_fifo_are_left_to_python(root: Path) -> None:
    disk = await opened(root)
    (root / "folder/inner").mkdir()
    os.symlink("first", root / "folder/link")
    os.mkfifo(root / "folder/fifo")
    for path in ("no/a", "folder/inner", "folder/link", "folder/fifo"):
        assert await put(disk, path, b"1", WriteOptions()) is None
        assert await drop(disk, path) is None
    for path in ("folder/inner", "folder/link", "folder/fifo"):
        assert compiled.grab(disk._root, path, ReadOptions()) is None
    for path, kind in (
        ("folder/inner", Obstructed),
        ("folder/link", PermissionDenied),
        ("folder/fifo", Obstructed),
    ):
        with pytest.raises(kind):
            await disk.put(path, b"1")
    assert sorted(os.listdir(root / "folder")) == ["fifo", "first", "inner", "link"]


async def test_a_removal_says_whether_there_was_a_file(root: Path) -> None:
    disk = await opened(root)
    assert await drop(disk, "folder/first") is True
    assert await drop(disk, "folder/first") is False
    assert await drop(disk, "no/first") is None
    assert await disk.delete("no/first") is False


async def test_a_root_that_is_gone_is_made_anew_by_the_next_put(root: Path) -> None:
    disk = await opened(root)
    await disk.put("a", b"1")
    await asyncio.to_thread(shutil.rmtree, root)
    assert await put(disk, "a", b"1", WriteOptions()) is None
    with pytest.raises(NotFound):
        await disk.get("a")
    await disk.put("a", b"2")
    assert (root / "a").read_bytes() == b"2"


async def test_cancelled_puts_are_over_when_the_caller_goes_on(root: Path) -> None:
    disk = await opened(root, "file")
    for rounds in range(40):
        tasks = [
            asyncio.create_task(disk.put(f"folder/{n}", b"%d" % rounds * 3000)) for n in range(24)
        ]
        for _ in range(rounds % 5):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} <= {asyncio.CancelledError, str}
        before = {name: os.stat(root / "folder" / name) for name in os.listdir(root / "folder")}
        assert not [name for name in before if name.startswith(".storeroom-")]
        await disk.put("later", b"")
        after = {name: os.stat(root / "folder" / name) for name in os.listdir(root / "folder")}
        assert before == after


async def test_a_put_does_not_wait_behind_slow_ones(root: Path) -> None:
    disk = await opened(root)
    await asyncio.gather(*(disk.put(f"folder/{n}", b"x" * 500_000) for n in range(64)))
    assert len(os.listdir(root / "folder")) == 65


def test_every_loop_gets_its_own_answers(root: Path) -> None:
    disk = LocalDriver(root)

    async def some() -> int:
        await asyncio.gather(*(disk.put(f"{n}", b"x") for n in range(20)))
        return len(await disk.all_files())

    before = len(os.listdir("/proc/self/fd"))
    assert [asyncio.run(some()) for _ in range(20)] == [20] * 20
    assert len(os.listdir("/proc/self/fd")) <= before + 4


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(root: Path) -> None:
    disk = LocalDriver(root)

    async def some(name: str) -> None:
        await asyncio.gather(*(disk.put(f"{name}{n}", b"x") for n in range(20)))

    asyncio.run(some("parent"))
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(asyncio.wait_for(some("child"), 20))
        finally:
            os._exit(len(os.listdir(root)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 40
    asyncio.run(some("again"))
    assert len(os.listdir(root)) == 60
