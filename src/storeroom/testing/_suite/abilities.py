"""Each ability's own promises; an ability that a driver has not is a skip it must allow."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

import pytest

from storeroom.contracts.abilities import (
    ABILITIES,
    Append,
    LocalPath,
    PresignRead,
    PublicUrl,
    Sweep,
    VerifyUrl,
    find,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    AlreadyExists,
    PermissionDenied,
    Unsupported,
)
from storeroom.contracts.values import Grant, WriteOptions
from storeroom.testing._suite.frame import (
    Suite,
    content,
    files_in,
    listed,
    snapshot,
    streamed,
    write,
)
from storeroom.testing._suite.names import UGLY, fitting

__all__ = ["Addresses", "Appending", "Finding", "Sweeping"]

HOUR = timedelta(hours=1)


class Finding(Suite):
    """`find`."""

    async def test_an_ability_that_is_found_has_its_methods(self, driver: StorageDriver) -> None:
        for kind in ABILITIES:
            found = find(driver, kind)
            assert found is None or isinstance(found, kind), kind  # type: ignore[arg-type]

    async def test_the_same_ability_is_found_again(self, driver: StorageDriver) -> None:
        for kind in ABILITIES:
            assert (find(driver, kind) is None) == (find(driver, kind) is None)


class Addresses(Suite):
    """`PublicUrl`, `LocalPath`, `PresignRead` and `VerifyUrl`."""

    async def test_a_public_url_encodes_each_segment_exactly_once(
        self, driver: StorageDriver
    ) -> None:
        native = self.need(driver, PublicUrl)
        for path in filter(lambda name: fitting(driver.traits, name), UGLY.values()):
            url = native.public_url(path)
            assert url.isascii(), url
            assert not urlsplit(url).query, url
            assert not urlsplit(url).fragment, url
            assert unquote(urlsplit(url).path).endswith(f"/{path}"), url

    async def test_a_public_url_needs_no_file(self, driver: StorageDriver) -> None:
        native = self.need(driver, PublicUrl)
        assert native.public_url("missing/a b%2F.txt").endswith("/missing/a%20b%252F.txt")

    async def test_a_local_path_leads_to_the_bytes(self, driver: StorageDriver) -> None:
        native = self.need(driver, LocalPath)
        await self.seed(driver, {"a b/%2F é.txt": b"contents"})
        path = native.local_path("a b/%2F é.txt")
        assert os.path.isabs(path)
        assert await asyncio.to_thread(_bytes_at, path) == b"contents"

    async def test_a_signed_url_is_verified(self, driver: StorageDriver) -> None:
        native, verifier = self.need(driver, PresignRead), self.need(driver, VerifyUrl)
        grant = _grant("folder/a b%2F é.txt")
        url = await native.presign_read(grant)
        assert url.isascii()
        assert (await verifier.verify_url(url, "GET")).path == grant.path

    async def test_a_changed_url_is_denied(self, driver: StorageDriver) -> None:
        native, verifier = self.need(driver, PresignRead), self.need(driver, VerifyUrl)
        url = await native.presign_read(_grant("folder/a.txt"))
        for forged in (url.replace("a.txt", "b.txt"), url + "0", url.partition("?")[0]):
            with pytest.raises(PermissionDenied):
                await verifier.verify_url(forged, "GET")
        with pytest.raises(PermissionDenied):
            await verifier.verify_url(url, "PUT")

    async def test_an_expired_url_is_denied(self, driver: StorageDriver) -> None:
        native, verifier = self.need(driver, PresignRead), self.need(driver, VerifyUrl)
        url = await native.presign_read(_grant("a", -timedelta(seconds=1)))
        with pytest.raises(PermissionDenied):
            await verifier.verify_url(url, "GET")


class Appending(Suite):
    """`Append`."""

    async def test_a_native_append_adds_to_the_end(self, store: StorageDriver) -> None:
        native = self.need(store, Append)
        await write(store, "a", b"one ")
        stat = await native.extend("a", Body(b"two "))
        assert (stat.path, stat.size) in (("a", 8), ("a", None))
        await native.extend("a", streamed(b"th", b"ree"))
        assert await content(store, "a") == b"one two three"
        assert (await store.stat("a")).size == 13

    async def test_a_native_append_makes_a_missing_file(self, store: StorageDriver) -> None:
        native = self.need(store, Append)
        await native.extend("a", Body(b"the first that the disk sees"))
        await native.extend("new/a", Body(b"x"), WriteOptions(content_type="text/x-odd"))
        assert await content(store, "new/a") == b"x"
        if "content_type" in store.traits.keeps:
            assert (await store.stat("new/a")).content_type == "text/x-odd"

    async def test_a_native_append_of_nothing_changes_no_byte(self, store: StorageDriver) -> None:
        native = self.need(store, Append)
        await write(store, "a", b"x")
        await native.extend("a", Body(b""))
        assert await content(store, "a") == b"x"

    async def test_a_native_append_changes_the_etag(self, store: StorageDriver) -> None:
        native = self.need(store, Append)
        await write(store, "a", b"x")
        before = (await store.stat("a")).etag
        await native.extend("a", Body(b"y"))
        assert before is None or (await store.stat("a")).etag != before

    async def test_a_native_append_keeps_type_and_metadata(self, store: StorageDriver) -> None:
        native = self.need(store, Append)
        metadata = {"by": "me"} if "metadata" in store.traits.keeps else None
        await write(store, "a", b"x", WriteOptions(content_type="text/x-odd", metadata=metadata))
        before = await store.stat("a")
        await native.extend("a", Body(b"y"))
        after = await store.stat("a")
        assert after.content_type == before.content_type
        assert after.metadata == before.metadata

    async def test_native_appends_at_once_lose_nothing(self, store: StorageDriver) -> None:
        native = self.need(store, Append)
        lines = [b"line %03d\n" % number for number in range(40)]
        await asyncio.gather(*(native.extend("log/a", streamed(line)) for line in lines))
        assert sorted((await content(store, "log/a")).splitlines(keepends=True)) == lines

    async def test_a_native_append_that_creates_only_leaves_what_is_there(
        self, store: StorageDriver
    ) -> None:
        native = self.need(store, Append)
        await write(store, "a", b"x")
        with pytest.raises((AlreadyExists, Unsupported)):
            await native.extend("a", Body(b"y"), WriteOptions(overwrite=False))
        assert await content(store, "a") == b"x"


class Sweeping(Suite):
    """`Sweep`."""

    async def test_sweeping_touches_no_file(self, store: StorageDriver) -> None:
        native = self.need(store, Sweep)
        files = {"a": b"1", "b/c": b"2", ".hidden/.tmp": b"3", "x.tmp~": b"4"}
        await self.seed(store, files)
        assert await native.sweep(timedelta(0)) == 0
        assert await snapshot(store) == files

    async def test_leftovers_are_hidden(self, store: StorageDriver) -> None:
        self.need(store, Sweep)
        await self.seed(store, {"a": b"1"})
        before = await listed(store)
        await self.abandon(store)
        assert await listed(store) == before

    async def test_fresh_leftovers_stay_and_old_ones_go(self, store: StorageDriver) -> None:
        native = self.need(store, Sweep)
        await self.seed(store, {"a": b"1"})
        await self.abandon(store)
        assert await native.sweep(HOUR) == 0
        assert await native.sweep(timedelta(0)) >= 1
        assert await native.sweep(timedelta(0)) == 0
        assert await snapshot(store) == {"a": b"1"}

    async def test_sweeping_an_empty_store_finds_nothing(self, store: StorageDriver) -> None:
        native = self.need(store, Sweep)
        assert await native.sweep(timedelta(0)) == 0
        assert await files_in(store) == []


def _grant(path: str, lasts: timedelta = HOUR) -> Grant:
    return Grant(path, "GET", datetime.now(UTC) + lasts)


def _bytes_at(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
