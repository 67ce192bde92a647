"""Removing, copying and moving."""

import asyncio

import pytest

from storeroom.contracts.abilities import BulkRemove, Copy, CopyFrom, Move, Origin
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    AlreadyExists,
    NotFound,
    PreconditionFailed,
    StorageError,
    Unsupported,
)
from storeroom.contracts.values import RemoveOptions, Stat, WriteOptions
from storeroom.files import Files
from storeroom.testing._suite.frame import Suite, content, files_in, snapshot, write

__all__ = ["Copying", "Moving", "Removing"]


class Removing(Suite):
    """`remove` and `BulkRemove`."""

    async def test_a_removed_file_is_gone(self, store: StorageDriver) -> None:
        await self.seed(store, {"a/b": b"x", "c": b"y"})
        answer = await store.remove("a/b")
        assert answer is (True if store.traits.tells_removed else None)
        assert await snapshot(store) == {"c": b"y"}

    async def test_removing_a_missing_file_is_no_error(self, store: StorageDriver) -> None:
        answer = await store.remove("missing/a")
        assert answer is (False if store.traits.tells_removed else None)

    async def test_a_removed_file_can_be_written_again(self, store: StorageDriver) -> None:
        for number in range(3):
            await write(store, "a/b", b"%d" % number)
            assert await content(store, "a/b") == b"%d" % number
            await store.remove("a/b")
        assert await files_in(store) == []

    async def test_removing_at_once_leaves_nothing(self, store: StorageDriver) -> None:
        await write(store, "a", b"x")
        answers = await asyncio.gather(*(store.remove("a") for _ in range(8)))
        assert await files_in(store) == []
        if store.traits.tells_removed:
            assert set(answers) <= {True, False}
            assert True in answers

    async def test_if_match_removes_the_file_it_names(self, store: StorageDriver) -> None:
        await write(store, "a", b"x")
        etag = (await store.stat("a")).etag or "unknown"
        if "if_match" not in store.traits.conditions:
            with pytest.raises(Unsupported):
                await store.remove("a", RemoveOptions(etag))
            assert await files_in(store) == ["a"]
            return
        await store.remove("a", RemoveOptions(etag))
        assert await files_in(store) == []

    async def test_a_stale_if_match_removes_nothing(self, store: StorageDriver) -> None:
        await write(store, "a", b"old")
        etag = (await store.stat("a")).etag or "unknown"
        await write(store, "a", b"newer")
        with pytest.raises((PreconditionFailed, Unsupported)) as caught:
            await store.remove("a", RemoveOptions(etag))
        if "if_match" in store.traits.conditions:
            assert caught.type is PreconditionFailed
        assert await snapshot(store) == {"a": b"newer"}

    async def test_delete_tells_the_truth_on_every_disk(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"x"})
        assert await disk.delete("a") is True
        assert await disk.delete("a") is False

    async def test_bulk_removal_answers_for_every_path(self, store: StorageDriver) -> None:
        bulk = self.need(store, BulkRemove)
        paths = [f"a/{number} %2F.txt" for number in range(20)]
        await self.seed(store, dict.fromkeys([*paths, "a/stays"], b"x"))
        answers = await bulk.remove_many([*paths, "missing"])
        assert set(answers) == {*paths, "missing"}
        assert all(answers[path] in (True, None) for path in paths)
        assert answers["missing"] in (False, None)
        assert await files_in(store) == ["a/stays"]

    async def test_bulk_removal_of_nothing_is_nothing(self, store: StorageDriver) -> None:
        bulk = self.need(store, BulkRemove)
        assert await bulk.remove_many([]) == {}

    async def test_bulk_removal_goes_on_behind_a_refused_path(self, store: StorageDriver) -> None:
        bulk = self.need(store, BulkRemove)
        await self.seed(store, {"a": b"x", "b": b"x"})
        answers = await bulk.remove_many(["a", "../etc/passwd", "b"])
        assert isinstance(answers["../etc/passwd"], StorageError)
        assert await files_in(store) == []

    async def test_deleting_many_reports_every_path(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"x", "b c": b"x", "d": b"x"})
        report = await disk.delete_many(["a", "b c", "missing", "../no"])
        assert set(report.done) == {"a", "b c", "missing"}
        assert set(report.failed) == {"../no"}
        assert await files_in(disk.driver) == ["d"]


class _Dressing(Suite):
    async def _dressed(self, store: StorageDriver) -> None:
        keeps = store.traits.keeps
        metadata = {"by": "me"} if "metadata" in keeps else None
        how = WriteOptions(content_type="text/x-odd", cache_control="no-store", metadata=metadata)
        await write(store, "a.bin", b"dressed", how)

    async def _expect_dressed(self, store: StorageDriver, path: str) -> None:
        stat = await store.stat(path)
        assert await content(store, path) == b"dressed"
        wanted = {"content_type": "text/x-odd", "cache_control": "no-store"}
        for name, value in {**wanted, "metadata": {"by": "me"}}.items():
            assert stat[name] == value if name in store.traits.keeps else True, name


