"""The abilities that tell and change facts of files."""

import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from storeroom.contracts.abilities import (
    Attributes,
    Checksum,
    Tags,
    Tiers,
    Times,
    Visibility,
)
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    InvalidArgument,
    NotFound,
    PreconditionFailed,
    Unsupported,
)
from storeroom.contracts.values import Visible, WriteOptions
from storeroom.testing._suite.frame import (
    Suite,
    content,
    listed,
    write,
)

__all__ = ["Facts"]

SEEN: tuple[Visible, ...] = ("private", "public", "private")
MOMENT = datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC)


class Facts(Suite):
    """`Checksum`, `Visibility`, `Attributes`, `Times`, `Tags` and `Tiers`."""

    async def test_a_digest_is_that_of_the_bytes(self, driver: StorageDriver) -> None:
        native = self.need(driver, Checksum)
        data = b"foobar" * 1000
        await self.seed(driver, {"a": data})
        told = 0
        for algorithm in ("md5", "sha1", "sha256", "sha512", "blake2b", "sha3_256"):
            try:
                found = await native.digest("a", algorithm)
            except Unsupported:
                continue
            assert found == hashlib.new(algorithm, data).hexdigest(), algorithm
            told += 1
        assert told

    async def test_an_unknown_digest_is_unsupported(self, driver: StorageDriver) -> None:
        native = self.need(driver, Checksum)
        await self.seed(driver, {"a": b"x"})
        for algorithm in ("sha257", "", "crc99", "../md5"):
            with pytest.raises(Unsupported):
                await native.digest("a", algorithm)

    async def test_the_digest_of_a_missing_file_is_not_found(self, driver: StorageDriver) -> None:
        native = self.need(driver, Checksum)
        await self.seed(driver, {"folder/a": b"x"})
        for path in ("missing", "folder"):
            with pytest.raises(NotFound):
                await native.digest(path, "md5")

    async def test_a_visibility_is_set_and_read(self, store: StorageDriver) -> None:
        native = self.need(store, Visibility)
        await write(store, "a", b"x")
        for visible in SEEN:
            await native.change_visibility("a", visible)
            assert await native.read_visibility("a") == visible
        assert await content(store, "a") == b"x"

    async def test_a_visibility_is_written_with_the_file(self, store: StorageDriver) -> None:
        native = self.need(store, Visibility)
        for visible in SEEN:
            await write(store, "a", b"x", WriteOptions(visibility=visible))
            assert await native.read_visibility("a") == visible

    async def test_the_visibility_of_a_missing_file_is_not_found(
        self, store: StorageDriver
    ) -> None:
        native = self.need(store, Visibility)
        with pytest.raises(NotFound):
            await native.read_visibility("missing")
        with pytest.raises(NotFound):
            await native.change_visibility("missing", "public")
        assert await listed(store) == []

    async def test_attributes_change_in_place(self, store: StorageDriver) -> None:
        native = self.need(store, Attributes)
        keeps = store.traits.keeps
        old, new = ({"old": "1"}, {"new": "2"}) if "metadata" in keeps else (None, None)
        await write(store, "a", b"x", WriteOptions(cache_control="no-store", metadata=old))
        await native.change_attributes("a", WriteOptions(content_type="text/odd", metadata=new))
        stat = await store.stat("a")
        assert await content(store, "a") == b"x"
        assert stat.metadata == new or "metadata" not in keeps
        assert stat.cache_control == "no-store" or "cache_control" not in keeps
        assert stat.content_type == "text/odd" or "content_type" not in keeps

    async def test_attributes_that_are_not_named_stay(self, store: StorageDriver) -> None:
        native = self.need(store, Attributes)
        metadata = {"stays": "1"} if "metadata" in store.traits.keeps else None
        await write(store, "a", b"x", WriteOptions(content_type="text/odd", metadata=metadata))
        before = await store.stat("a")
        await native.change_attributes("a", WriteOptions(cache_control="no-store"))
        after = await store.stat("a")
        assert (after.content_type, after.metadata) == (before.content_type, before.metadata)

    async def test_metadata_is_emptied_in_place(self, store: StorageDriver) -> None:
        native = self.need(store, Attributes)
        if "metadata" not in store.traits.keeps:
            self.skip("metadata")
        await write(store, "a", b"x", WriteOptions(metadata={"old": "1"}))
        await native.change_attributes("a", WriteOptions(metadata={}))
        assert not (await store.stat("a")).metadata

    async def test_attributes_are_changed_on_a_condition_or_not_at_all(
        self, store: StorageDriver
    ) -> None:
        native = self.need(store, Attributes)
        if "if_match" not in store.traits.conditions:
            self.skip("if_match")
        old = (await write(store, "a", b"x", WriteOptions(content_type="a/old"))).etag
        stat = await write(store, "a", b"xy", WriteOptions(content_type="a/old"))
        stale = WriteOptions(content_type="a/new", if_match=old)
        with pytest.raises((PreconditionFailed, Unsupported)):
            await native.change_attributes("a", stale)
        assert (await store.stat("a")).content_type in ("a/old", None)
        with suppress(Unsupported):
            await native.change_attributes("a", replace(stale, if_match=stat.etag))
        assert await content(store, "a") == b"xy"

    async def test_attributes_of_a_missing_file_are_not_found(self, store: StorageDriver) -> None:
        native = self.need(store, Attributes)
        with pytest.raises(NotFound):
            await native.change_attributes("missing", WriteOptions(content_type="a/b"))
        assert await listed(store) == []

    async def test_a_time_is_set(self, store: StorageDriver) -> None:
        native = self.need(store, Times)
        await write(store, "a", b"x")
        await native.change_time("a", MOMENT)
        assert (await store.stat("a")).modified == MOMENT
        elsewhere = MOMENT.astimezone(timezone(timedelta(hours=-7)))
        await native.change_time("a", elsewhere + timedelta(seconds=1))
        modified = (await store.stat("a")).modified
        assert modified == MOMENT + timedelta(seconds=1)
        assert modified is not None
        assert modified.utcoffset() == timedelta(0)
        assert await content(store, "a") == b"x"

    async def test_a_time_without_a_zone_is_refused(self, store: StorageDriver) -> None:
        native = self.need(store, Times)
        await write(store, "a", b"x")
        before = (await store.stat("a")).modified
        with pytest.raises(InvalidArgument):
            await native.change_time("a", MOMENT.replace(tzinfo=None))
        assert (await store.stat("a")).modified == before

    async def test_the_time_of_a_missing_file_is_not_found(self, store: StorageDriver) -> None:
        native = self.need(store, Times)
        with pytest.raises(NotFound):
            await native.change_time("missing", MOMENT)
        assert await listed(store) == []

    async def test_tags_are_replaced_as_a_whole(self, store: StorageDriver) -> None:
        native = self.need(store, Tags)
        await write(store, "a", b"x", WriteOptions(tags={"team": "a b", "old": "1"}))
        assert await native.read_tags("a") == {"team": "a b", "old": "1"}
        await native.change_tags("a", {"new": "2"})
        assert await native.read_tags("a") == {"new": "2"}
        await native.change_tags("a", {})
        assert await native.read_tags("a") == {}
        assert await content(store, "a") == b"x"

    async def test_the_tags_of_a_missing_file_are_not_found(self, store: StorageDriver) -> None:
        native = self.need(store, Tags)
        with pytest.raises(NotFound):
            await native.read_tags("missing")
        with pytest.raises(NotFound):
            await native.change_tags("missing", {"a": "b"})

    async def test_a_file_changes_its_tier(self, store: StorageDriver) -> None:
        native = self.need(store, Tiers)
        await write(store, "a", b"x")
        await native.change_tier("a", self.tier)
        assert (await store.stat("a")).tier == self.tier
        assert await content(store, "a") == b"x"

    async def test_the_tier_of_a_missing_file_is_not_found(self, store: StorageDriver) -> None:
        native = self.need(store, Tiers)
        with pytest.raises(NotFound):
            await native.change_tier("missing", self.tier)
