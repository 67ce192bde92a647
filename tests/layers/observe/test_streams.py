"""Streams under Observe: counted and timed until they end, however they end."""

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from storeroom.contracts.abilities import Versions
from storeroom.contracts.errors import Corrupted, Unavailable
from storeroom.contracts.source import Source
from storeroom.contracts.values import WHOLE, Folder, ReadOptions, Stat, Version
from storeroom.drivers.memory import MemoryDriver
from storeroom.events import Event
from storeroom.layers.observe import Observe
from tests.layers.everything import Bare, Everything
from tests.layers.observe.conftest import Clock
from tests.layers.observe.test_events import Heard

MANY = b"0123456789" * 300_000
PIECES = (b"one", b"two", b"three")


class Streaming(MemoryDriver):
    """Gives its bytes one by one, and notes what became of the stream."""

    def __init__(self, *, size: int | None = 11, broken: Exception | None = None) -> None:
        super().__init__()
        self.ended: list[str] = []
        self.size = size
        self.broken = broken

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        chunks = self.chunks()
        size, released = self.size, lambda: self.ended.append("released")
        return Source(Stat(path, etag="e"), chunks, size=size, release=released)

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in PIECES:
            await asyncio.sleep(0)
            yield piece
        if self.broken is not None:
            raise self.broken


async def settled() -> None:
    """What a finalizer left to the loop is done."""
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.fixture
def disk() -> Observe:
    return Observe(Streaming())


@pytest.fixture
def heard(disk: Observe) -> Heard:
    return Heard(disk.events)


async def test_small_files_are_read_when_they_are_opened() -> None:
    inner = MemoryDriver()
    disk = Observe(inner)
    heard = Heard(disk.events)
    await disk.put("a", b"small")
    source = await disk.read("a")
    read = heard.of("read")
    assert (read.size, read.stat) == (5, await inner.stat("a"))
    assert read.first_byte is not None
    assert read.seconds is not None
    assert 0 < read.first_byte <= read.seconds
    assert await source.read() == b"small"
    assert heard.names[2:] == ["reading", "read"]


async def test_an_empty_file_has_no_bytes_and_no_first_one() -> None:
    class Emptied(Streaming):
        async def chunks(self) -> AsyncIterator[bytes]:
            for piece in ():
                yield piece

    for inner in (MemoryDriver(), Emptied(size=None)):
        disk = Observe(inner)
        heard = Heard(disk.events)
        await disk.put("a", b"")
        assert await disk.get("a") == b""
        assert (heard.of("read").size, heard.of("read").first_byte) == (0, None)


async def test_a_range_counts_its_own_bytes() -> None:
    disk = Observe(MemoryDriver())
    heard = Heard(disk.events)
    await disk.put("a", MANY)
    assert await disk.get("a", start=10, stop=2_000_010) == MANY[10:2_000_010]
    assert await disk.get("a", start=len(MANY)) == b""
    assert [event.size for event in heard if event.name == "read"] == [2_000_000, 0]


async def test_a_stream_is_read_at_its_end(disk: Observe, heard: Heard, clock: Clock) -> None:
    async with disk.read_stream("a") as stream:
        clock.turn(2)
        assert await anext(stream) == b"one"
        clock.turn(3)
        assert heard.names == ["reading"]
        assert disk.stats().operations["read"].under_way == 1
        assert await stream.read() == b"twothree"
        read = heard.of("read")
    assert (read.size, read.verb) == (11, "read_stream")
    assert (read.first_byte, read.seconds) == (2, 5)
    assert heard.names == ["reading", "read"]
    tally = disk.stats().operations["read"]
    assert (tally.calls, tally.read, tally.under_way, tally.failures) == (1, 11, 0, 0)


async def test_chunks_of_a_size_are_counted_too(disk: Observe, heard: Heard) -> None:
    async with disk.read_stream("a", chunk_size=4) as stream:
        assert [chunk async for chunk in stream] == [b"onet", b"woth", b"ree"]
    assert heard.of("read").size == 11


