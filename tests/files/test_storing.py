"""The other verbs that store: put_file, a writer, append and prepend."""

import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers, UploadFile

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    InvalidPath,
    PreconditionFailed,
    QuotaExceeded,
)
from storeroom.contracts.values import PLAIN, Stat, WriteOptions
from storeroom.drivers.memory import MemoryDriver
from storeroom.files import Writer

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def disk() -> MemoryDriver:
    return MemoryDriver()


def letters() -> Iterator[bytes]:
    yield from (b"con", b"", b"tents")


async def async_letters() -> AsyncIterator[bytes]:
    for piece in letters():
        yield piece


def upload(data: bytes, name: str = "photo.PNG") -> UploadFile:
    return UploadFile(io.BytesIO(data), filename=name, headers=Headers({"content-type": "a/b"}))


async def test_write_stream_takes_chunks_only(disk: MemoryDriver) -> None:
    await disk.write_stream("a", async_letters(), content_type="a/b")
    assert (await disk.metadata("a")).content_type == "a/b"
    for content in (b"x", "x", bytearray(b"x")):
        with pytest.raises(TypeError, match="use put"):
            await disk.write_stream("b", content)  # type: ignore[arg-type]


async def test_put_file_makes_a_random_name_with_an_extension(disk: MemoryDriver) -> None:
    first = await disk.put_file("photos", upload(PNG, "photo.txt"))
    second = await disk.put_file("photos/", io.BytesIO(PNG), cache_control="no-store")
    assert first != second
    for path in (first, second):
        folder, _, name = path.rpartition("/")
        assert (folder, len(name), name[40:]) == ("photos", 44, ".png")
        assert await disk.get(path) == PNG
    assert (await disk.metadata(second)).cache_control == "no-store"


@pytest.mark.parametrize(
    ("name", "content", "extension"),
    [
        ("C:\\Users\\me\\Report.DOCX", b"PK\x03\x04", ".docx"),
        ("notes.md", b"plain words", ".md"),
        ("evil.php", PNG, ".png"),
        ("a.b/c", b"\x00\x01\x02", ""),
        ("x.tar.gz/../../etc", b"\x00\x01\x02", ""),
        ("", b"", ""),
    ],
)
async def test_the_extension_comes_from_content_else_from_the_clients_name(
    disk: MemoryDriver, name: str, content: bytes, extension: str
) -> None:
    path = await disk.put_file("", upload(content, name))
    assert path[40:] == extension
    assert "/" not in path


async def test_put_file_as_keeps_the_name(disk: MemoryDriver, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"contents")
    assert await disk.put_file_as("a/b", tmp_path / "x", "c [1].txt") == "a/b/c [1].txt"
    assert await disk.put_file_as("", upload(b"contents"), "c") == "c"
    for name in ("a/b", "../x", "", ".."):
        with pytest.raises(InvalidPath):
            await disk.put_file_as("a", upload(b"contents"), name)
    assert disk.all_paths() == ["a/b/c [1].txt", "c"]


async def test_put_file_refuses_a_bare_str(disk: MemoryDriver) -> None:
    for refused in (disk.put_file("a", "b.txt"), disk.put_file_as("a", "b.txt", "c")):
        with pytest.raises(TypeError, match=r"pathlib\.Path"):
            await refused
    assert disk.count() == 0


class Full(MemoryDriver):
    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        async for _ in body:
            raise QuotaExceeded("full", path=path)
        return await super().write(path, body, how)


async def test_a_writer_commits_at_the_end_of_its_block(disk: MemoryDriver) -> None:
    async with disk.open_writer("a/b", content_type="a/b", overwrite=False) as writer:
        assert writer.path == "a/b"
        assert [await writer.write(piece) for piece in (b"one", "é", bytearray(b"!"), b"")] == [
            *(3, 2, 1, 0)
        ]
        assert disk.count() == 0
    assert await disk.get("a/b") == "oneé!".encode()
    assert (await disk.metadata("a/b")).content_type == "a/b"


async def test_a_writer_of_nothing_makes_an_empty_file(disk: MemoryDriver) -> None:
    async with disk.open_writer("a"):
        pass
    assert await disk.get("a") == b""


async def test_a_writer_stores_nothing_on_an_exception(disk: MemoryDriver) -> None:
    await disk.put("a", b"old")

    async def broken() -> None:
        async with disk.open_writer("a") as writer:
            await writer.write(bytes(1 << 20))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broken()
    assert await disk.get("a") == b"old"


async def test_a_writer_tells_what_the_disk_says(disk: MemoryDriver) -> None:
    await disk.put("a", b"old")
    with pytest.raises(AlreadyExists) as caught:
        await written_by(disk.open_writer("a", overwrite=False))
    assert caught.value.path == "a"
    with pytest.raises(InvalidPath):
        await written_by(disk.open_writer("../a"))
    with pytest.raises(QuotaExceeded):
        await written_by(Full().open_writer("a"))


async def written_by(opening: Writer) -> None:
    async with opening as writer:
        for _ in range(10):
            await writer.write(bytes(1 << 20))


async def test_a_writer_is_not_written_after_its_block(disk: MemoryDriver) -> None:
    async with disk.open_writer("a") as writer:
        await writer.write(b"x")
    with pytest.raises(Exception, match="closed"):
        await writer.write(b"y")
    with pytest.raises(Exception, match="closed"):
        await disk.open_writer("b").write(b"y")


async def test_append_puts_text_on_a_new_line_and_bytes_directly(disk: MemoryDriver) -> None:
    await disk.append("a", "one")
    await disk.append("a", "two")
    await disk.append("a", b"+")
    await disk.append("a", "three", separator=", ")
    await disk.append("a", iter([b"!", b"!"]))
    assert await disk.text("a") == "one\ntwo+, three!!"


async def test_prepend_puts_text_on_a_line_of_its_own(disk: MemoryDriver) -> None:
    await disk.prepend("a", "three")
    await disk.prepend("a", "two", separator=", ")
    await disk.prepend("a", b"one ")
    assert await disk.text("a") == "one two, three"


async def test_append_to_an_empty_file_adds_no_newline(disk: MemoryDriver) -> None:
    await disk.put("a", b"")
    await disk.append("a", "x")
    assert await disk.text("a") == "x"


class WithoutAppend(MemoryDriver):
    def offer(self, kind: Any, /) -> Any:
        return None if kind.__name__ in ("Append", "Copy", "Move", "BulkRemove") else self


async def test_append_without_the_ability_keeps_type_and_metadata() -> None:
    disk = WithoutAppend()
    await disk.put("a", "one", content_type="a/b", metadata={"by": "me"})
    await disk.append("a", "two")
    await disk.prepend("a", "zero")
    assert await disk.text("a") == "zero\none\ntwo"
    stat = await disk.metadata("a")
    assert (stat.content_type, stat.metadata) == ("a/b", {"by": "me"})
    await disk.append("new.txt", "x")
    assert (await disk.metadata("new.txt")).content_type == "text/plain"


async def test_append_without_the_ability_loses_no_write_in_between() -> None:
    disk = WithoutAppend()
    await disk.put("a", b"old")

    async def chunks() -> AsyncIterator[bytes]:
        yield b"1"
        await disk.put("a", b"meanwhile")
        yield b"2"

    with pytest.raises(PreconditionFailed):
        await disk.append("a", chunks())
    assert await disk.get("a") == b"meanwhile"
