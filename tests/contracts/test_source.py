"""Bytes coming out: iteration, `read`, `lines`, and the release however it ends."""

import gc
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from storeroom.contracts.errors import Closed, Corrupted
from storeroom.contracts.source import Source
from storeroom.contracts.values import Stat

STAT = Stat("a b/%2F.txt", size=6)


async def pieces(*parts: bytes) -> AsyncGenerator[bytes]:
    for part in parts:
        yield part


class Release:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


async def test_a_source_has_the_stat_and_the_size() -> None:
    assert Source(STAT, b"abcdef").stat is STAT
    assert Source(STAT, b"abc").size == 3
    assert Source(STAT, pieces(b"abc")).size is None


@pytest.mark.parametrize("parts", [(b"abcdef",), (b"ab", b"", b"cdef"), (b"a",) * 6, ()])
async def test_it_is_iterated_without_empty_chunks(parts: tuple[bytes, ...]) -> None:
    chunks = [chunk async for chunk in Source(STAT, pieces(*parts))]
    assert b"".join(chunks) == b"".join(parts)
    assert all(chunks)


async def test_read_gives_exactly_the_count_and_fewer_only_at_the_end() -> None:
    source = Source(STAT, pieces(b"ab", b"cdef", b"g"))
    counts = (1, 0, 3, 2, 5, 1)
    assert [await source.read(n) for n in counts] == [b"a", b"", b"bcd", b"ef", b"g", b""]


async def test_read_without_a_count_gives_all_that_remain() -> None:
    source = Source(STAT, pieces(b"ab", b"cd"))
    assert await source.read(1) == b"a"
    assert await source.read() == b"bcd"
    assert await source.read() == b""
    assert await Source(STAT, b"abc").read(-1) == b"abc"


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 100])
async def test_chunk_size_is_exact_but_for_the_last(size: int) -> None:
    chunks = [c async for c in Source(STAT, pieces(b"abcd", b"e", b"fg"), chunk_size=size)]
    assert b"".join(chunks) == b"abcdefg"
    assert all(len(chunk) == size for chunk in chunks[:-1])


async def test_lines_are_those_of_a_binary_file() -> None:
    source = Source(STAT, pieces(b"one\ntw", b"o", b"\r\n\nthree", b"\r", b"\xff"))
    lines = [line async for line in source.lines()]
    assert lines == [b"one\n", b"two\r\n", b"\n", b"three\r\xff"]


async def test_no_line_comes_after_the_last_newline() -> None:
    assert [line async for line in Source(STAT, b"a\n").lines()] == [b"a\n"]
    assert [line async for line in Source(STAT, b"").lines()] == []


async def test_fewer_bytes_than_expected_are_corrupted() -> None:
    source = Source(STAT, pieces(b"abc"), size=5)
    with pytest.raises(Corrupted, match="3 of 5"):
        await source.read()


async def test_more_bytes_than_expected_are_corrupted() -> None:
    with pytest.raises(Corrupted, match="more than the 2"):
        await Source(STAT, pieces(b"abc"), size=2).read()


async def test_it_releases_once_at_the_end_of_the_bytes() -> None:
    release = Release()
    async with Source(STAT, pieces(b"abc"), release=release) as source:
        await source.read()
        assert release.calls == 1
    await source.aclose()
    assert release.calls == 1


async def test_it_releases_on_leaving_early_and_on_an_error() -> None:
    release = Release()
    async with Source(STAT, pieces(b"abc", b"def"), release=release) as source:
        await anext(source)
    assert release.calls == 1
    with pytest.raises(ZeroDivisionError):
        async with Source(STAT, pieces(b"abc"), release=release):
            raise ZeroDivisionError
    assert release.calls == 2


async def test_it_releases_when_it_is_forgotten() -> None:
    release = Release()
    source = Source(STAT, pieces(b"abc", b"def"), release=release)
    await anext(source)
    del source
    gc.collect()
    assert release.calls == 1


async def test_it_closes_the_iterator_under_it() -> None:
    closed = False

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal closed
        try:
            yield b"a"
            yield b"b"
        finally:
            closed = True

    source = Source(STAT, chunks())
    await anext(source)
    await source.aclose()
    assert closed


async def test_it_releases_when_closing_the_iterator_fails() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        try:
            yield b"a"
        finally:
            raise ConnectionResetError

    release = Release()
    source = Source(STAT, chunks(), release=release)
    await anext(source)
    with pytest.raises(ConnectionResetError):
        await source.aclose()
    assert release.calls == 1


async def test_it_is_not_read_on_after_closing() -> None:
    source = Source(STAT, b"abc")
    await source.aclose()
    for reading in (source.read, lambda: anext(source), lambda: anext(source.lines())):
        with pytest.raises(Closed, match="open it again"):
            await reading()
