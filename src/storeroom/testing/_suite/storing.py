"""Writing: what is stored, and what goes beside it."""

import asyncio
import gzip
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unsupported,
)
from storeroom.contracts.values import Attribute, Stat, WriteOptions
from storeroom.files import Files
from storeroom.testing._suite.frame import (
    Suite,
    content,
    files_in,
    snapshot,
    streamed,
    write,
)

__all__ = ["Storing"]

HINTS: Mapping[Attribute, str] = {
    "content_type": "text/x-odd; charset=utf-8",
    "cache_control": "public, max-age=60",
    "content_disposition": 'attachment; filename="a b.txt"',
    "content_encoding": "identity",
    "content_language": "de-CH",
}
_CLOCKS_DIFFER = timedelta(minutes=2)


class Storing(Suite):
    """`write` and `stat`."""

    async def test_the_traits_are_the_same_at_every_look(self, driver: StorageDriver) -> None:
        assert driver.traits == driver.traits
        assert driver.traits.service

    async def test_it_keeps_the_protocol(self, driver: StorageDriver) -> None:
        assert isinstance(driver, StorageDriver)

    async def test_the_traits_tell_whether_it_can_be_written(self, driver: StorageDriver) -> None:
        if driver.traits.writable:
            await write(driver, "a", b"x")
            assert await content(driver, "a") == b"x"
            return
        await self.seed(driver, {"a": b"old"})
        with pytest.raises((Unsupported, PermissionDenied)):
            await write(driver, "a", b"new")
        with pytest.raises((Unsupported, PermissionDenied)):
            await driver.remove("a")
        assert await snapshot(driver) == {"a": b"old"}

    async def test_what_was_written_is_read(self, store: StorageDriver) -> None:
        await write(store, "some/path.txt", b"contents")
        assert await content(store, "some/path.txt") == b"contents"

    async def test_all_byte_values_are_stored_as_they_are(self, store: StorageDriver) -> None:
        data = bytes(range(256)) * 3 + b"\r\n\n\r\x1a\x00"
        await write(store, "a.txt", data)
        assert await content(store, "a.txt") == data

    async def test_a_body_in_pieces_is_stored_whole(self, store: StorageDriver) -> None:
        stat = await store.write("a", streamed(b"one ", b"", b"two ", b"three"))
        assert stat.size in (None, 13)
        assert await content(store, "a") == b"one two three"

    async def test_a_body_in_pieces_of_announced_size_is_stored(self, store: StorageDriver) -> None:
        await store.write("a", streamed(b"one ", b"two", size=7))
        assert await content(store, "a") == b"one two"

    async def test_an_empty_body_makes_an_empty_file(self, store: StorageDriver) -> None:
        await write(store, "a", b"")
        assert await content(store, "a") == b""
        assert (await store.stat("a")).size == 0

    async def test_an_empty_stream_makes_an_empty_file(self, store: StorageDriver) -> None:
        await store.write("a", streamed())
        assert await content(store, "a") == b""

    async def test_a_peeked_body_is_stored_from_its_beginning(self, store: StorageDriver) -> None:
        body = streamed(b"one ", b"two")
        assert await body.peek(2) == b"on"
        await store.write("a", body)
        assert await content(store, "a") == b"one two"

    async def test_compressed_bytes_stay_compressed(self, store: StorageDriver) -> None:
        squeezed = gzip.compress(b"squeezed " * 50, mtime=0)
        await write(store, "a.gz", squeezed, WriteOptions(content_encoding="gzip"))
        assert await content(store, "a.gz") == squeezed
        assert (await store.stat("a.gz")).size == len(squeezed)

    async def test_writing_again_replaces(self, store: StorageDriver) -> None:
        await write(store, "a", b"a long first content")
        await write(store, "a", b"short")
        assert await content(store, "a") == b"short"
        assert (await store.stat("a")).size == 5

    async def test_write_returns_the_facts_of_what_it_stored(self, store: StorageDriver) -> None:
        written = await write(store, "folder/a", b"12345")
        found = await store.stat("folder/a")
        assert written.path == "folder/a"
        assert written.size in (None, 5)
        assert written.etag in (None, found.etag)

    async def test_stat_tells_path_size_and_an_aware_time(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"folder/a b.txt": b"12345"})
        stat = await driver.stat("folder/a b.txt")
        assert (stat.path, stat.size, stat["size"]) == ("folder/a b.txt", 5, 5)
        assert stat.modified is not None
        assert stat.modified.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - stat.modified) < _CLOCKS_DIFFER

    async def test_the_stat_of_a_missing_file_is_not_found(self, driver: StorageDriver) -> None:
        with pytest.raises(NotFound) as caught:
            await driver.stat("missing/a.txt")
        assert caught.value.path == "missing/a.txt"

    async def test_writing_something_else_than_a_body_names_put(self, store: StorageDriver) -> None:
        if not isinstance(store, Files):
            self.skip("Files")
        body: Any = b"x"
        with pytest.raises(TypeError, match="put"):
            await store.write("a", body)
        assert await files_in(store) == []

    async def test_content_headers_are_kept_or_dropped(self, store: StorageDriver) -> None:
        stat = await self._with(store, WriteOptions(**HINTS))  # type: ignore[arg-type]
        for name, value in HINTS.items():
            assert stat[name] == value if name in store.traits.keeps else True, name

    async def test_a_write_without_headers_takes_away_the_old_ones(
        self, store: StorageDriver
    ) -> None:
        await write(store, "a", b"1", WriteOptions(cache_control="no-store"))
        await write(store, "a", b"2")
        assert (await store.stat("a")).cache_control is None

    async def test_metadata_is_kept_or_refused(self, store: StorageDriver) -> None:
        pairs = {"author": "Ada", "empty": "", "with-dash": "a b, c=d"}
        stat = await self._data(store, "metadata", WriteOptions(metadata=pairs))
        assert stat is None or stat.metadata == pairs

    async def test_metadata_beyond_ascii_is_kept_or_refused(self, store: StorageDriver) -> None:
        pairs = {"title": "Größe 😀 100% «x»"}
        try:
            await write(store, "a", b"x", WriteOptions(metadata=pairs))
        except (Unsupported, InvalidArgument):
            assert await files_in(store) == []
            return
        assert (await store.stat("a")).metadata == pairs

    async def test_a_write_without_metadata_takes_away_the_old(self, store: StorageDriver) -> None:
        if "metadata" in store.traits.keeps:
            await write(store, "a", b"1", WriteOptions(metadata={"old": "1"}))
        await write(store, "a", b"2")
        assert not (await store.stat("a")).metadata

    async def test_tags_are_kept_or_refused(self, store: StorageDriver) -> None:
        await self._data(store, "tags", WriteOptions(tags={"team": "a b"}))

    async def test_a_tier_is_kept_or_refused(self, store: StorageDriver) -> None:
        stat = await self._data(store, "tier", WriteOptions(tier=self.tier))
        assert stat is None or stat.tier == self.tier

    async def test_a_visibility_is_kept_or_refused(self, store: StorageDriver) -> None:
        await self._data(store, "visibility", WriteOptions(visibility="public"))

    async def test_refused_data_leaves_the_old_file(self, store: StorageDriver) -> None:
        asked = {"metadata": {"a": "b"}, "tags": {"a": "b"}, "tier": self.tier}
        refused = {name: value for name, value in asked.items() if name not in store.traits.keeps}
        await write(store, "a", b"old")
        for name, value in refused.items():
            with pytest.raises(Unsupported):
                await write(store, "a", b"new", WriteOptions(**{name: value}))  # type: ignore[arg-type]
        assert await snapshot(store) == {"a": b"old"}

    async def test_carried_data_may_drop_but_is_no_error(self, store: StorageDriver) -> None:
        how = WriteOptions(metadata={"a": "b"}, tags={"c": "d"}, carried=True)
        await write(store, "a", b"x", how)
        assert await content(store, "a") == b"x"

    async def test_many_files_are_written_at_once(self, store: StorageDriver) -> None:
        wanted = {f"new/folder {n % 3}/{n}.bin": b"%d" % n * n for n in range(30)}
        async with asyncio.TaskGroup() as group:
            for path, data in wanted.items():
                group.create_task(store.write(path, Body(data)))
        assert await snapshot(store) == wanted

    async def _with(self, store: StorageDriver, how: WriteOptions) -> Stat:
        await write(store, "a", b"x", how)
        assert await content(store, "a") == b"x"
        return await store.stat("a")

    async def _data(self, store: StorageDriver, name: Attribute, how: WriteOptions) -> Stat | None:
        if name in store.traits.keeps:
            return await self._with(store, how)
        with pytest.raises(Unsupported):
            await write(store, "a", b"x", how)
        assert await files_in(store) == []
        return None
