"""Headers and metadata in extended attributes: all or nothing, and never in the way of the bytes."""

import asyncio
import ctypes
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidArgument, Unsupported
from storeroom.contracts.values import WriteOptions
from storeroom.drivers.local import LocalDriver

NAME = "user.storeroom.attributes"
LARGE = {"large": "x" * 70_000}


async def parts() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"n" * (1 << 20)


async def test_a_type_the_extension_says_is_not_stored(disk: LocalDriver, root: Path) -> None:
    await disk.put("a.png", b"", content_type="image/png")
    assert os.listxattr(root / "a.png") == []
    await disk.put("a.png", b"", content_type="text/x")
    assert os.listxattr(root / "a.png") == [NAME]
    assert (await disk.stat("a.png")).content_type == "text/x"
    await disk.put("a.png", b"", content_type="image/png")
    assert os.listxattr(root / "a.png") == []


async def test_a_file_keeps_its_type_under_another_extension(disk: LocalDriver) -> None:
    await disk.put("a.png", b"")
    await disk.copy("a.png", "b.txt")
    await disk.move("a.png", "c")
    assert (await disk.stat("b.txt")).content_type == "image/png"
    assert (await disk.stat("c")).content_type == "image/png"
    await disk.move("c", "d.png")
    assert (await disk.stat("d.png")).content_type == "image/png"


async def test_an_overwrite_leaves_nothing_of_the_old_attributes(disk: LocalDriver) -> None:
    await disk.put("a", b"", metadata={"k": "v"}, cache_control="no-store")
    await disk.put("a", b"")
    stat = await disk.stat("a")
    assert (stat.metadata, stat.cache_control) == ({}, None)


@pytest.mark.parametrize("content", [b"new", parts])
async def test_metadata_too_large_to_keep_is_refused_before_anything_is_touched(
    disk: LocalDriver, root: Path, temporaries: Callable[[], list[str]], content: object
) -> None:
    await disk.put("a", b"old", metadata={"k": "v"})
    before = await disk.stat("a")
    how = WriteOptions(metadata=LARGE)
    for path in ("a", "new/b"):
        with pytest.raises(Unsupported, match="metadata"):
            await disk.write(path, Body(content), how)  # type: ignore[arg-type]
    with pytest.raises(Unsupported):
        await disk.change_attributes("a", WriteOptions(metadata=LARGE, visibility="private"))
    with pytest.raises(Unsupported):
        await disk.copy_within("a", "c", how)
    assert await disk.stat("a") == before
    assert await disk.visibility("a") == "public"
    assert os.listdir(root) == ["a"]
    assert temporaries() == []


async def test_headers_too_large_to_keep_and_metadata_merely_carried_drop(
    disk: LocalDriver,
) -> None:
    huge = "x" * 70_000
    stat = await disk.write("a", Body(b"1"), WriteOptions(cache_control=huge, metadata={"k": "v"}))
    assert (stat.cache_control, stat.metadata) == (None, {"k": "v"})
    stat = await disk.write(
        "b", Body(b"1"), WriteOptions(cache_control="no-store", metadata=LARGE, carried=True)
    )
    assert (stat.cache_control, stat.metadata) == ("no-store", {})
    assert await disk.stat("b") == stat


async def test_changing_attributes_replaces_what_is_given_and_keeps_the_rest(
    disk: LocalDriver,
) -> None:
    await disk.put("a", b"1", metadata={"k": "v", "old": "x"}, cache_control="no-store")
    before = await disk.stat("a")
    await disk.set_attributes("a", metadata={"k": "w"}, content_type="a/b")
    stat = await disk.stat("a")
    assert (stat.metadata, stat.content_type) == ({"k": "w"}, "a/b")
    assert (stat.cache_control, stat.etag) == ("no-store", before.etag)
    await disk.set_attributes("a", metadata={})
    assert (await disk.stat("a")).metadata == {}


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"\xff\xfe",
        b"[1]",
        b"{",
        b"[" * 3_000,
        b'{"metadata": 3, "content_type": ["x"]}',
        b'{"content_type": "a\\r\\nX: y", "metadata": {"k": "a\\u0000", "l": 1}}',
    ],
)
async def test_what_other_programs_write_there_is_not_believed(
    disk: LocalDriver, root: Path, nonsense: bytes
) -> None:
    await disk.put("a.txt", b"1")
    os.setxattr(root / "a.txt", NAME, nonsense)
    stat = await disk.stat("a.txt")
    assert (stat.content_type, stat.metadata) == ("text/plain", {})
    assert await disk.get("a.txt") == b"1"


