"""Reading: ranges, conditions, and a source however it ends."""

import asyncio
import gc
from contextlib import suppress

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    Closed,
    InvalidArgument,
    NotFound,
    NotModified,
    PreconditionFailed,
    Unsupported,
)
from storeroom.contracts.source import Source
from storeroom.contracts.values import ReadOptions
from storeroom.files import Files
from storeroom.testing._suite.frame import Suite, content, write

__all__ = ["Ranges", "Reading"]

DATA = b"0123456789"


class Reading(Suite):
    """`read` and the `Source` it gives."""

    async def test_reading_a_missing_file_fails_at_once(self, driver: StorageDriver) -> None:
        with pytest.raises(NotFound) as caught:
            await driver.read("missing/a.txt")
        assert caught.value.path == "missing/a.txt"

    async def test_a_range_of_a_missing_file_fails_at_once(self, driver: StorageDriver) -> None:
        with pytest.raises(NotFound):
            await driver.read("missing", ReadOptions(start=5, stop=9))

    async def test_a_source_brings_the_facts(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a b/c": DATA})
        found = await driver.stat("a b/c")
        async with await driver.read("a b/c") as source:
            assert (source.stat.path, source.stat.size) == ("a b/c", 10)
            assert source.stat.etag == found.etag
            assert source.size in (None, 10)

    async def test_a_source_is_iterated(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": DATA})
        async with await driver.read("a") as source:
            chunks = [chunk async for chunk in source]
        assert b"".join(chunks) == DATA
        assert all(chunks)

    async def test_a_source_is_read_by_count(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": DATA})
        async with await driver.read("a") as source:
            pieces = [await source.read(count) for count in (3, 0, 4, 9, 1)]
        assert pieces == [b"012", b"", b"3456", b"789", b""]

    async def test_a_read_that_was_cancelled_leaves_no_gap(self, driver: StorageDriver) -> None:
        data = bytes(range(256)) * 2000
        await self.seed(driver, {"a": data})
        for turns in (1, 2, 3, 5, 8, 13, 21, 34):
            got = bytearray()
            async with await driver.read("a") as source:
                reading = asyncio.create_task(_read_into(got, source))
                for _ in range(turns):
                    await asyncio.sleep(0)
                reading.cancel()
                await asyncio.wait([reading])
                with suppress(Closed):
                    await _read_into(got, source)
                    assert len(got) == len(data)
            assert got == data[: len(got)]

    async def test_a_source_is_read_line_by_line(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": b"one\n\ntwo\r\nthree"})
        async with await driver.read("a") as source:
            lines = [line async for line in source.lines()]
        assert lines == [b"one\n", b"\n", b"two\r\n", b"three"]

    async def test_an_empty_file_is_an_empty_source(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": b""})
        async with await driver.read("a") as source:
            assert [chunk async for chunk in source] == []
            assert await source.read() == b""
            assert source.stat.size == 0

    async def test_leaving_early_releases(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": DATA * 100})
        for _ in range(20):
            async with await driver.read("a") as source:
                await source.read(3)
        assert await content(driver, "a") == DATA * 100

    async def test_an_error_in_the_block_passes_and_releases(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": DATA})
        source = await driver.read("a")
        with pytest.raises(ZeroDivisionError):
            async with source:
                raise ZeroDivisionError
        with pytest.raises(Closed):
            await source.read()

    async def test_a_closed_source_is_not_read_on(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": DATA})
        source = await driver.read("a")
        await source.aclose()
        await source.aclose()
        with pytest.raises(Closed):
            await source.read()

    async def test_a_forgotten_source_is_collected(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": DATA * 1000})
        for _ in range(5):
            source = await driver.read("a")
            await source.read(1)
            del source
        gc.collect()
        assert (await driver.stat("a")).size == 10_000

    async def test_many_sources_are_open_at_once(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": DATA, "b": DATA[::-1]})
        sources = [await driver.read("ab"[number % 2]) for number in range(8)]
        try:
            firsts = [await source.read(2) for source in sources]
            rests = [await source.read() for source in sources]
        finally:
            for source in sources:
                await source.aclose()
        assert firsts == [b"01", b"98"] * 4
        assert rests == [DATA[2:], DATA[::-1][2:]] * 4

    async def test_chunks_have_exactly_the_size_asked_for(self, files: Files) -> None:
        await self.seed(files.driver, {"a": DATA})
        async with files.read_stream("a", chunk_size=4) as source:
            assert [chunk async for chunk in source] == [b"0123", b"4567", b"89"]
        async with files.read_stream("a", chunk_size=4, start=1, stop=6) as source:
            assert [chunk async for chunk in source] == [b"1234", b"5"]

    async def test_if_match_reads_the_file_it_names(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": DATA})
        etag = (await driver.stat("a")).etag
        if etag is None:
            self.skip("etag")
        how = ReadOptions(if_match=etag, start=2, stop=4)
        if "if_match" in driver.traits.conditions:
            assert await content(driver, "a", how) == b"23"
            return
        try:
            assert await content(driver, "a", how) == b"23"
        except Unsupported:
            return

    async def test_a_stale_if_match_reads_nothing(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": DATA})
        etag = (await driver.stat("a")).etag
        if etag is None:
            self.skip("etag")
        await self.seed(driver, {"a": b"newer"})
        with pytest.raises((PreconditionFailed, Unsupported)) as caught:
            await driver.read("a", ReadOptions(if_match=etag))
        if "if_match" in driver.traits.conditions:
            assert caught.type is PreconditionFailed

    async def test_if_none_match_of_the_same_file_is_not_modified(
        self, driver: StorageDriver
    ) -> None:
        await self.seed(driver, {"a": DATA})
        etag = (await driver.stat("a")).etag
        if etag is None:
            self.skip("etag")
        with pytest.raises(NotModified):
            await driver.read("a", ReadOptions(if_none_match=etag))

    async def test_if_none_match_of_an_older_file_reads_the_new(
        self, driver: StorageDriver
    ) -> None:
        await self.seed(driver, {"a": DATA})
        etag = (await driver.stat("a")).etag
        if etag is None:
            self.skip("etag")
        await self.seed(driver, {"a": b"newer"})
        assert await content(driver, "a", ReadOptions(if_none_match=etag)) == b"newer"


class Ranges(Suite):
    """`start` and `stop`, which is exclusive."""

    @pytest.mark.parametrize(
        ("start", "stop", "expected"),
        [
            (0, None, DATA),
            (3, None, b"3456789"),
            (0, 4, b"0123"),
            (2, 5, b"234"),
            (0, 1, b"0"),
            (9, 10, b"9"),
            (9, None, b"9"),
            (0, 10, DATA),
            (5, 5, b""),
            (0, 0, b""),
            (7, 99, b"789"),
            (0, 10**12, DATA),
            (10, None, b""),
            (10, 20, b""),
            (11, None, b""),
            (10**12, None, b""),
            (10**12, 10**13, b""),
        ],
    )
    async def test_a_range_gives_these_bytes(
        self, driver: StorageDriver, start: int, stop: int | None, expected: bytes
    ) -> None:
        await self.seed(driver, {"a": DATA})
        async with await driver.read("a", ReadOptions(start, stop)) as source:
            assert source.stat.size == 10
            assert source.size in (None, len(expected))
            assert await source.read() == expected

    async def test_a_range_of_an_empty_file_is_empty(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": b""})
        for how in (ReadOptions(0, 5), ReadOptions(3), ReadOptions(3, 5), ReadOptions(0, 0)):
            assert await content(driver, "a", how) == b""

    async def test_ranges_put_together_are_the_file(self, store: StorageDriver) -> None:
        data = bytes(range(256)) * 8
        await write(store, "a", data)
        parts = [
            await content(store, "a", ReadOptions(start, start + 300))
            for start in range(0, len(data), 300)
        ]
        assert b"".join(parts) == data

    async def test_a_negative_range_is_refused_before_anything_is_asked(self, files: Files) -> None:
        with pytest.raises(InvalidArgument):
            await files.get("missing", start=-3)
        with pytest.raises(InvalidArgument):
            await files.get("missing", start=5, stop=3)


async def _read_into(got: bytearray, source: Source) -> None:
    async for chunk in source:
        got += chunk