async def test_a_stream_left_early_tells_what_came(disk: Observe, heard: Heard) -> None:
    async with disk.read_stream("a") as stream:
        await anext(stream)
    read = heard.of("read")
    assert (read.size, read.error) == (3, None)
    assert read.stat == Stat("a", etag="e")
    async with disk.read_stream("b"):
        pass
    assert heard[-1].size is None
    assert heard[-1].first_byte is None


async def test_closing_twice_tells_once(disk: Observe, heard: Heard) -> None:
    source = await disk.read("a")
    await source.aclose()
    await source.aclose()
    assert heard.names == ["reading", "read"]


async def test_asynchronous_listeners_hear_the_end_of_a_stream(disk: Observe) -> None:
    names: list[str] = []

    async def later(event: Event) -> None:
        await asyncio.sleep(0)
        names.append(event.name)

    disk.events.on("*", later)
    assert await disk.get("a") == b"onetwothree"
    assert names == ["reading", "read"]


async def test_a_dropped_stream_is_released_and_told_in_a_moment(
    disk: Observe, heard: Heard
) -> None:
    source = await disk.read("a")
    await anext(source)
    del source
    await settled()
    assert heard.of("read").size == 3
    assert disk.stats().total.under_way == 0
    assert disk.inner.ended == ["released"]  # type: ignore[attr-defined]


async def test_a_stream_dropped_in_a_cycle_is_told(disk: Observe, heard: Heard) -> None:
    holder: list[Any] = [await disk.read("a")]
    holder.append(holder)
    del holder
    gc.collect()
    await settled()
    assert heard.names == ["reading", "read"]


def test_a_stream_dropped_after_its_loop_is_told(disk: Observe, heard: Heard) -> None:
    async def opened() -> Source:
        return await disk.read("a")

    source = asyncio.run(opened())
    assert heard.names == ["reading"]
    del source
    gc.collect()
    assert heard.names == ["reading", "read"]
    assert disk.stats().total.under_way == 0


async def test_a_dropped_stream_does_not_wait_for_asynchronous_listeners(disk: Observe) -> None:
    async def later(event: Event) -> None:
        raise AssertionError

    disk.events.on("read", later)
    source = await disk.read("a")
    del source
    await settled()
    assert disk.stats().operations["read"].calls == 1
    assert disk.events.failures == 0


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        (Streaming(broken=Unavailable("cut")), Unavailable),
        (Streaming(size=20), Corrupted),
        (Streaming(size=5), Corrupted),
    ],
)
async def test_a_failure_in_mid_read_is_a_failure(inner: Streaming, kind: type[Exception]) -> None:
    disk = Observe(inner)
    heard = Heard(disk.events)
    with pytest.raises(kind) as caught:
        await disk.get("a")
    failed = heard.of("failed")
    assert failed.error is caught.value
    assert failed.size in (3, 11)
    assert heard.names == ["reading", "failed"]
    tally = disk.stats().operations["read"]
    assert (tally.calls, tally.failures, tally.read) == (1, 1, failed.size)


async def test_a_cancellation_in_mid_read_is_a_failure() -> None:
    waiting = asyncio.Event()

    class Stuck(Streaming):
        async def chunks(self) -> AsyncIterator[bytes]:
            yield b"one"
            waiting.set()
            await asyncio.Event().wait()

    inner = Stuck()
    disk = Observe(inner)
    heard = Heard(disk.events)
    reading = asyncio.create_task(disk.get("a"))
    await waiting.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert isinstance(heard.of("failed").error, asyncio.CancelledError)
    assert disk.stats().total.under_way == 0
    assert inner.ended == ["released"]


