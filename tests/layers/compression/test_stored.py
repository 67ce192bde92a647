"""What is compressed and what is not, and that nobody sees it from outside."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts.abilities import Attributes
from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidArgument, Unsupported
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    Stat,
    Traits,
    WriteOptions,
)
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.files import Files
from storeroom.layers import Layer, Scoped
from storeroom.layers.compression import Compression
from tests.layers.compression.content import FORMATS, noise, pieces, streamed, text
from tests.layers.compression.places import Coarse, Forgetful

MEMO = "storeroom-compression"


class Timeless(MemoryDriver):
    """Has no etags, and its times do not tell one write from the next, as on FTP."""

    @property
    def traits(self) -> Traits:
        return replace(super().traits, conditions=frozenset())

    async def stat(self, path: str, /) -> Stat:
        return replace(await super().stat(path), etag=None, modified=None)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        source = await super().read(path, how)
        return Source(replace(source.stat, etag=None, modified=None), source, size=source.size)


@pytest.fixture
def inner() -> MemoryDriver:
    return MemoryDriver()


async def memo(inner: Files, path: str) -> str | None:
    return ((await inner.metadata(path)).metadata or {}).get(MEMO)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [400, 4000, 100_000, 1_500_000])
async def test_what_shrinks_is_stored_smaller(inner: MemoryDriver, name: Any, size: int) -> None:
    layer, data = Compression(inner, algorithm=name), text(size) if size > 400 else bytes(size)
    stat = await layer.write("a.txt", streamed(data, size=size))
    assert (stat.size, dict(stat.metadata or {})) == (size, {})
    assert await inner.size("a.txt") < size * 0.7
    assert await memo(inner, "a.txt") == f"{name} {size}"
    assert await layer.get("a.txt") == data
    assert await layer.size("a.txt") == size


@pytest.mark.parametrize("size", [0, 1, 69, 71, 97, 5000, 70_000, 1_500_000])
async def test_what_does_not_shrink_is_stored_as_it_is(inner: MemoryDriver, size: int) -> None:
    layer, data = Compression(inner), noise(size)
    for content in (data, pieces(data)):
        await layer.put("a.bin", content)
        assert await inner.get("a.bin") == data
        assert await memo(inner, "a.bin") == "none"
        assert await layer.get("a.bin") == data
        stat = await layer.metadata("a.bin")
        assert (stat.size, stat.metadata) == (size, {})


@pytest.mark.parametrize(
    "path", ["a.jpg", "a.png", "a.mp4", "a.mp3", "a.zip", "a.docx", "a.7z", "a.woff2", "a.gz"]
)
async def test_a_compressed_type_is_not_tried(inner: MemoryDriver, path: str) -> None:
    await Compression(inner).put(path, text(50_000))
    assert await inner.get(path) == text(50_000)


@pytest.mark.parametrize("path", ["a.svg", "a.bmp", "a.wav", "a.json", "a", "a.tar", "a.ttf"])
async def test_other_types_are(inner: MemoryDriver, path: str) -> None:
    await Compression(inner).put(path, text(50_000))
    assert await inner.size(path) < 30_000


async def test_a_file_with_an_encoding_of_its_own_is_left_alone(inner: MemoryDriver) -> None:
    for layer in (Compression(inner), Compression(inner, content_encoding=True)):
        await layer.put("a.txt", text(50_000), content_encoding="x-own")
        assert await inner.get("a.txt") == await layer.get("a.txt") == text(50_000)
        assert (await layer.metadata("a.txt")).content_encoding == "x-own"


async def test_metadata_is_the_users_only(inner: MemoryDriver) -> None:
    layer = Compression(inner)
    for data in (text(5000), noise(5000)):
        await layer.put("a.txt", data, metadata={"by": "me"})
        async with layer.read_stream("a.txt") as source:
            assert source.stat.metadata == {"by": "me"}
        async with layer.read_stream("a.txt", start=3) as source:
            assert (source.stat.metadata, source.stat.size) == ({"by": "me"}, 5000)
        assert (await layer.metadata("a.txt")).metadata == {"by": "me"}
        assert [dict(e.metadata or {}) async for e in layer.entries() if isinstance(e, Stat)] == [
            {"by": "me"}
        ]


@pytest.mark.parametrize("options", [{}, {"content_encoding": True}])
async def test_attributes_change_and_the_file_stays_readable(
    inner: MemoryDriver, options: dict[str, Any]
) -> None:
    layer = Compression(inner, **options)
    await layer.put("a.txt", text(5000), metadata={"old": "1"})
    stored = await inner.get("a.txt")
    for changes in (
        {"metadata": {"new": "2"}},
        {"metadata": {}},
        {"content_type": "text/odd"},
        {"content_encoding": "x-own"},
    ):
        await layer.set_attributes("a.txt", **changes)  # type: ignore[arg-type]
        assert await inner.get("a.txt") == stored
        assert await layer.get("a.txt") == text(5000)
        stat = await layer.metadata("a.txt")
        assert stat.size == 5000
        for attribute, value in changes.items():
            assert stat[attribute] == value
        assert await memo(inner, "a.txt") is not None
    inside = (await inner.metadata("a.txt")).content_encoding
    assert inside == ("x-own, zstd" if options else "x-own")


async def test_attributes_change_only_the_file_that_was_looked_at(inner: MemoryDriver) -> None:
    """Somebody writes between the look and the change: the memo is not that of the old file."""

    class Busy(MemoryDriver):
        async def stat(self, path: str, /) -> Stat:
            found = await super().stat(path)
            if writes:
                await self.write(path, streamed(writes.pop()), WriteOptions())
            return found

    writes: list[bytes] = []
    busy = Busy()
    layer = Compression(busy)
    await layer.put("a.txt", text(5000))
    writes.append(b"other")
    await layer.ability(Attributes).change_attributes("a.txt", WriteOptions(metadata={"n": "1"}))
    assert await layer.get("a.txt") == b"other"
    stat = await layer.metadata("a.txt")
    assert (stat.size, stat.metadata) == (5, {"n": "1"})


@pytest.mark.parametrize("verb", ["copy", "move"])
@pytest.mark.parametrize("data", [text(5000), noise(5000), text(200_000)])
async def test_a_copy_and_a_move_stay_at_the_service(
    inner: MemoryDriver, verb: str, data: bytes
) -> None:
    layer = Compression(inner)
    await layer.put("a.txt", data, metadata={"by": "me"})
    stored = await inner.get("a.txt")
    await getattr(layer, verb)("a.txt", "b.txt")
    assert await inner.get("b.txt") == stored
    assert await layer.get("b.txt") == data
    stat = await layer.metadata("b.txt")
    assert (stat.size, stat.metadata) == (len(data), {"by": "me"})


async def test_a_copy_with_other_metadata_is_still_read(inner: MemoryDriver) -> None:
    layer = Compression(inner)
    await layer.put("a.txt", text(5000))
    await layer.copy_within("a.txt", "b.txt", WriteOptions(metadata={"x": "y"}))
    assert await layer.get("b.txt") == text(5000)
    stat = await layer.metadata("b.txt")
    assert (stat.size, stat.metadata) == (5000, {"x": "y"})


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [3000, 100_000, 1_500_000])
async def test_a_file_that_lost_its_memo_is_read_all_the_same(
    inner: MemoryDriver, name: Any, size: int
) -> None:
    layer, data = Compression(inner, algorithm=name), text(size)
    await layer.put("a.txt", data)
    await inner.put("b.txt", await inner.get("a.txt"))
    assert await layer.get("b.txt") == data
    assert await layer.size("b.txt") == size
    assert await layer.get("b.txt", start=1000, stop=2500) == data[1000:2500]


async def test_a_damaged_memo_is_as_none(inner: MemoryDriver) -> None:
    layer = Compression(inner)
    await layer.put("a.txt", text(5000))
    stored = await inner.get("a.txt")
    for lost in ("", "zstd", "zstd x", "zstd 5000 odd", "lz4 5000", "none 3", "zstd ٣"):
        await inner.put("b.txt", stored, metadata={MEMO: lost})
        assert await layer.get("b.txt") == text(5000)
        assert (await layer.metadata("b.txt")).size == 5000
        assert [entry.size async for entry in layer.entries(starting="b")] == [None]  # type: ignore[union-attr]


async def test_listings_tell_the_sizes_they_can() -> None:
    inner = MemoryDriver()
    layer = Compression(inner)
    await layer.put("folder/known.txt", text(5000))
    await layer.put("folder/stream.txt", pieces(text(1_500_000)))
    await layer.put("folder/noise.bin", noise(4000))
    await inner.put("folder/foreign", bytes(500))
    await inner.put("folder/tiny", b"tiny")
    sizes: Mapping[str, object] = {
        entry.path.rpartition("/")[2]: None if isinstance(entry, Folder) else entry.size
        async for entry in layer.entries("folder")
    }
    assert sizes == {
        "known.txt": 5000,
        "stream.txt": None,
        "noise.bin": 4000,
        "foreign": None,
        "tiny": 4,
    }
    assert await layer.size("folder/stream.txt") == 1_500_000
    assert await layer.size("folder/foreign") == 500


async def test_a_service_without_metadata_gets_none_and_the_bytes_tell() -> None:
    inner = MemoryDriver()
    layer = Compression(Forgetful(inner))
    for path, data in {"a.txt": text(5000), "b": noise(5000), "c": text(2_500_000)}.items():
        await layer.put(path, pieces(data))
        assert not (await inner.metadata(path)).metadata
        assert await layer.get(path) == data
        assert await layer.size(path) == len(data)
        assert await layer.get(path, start=100, stop=4000) == data[100:4000]
    assert [e.size async for e in layer.entries() if isinstance(e, Stat)] == [None] * 3


async def test_a_file_of_unknown_size_moves_to_another_disk() -> None:
    layer, other = Compression(Forgetful(MemoryDriver())), MemoryDriver()
    await layer.put("a", text(500_000))
    async with await layer.read("a") as source:
        assert source.stat.size is None
    await layer.move("a", "b", disk=other)
    assert await other.get("b") == text(500_000)
    assert await layer.missing("a")


async def test_each_option_reads_the_files_of_the_others(inner: MemoryDriver) -> None:
    layers = {
        name: Compression(inner, algorithm=name, frame_size=size, content_encoding=served)
        for name, size, served in (
            ("zstd", 4096, False),
            ("gzip", 1 << 20, True),
            ("brotli", 65536, False),
        )
    }
    for name, layer in layers.items():
        await layer.put(f"{name}.txt", text(200_000))
    for layer in layers.values():
        for name in layers:
            assert await layer.get(f"{name}.txt") == text(200_000)
            assert (
                await layer.get(f"{name}.txt", start=70_000, stop=70_100)
                == text(200_000)[70_000:70_100]
            )
            assert (await layer.metadata(f"{name}.txt")).content_encoding is None


async def test_max_size_refuses_on_the_way_in(inner: MemoryDriver) -> None:
    layer = Compression(inner, max_size=100_000)
    await layer.put("a.txt", text(100_000))
    for content in (text(100_001), pieces(text(100_001)), pieces(text(3_000_000))):
        with pytest.raises(InvalidArgument, match="max_size"):
            await layer.put("b.txt", content)
    await layer.put("as it is", noise(200_000))
    assert await layer.get("as it is") == noise(200_000)
    assert inner.all_paths() == ["a.txt", "as it is"]


async def test_a_replayable_body_is_replayed(inner: MemoryDriver) -> None:
    """The driver inside asks twice, as a retry does."""

    class Twice(MemoryDriver):
        async def write(self, path: str, body: Any, how: WriteOptions = PLAIN, /) -> Stat:
            first = await body.content()
            assert await body.content() == first
            return await super().write(path, body, how)

    for data in (text(5000), text(1_500_000)):
        layer = Compression(Twice(), algorithm="gzip")
        stat = await layer.write("a.txt", streamed(data, size=len(data), replayable=True))
        assert stat.size == len(data)
        assert await layer.get("a.txt") == data


async def test_on_a_local_folder_attributes_hold_the_memo(tmp_path: Path) -> None:
    async with LocalDriver(tmp_path) as inner:
        layer = Compression(inner)
        await layer.put("a.txt", text(5000))
        assert await memo(inner, "a.txt") == "zstd 5000"
        assert await layer.size("a.txt") == 5000


async def test_where_there_is_no_room_for_it_the_memo_drops(inner: MemoryDriver) -> None:
    """As on a local file system without extended attributes; data of the user's own is refused."""

    class Roomless(Layer):
        async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
            if not how.carried and any(x is not None for x in (how.metadata, how.tags)):
                raise Unsupported("no room")
            return await super().write(path, body, replace(how, metadata=None))

    layer = Compression(Roomless(inner))
    for path, data in {"a.txt": text(5000), "b": noise(5000), "c": text(2_500_000)}.items():
        await layer.put(path, data)
        assert await memo(inner, path) is None
        assert await layer.get(path) == data
        assert await layer.size(path) == len(data)
    for given in ({"metadata": {"by": "me"}}, {"tags": {"a": "b"}}):
        with pytest.raises(Unsupported, match="no room"):
            await layer.put("d", text(100), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("start", [0, 5])
async def test_an_etag_that_may_name_two_files_is_not_relied_on(start: int) -> None:
    """As on SFTP, where it is made of the stored size and the second: these shrink to the same size."""
    layer = Compression(Coarse(MemoryDriver()))
    for count in (50, 100, 75):
        data = b"more and more" * count
        await layer.write("a.txt", streamed(data))
        assert await layer.size("a.txt") == len(data)
        assert await layer.get("a.txt", start=start, stop=600) == data[start:600]


@pytest.mark.parametrize("prefix", ["", "t"])
@pytest.mark.parametrize("kind", [MemoryDriver, Timeless])
async def test_a_file_that_moves_to_the_disk_inside_stays(
    kind: type[MemoryDriver], prefix: str
) -> None:
    """As whoever gives up compression does: it is one file, and was not to be removed."""
    inner = kind()
    disk = Scoped(inner, prefix) if prefix else inner
    layer = Compression(disk)
    await layer.put("a.txt", text(50_000))
    await layer.move("a.txt", "a.txt", disk=disk)
    assert await disk.get("a.txt") == await layer.get("a.txt") == text(50_000)
    await disk.move("a.txt", "a.txt", disk=layer)
    assert await disk.size("a.txt") < 40_000
    assert await layer.get("a.txt") == text(50_000)
    await layer.move("a.txt", "b.txt", disk=disk)
    assert inner.all_paths() == [f"{prefix}/b.txt".lstrip("/")]


async def test_a_copy_from_the_disk_inside_comes_as_it_is_stored(inner: MemoryDriver) -> None:
    """The memo that it carries along is about other bytes."""
    layer = Compression(inner)
    await layer.put("a.txt", text(5000), metadata={"by": "me"})
    await inner.copy("a.txt", "b.txt", disk=layer)
    assert await layer.get("b.txt") == await inner.get("a.txt")
    assert (await layer.metadata("b.txt")).metadata == {"by": "me"}
    await layer.copy("a.txt", "c.txt", disk=inner)
    assert await layer.get("c.txt") == await inner.get("c.txt") == text(5000)
