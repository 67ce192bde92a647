"""Bytes going in: sized, replayable, peeked at, regrouped."""

import random
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted, InvalidArgument


async def pieces(*parts: bytes) -> AsyncGenerator[bytes]:
    for part in parts:
        yield part


def body_of(*parts: bytes, size: int | None = None, replayable: bool = False) -> Body:
    return Body(lambda: pieces(*parts), size=size, replayable=replayable)


async def read(body: Body) -> bytes:
    return b"".join([chunk async for chunk in body])


async def test_bytes_are_whole_sized_and_replayable() -> None:
    body = Body(b"abc")
    assert (body.whole, body.size, body.replayable) == (b"abc", 3, True)
    assert [await read(body), await read(body), await body.content()] == [b"abc"] * 3


async def test_a_stream_is_read_once() -> None:
    body = body_of(b"a", b"b")
    assert (body.whole, body.size, body.replayable) == (None, None, False)
    assert await read(body) == b"ab"
    with pytest.raises(InvalidArgument, match="replayed"):
        await read(body)


async def test_a_replayable_stream_is_read_again() -> None:
    body = body_of(b"a", b"b", replayable=True)
    assert await body.peek(1) == b"a"
    assert [await read(body), await read(body)] == [b"ab", b"ab"]


async def test_a_replay_starts_again_after_an_iteration_left_early() -> None:
    body = body_of(b"a", b"b", replayable=True)
    async for _ in body:
        break
    assert await read(body) == b"ab"


async def test_empty_pieces_are_left_out() -> None:
    assert [chunk async for chunk in body_of(b"", b"a", b"", b"b", b"")] == [b"a", b"b"]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 99])
async def test_what_was_peeked_at_comes_all_the_same(count: int) -> None:
    body = body_of(b"ab", b"", b"cd")
    assert await body.peek(count) == b"abcd"[:count]
    assert await body.peek(count) == b"abcd"[:count]
    assert await read(body) == b"abcd"


async def test_bytes_are_peeked_at() -> None:
    assert await Body(b"abc").peek(2) == b"ab"


async def test_what_was_pulled_before_a_failure_comes_all_the_same() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"
        raise OSError("the disk is gone")

    body = Body(chunks)
    with pytest.raises(OSError, match="the disk is gone"):
        await body.peek(3)
    assert await body.peek(2) == b"ab"


async def test_a_peek_is_counted_once() -> None:
    body = body_of(b"ab", b"cd", size=4)
    await body.peek(3)
    assert await read(body) == b"abcd"


async def test_a_shorter_body_is_corrupted_at_its_end() -> None:
    with pytest.raises(Corrupted, match="after 2 of the 5"):
        await read(body_of(b"ab", size=5))


async def test_a_longer_body_is_corrupted_before_the_surplus_comes() -> None:
    chunks = aiter(body_of(b"ab", b"cd", size=3))
    assert await anext(chunks) == b"ab"
    with pytest.raises(Corrupted, match="longer than the 3"):
        await anext(chunks)


def test_bytes_of_another_size_than_announced_are_corrupted() -> None:
    with pytest.raises(Corrupted):
        Body(b"abc", size=4)
    with pytest.raises(InvalidArgument):
        Body(b"", size=-1)


async def test_what_the_callers_iterable_raised_is_kept() -> None:
    error = KeyError("mine")

    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise error

    body = Body(broken)
    with pytest.raises(KeyError):
        await read(body)
    assert body.error is error


async def test_an_own_complaint_is_no_error_of_the_caller() -> None:
    body = body_of(b"a", size=2)
    with pytest.raises(Corrupted):
        await read(body)
    assert body.error is None


@pytest.mark.parametrize("parts", [(b"abcdefg",), (b"a", b"bcdef", b"g"), (b"ab",) * 0, (b"abc",)])
async def test_blocks_have_exactly_one_size_but_for_the_last(parts: tuple[bytes, ...]) -> None:
    blocks = [block async for block in body_of(*parts).blocks(3)]
    assert b"".join(blocks) == b"".join(parts)
    assert all(len(block) == 3 for block in blocks[:-1])
    assert all(0 < len(block) <= 3 for block in blocks)


async def test_one_large_piece_becomes_many_blocks() -> None:
    blocks = [block async for block in Body(b"x" * 10).blocks(4)]
    assert [len(block) for block in blocks] == [4, 4, 2]


async def test_progress_is_told_bytes_done_and_total() -> None:
    told: list[tuple[int, int | None]] = []
    body = Body(lambda: pieces(b"ab", b"c"), size=3, progress=lambda *now: told.append(now))
    await read(body)
    assert told == [(2, 3), (3, 3)]
    told.clear()
    large = Body(b"x" * (5 << 20), progress=lambda *now: told.append(now))
    assert large.whole is None
    await large.content()
    assert len(told) > 1
    assert told[-1] == (5 << 20, 5 << 20)


async def test_closing_stops_the_callers_generator() -> None:
    stopped = False

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal stopped
        try:
            while True:
                yield b"x"
        finally:
            stopped = True

    body = Body(endless)
    await body.peek(1)
    await body.aclose()
    await body.aclose()
    assert stopped


def test_checked_names_put_for_whoever_gives_no_body() -> None:
    body = Body(b"")
    assert Body.checked(body) is body
    with pytest.raises(TypeError, match=r"write\(\) takes a Body, not bytes.*put\(path, content\)"):
        Body.checked(b"x")  # type: ignore[arg-type]


@pytest.mark.parametrize("chunk", [1, 7, 1000, 65_536, 100_000, 300_000])
@pytest.mark.parametrize("size", [1, 999, 65_536, 131_073, 250_000])
async def test_parts_are_the_bytes_in_order_and_of_one_size(chunk: int, size: int) -> None:
    if chunk == 1 or size == 1:
        chunk, size = max(chunk, 97), max(size, 89)
    data = random.Random(chunk * size).randbytes(400_001)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), chunk):
            yield data[start : start + chunk]

    parts = [b"".join(part) async for part in Body(chunks).parts(size)]
    assert b"".join(parts) == data
    assert {len(part) for part in parts[:-1]} == {size}
    assert 0 < len(parts[-1]) <= size


async def test_parts_copy_no_large_chunk_and_gather_small_ones() -> None:
    large = bytes(200_000)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"small"
        yield large

    (part,) = [part async for part in Body(chunks).parts(1 << 20)]
    assert part[-1] is large
    assert len(part) < 10


async def test_a_body_of_nothing_has_no_parts() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b""

    assert [part async for part in Body(chunks).parts(10)] == []
