"""The abilities of object stores: uploads in parts, kept versions, leases."""

from datetime import timedelta

import pytest

from storeroom.contracts.abilities import Leases, Multipart, Versions
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import NotFound, PreconditionFailed
from storeroom.contracts.values import WriteOptions
from storeroom.testing._suite.frame import Suite, content, files_in, write

__all__ = ["Services"]

PART = b"p" * (5 << 20)
MINUTE = timedelta(minutes=1)


class Services(Suite):
    """`Multipart`, `Versions` and `Leases`."""

    async def test_parts_become_the_file_in_their_order(self, store: StorageDriver) -> None:
        native = self.need(store, Multipart)
        upload = await native.start_parts("big/a", WriteOptions(content_type="text/odd"))
        last = await native.write_part("big/a", upload, 2, Body(b"end"))
        first = await native.write_part("big/a", upload, 1, Body(PART))
        assert await native.list_parts("big/a", upload) == {1: first, 2: last}
        stat = await native.complete_parts("big/a", upload, {1: first, 2: last})
        assert stat.path == "big/a"
        assert await content(store, "big/a") == PART + b"end"

    async def test_parts_are_hidden_until_they_are_complete(self, store: StorageDriver) -> None:
        native = self.need(store, Multipart)
        upload = await native.start_parts("a")
        await native.write_part("a", upload, 1, Body(b"x"))
        assert await files_in(store) == []
        with pytest.raises(NotFound):
            await store.stat("a")
        await native.abort_parts("a", upload)

    async def test_aborted_parts_leave_the_old_file(self, store: StorageDriver) -> None:
        native = self.need(store, Multipart)
        await write(store, "a", b"old")
        upload = await native.start_parts("a")
        await native.write_part("a", upload, 1, Body(b"x"))
        await native.abort_parts("a", upload)
        await native.abort_parts("a", upload)
        assert await content(store, "a") == b"old"

    async def test_versions_are_kept_newest_first(self, store: StorageDriver) -> None:
        native = self.need(store, Versions)
        for data in (b"1", b"2", b"3"):
            await write(store, "a", data)
        versions = [version async for version in native.list_versions("a")]
        assert [version.latest for version in versions] == [True, False, False]
        async with await native.read_version("a", versions[1].id) as source:
            assert await source.read() == b"2"

    async def test_a_version_is_restored(self, store: StorageDriver) -> None:
        native = self.need(store, Versions)
        await write(store, "a", b"good")
        await write(store, "a", b"bad")
        versions = [version async for version in native.list_versions("a")]
        await native.restore_version("a", versions[1].id)
        assert await content(store, "a") == b"good"

    async def test_a_version_is_removed_for_good(self, store: StorageDriver) -> None:
        native = self.need(store, Versions)
        await write(store, "a", b"secret")
        await write(store, "a", b"public")
        versions = [version async for version in native.list_versions("a")]
        await native.remove_version("a", versions[1].id)
        left = [version async for version in native.list_versions("a")]
        assert [version.id for version in left] == [versions[0].id]
        with pytest.raises(NotFound):
            await native.read_version("a", versions[1].id)

    async def test_a_lease_is_held_by_one(self, store: StorageDriver) -> None:
        native = self.need(store, Leases)
        await write(store, "a", b"x")
        lease = await native.acquire_lease("a", MINUTE)
        with pytest.raises(PreconditionFailed):
            await native.acquire_lease("a", MINUTE)
        await native.renew_lease("a", lease)
        await native.release_lease("a", lease)
        again = await native.acquire_lease("a", MINUTE)
        await native.release_lease("a", again)