class Copying(_Dressing):
    """`copy`, `Copy`, `CopyFrom` and `Origin`."""

    async def test_a_copy_has_the_bytes_and_the_source_stays(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a [1].txt": b"contents"})
        assert await disk.copy("a [1].txt", "new/folder/b %2F.txt") == "new/folder/b %2F.txt"
        copies = {"a [1].txt": b"contents", "new/folder/b %2F.txt": b"contents"}
        assert await snapshot(disk.driver) == copies

    async def test_a_copy_keeps_type_and_metadata(self, disk: Files) -> None:
        await self._dressed(disk.driver)
        await disk.copy("a.bin", "b.bin")
        await self._expect_dressed(disk.driver, "b.bin")

    async def test_a_copy_replaces_what_is_there(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"new", "b": b"the old one"})
        await disk.copy("a", "b")
        assert await snapshot(disk.driver) == {"a": b"new", "b": b"new"}

    async def test_a_copy_without_overwrite_leaves_what_is_there(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"new", "b": b"old"})
        honours = "overwrite" in disk.driver.traits.conditions
        with pytest.raises(AlreadyExists if honours else Unsupported):
            await disk.copy("a", "b", overwrite=False)
        assert await snapshot(disk.driver) == {"a": b"new", "b": b"old"}

    async def test_copying_a_missing_file_changes_nothing(self, disk: Files) -> None:
        await self.seed(disk.driver, {"b": b"old"})
        with pytest.raises(NotFound):
            await disk.copy("missing", "b")
        with pytest.raises(NotFound):
            await disk.copy("missing", "missing")
        assert await snapshot(disk.driver) == {"b": b"old"}

    async def test_copying_a_folder_as_a_file_is_not_found(self, disk: Files) -> None:
        await self.seed(disk.driver, {"folder/a": b"x"})
        with pytest.raises(NotFound):
            await disk.copy("folder", "elsewhere")
        assert await files_in(disk.driver) == ["folder/a"]

    async def test_a_copy_to_itself_keeps_the_file(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"x"})
        await disk.copy("a", "a")
        assert await snapshot(disk.driver) == {"a": b"x"}

    async def test_a_copy_is_a_file_of_its_own(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"first"})
        await disk.copy("a", "b")
        await disk.put("a", b"second")
        assert await disk.get("b") == b"first"
        await disk.delete("a")
        assert await disk.get("b") == b"first"

    async def test_native_copy_answers_with_the_facts(self, store: StorageDriver) -> None:
        native = self.need(store, Copy)
        await self.seed(store, {"a": b"12345"})
        stat = await native.copy_within("a", "b/c")
        assert (stat.path, stat.size) in (("b/c", 5), ("b/c", None))
        assert stat.etag in (None, (await store.stat("b/c")).etag)

    async def test_native_copy_takes_other_headers(self, store: StorageDriver) -> None:
        native = self.need(store, Copy)
        await self._dressed(store)
        try:
            await native.copy_within("a.bin", "b", WriteOptions(content_type="text/other"))
        except Unsupported:
            assert await files_in(store) == ["a.bin"]
            return
        stat = await store.stat("b")
        if "content_type" in store.traits.keeps:
            assert stat.content_type == "text/other"
        if "metadata" in store.traits.keeps:
            assert stat.metadata == {"by": "me"}

    async def test_native_copy_honours_if_match_of_its_target(self, store: StorageDriver) -> None:
        native = self.need(store, Copy)
        await self.seed(store, {"a": b"new", "b": b"old"})
        stale = (await store.stat("b")).etag or "unknown"
        await write(store, "b", b"newer")
        with pytest.raises((PreconditionFailed, Unsupported)):
            await native.copy_within("a", "b", WriteOptions(if_match=stale))
        assert await content(store, "b") == b"newer"

    async def test_native_copy_of_a_missing_file_is_not_found(self, store: StorageDriver) -> None:
        native = self.need(store, Copy)
        with pytest.raises(NotFound):
            await native.copy_within("missing", "b")
        assert await files_in(store) == []

    async def test_copies_of_one_target_at_once_leave_one_whole(self, disk: Files) -> None:
        sources = {f"s{number}": bytes([65 + number]) * (2000 + number) for number in range(8)}
        await self.seed(disk.driver, sources)
        await asyncio.gather(*(disk.copy(path, "target") for path in sources))
        assert await disk.get("target") in sources.values()

    async def test_copies_without_overwrite_have_one_winner(self, disk: Files) -> None:
        if "overwrite" not in disk.driver.traits.conditions:
            self.skip("overwrite")
        await self.seed(disk.driver, {f"s{number}": b"%d" % number for number in range(8)})

        async def attempt(number: int) -> bool:
            try:
                await disk.copy(f"s{number}", "target", overwrite=False)
            except AlreadyExists:
                return False
            return True

        won = await asyncio.gather(*map(attempt, range(8)))
        assert won.count(True) == 1
        assert await disk.get("target") == b"%d" % won.index(True)

    async def test_copying_from_a_neighbour_copies(self, store: StorageDriver) -> None:
        native = self.need(store, CopyFrom)
        origin = self.need(store, Origin)
        await self.seed(store, {"a b": b"12345"})
        holder, at = origin.origin("a b")
        await native.copy_from(holder, at, "c/d")
        assert await snapshot(store) == {"a b": b"12345", "c/d": b"12345"}

    async def test_copying_from_a_stranger_is_unsupported(self, store: StorageDriver) -> None:
        native = self.need(store, CopyFrom)
        await self.seed(store, {"b": b"old"})
        with pytest.raises(Unsupported):
            await native.copy_from(_Stranger(store), "b", "c")
        assert await snapshot(store) == {"b": b"old"}

    async def test_the_origin_holds_the_same_bytes(self, driver: StorageDriver) -> None:
        origin = self.need(driver, Origin)
        await self.seed(driver, {"a b/%2F": b"12345"})
        holder, at = origin.origin("a b/%2F")
        assert await content(holder, at) == b"12345"


