"""Everything that holds bytes is stored; what does not is refused before anything is touched."""

import io
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiofiles
import pytest
from starlette.datastructures import Headers, UploadFile

from storeroom.contracts.errors import (
    AlreadyExists,
    Corrupted,
    InvalidArgument,
    NotFound,
    PreconditionFailed,
)
from storeroom.drivers.memory import MemoryDriver

PATH = "some dir/file [1] %2F é😀.bin"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def disk() -> MemoryDriver:
    return MemoryDriver()


class Litestars:
    """An upload whose `read` alone is awaited."""

    filename = "report.pdf"

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    async def read(self, count: int = -1) -> bytes:
        return self._file.read(count)


class Endless:
    """A reader that cannot seek."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def read(self, count: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def letters() -> Iterator[bytes]:
    yield from (b"con", b"", b"tents")


async def async_letters() -> AsyncIterator[bytes]:
    for piece in letters():
        yield piece


async def async_words() -> AsyncIterator[str]:
    yield "con"
    yield "tents"


def upload(data: bytes, name: str = "photo.PNG") -> UploadFile:
    return UploadFile(io.BytesIO(data), filename=name, headers=Headers({"content-type": "a/b"}))


CONTENTS: dict[str, Any] = {
    "bytes": lambda: b"contents",
    "bytearray": lambda: bytearray(b"contents"),
    "memoryview": lambda: memoryview(b"contents"),
    "a memoryview of numbers": lambda: memoryview(b"contents").cast("I"),
    "str": lambda: "contents",
    "a binary file": lambda: io.BytesIO(b"contents"),
    "a buffered file": lambda: io.BufferedReader(io.BytesIO(b"contents")),  # type: ignore[type-var]
    "a reader that cannot seek": lambda: Endless(b"con", b"tents"),
    "an upload": lambda: upload(b"contents"),
    "an upload with read alone": lambda: Litestars(b"contents"),
    "a generator": letters,
    "an iterator": lambda: iter([b"con", b"tents"]),
    "a list": lambda: [b"con", "tents", bytearray()],
    "a tuple": lambda: (b"contents",),
    "a generator of str": lambda: (piece.decode() for piece in letters()),
    "an async generator": async_letters,
    "an async generator of str": async_words,
}


@pytest.mark.parametrize("kind", CONTENTS)
async def test_this_content_is_stored(disk: MemoryDriver, kind: str) -> None:
    assert await disk.put(PATH, CONTENTS[kind]()) == PATH
    assert await disk.get(PATH) == b"contents"
    assert await disk.size(PATH) == 8


async def test_a_local_path_is_stored(disk: MemoryDriver, tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_bytes(b"contents")
    await disk.put(PATH, tmp_path / "a b.txt")
    assert await disk.get(PATH) == b"contents"


@pytest.mark.parametrize("in_memory", [1, 100])
async def test_a_spooled_file_is_stored(disk: MemoryDriver, in_memory: int) -> None:
    with tempfile.SpooledTemporaryFile(in_memory) as file:
        file.write(b"contents")
        file.seek(0)
        await disk.put(PATH, file)
    assert await disk.get(PATH) == b"contents"


async def test_an_aiofiles_handle_is_stored(disk: MemoryDriver, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"contents")
    async with aiofiles.open(tmp_path / "a", "rb") as file:
        await disk.put(PATH, file)
    assert await disk.get(PATH) == b"contents"


async def test_a_source_of_another_file_is_stored(disk: MemoryDriver) -> None:
    await disk.put("from", b"..contents..")
    async with disk.read_stream("from", start=2, stop=10) as source:
        await disk.put(PATH, source)
    assert await disk.get(PATH) == b"contents"


async def test_a_str_is_stored_as_utf_8(disk: MemoryDriver) -> None:
    await disk.put("a", "é😀\r\n")
    assert await disk.get("a") == "é😀\r\n".encode()
    assert await disk.text("a") == "é😀\r\n"


async def test_a_file_is_stored_from_where_it_stands(disk: MemoryDriver) -> None:
    file = io.BytesIO(b"skip contents")
    file.seek(5)
    await disk.put("a", file)
    assert await disk.get("a") == b"contents"


async def test_a_large_file_is_stored_in_pieces(disk: MemoryDriver, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    (tmp_path / "large").write_bytes(data)
    await disk.put("a", tmp_path / "large")
    await disk.put("b", upload(data))
    assert await disk.get("a") == await disk.get("b") == data


async def test_an_empty_file_or_upload_is_stored(disk: MemoryDriver, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for number, content in enumerate([tmp_path / "empty", upload(b""), io.BytesIO(), [], "", b""]):
        await disk.put(f"a/{number}", content)
        assert await disk.get(f"a/{number}") == b""


def half(count: int) -> Iterator[bytes]:
    yield b"x" * count
    raise ZeroDivisionError


REFUSED: dict[str, tuple[Any, type[Exception], str | None]] = {
    "a mapping": (lambda: {"a": 1}, TypeError, "put_json"),
    "a set": (lambda: {b"a"}, TypeError, "put_json"),
    "a number": (lambda: 5, TypeError, "cannot store a int"),
    "None": (lambda: None, TypeError, "cannot store a NoneType"),
    "a text file": (lambda: io.StringIO("a"), TypeError, "binary mode"),
    "a file read to its end": (lambda: at_its_end(io.BytesIO(b"a")), InvalidArgument, "seek"),
    "an upload read to its end": (lambda: at_its_end(upload(b"a")), InvalidArgument, r"seek\(0\)"),
    "a finished generator": (lambda: finished(letters()), InvalidArgument, "finished already"),
    "chunks that are numbers": (lambda: [1, 2], TypeError, "chunks are bytes or str, not int"),
    "a reader of text": (lambda: Endless(b"a", 5), TypeError, "chunks are bytes"),  # type: ignore[arg-type]
    "a folder": (lambda: Path("/"), InvalidArgument, "not a regular file"),
    "a missing local file": (lambda: Path("/no/such"), NotFound, "the local file '/no/such'"),
    "a generator that fails": (lambda: half(5), ZeroDivisionError, None),
}


def at_its_end(file: Any) -> Any:
    getattr(file, "file", file).read()
    return file


def finished(generator: Iterator[bytes]) -> Iterator[bytes]:
    list(generator)
    return generator


@pytest.mark.parametrize("kind", REFUSED)
async def test_this_content_is_refused_and_nothing_changes(disk: MemoryDriver, kind: str) -> None:
    make, error, said = REFUSED[kind]
    await disk.put("a", b"old")
    for path in ("a", "new"):
        with pytest.raises(error, match=said):
            await disk.put(path, make())
    assert disk.all_paths() == ["a"]
    assert await disk.get("a") == b"old"


async def test_a_text_mode_aiofiles_handle_is_refused(disk: MemoryDriver, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    async with aiofiles.open(tmp_path / "a") as file:
        with pytest.raises(TypeError, match="binary mode"):
            await disk.put("a", file)  # type: ignore[arg-type]


async def test_a_finished_async_generator_is_refused(disk: MemoryDriver) -> None:
    chunks = async_letters()
    assert [chunk async for chunk in chunks]
    with pytest.raises(InvalidArgument, match="make a new one"):
        await disk.put("a", chunks)


async def test_a_generator_is_closed_when_the_write_fails(disk: MemoryDriver) -> None:
    closed: list[str] = []

    def sync() -> Iterator[bytes]:
        try:
            yield b"x" * 10
            yield b"x" * 10
        finally:
            closed.append("sync")

    async def asynchronous() -> AsyncIterator[bytes]:
        try:
            yield b"x" * 10
            yield b"x" * 10
        finally:
            closed.append("async")

    for chunks in (sync(), asynchronous()):
        with pytest.raises(Corrupted):
            await disk.put("a", chunks, size=5)
    assert closed == ["sync", "async"]
    assert disk.count() == 0


async def test_an_announced_size_is_held_to(disk: MemoryDriver) -> None:
    await disk.put("a", letters(), size=8)
    for size in (7, 9):
        with pytest.raises(Corrupted):
            await disk.put("b", letters(), size=size)
        with pytest.raises(Corrupted):
            await disk.put("b", b"contents", size=size)
    with pytest.raises(InvalidArgument):
        await disk.put("b", b"", size=-1)
    assert disk.all_paths() == ["a"]


async def test_progress_is_told(disk: MemoryDriver, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(3 << 20))
    for content in (bytes(3 << 20), tmp_path / "a", upload(bytes(3 << 20))):
        told: list[tuple[int, int | None]] = []
        await disk.put("a", content, progress=lambda *now, told=told: told.append(now))
        assert told[-1] == (3 << 20, 3 << 20)
        assert len(told) > 1


async def test_headers_and_data_are_stored(disk: MemoryDriver) -> None:
    await disk.put(
        "a.txt",
        b"x",
        content_type="text/x-odd",
        cache_control="no-store",
        content_disposition="inline",
        content_encoding="identity",
        content_language="de",
        metadata={"by": "me"},
        tags={"team": "a"},
        tier="cold",
        visibility="public",
    )
    stat = await disk.metadata("a.txt")
    found = (stat.content_type, stat.cache_control, stat.content_disposition)
    assert found == ("text/x-odd", "no-store", "inline")
    assert (stat.content_encoding, stat.content_language) == ("identity", "de")
    assert (stat.metadata, stat.tier) == ({"by": "me"}, "cold")
    assert await disk.read_tags("a.txt") == {"team": "a"}
    assert await disk.visibility("a.txt") == "public"


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("a.svg", b"", "image/svg+xml"),
        ("a.txt", PNG, "text/plain"),
        ("a", PNG, "image/png"),
        ("a.unknown", PNG, "image/png"),
        ("a", b"", None),
    ],
)
async def test_the_type_is_told_by_extension_else_by_the_first_bytes(
    disk: MemoryDriver, path: str, content: bytes, kind: str | None
) -> None:
    await disk.put(path, content)
    assert (await disk.metadata(path)).content_type == kind
    await disk.put(path, [content[:3], content[3:]])
    assert (await disk.metadata(path)).content_type == kind
    assert await disk.get(path) == content


async def test_overwrite_and_if_match_are_conditions(disk: MemoryDriver) -> None:
    await disk.put("a", b"old", overwrite=False)
    with pytest.raises(AlreadyExists):
        await disk.put("a", b"new", overwrite=False)
    etag = (await disk.metadata("a")).etag
    await disk.put("a", b"newer", if_match=etag)
    with pytest.raises(PreconditionFailed):
        await disk.put("a", b"newest", if_match=etag)
    assert await disk.get("a") == b"newer"


@pytest.mark.parametrize(
    "options",
    [{"visibility": "world"}, {"metadata": {"a": 1}}, {"tags": "ab"}, {"metadata": {"a": "\n"}}],
    ids=str,
)
async def test_bad_options_are_refused_before_the_body_is_read(
    disk: MemoryDriver, options: dict[str, Any]
) -> None:
    chunks = letters()
    with pytest.raises((InvalidArgument, TypeError)):
        await disk.put("a", chunks, **options)
    assert next(chunks) == b"con"
    assert disk.count() == 0


async def test_an_unknown_option_is_a_type_error(disk: MemoryDriver) -> None:
    asked: dict[str, Any] = {"put": b"x", "put_json": 1, "write_stream": [b"x"], "put_file": [b""]}
    for name, content in asked.items():
        with pytest.raises(TypeError, match="mimetype"):
            await getattr(disk, name)("a", content, mimetype="a/b")
    assert disk.count() == 0


async def test_json_is_stored_with_its_type(disk: MemoryDriver) -> None:
    await disk.put_json("a", {"é": [1, None]}, indent=2, cache_control="no-store")
    assert await disk.text("a") == json.dumps({"é": [1, None]}, indent=2, ensure_ascii=False)
    stat = await disk.metadata("a")
    assert (stat.content_type, stat.cache_control) == ("application/json", "no-store")


async def test_what_is_no_json_is_refused(disk: MemoryDriver) -> None:
    with pytest.raises(InvalidArgument):
        await disk.put_json("a", float("nan"))
    with pytest.raises(TypeError):
        await disk.put_json("a", {1, 2})
    assert disk.count() == 0


async def test_bytes_that_are_no_json_or_text_are_corrupted(disk: MemoryDriver) -> None:
    await disk.put("a", b"\xff{")
    with pytest.raises(Corrupted, match="not JSON"):
        await disk.json("a")
    with pytest.raises(Corrupted, match="not utf-8 text"):
        await disk.text("a")
    assert await disk.text("a", encoding="latin-1") == "ÿ{"
    assert await disk.text("a", errors="replace") == "\ufffd{"