async def test_a_cancellation_while_the_end_is_told_releases_the_stream(disk: Observe) -> None:
    hearing = asyncio.Event()

    async def slow(event: Event) -> None:
        hearing.set()
        await asyncio.Event().wait()

    disk.events.on("read", slow)
    reading = asyncio.create_task(disk.get("a"))
    await hearing.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert disk.inner.ended == ["released"]  # type: ignore[attr-defined]
    assert disk.stats().total.under_way == 0


async def test_many_streams_at_once_do_not_mix(disk: Observe, heard: Heard) -> None:
    async def read(number: int) -> None:
        async with disk.read_stream(f"{number}") as stream:
            for _ in range(number % 4):
                await anext(stream)

    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(read(number))
    expected = {0: None, 1: 3, 2: 6, 3: 11}
    sizes = {event.path: event.size for event in heard if event.name == "read"}
    assert sizes == {f"{number}": expected[number % 4] for number in range(40)}


async def test_one_version_is_read_like_a_file() -> None:
    class Former(Everything):
        async def read_version(
            self, path: str, version: str, how: ReadOptions = WHOLE, /
        ) -> Source:
            return Source(Stat(path), Streaming().chunks())

    disk = Observe(Former())
    heard = Heard(disk.events)
    source = await disk.ability(Versions).read_version("a", "m-1")
    assert heard.names == ["reading"]
    assert await source.read() == b"onetwothree"
    assert (heard.of("read").size, heard.of("read").operation) == (11, "read_version")
    assert disk.stats().operations["read_version"].read == 11


class Listing(Everything):
    """A listing that may fail behind its first entry; notes when one ends."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__()
        self.broken = broken
        self.ended = 0

    async def scan(self, folder: str = "", how: Any = None, /) -> AsyncGenerator[Stat | Folder]:
        try:
            yield Stat("a")
            if self.broken:
                raise Unavailable("cut")
            yield Folder("b")
        finally:
            self.ended += 1

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        async with aclosing(self.scan()) as entries:
            async for entry in entries:
                yield Version(entry.path, "1")


def listings(disk: Observe) -> list[AsyncGenerator[Any]]:
    return [disk.scan(), disk.list_versions("a")]


async def test_a_listing_is_told_at_its_end() -> None:
    disk = Observe(Listing())
    heard = Heard(disk.events)
    for items in listings(disk):
        assert heard.names == []
        await anext(items)
        assert heard.names == ["listing"]
        assert len([item async for item in items]) == 1
        assert heard.names == ["listing", "listed"]
        assert heard.of("listed").entries == 2
        heard.clear()


async def test_a_listing_left_early_is_told_with_what_came() -> None:
    disk = Observe(Listing())
    heard = Heard(disk.events)
    for items in listings(disk):
        await anext(items)
        await items.aclose()
        assert (heard.of("listed").entries, heard.of("listed").error) == (1, None)
        heard.clear()
    assert disk.inner.ended == 2  # type: ignore[attr-defined]
    assert disk.stats().total.under_way == 0


async def test_a_dropped_listing_is_told() -> None:
    disk = Observe(Listing())
    heard = Heard(disk.events)
    for items in listings(disk):
        await anext(items)
    del items
    await settled()
    assert heard.names == ["listing", "listing", "listed", "listed"]
    assert disk.stats().total.under_way == 0


async def test_a_listing_that_breaks_is_a_failure() -> None:
    disk = Observe(Listing(broken=True))
    heard = Heard(disk.events)
    for items in listings(disk):
        with pytest.raises(Unavailable):
            [item async for item in items]
        assert heard.names == ["listing", "failed"]
        assert heard.of("failed").entries == 1
        heard.clear()


async def test_a_copy_that_passes_through_here_is_counted_on_both_sides() -> None:
    source, target = Observe(Bare(MemoryDriver())), Observe(Bare(MemoryDriver()))
    await source.put("large", MANY)
    await source.copy("large", "large", disk=target)
    assert source.stats().operations["read"].read == len(MANY)
    assert target.stats().operations["write"].written == len(MANY)