class Moving(_Dressing):
    """`move` and `Move`."""

    async def test_a_moved_file_is_at_its_new_path_only(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a [1].txt": b"contents", "c": b"stays"})
        assert await disk.move("a [1].txt", "new/b %2F.txt") == "new/b %2F.txt"
        assert await snapshot(disk.driver) == {"new/b %2F.txt": b"contents", "c": b"stays"}

    async def test_a_move_keeps_type_and_metadata(self, disk: Files) -> None:
        await self._dressed(disk.driver)
        await disk.move("a.bin", "b.bin")
        await self._expect_dressed(disk.driver, "b.bin")

    async def test_a_move_replaces_what_is_there(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"new", "b": b"the old one"})
        await disk.move("a", "b")
        assert await snapshot(disk.driver) == {"b": b"new"}

    async def test_a_move_without_overwrite_leaves_both(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"new", "b": b"old"})
        honours = "overwrite" in disk.driver.traits.conditions
        with pytest.raises(AlreadyExists if honours else Unsupported):
            await disk.move("a", "b", overwrite=False)
        assert await snapshot(disk.driver) == {"a": b"new", "b": b"old"}

    async def test_moving_a_missing_file_changes_nothing(self, disk: Files) -> None:
        await self.seed(disk.driver, {"b": b"old"})
        with pytest.raises(NotFound):
            await disk.move("missing", "b")
        with pytest.raises(NotFound):
            await disk.move("missing", "missing")
        assert await snapshot(disk.driver) == {"b": b"old"}

    async def test_moving_a_folder_as_a_file_is_not_found(self, disk: Files) -> None:
        await self.seed(disk.driver, {"folder/a": b"x"})
        with pytest.raises(NotFound):
            await disk.move("folder", "elsewhere")
        assert await snapshot(disk.driver) == {"folder/a": b"x"}

    async def test_a_move_to_itself_keeps_the_file(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"x"})
        await disk.move("a", "a")
        assert await snapshot(disk.driver) == {"a": b"x"}

    async def test_native_move_answers_with_the_facts(self, store: StorageDriver) -> None:
        native = self.need(store, Move)
        await self.seed(store, {"a": b"12345"})
        stat = await native.rename("a", "b/c")
        assert stat.path == "b/c"
        assert isinstance(stat, Stat)
        assert await snapshot(store) == {"b/c": b"12345"}

    async def test_native_move_honours_conditions_on_its_target(self, store: StorageDriver) -> None:
        native = self.need(store, Move)
        await self.seed(store, {"a": b"new", "b": b"old"})
        stale = (await store.stat("b")).etag or "unknown"
        await write(store, "b", b"newer")
        for how in (WriteOptions(overwrite=False), WriteOptions(if_match=stale)):
            with pytest.raises((AlreadyExists, PreconditionFailed, Unsupported)):
                await native.rename("a", "b", how)
        assert await snapshot(store) == {"a": b"new", "b": b"newer"}

    async def test_native_move_of_a_missing_file_is_not_found(self, store: StorageDriver) -> None:
        native = self.need(store, Move)
        await self.seed(store, {"b": b"old"})
        with pytest.raises(NotFound):
            await native.rename("missing", "b")
        assert await snapshot(store) == {"b": b"old"}

    async def test_moves_of_one_file_at_once_lose_nothing(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"precious"})

        async def attempt(number: int) -> bool:
            try:
                await disk.move("a", f"to/{number}")
            except (NotFound, PreconditionFailed):
                return False
            return True

        won = await asyncio.gather(*map(attempt, range(6)))
        assert True in won
        left = await snapshot(disk.driver)
        assert left
        assert set(left.values()) == {b"precious"}


class _Stranger:
    """A driver of no known service."""

    def __init__(self, inner: StorageDriver) -> None:
        self.traits = inner.traits
        self.stat, self.read, self.write = inner.stat, inner.read, inner.write
        self.remove, self.scan, self.aclose = inner.remove, inner.scan, inner.aclose
