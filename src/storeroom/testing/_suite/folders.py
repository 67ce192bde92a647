"""Folders: implied or real, and what happens where a file and a folder want the same name."""

import pytest

from storeroom.contracts.abilities import Folders, find
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import InvalidPath, NotFound, Obstructed, StorageError, Unsupported
from storeroom.contracts.values import SHALLOW, WriteOptions
from storeroom.files import Files
from storeroom.testing._suite.frame import (
    Suite,
    content,
    files_in,
    folders_in,
    listed,
    snapshot,
    streamed,
    write,
)
from storeroom.testing._suite.names import fitting

__all__ = ["Conflicts", "Directories"]


class Conflicts(Suite):
    """A file where a folder is, by `traits.folders`."""

    async def test_a_folder_is_no_file(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"folder/a": b"x"})
        with pytest.raises(NotFound):
            await driver.stat("folder")
        with pytest.raises(NotFound):
            await driver.read("folder")

    async def test_a_path_through_a_file_is_not_found(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a": b"x"})
        with pytest.raises(NotFound):
            await driver.stat("a/b")
        with pytest.raises(NotFound):
            await driver.read("a/b/c")

    async def test_removing_a_folders_path_leaves_what_is_in_it(self, store: StorageDriver) -> None:
        await self.seed(store, {"folder/a": b"x"})
        try:
            assert await store.remove("folder") is not True
        except Obstructed:
            assert store.traits.folders == "real"
        assert await snapshot(store) == {"folder/a": b"x"}

    async def test_removing_through_a_file_is_no_error(self, store: StorageDriver) -> None:
        await self.seed(store, {"a": b"x"})
        assert await store.remove("a/b") is not True
        assert await snapshot(store) == {"a": b"x"}

    async def test_a_file_where_a_folder_is(self, store: StorageDriver) -> None:
        await self.seed(store, {"a/b": b"inside"})
        if store.traits.folders == "implied":
            await write(store, "a", b"beside")
            assert await snapshot(store) == {"a": b"beside", "a/b": b"inside"}
            return
        for body in (streamed(b"x"), streamed(b"x" * 5000, b"y" * 5000)):
            with pytest.raises(Obstructed):
                await store.write("a", body)
        assert await snapshot(store) == {"a/b": b"inside"}

    async def test_a_folder_where_a_file_is(self, store: StorageDriver) -> None:
        await self.seed(store, {"a": b"file"})
        if store.traits.folders == "implied":
            await write(store, "a/b/c", b"under")
            assert await snapshot(store) == {"a": b"file", "a/b/c": b"under"}
            return
        with pytest.raises(Obstructed):
            await write(store, "a/b/c", b"under")
        assert await snapshot(store) == {"a": b"file"}
        assert await folders_in(store) == []

    async def test_an_implied_folder_beside_a_file_of_its_name(self, store: StorageDriver) -> None:
        if store.traits.folders == "real":
            with pytest.raises(Obstructed):
                await self._seeded_one_by_one(store)
            return
        await self._seeded_one_by_one(store)
        assert (await store.stat("a")).size == 4
        assert [e.path for e in await listed(store, "", SHALLOW)].count("a") == 2
        assert await files_in(store, "a") == ["a/b"]
        assert await store.remove("a") is not False
        assert await snapshot(store) == {"a/b": b"under"}

    async def test_a_copy_or_move_onto_a_folder(self, disk: Files) -> None:
        await self.seed(disk.driver, {"x": b"x", "a/b": b"inside"})
        if disk.driver.traits.folders == "implied":
            await disk.copy("x", "a")
            assert await snapshot(disk.driver) == {"x": b"x", "a": b"x", "a/b": b"inside"}
            return
        with pytest.raises(Obstructed):
            await disk.copy("x", "a")
        with pytest.raises(Obstructed):
            await disk.move("x", "a")
        assert await snapshot(disk.driver) == {"x": b"x", "a/b": b"inside"}

    async def test_an_append_to_a_folder(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a/b": b"inside"})
        if disk.driver.traits.folders == "implied":
            await disk.append("a", b"x")
            assert await disk.get("a") == b"x"
            return
        with pytest.raises(Obstructed):
            await disk.append("a", b"x")
        assert await snapshot(disk.driver) == {"a/b": b"inside"}

    async def test_create_only_onto_a_folder_leaves_it(self, store: StorageDriver) -> None:
        await self.seed(store, {"a/b": b"inside"})
        try:
            await write(store, "a", b"x", WriteOptions(overwrite=False))
        except StorageError:
            assert await snapshot(store) == {"a/b": b"inside"}
            return
        assert store.traits.folders == "implied"

    async def _seeded_one_by_one(self, store: StorageDriver) -> None:
        await write(store, "a", b"file")
        await write(store, "a/b", b"under")


class Directories(Suite):
    """The verbs on folders, and the ability `Folders`."""

    async def test_an_unknown_folder_does_not_exist(self, files: Files) -> None:
        assert await files.directory_exists("missing") is False
        assert await files.directory_missing("missing/too") is True

    async def test_the_folder_of_a_file_exists(self, files: Files) -> None:
        await self.seed(files.driver, {"some folder/sub/a": b"x"})
        assert await files.directory_exists("some folder/sub") is True
        assert await files.directory_exists("some folder/") is True
        assert await files.exists("some folder") is False

    async def test_the_root_always_exists(self, files: Files) -> None:
        assert await files.directory_exists("") is True
        assert await files.directory_exists("/") is True

    async def test_a_file_is_no_folder(self, files: Files) -> None:
        await self.seed(files.driver, {"a.txt": b"x"})
        assert await files.directory_exists("a.txt") is False

    async def test_a_folder_does_not_exist_for_its_longer_neighbour(self, files: Files) -> None:
        await self.seed(files.driver, {"foobar/x": b"", "foo.txt": b""})
        assert await files.directory_exists("foo") is False
        assert await files.directory_exists("fo") is False

    async def test_an_emptied_folder_stays_only_where_folders_are_real(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a/b/c": b"x"})
        await disk.delete("a/b/c")
        real = disk.driver.traits.folders == "real"
        assert await disk.directory_exists("a/b") is real
        assert await disk.all_directories() == (["a", "a/b"] if real else [])

    async def test_a_folder_is_made_empty_or_unsupported(self, disk: Files) -> None:
        if find(disk.driver, Folders) is None:
            with pytest.raises(Unsupported):
                await disk.make_directory("a/b")
            assert await disk.all_directories() == []
            return
        await disk.make_directory("creating/a folder")
        assert await disk.directory_exists("creating/a folder") is True
        assert await disk.directory_exists("creating") is True
        assert await disk.all_directories() == ["creating", "creating/a folder"]
        assert await disk.all_files() == []

    async def test_making_a_folder_twice_is_no_error(self, store: StorageDriver) -> None:
        folders = self.need(store, Folders)
        await folders.make_folder("a/b")
        await folders.make_folder("a/b")
        assert [e.path for e in await listed(store, "a", SHALLOW)] == ["a/b"]

    async def test_a_made_folder_holds_files(self, store: StorageDriver) -> None:
        folders = self.need(store, Folders)
        await folders.make_folder("path")
        await write(store, "path/a.txt", b"x")
        assert sorted(e.path for e in await listed(store)) == ["path", "path/a.txt"]

    async def test_a_made_folder_is_no_file(self, store: StorageDriver) -> None:
        folders = self.need(store, Folders)
        await folders.make_folder("path")
        with pytest.raises(NotFound):
            await store.stat("path")
        with pytest.raises(NotFound):
            await store.read("path")

    async def test_making_a_folder_where_a_file_is(self, store: StorageDriver) -> None:
        folders = self.need(store, Folders)
        await write(store, "a", b"file")
        for path in ("a", "a/b"):
            try:
                await folders.make_folder(path)
            except Obstructed:
                continue
            assert store.traits.folders == "implied"
        assert await content(store, "a") == b"file"

    async def test_the_ability_knows_the_root(self, driver: StorageDriver) -> None:
        folders = self.need(driver, Folders)
        assert await folders.has_folder("") is True
        assert await folders.has_folder("missing") is False

    async def test_deleting_a_folder_takes_all_that_is_in_it(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a/b/c": b"", "a/b/d/e/f": b"", "a/x": b"", "b": b""})
        assert await disk.delete_directory("a/b") is True
        assert await disk.all_files() == ["a/x", "b"]
        assert await disk.directory_exists("a/b") is False
        assert await disk.delete_directory("a") is True
        assert await disk.all_directories() == []

    async def test_deleting_a_missing_folder_says_so(self, disk: Files) -> None:
        assert await disk.delete_directory("missing") is False
        assert await disk.delete_directory("missing/too/") is False

    async def test_deleting_a_folder_leaves_its_longer_neighbours(self, disk: Files) -> None:
        names = ("foobar/x", "foo.txt", "foo /x", "foo%/x", "a/foo/x")
        others = [name for name in names if fitting(disk.driver.traits, name)]
        await self.seed(disk.driver, dict.fromkeys(["foo/x", *others], b""))
        assert await disk.delete_directory("foo") is True
        assert await disk.all_files() == sorted(others)

    async def test_deleting_a_file_as_a_folder_leaves_it(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a.txt": b"x"})
        try:
            assert await disk.delete_directory("a.txt") is False
        except Obstructed:
            assert disk.driver.traits.folders == "real"
        assert await disk.get("a.txt") == b"x"

    async def test_deleting_the_root_is_refused(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"x"})
        for root in ("", "/"):
            with pytest.raises(InvalidPath):
                await disk.delete_directory(root)
        assert await disk.get("a") == b"x"

    async def test_a_deleted_empty_folder_is_gone(self, store: StorageDriver) -> None:
        folders = self.need(store, Folders)
        await folders.make_folder("a/b")
        assert await folders.remove_folder("a") is True
        assert await listed(store) == []
        assert await folders.remove_folder("a") is False

    async def test_copying_a_folder_leaves_its_longer_neighbours(self, disk: Files) -> None:
        files = {"foo/x": b"1", "foo/y/z": b"2", "foobar/x": b"3", "foo.txt": b"4"}
        await self.seed(disk.driver, files)
        report = await disk.copy_directory("foo", "to/here")
        assert report.done == {"foo/x": "to/here/x", "foo/y/z": "to/here/y/z"}
        copies = {"to/here/x": b"1", "to/here/y/z": b"2"}
        assert await snapshot(disk.driver) == {**files, **copies}

    async def test_moving_a_folder_leaves_its_longer_neighbours(self, disk: Files) -> None:
        await self.seed(disk.driver, {"foo/x": b"1", "foo/y/z": b"2", "foobar/x": b"3"})
        report = await disk.move_directory("foo", "foob")
        assert report.ok
        moved = {"foob/x": b"1", "foob/y/z": b"2", "foobar/x": b"3"}
        assert await snapshot(disk.driver) == moved
        assert await disk.directory_exists("foo") is False

    async def test_a_folder_cannot_go_into_itself(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a/b": b"x"})
        for to in ("a", "a/c"):
            with pytest.raises(ValueError, match="itself"):
                await disk.copy_directory("a", to)
            with pytest.raises(ValueError, match="itself"):
                await disk.move_directory("a", to)
        assert await snapshot(disk.driver) == {"a/b": b"x"}
