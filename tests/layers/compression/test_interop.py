"""The formats are the published ones: other tools read what we store, and we leave theirs alone."""

import asyncio
import gzip
import io
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from struct import unpack, unpack_from
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.compression import Compression
from tests.layers.compression.content import FORMATS, FRAME, noise, pieces, streamed, text
from tests.layers.compression.places import Eager, Forgetful

DATA = text(300_001) + bytes(200_000) + noise(100_000)
SIZES = (0, 1, 100, FRAME - 1, FRAME, FRAME + 1, len(DATA))


def unzstd(data: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
        return reader.read()


def gunzip_one_member(data: bytes) -> bytes:
    """As curl does, which takes anything behind the first member for an error."""
    inflate = zlib.decompressobj(wbits=31)
    plain = inflate.decompress(data)
    assert inflate.eof
    assert inflate.unused_data == b""
    return plain


READERS: dict[str, list[Callable[[bytes], bytes]]] = {
    "zstd": [unzstd],
    "gzip": [gzip.decompress, gunzip_one_member],
    "brotli": [brotli.decompress],
}
COMMANDS = {"zstd": ["zstd", "-dc"], "gzip": ["gzip", "-dc"]}


async def stored(name: Any, data: bytes, **options: Any) -> bytes:
    inner = MemoryDriver()
    await Eager(inner, algorithm=name, frame_size=FRAME, **options).write("a", streamed(data))
    return await inner.get("a")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", SIZES)
async def test_the_libraries_read_what_is_stored(name: str, size: int) -> None:
    data = DATA[:size]
    for read in READERS[name]:
        assert read(await stored(name, data)) == data


@pytest.mark.parametrize("name", FORMATS)
async def test_every_level_is_read(name: str) -> None:
    data = DATA[:100_000]
    levels: dict[str, tuple[int, ...]] = {
        "zstd": (-50, 1, 9, 19),
        "gzip": (1, 9),
        "brotli": (0, 1, 2, 4, 9),
    }
    for level in levels[name]:
        for read in READERS[name]:
            assert read(await stored(name, data, level=level)) == data
        layer = Compression(inner := MemoryDriver())
        await inner.put("a", await stored(name, data, level=level))
        assert await layer.get("a") == data


async def test_a_frame_needs_no_window_that_browsers_refuse() -> None:
    """RFC 9659: a Content-Encoding of zstd takes 8 MiB at most, whatever the level and the frame."""
    frame = 16 << 20
    inner = MemoryDriver()
    await Eager(inner, level=20, frame_size=frame).put("a", bytes(frame))
    stored = await inner.get("a")
    (start,) = (at for at in range(100) if stored.startswith(zstandard.FRAME_HEADER, at))
    assert zstandard.get_frame_parameters(stored[start:]).window_size == 8 << 20


@pytest.mark.parametrize("name", COMMANDS)
async def test_the_commands_read_what_is_stored(name: str) -> None:
    command = COMMANDS[name]
    assert shutil.which(command[0]), f"the tests need the command {command[0]}"
    for size in SIZES:
        data = await stored(name, DATA[:size])
        done = await asyncio.to_thread(
            subprocess.run, command, input=data, capture_output=True, check=True
        )
        assert (done.stdout, done.stderr) == (DATA[:size], b"")


async def test_zstd_has_the_published_seek_table() -> None:
    """Read by the specification alone: contrib/seekable_format in the repository of zstd."""
    data = await stored("zstd", DATA)
    count, descriptor, magic = unpack("<IBI", data[-9:])
    assert (magic, descriptor) == (0x8F92EAB1, 0x80)
    start = len(data) - 9 - 12 * count - 8
    assert unpack_from("<II", data, start) == (0x184D2A5E, 12 * count + 9)
    at, plain = 0, []
    for number in range(count):
        compressed, size, check = unpack_from("<III", data, start + 8 + 12 * number)
        frame = data[at : at + compressed]
        at += compressed
        if not size:
            assert unpack_from("<I", frame)[0] & 0xFFFFFFF0 == 0x184D2A50
            continue
        plain.append(zstandard.ZstdDecompressor().decompress(frame))
        assert (len(plain[-1]), frame[-4:]) == (size, check.to_bytes(4, "little"))
    assert at == start
    assert b"".join(plain) == DATA


@pytest.mark.parametrize("inside", [MemoryDriver, lambda: Forgetful(MemoryDriver())])
@pytest.mark.parametrize("size", [0, 10, 5000, 400_000])
async def test_a_users_own_files_are_never_taken_for_ours(inside: Any, size: int) -> None:
    """However they came to be there: through the layer, or before it."""
    plain = DATA[:size]
    seekable = zstandard.ZstdCompressor().compress(plain)
    table = b"\x5e\x2a\x4d\x18\x15\x00\x00\x00" + len(seekable).to_bytes(4, "little")
    table += size.to_bytes(4, "little") + bytes(4) + b"\x01\x00\x00\x00\x80\xb1\xea\x92\x8f"
    files = {
        "a.zst": zstandard.ZstdCompressor(write_checksum=True).compress(plain),
        "skippable.zst": b"\x50\x2a\x4d\x18\x1c\x00\x00\x00" + bytes(28) + seekable,
        "seekable.zst": seekable + table,
        "a.gz": gzip.compress(plain),
        "extra.gz": b"\x1f\x8b\x08\x04"
        + bytes(6)
        + b"\x04\x00AB\x00\x00"
        + gzip.compress(plain)[10:],
        "a.br": brotli.compress(plain, quality=3),
    }
    inner = inside()
    layer = Compression(inner)
    for path, data in files.items():
        for put in (layer.put, inner.put):
            for content in (data, pieces(data)):
                await put(path, content)
                assert await layer.get(path) == data
                assert await layer.size(path) == len(data)
                assert await layer.get(path, start=3, stop=2000) == data[3:2000]


@pytest.mark.parametrize("inside", [MemoryDriver, lambda: Forgetful(MemoryDriver())])
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("served", [{}, {"content_encoding": True}])
async def test_our_stored_bytes_put_as_a_file_come_back_as_they_are(
    inside: Any, name: Any, served: dict[str, Any]
) -> None:
    inner = inside()
    if served and "content_encoding" not in inner.traits.keeps:
        served = {}
    for size in (5, 5000, 300_000):
        ours = await stored(name, DATA[:size])
        damaged = ours.replace(ours[20:24], b"oops", 1)
        for data in (ours, damaged, ours + b"!", ours[: len(ours) // 2]):
            for encoding in (None, "zstd"):
                layer = Compression(inner, algorithm=name, **served)
                for content in (data, pieces(data)):
                    await layer.put("a.zst", content, content_encoding=encoding)
                    assert await layer.get("a.zst") == data
                    assert await layer.size("a.zst") == len(data)
                    assert await layer.get("a.zst", start=2, stop=300) == data[2:300]
                    shown = (await layer.metadata("a.zst")).content_encoding
                    assert shown == (encoding if "content_encoding" in inner.traits.keeps else None)


async def test_a_file_of_ours_that_was_copied_away_and_back_is_read(tmp_path: Path) -> None:
    """As a backup does that knows of no metadata."""
    inner = MemoryDriver()
    layer = Compression(inner)
    await layer.put("a", DATA)
    saved = io.BytesIO(await inner.get("a"))
    await inner.put("b", saved)
    assert await layer.get("b") == DATA
