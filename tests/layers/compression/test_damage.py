"""Whatever happens to the stored bytes, no other bytes come out; and bombs take no memory."""

import random
import resource
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from struct import pack
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from storeroom.contracts.errors import Corrupted
from storeroom.contracts.values import ReadOptions, Traits
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.compression import Compression
from tests.layers.compression.content import FORMATS, FRAME, SEEKABLE, File, noise, text

SMALL = 4096
DATA = text(5 * SMALL - 700)
ROOT = Path(__file__).parents[3]
RANGES = [(0, 10), (SMALL - 5, SMALL + 5), (2 * SMALL, 4 * SMALL), (len(DATA) - 3, None)]


def made(name: str, data: bytes = DATA) -> File:
    return File(name, data, frame_size=SMALL)


def spots(data: bytes, by: int) -> Iterator[int]:
    """The marks and the table, and some of the bytes between them."""
    yield from range(0, 60, by)
    yield from range(60, len(data) - 260, 37 * by)
    yield from range(len(data) - 260, len(data), by)


async def answers(stored: bytes, memo: str | None = None) -> list[bytes | None]:
    """What a whole read and some ranges give, None where they say `Corrupted`."""
    inner = MemoryDriver()
    await inner.put("a", stored, metadata={"storeroom-compression": memo} if memo else None)
    found: list[bytes | None] = []
    for start, stop in ((0, None), *RANGES):
        layer = Compression(inner)
        try:
            async with await layer.read("a", ReadOptions(start, stop)) as source:
                found.append(await source.read())
        except Corrupted as error:
            assert error.path == "a"  # noqa: PT017 - the others are told of by the slice
            found.append(None)
    return found


def right() -> list[bytes]:
    return [DATA[start:stop] for start, stop in ((0, None), *RANGES)]


@pytest.mark.parametrize("memo", [False, True], ids=["by the bytes", "by the memo"])
@pytest.mark.parametrize("name", FORMATS)
async def test_a_changed_byte_gives_no_other_bytes(name: str, memo: Any) -> None:
    stored, chance, caught = made(name).together(), random.Random(5), 0
    tried = list(spots(stored, 3 if memo else 1))
    for spot in tried:
        changed = bytearray(stored)
        changed[spot] ^= chance.randrange(1, 256)
        found = await answers(bytes(changed), f"{name} {len(DATA)}" if memo else None)
        for got, wanted in zip(found, right(), strict=True):
            assert got in (None, wanted), spot
        caught += found[0] is None
    assert caught > len(tried) * 0.9


@pytest.mark.parametrize("name", FORMATS)
async def test_a_cut_file_gives_no_other_bytes(name: str) -> None:
    stored = made(name).together()
    for cut in (*range(64, len(stored), 61), *range(len(stored) - 120, len(stored))):
        whole, *ranges = await answers(stored[:cut])
        assert whole is None or cut < 70, cut
        assert set(ranges) == {None} or cut < 70, cut
        assert set(await answers(stored[:cut], f"{name} {len(DATA)}")) == {None}, cut


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("more", [b"\0", b"!" * 100, b"second file"])
async def test_something_behind_the_end_is_noticed(name: str, more: bytes) -> None:
    stored = made(name).together()
    assert set(await answers(stored + more)) == {None}
    assert set(await answers(stored + stored)) == {None}


@pytest.mark.parametrize("name", SEEKABLE)
async def test_frames_that_were_swapped_or_replaced_are_noticed(name: str) -> None:
    file = made(name)
    other = made(name, text(len(DATA), 2))
    one, two, *rest = file.frames
    for frames in (
        [two, one, *rest],
        [one, one, *rest],
        [*file.frames[:-1]],
        [*file.frames, one],
        [one, *other.frames[1:]],
        other.frames,
    ):
        whole, *ranges = await answers(file.together(frames=frames))
        assert whole is None
        for got, wanted in zip(ranges, right()[1:], strict=True):
            assert got in (None, wanted)