async def test_other_programs_attributes_of_the_file_stay_when_ours_change(
    disk: LocalDriver, root: Path
) -> None:
    await disk.put("a", b"1", metadata={"k": "v"})
    os.setxattr(root / "a", "user.theirs", b"1")
    await disk.set_attributes("a", metadata={})
    assert os.listxattr(root / "a") == ["user.theirs"]


async def test_tags_and_tiers_are_refused_unless_carried(disk: LocalDriver) -> None:
    for how in (WriteOptions(tags={"a": "b"}), WriteOptions(tier="COLD")):
        for call in (
            disk.write("a", Body(b""), how),
            disk.extend("a", Body(b""), how),
            disk.copy_within("a", "b", how),
            disk.rename("a", "b", how),
        ):
            with pytest.raises(Unsupported):
                await call
    await disk.write("a", Body(b""), WriteOptions(tags={"a": "b"}, tier="COLD", carried=True))
    with pytest.raises(Unsupported):
        await disk.rename("a", "b", WriteOptions(visibility="private"))
    assert await disk.files() == ["a"]


async def test_times_are_set_to_the_microsecond_in_any_zone(disk: LocalDriver) -> None:
    await disk.put("a", b"")
    for moment in (
        datetime(2001, 2, 3, 4, 5, 6, 789012, UTC),
        datetime(1960, 1, 1, tzinfo=UTC),
        datetime.now().astimezone(),
    ):
        await disk.change_time("a", moment)
        assert (await disk.stat("a")).modified == moment
    with pytest.raises(InvalidArgument, match="zone"):
        await disk.change_time("a", datetime(2001, 1, 1))


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Path]:
    """A file system without extended attributes."""
    folder = tmp_path / "bare"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() or libc.mount(b"none", bytes(folder), b"ramfs", 0, None):
        pytest.skip("mounting needs to be root")
    yield folder
    libc.umount2(bytes(folder), 2)


async def test_a_file_system_without_attributes_refuses_metadata_and_drops_headers(
    kind: type[LocalDriver], bare: Path
) -> None:
    disk = kind(bare)
    for content in (b"1", parts):
        with pytest.raises(Unsupported):
            await disk.write("a/b", Body(content), WriteOptions(metadata={"k": "v"}))
    assert os.listdir(bare) == []
    await disk.put("a", b"1", content_type="x/y", cache_control="no-store")
    stat = await disk.stat("a")
    assert (stat.content_type, stat.cache_control, stat.metadata) == (None, None, None)
    with pytest.raises(Unsupported):
        await disk.set_attributes("a", metadata={"k": "v"})
    await disk.set_attributes("a", content_type="x/y")
    await disk.put("a", b"2", if_match=stat.etag)
    await disk.aclose()


async def test_copies_and_moves_cross_file_systems(
    disk: LocalDriver, kind: type[LocalDriver], bare: Path, root: Path
) -> None:
    await disk.put("a", parts(), metadata={"k": "v"}, visibility="private")
    other = kind(bare)
    stat = await other.copy_from(disk, "a", "b/c")
    assert stat.size == 3 << 20
    assert await other.checksum("b/c") == await disk.checksum("a")
    assert await other.visibility("b/c") == "private"
    back = await disk.copy_from(other, "b/c", "back", WriteOptions(metadata={"new": "1"}))
    assert back.metadata == {"new": "1"}
    (root / "inner").mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount(bytes(bare), bytes(root / "inner"), None, 4096, None)
    try:
        with pytest.raises(Unsupported, match="different file systems"):
            await disk.rename("a", "inner/a")
        await disk.move("a", "inner/a")
        assert await disk.exists("inner/a")
        assert not await disk.exists("a")
    finally:
        libc.umount2(bytes(root / "inner"), 2)
    await other.aclose()


async def test_concurrent_changes_of_attributes_do_not_mix(disk: LocalDriver) -> None:
    await disk.put("a", b"1")
    headers = ("cache_control", "content_language", "content_disposition", "content_encoding")
    await asyncio.gather(*(disk.set_attributes("a", **{name: name}) for name in headers))
    stat = await disk.stat("a")
    assert [stat[name] for name in headers] == list(headers)
