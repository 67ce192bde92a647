"""Reads: from one descriptor, given back however the reader leaves; and what a disk is made with."""

import asyncio
import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from storeroom.contracts.abilities import ABILITIES, find
from storeroom.contracts.errors import (
    Closed,
    ConfigError,
    Corrupted,
    InvalidArgument,
    NotFound,
    NotModified,
    PreconditionFailed,
    StorageError,
    Unsupported,
)
from storeroom.contracts.values import ReadOptions, RemoveOptions
from storeroom.drivers._local.descriptor import Descriptor
from storeroom.drivers.local import LocalDriver

MIB = 1 << 20
CONTENT = bytes(range(256)) * 4 * 3 * 1024 + b"tail"
Count = Callable[[], int]


@pytest.fixture
async def stored(disk: LocalDriver) -> LocalDriver:
    await disk.put("large", CONTENT)
    await disk.put("small", b"0123456789")
    return disk


@pytest.mark.parametrize("chunk_size", [None, 1_000, 65_536, MIB, MIB + 1, 5 * MIB])
async def test_ranges_are_slices_in_chunks_of_the_size_asked_for(
    stored: LocalDriver, chunk_size: int | None
) -> None:
    size = len(CONTENT)
    for start, stop in [
        (0, None), (5, None), (0, size), (7, MIB + 7), (7, MIB + 8), (MIB, 3 * MIB),
        (size - 1, None), (size, None), (size + 5, None), (size + 5, size + 9), (3, 3), (0, size * 2),
    ]:  # fmt: skip
        source = await stored.read("large", ReadOptions(start, stop, chunk_size=chunk_size))
        chunks = [chunk async for chunk in source]
        assert b"".join(chunks) == CONTENT[start:stop]
        assert source.stat.size == size
        if chunk_size is not None:
            assert all(len(chunk) == chunk_size for chunk in chunks[:-1])


@pytest.mark.parametrize("path", ["small", "large"])
async def test_conditions_of_reads(stored: LocalDriver, path: str, descriptors: Count) -> None:
    etag = (await stored.stat(path)).etag
    before = descriptors()
    await (await stored.read(path, ReadOptions(if_match=etag, if_none_match="x"))).aclose()
    with pytest.raises(NotModified):
        await stored.read(path, ReadOptions(if_none_match=etag))
    with pytest.raises(PreconditionFailed):
        await stored.read(path, ReadOptions(if_match="x"))
    assert descriptors() == before


async def test_descriptors_are_given_back_however_the_reader_leaves(
    stored: LocalDriver, descriptors: Count
) -> None:
    before = descriptors()
    source = await stored.read("large")
    assert descriptors() == before + 1
    await source.aclose()
    assert descriptors() == before
    async with stored.read_stream("large") as source:
        async for _ in source:
            break
    assert descriptors() == before
    assert len(await stored.get("large")) == len(CONTENT)
    assert descriptors() == before
    dropped = await stored.read("large")
    await anext(dropped)
    del dropped
    gc.collect()
    assert descriptors() == before
    for path in ("missing", "small/x"):
        with pytest.raises(NotFound):
            await stored.read(path)
    assert descriptors() == before


async def test_cancelled_reads_give_their_descriptors_back(
    stored: LocalDriver, descriptors: Count
) -> None:
    before = descriptors()
    for step in range(30):
        task = asyncio.ensure_future(stored.get("large"))
        for _ in range(step):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        del task
    gc.collect()
    assert descriptors() == before


async def test_a_file_overwritten_or_removed_is_read_to_its_old_end(stored: LocalDriver) -> None:
    async with stored.read_stream("large") as source:
        first = await source.read(10)
        await stored.put("large", b"new")
        await stored.delete("large")
        assert first + await source.read() == CONTENT


async def test_a_file_cut_while_it_is_read_is_corrupted(
    stored: LocalDriver, root: Path, descriptors: Count
) -> None:
    before = descriptors()
    source = await stored.read("large")
    os.truncate(root / "large", MIB + 5)
    with pytest.raises(Corrupted):
        await source.read()
    await source.aclose()
    assert descriptors() == before