def lies(file: File) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tables whose checksums are right and which tell of what is not there."""
    true = file.entries()
    (stored, plain, check), *rest = true
    last_stored, last_plain, last_check = true[-1]
    yield "frames longer", {"entries": [(stored + 1, plain, check), *rest]}
    yield "frames shorter", {"entries": [(stored - 1, plain, check), *rest]}
    yield (
        "bounds moved",
        {"entries": [(stored + 9, plain, check), (rest[0][0] - 9, *rest[0][1:]), *rest[1:]]},
    )
    yield "more plain", {"entries": [*true[:-1], (last_stored, last_plain + 1, last_check)]}
    yield "less plain", {"entries": [*true[:-1], (last_stored, last_plain - 1, last_check)]}
    yield "huge plain", {"entries": [(stored, 2**32 - 1, check), *rest]}
    yield "huge stored", {"entries": [(2**32 - 1, plain, check), *rest]}
    yield "other checks", {"entries": [(s, p, c ^ 1) for s, p, c in true]}
    yield "one too few", {"entries": true[:-1]}
    yield "one too many", {"entries": [*true, true[-1]]}
    yield "none", {"entries": []}
    yield "other size", {"size": len(DATA) - SMALL + 1}
    yield "huge size", {"size": 2**63, "count": len(true)}
    yield "huge count", {"count": 2**32 - 3}
    yield "huge both", {"size": SMALL * (2**32 - 3), "count": 2**32 - 3}


@pytest.mark.parametrize("name", FORMATS)
async def test_a_table_that_lies_gives_no_other_bytes(name: str) -> None:
    file = made(name)
    for lie, changes in lies(file):
        whole, *ranges = await answers(file.together(**changes))
        assert whole is None or (lie == "bounds moved" and whole == DATA), lie
        for got, wanted in zip(ranges, right()[1:], strict=True):
            assert got in (None, wanted), lie


@pytest.mark.parametrize("name", FORMATS)
async def test_a_memo_of_another_file_is_noticed(name: str) -> None:
    stored = made(name).together()
    other = "gzip" if name != "gzip" else "zstd"
    for memo in (f"{name} {len(DATA) - 1}", f"{name} {len(DATA)} encoded", f"{other} -"):
        whole, *ranges = await answers(stored, memo)
        assert whole is None
        assert set(ranges) == {None}
    for plain in (b"", b"short", noise(500), text(100_000)):
        assert set(await answers(plain, f"{name} {len(DATA)}")) == {None}


@pytest.mark.parametrize("name", FORMATS)
async def test_a_memo_that_calls_compressed_data_plain_is_noticed(name: str) -> None:
    for stored in (made(name).together(), File(name, noise(300_000)).together()):
        inner = MemoryDriver()
        await inner.put("a", stored, metadata={"storeroom-compression": "none"})
        with pytest.raises(Corrupted, match="tells of plain data"):
            await Compression(inner).get("a")


@pytest.mark.parametrize("name", FORMATS)
async def test_frames_of_a_few_bytes_are_refused(name: str) -> None:
    """So many of them fit into a bomb that what is noted of each would fill the memory."""
    inner = MemoryDriver()
    await inner.put("a", File(name, DATA[:5000], frame_size=1).together())
    for start in (0, 5):
        with pytest.raises(Corrupted, match="newer version of storeroom, or damaged"):
            await Compression(inner).get("a", start=start)


async def test_a_frame_of_countless_empty_blocks_does_not_hold_up_the_loop() -> None:
    size = 2 << 20
    file = File("zstd", text(size), frame_size=16 << 20)
    start = zstandard.frame_header_size(file.frames[0])
    frame = file.frames[0][:start] + bytes(3 * 600_000) + b"\x01" + bytes(6)
    unpacker = file.format.unpacker(file.mark)
    calls = 0

    def counting(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(counting)
    unpacker.give(frame)  # on the loop, where it looks at some of them only
    sys.setprofile(None)
    assert calls < 20_000
    assert not unpacker.hungry
    with pytest.raises(Corrupted, match="not a sound Zstandard frame"):
        unpacker.work()
    inner = MemoryDriver()
    await inner.put("a", file.together(frames=[frame], entries=[(len(frame), size, 0)]))
    with pytest.raises(Corrupted):
        await Compression(inner).get("a")


async def test_a_newer_version_is_not_guessed_at() -> None:
    file = made("zstd")
    stored = bytearray(file.together())
    stored[8 + 16] = 2
    stored[8 + 24 : 8 + 28] = pack("<I", zlib.crc32(bytes(stored[8 : 8 + 24])))
    inner = MemoryDriver()
    await inner.put("a", bytes(stored))
    with pytest.raises(Corrupted, match="newer version"):
        await Compression(inner).get("a")


async def test_a_damaged_file_is_there_and_can_be_removed() -> None:
    """Also where the disk has to look first, for the service does not say what it removed."""

    class Silent(MemoryDriver):
        @property
        def traits(self) -> Traits:
            return replace(super().traits, tells_removed=False)

    inner = Silent()
    layer = Compression(inner)
    await inner.put("a", made("zstd").together()[:-1])
    with pytest.raises(Corrupted):
        await layer.size("a")
    assert await layer.exists("a")
    assert await layer.delete("a")
    assert (await layer.exists("a"), await layer.delete("a")) == (False, False)


async def test_max_size_refuses_on_the_way_out() -> None:
    inner = MemoryDriver()
    async with Compression(inner) as layer:
        await layer.put("a", text(300_000))
        strict = Compression(inner, max_size=299_999)
        for start, stop in ((0, None), (5, 10)):
            with pytest.raises(Corrupted, match="max_size"):
                await strict.get("a", start=start, stop=stop)
        await inner.put("b", await inner.get("a"))
        with pytest.raises(Corrupted, match="max_size"):
            await strict.get("b")
        assert await strict.size("b") == 300_000
        assert await Compression(inner, max_size=300_000).get("a") == text(300_000)


LARGE = 16 << 20
MEGABYTE = bytes(1 << 20)


def zeros(name: str, megabytes: int) -> bytes:
    """One frame of so many zeros."""
    if name == "zstd":
        whole = zstandard.ZstdCompressor(1, write_checksum=True).compressobj(size=megabytes << 20)
        return b"".join([whole.compress(MEGABYTE) for _ in range(megabytes)]) + whole.flush()
    if name == "gzip":
        deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
        pieces = [deflate.compress(MEGABYTE) for _ in range(megabytes)]
        return b"".join(pieces) + deflate.flush(zlib.Z_FULL_FLUSH)
    stream = brotli.Compressor(quality=1, lgwin=22)
    stream.flush()
    return b"".join([stream.process(MEGABYTE) for _ in range(megabytes)]) + stream.flush()


def told(frame: bytes, size: int | None) -> bytes:
    """A Zstandard frame whose header tells this size, or none and of the largest window."""
    old = zstandard.frame_header_size(frame)
    if size is None:
        return pack("<IBB", 0xFD2FB528, 0b00000100, 0xA8) + frame[old:]
    return pack("<IBBI", 0xFD2FB528, 0b10000100, 10 << 3, size) + frame[old:]


def bombs(name: str) -> Iterator[bytes]:
    """Files whose frame has much more in it than it may have, each with a table that is in order."""
    if name == "zstd":
        frame = zeros(name, 1024)
        frames = [frame, told(frame, SMALL), told(frame, LARGE), told(frame, None)]
    else:  # the first is not longer than a small frame can be
        frames = [zeros(name, 4 if name == "gzip" else 64), zeros(name, 64)]
    for frame in frames:
        for size in (SMALL, LARGE):
            file = File(name, bytes(size), frame_size=size)
            entry = (len(frame), size, file.checks[0])
            yield file.together(frames=[frame], entries=[entry])


async def defused(name: str) -> None:
    """Run in a process of its own: every bomb is refused, and none takes memory."""
    stored = list(bombs(name))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for bomb in stored:
        inner = MemoryDriver()
        await inner.put("a", bomb)
        for start in (0, 5):
            got = 0
            try:
                async with Compression(inner).read_stream("a", start=start) as source:
                    while piece := await source.read(1 << 20):
                        got += len(piece)
            except Corrupted:  # a stream of unknown size comes piece by piece up to its end
                assert got <= (LARGE if start or name == "zstd" else 64 << 20)
                continue
            raise AssertionError(f"{got} bytes came, and no error")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 << 10, f"{grown} KiB were taken"


@pytest.mark.parametrize("name", FORMATS)
def test_a_bomb_takes_no_memory(name: str) -> None:
    code = f"import asyncio; from {__name__} import defused; asyncio.run(defused({name!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


async def test_a_long_file_of_nothing_is_read_in_little_memory() -> None:
    """What shrinks a thousandfold is no bomb: it is read, frame by frame."""
    layer = Compression(MemoryDriver(), frame_size=FRAME)
    await layer.put("a", bytes(20 << 20))
    count = 0
    async with layer.read_stream("a") as source:
        async for piece in source:
            assert len(piece) <= FRAME
            count += len(piece)
    assert count == 20 << 20
