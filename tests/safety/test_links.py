"""Nothing outside of the root is opened, read, written, listed or deleted, whatever is swapped in."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidPath, StorageError
from storeroom.drivers.local import LocalDriver
from tests.safety.children import begun, ended, running
from tests.safety.conftest import Counted
from tests.safety.watching import watching

Verb = Callable[[LocalDriver, str], Awaitable[object]]
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
AT_ONCE = 8
INSIDE = b"inside"


async def parts() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield INSIDE * 100_000


async def streamed(disk: LocalDriver, path: str) -> bytes:
    async with disk.read_stream(path) as source:
        return await source.read()


async def scanned(disk: LocalDriver, folder: str) -> list[str]:
    async with aclosing(disk.scan(folder)) as entries:
        return [entry.path async for entry in entries]


async def moved(disk: LocalDriver, path: str) -> None:
    await disk.move("mine", path)
    await disk.move(path, "mine")


READING: dict[str, Verb] = {
    "get": lambda disk, path: disk.get(path),
    "read_stream": streamed,
    "stat": lambda disk, path: disk.stat(path),
    "exists": lambda disk, path: disk.exists(path),
    "digest": lambda disk, path: disk.digest(path, "sha256"),
    "visibility": lambda disk, path: disk.visibility(path),
    "copy": lambda disk, path: disk.copy(path, "copied"),
}
CHANGING: dict[str, Verb] = {
    "put": lambda disk, path: disk.put(path, INSIDE),
    "put_in_parts": lambda disk, path: disk.put(path, parts()),
    "create": lambda disk, path: disk.put(path, INSIDE, overwrite=False),
    "append": lambda disk, path: disk.append(path, INSIDE),
    "append_in_parts": lambda disk, path: disk.extend(path, Body(parts)),
    "copy_onto": lambda disk, path: disk.copy("kept", path),
    "move_onto_and_back": moved,
    "set_visibility": lambda disk, path: disk.set_visibility(path, "private"),
    "set_attributes": lambda disk, path: disk.set_attributes(path, metadata={"a": "b"}),
    "change_time": lambda disk, path: disk.change_time(path, LONG_AGO),
    "remove": lambda disk, path: disk.remove(path),
}
FOLDERS: dict[str, Verb] = {
    "scan": scanned,
    "has_folder": lambda disk, path: disk.has_folder(path),
    "make_folder": lambda disk, path: disk.make_folder(f"{path}/a/b"),
    "remove_folder": lambda disk, path: disk.remove_folder(path),
    "sweep": lambda disk, path: disk.sweep(timedelta()),
}


async def tried(verb: Verb, disk: LocalDriver, path: str) -> object:
    try:
        async with asyncio.timeout(20):
            return await verb(disk, path)
    except StorageError as error:
        return error


async def restored(disk: LocalDriver, path: str) -> None:
    """What a verb moved or removed is there again, if the attack lets it."""
    for there in (path, "mine", "kept"):
        await tried(lambda disk, path: disk.put(path, INSIDE), disk, there)


PLACES = ["folder for link", "file for link", "file for FIFO", "folder for FIFO"]


@pytest.fixture(params=PLACES)
async def attacked(
    request: pytest.FixtureRequest, disk: LocalDriver, root: Path, outside: Path
) -> tuple[str, Path, Path]:
    """A path on the disk, and the two names to be exchanged to attack it."""
    await disk.put("there/secret", INSIDE)
    await disk.put("file", INSIDE)
    await restored(disk, "file")
    what, _, other = request.param.partition(" for ")
    swapped = root / ".storeroom-attack"
    if other == "FIFO":
        os.mkfifo(swapped)
    else:
        swapped.symlink_to(outside if what == "folder" else outside / "secret")
    target = root / ("there" if what == "folder" else "file")
    return ("there/secret" if what == "folder" else "file"), target, swapped


@pytest.mark.rounds(600, 100_000)
async def test_no_read_ever_comes_from_outside_and_none_hangs(
    disk: LocalDriver,
    outside: Path,
    attacked: tuple[str, Path, Path],
    rounds: int,
    counted: Counted,
) -> None:
    path, *names = attacked
    both = (READING["get"], READING["read_stream"])
    opens = refused = violations = 0
    with watching(outside) as watch, running("attacker", *names) as attacker:
        begun(attacker)
        while opens < rounds or not 0 < refused < opens:
            reads = await asyncio.gather(*(tried(both[n % 2], disk, path) for n in range(AT_ONCE)))
            opens += AT_ONCE
            refused += sum(isinstance(read, StorageError) for read in reads)
            violations += sum(isinstance(read, bytes) and read != INSIDE for read in reads)
        swaps = ended(attacker)["swaps"]
        assert watch.events() == []
    counted(opens=opens, refused=refused, swaps=swaps, violations=violations)
    assert violations == 0


@pytest.mark.rounds(5, 300)
async def test_no_verb_is_led_outside_and_none_hangs(
    disk: LocalDriver,
    outside: Path,
    attacked: tuple[str, Path, Path],
    rounds: int,
    counted: Counted,
) -> None:
    path, target, swapped = attacked
    verbs = READING | CHANGING | (FOLDERS if path != "file" else {})
    calls = refused = 0
    with watching(outside) as watch, running("attacker", target, swapped) as attacker:
        begun(attacker)
        for name, verb in verbs.items():
            where = "there" if name in FOLDERS else path
            for _ in range(rounds):
                found = await tried(verb, disk, where)
                refused += isinstance(found, StorageError)
                assert found != b"secret"
                if name in ("remove", "remove_folder", "move_onto_and_back"):
                    await restored(disk, path)
            calls += rounds
        swaps = ended(attacker)["swaps"]
        assert watch.events() == []
    counted(verbs=len(verbs), calls=calls, refused=refused, swaps=swaps, violations=0)


@pytest.fixture
def special(root: Path) -> Iterator[None]:
    root.mkdir()
    (root / "kept").write_bytes(INSIDE)
    (root / "folder").mkdir()
    for folder in (root, root / "folder"):
        os.mkfifo(folder / "fifo")
        if os.geteuid() == 0:
            os.mknod(folder / "device", 0o20666, os.makedev(1, 5))
    listener = socket.socket(socket.AF_UNIX)
    held = os.open(root, os.O_RDONLY)
    listener.bind(f"/proc/self/fd/{held}/socket")
    os.close(held)
    yield
    listener.close()


@pytest.mark.parametrize("verb", [*READING, *CHANGING, "remove_folder"])
async def test_a_special_file_is_not_even_opened(
    special: None, disk: LocalDriver, root: Path, verb: str
) -> None:
    paths = [path for path in ("fifo", "device", "socket", "folder/fifo") if (root / path).exists()]
    with watching(root, root / "folder") as watch:
        for path in paths:
            found = await tried((READING | CHANGING | FOLDERS)[verb], disk, path)
            assert isinstance(found, StorageError) or found is False
        assert not watch.opened() & {"fifo", "device", "socket"}
    assert all((root / path).exists() for path in paths)


async def test_who_waits_for_a_reader_of_a_fifo_is_not_woken(
    special: None, disk: LocalDriver, root: Path
) -> None:
    woken = threading.Event()

    def wait() -> None:
        os.close(os.open(root / "fifo", os.O_WRONLY))
        woken.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    try:
        for verb in (READING | CHANGING).values():
            await tried(verb, disk, "fifo")
        assert not woken.is_set()
    finally:
        os.close(os.open(root / "fifo", os.O_RDONLY | os.O_NONBLOCK))
        waiting.join()


SLASHED = ["link/", "linked/", "kept/", "folder/", "fifo/", "linked//secret"]


@pytest.mark.parametrize("path", SLASHED)
async def test_a_trailing_slash_opens_nothing(
    special: None, disk: LocalDriver, root: Path, outside: Path, path: str
) -> None:
    (root / "link").symlink_to(outside / "secret")
    (root / "linked").symlink_to(outside)
    before = sorted(os.listdir(root))
    with watching(outside) as watch:
        for verb in (READING | CHANGING).values():
            with pytest.raises(InvalidPath):
                await verb(disk, path)
        with pytest.raises(OSError, match=r"directory|link"):
            await asyncio.to_thread(opened, disk, path)
        assert watch.events() == []
    assert sorted(os.listdir(root)) == before


def opened(disk: LocalDriver, path: str) -> None:
    """Below all checks: what the kernel says."""
    os.close(disk._root.tree().open(path, os.O_WRONLY | os.O_NONBLOCK))