async def test_a_file_growing_while_it_is_read_ends_where_it_ended(stored: LocalDriver) -> None:
    source = await stored.read("large")
    await stored.append("large", b"more")
    assert await source.read() == CONTENT


async def test_a_closed_disk_refuses_and_what_was_opened_before_can_be_read(
    stored: LocalDriver, root: Path, descriptors: Count
) -> None:
    source = await stored.read("large")
    await stored.aclose()
    await stored.aclose()
    assert await source.read() == CONTENT
    for call in (
        stored.stat("small"),
        stored.read("small"),
        stored.put("new", b""),
        stored.remove("small", RemoveOptions()),
        stored.append("small", b""),
        stored.copy("small", "b"),
        stored.move("small", "b"),
        stored.has_folder("a"),
        stored.remove_many(["small"]),
    ):
        with pytest.raises(Closed):
            await call
    await source.aclose()
    assert not any(str(root) in path for path in _open_paths())


def _open_paths() -> list[str]:
    return [
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.islink(f"/proc/self/fd/{fd}")
    ]


def test_a_descriptor_closed_twice_closes_nothing_else(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    held = Descriptor()
    held.hold(fd)
    held.close()
    again = os.open(tmp_path, os.O_RDONLY)
    held.close()
    os.close(again)
    with pytest.raises(Closed):
        held.read_at(1, 0)


async def test_removing_many_tells_of_each(stored: LocalDriver, root: Path) -> None:
    (root / "link").symlink_to("small")
    answers = await stored.remove_many(["small", "missing", "../x", "link", "large/x"])
    assert answers["small"] is True
    assert answers["missing"] is False
    assert answers["large/x"] is False
    for path in ("../x", "link"):
        error = answers[path]
        assert isinstance(error, StorageError)
        assert error.path == path


async def test_hashes_are_hashlibs_and_others_unsupported(stored: LocalDriver) -> None:
    assert await stored.digest("small", "md5") == "781e5e245d69b566979b86e28d23f2c7"
    for name in ("crc32", "shake_128", "nonsense"):
        with pytest.raises(Unsupported):
            await stored.digest("small", name)


def test_every_loop_may_use_one_driver(kind: type[LocalDriver], root: Path) -> None:
    disk = kind(root)
    asyncio.run(disk.put("a", b"1"))
    assert asyncio.run(disk.get("a")) == b"1"
    asyncio.run(disk.aclose())


def test_addresses_need_no_loop_and_no_file(root: Path) -> None:
    disk = LocalDriver(root)
    assert disk.url("a b/100%.txt") == "/storage/a%20b/100%25.txt"
    assert disk.path("a/b") == str(root / "a/b")
    assert LocalDriver(root, url="https://cdn.example/x/").url("a") == "https://cdn.example/x/a"
    with pytest.raises(Unsupported):
        LocalDriver(root, url=None).url("a")
    with pytest.raises(InvalidArgument):
        disk.local_path("../a")
    assert not root.exists()


def test_a_relative_root_is_taken_from_where_the_disk_was_made(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.mkdir()
    monkeypatch.chdir(root)
    disk = LocalDriver("storage/app")
    monkeypatch.chdir("/")
    assert disk.path("a") == str(root / "storage/app/a")


@pytest.mark.parametrize(
    "options",
    [
        {"root": ""},
        {"root": "a\0b"},
        {"root": b"bytes"},
        {"durability": "sometimes"},
        {"visibility": "secret"},
        {"directory_visibility": "secret"},
        {"permissions": {"files": {}}},
        {"permissions": {"file": {"open": 0o777}}},
        {"permissions": {"file": {"public": "0644"}}},
        {"permissions": {"folder": {"public": 0o1777}}},
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, object]) -> None:
    with pytest.raises((ConfigError, InvalidArgument)):
        LocalDriver(**{"root": "storage", **options})  # type: ignore[arg-type]


def test_it_has_the_abilities_of_a_local_disk(root: Path) -> None:
    missing = {kind.__name__ for kind in ABILITIES if find(LocalDriver(root), kind) is None}
    assert missing == {
        "PresignRead", "PresignWrite", "PresignPost", "VerifyUrl", "Multipart",
        "Tags", "Tiers", "Versions", "Leases",
    }  # fmt: skip
