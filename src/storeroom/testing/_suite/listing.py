"""Listing: what a scan yields, from where, and how lazily."""

from contextlib import aclosing

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.values import DEEP, SHALLOW, Folder, ScanOptions, Stat
from storeroom.files import Files
from storeroom.testing._suite.frame import (
    CROWD,
    Suite,
    content,
    files_in,
    folders_in,
    listed,
    write,
)

__all__ = ["Crowds", "Listing"]

TREE = {
    "a.txt": b"1",
    "a/b.txt.d/c": b"22",
    "a/b/c/d.txt": b"333",
    "a/b/e": b"",
    "ab/x": b"4444",
    "z [1]/%2F/é 😀.txt": b"5",
}
FOLDERS = ["a", "a/b", "a/b.txt.d", "a/b/c", "ab", "z [1]", "z [1]/%2F"]


class Listing(Suite):
    """`scan`."""

    async def test_an_empty_store_lists_nothing(self, driver: StorageDriver) -> None:
        assert await listed(driver) == []
        assert await listed(driver, "", SHALLOW) == []

    async def test_a_missing_folder_lists_nothing(self, driver: StorageDriver) -> None:
        await self.seed(driver, TREE)
        assert await listed(driver, "missing") == []
        assert await listed(driver, "a/missing/too", SHALLOW) == []

    async def test_a_deep_listing_has_every_file_once(self, driver: StorageDriver) -> None:
        await self.seed(driver, TREE)
        assert await files_in(driver) == sorted(TREE)

    async def test_a_deep_listing_has_every_folder_once(self, driver: StorageDriver) -> None:
        await self.seed(driver, TREE)
        assert await folders_in(driver) == sorted(FOLDERS)

    async def test_a_shallow_listing_stays_in_the_folder(self, driver: StorageDriver) -> None:
        await self.seed(driver, TREE)
        assert await files_in(driver, "", SHALLOW) == ["a.txt"]
        assert await folders_in(driver, "", SHALLOW) == ["a", "ab", "z [1]"]
        assert await files_in(driver, "a/b", SHALLOW) == ["a/b/e"]
        assert await folders_in(driver, "a/b", SHALLOW) == ["a/b/c"]

    async def test_a_deep_listing_of_a_folder_has_what_is_under_it(
        self, driver: StorageDriver
    ) -> None:
        await self.seed(driver, TREE)
        assert await files_in(driver, "a") == ["a/b.txt.d/c", "a/b/c/d.txt", "a/b/e"]
        assert await folders_in(driver, "a") == ["a/b", "a/b.txt.d", "a/b/c"]

    async def test_shallow_listings_together_are_the_deep_one(self, driver: StorageDriver) -> None:
        await self.seed(driver, TREE)
        walked: list[str] = []
        waiting = [""]
        while waiting:
            for entry in await listed(driver, waiting.pop(), SHALLOW):
                walked.append(entry.path)
                waiting.extend([entry.path] if isinstance(entry, Folder) else [])
        assert sorted(walked) == sorted(entry.path for entry in await listed(driver))

    async def test_a_folder_is_whole_segments(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"foo/x": b"", "foobar/x": b"", "foo.txt": b"", "fo": b""})
        assert [entry.path for entry in await listed(driver, "foo")] == ["foo/x"]
        assert await listed(driver, "fooba") == []
        assert await listed(driver, "fo", SHALLOW) == []

    async def test_a_folder_named_0_is_not_the_root(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"0/path.txt": b"", "1/path.txt": b""})
        assert [entry.path for entry in await listed(driver, "0", SHALLOW)] == ["0/path.txt"]

    async def test_patterns_in_a_folder_are_letters(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a[b]*/x": b"", "ab/x": b"", "a%/x": b"", "a_/x": b""})
        assert await files_in(driver, "a[b]*") == ["a[b]*/x"]
        assert await files_in(driver, "a%") == ["a%/x"]
        assert await files_in(driver, "a_") == ["a_/x"]

    async def test_a_file_has_nothing_under_it(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"a.txt": b"1", "b/c": b"2"})
        assert await listed(driver, "a.txt") == []
        assert await listed(driver, "b/c", SHALLOW) == []

    async def test_the_facts_in_a_listing_are_those_of_stat_or_unknown(
        self, driver: StorageDriver
    ) -> None:
        await self.seed(driver, TREE)
        for entry in await listed(driver):
            if isinstance(entry, Stat):
                found = await driver.stat(entry.path)
                assert entry.size in (None, found.size)
                assert entry.etag in (None, found.etag)
                assert entry.modified is None or entry.modified.tzinfo is not None

    async def test_after_gives_the_files_that_sort_behind_it(self, driver: StorageDriver) -> None:
        await self.seed(driver, TREE)
        for path in ("a", "a.txt", "a/b/c", "a/b/e", "ab/x", "zz", "0", "a/b/c/d.txt"):
            wanted = sorted(name for name in TREE if name > path)
            assert await files_in(driver, "", ScanOptions(after=path)) == wanted, path

    async def test_an_ordered_listing_resumes_where_it_was_left(
        self, driver: StorageDriver
    ) -> None:
        await self.seed(driver, TREE)
        if not driver.traits.ordered:
            self.skip("ordered")
        for deep in (True, False):
            everything = await listed(driver, "", ScanOptions(deep=deep))
            for index, entry in enumerate(everything):
                rest = await listed(driver, "", ScanOptions(deep=deep, after=entry.path))
                wanted = everything[index + 1 :]
                assert rest == wanted if isinstance(entry, Stat) else _has(rest, wanted), entry

    async def test_after_resumes_in_a_folder(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"f/a": b"", "f/b": b"", "f/c": b"", "g": b""})
        assert await files_in(driver, "f", ScanOptions(after="f/a")) == ["f/b", "f/c"]
        assert await files_in(driver, "f", ScanOptions(deep=False, after="f/b")) == ["f/c"]
        assert await files_in(driver, "f", ScanOptions(after="g")) == []

    async def test_starting_is_a_prefix_of_names_in_the_folder(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"f/ab": b"", "f/abc/x/ab": b"", "f/b/ab": b"", "ab": b""})
        assert await files_in(driver, "f", ScanOptions(starting="ab")) == ["f/ab", "f/abc/x/ab"]
        assert await folders_in(driver, "f", ScanOptions(starting="ab")) == ["f/abc", "f/abc/x"]
        shallow = ScanOptions(deep=False, starting="ab")
        assert sorted(e.path for e in await listed(driver, "f", shallow)) == ["f/ab", "f/abc"]
        assert [e.path for e in await listed(driver, "", shallow)] == ["ab"]

    async def test_starting_is_no_pattern(self, driver: StorageDriver) -> None:
        await self.seed(driver, {"[a]": b"", "a": b"", "a%b": b"", "*": b""})
        assert await files_in(driver, "", ScanOptions(starting="[")) == ["[a]"]
        assert await files_in(driver, "", ScanOptions(starting="*")) == ["*"]
        assert await files_in(driver, "", ScanOptions(starting="a%")) == ["a%b"]

    async def test_starting_and_after_go_together(self, driver: StorageDriver) -> None:
        await self.seed(driver, {f"f/{name}": b"" for name in ("a1", "a2", "a3", "b1")})
        how = ScanOptions(starting="a", after="f/a1")
        assert await files_in(driver, "f", how) == ["f/a2", "f/a3"]

    async def test_an_ordered_service_lists_in_the_order_of_bytes(
        self, driver: StorageDriver
    ) -> None:
        await self.seed(driver, {**TREE, "Z": b"", "é": b"", "😀": b"", "\uffee": b""})
        if not driver.traits.ordered:
            self.skip("ordered")
        for how in (DEEP, SHALLOW):
            keys = [_key(entry) for entry in await listed(driver, "", how)]
            assert keys == sorted(keys)

    async def test_leaving_early_is_allowed(self, driver: StorageDriver) -> None:
        await self.seed(driver, TREE)
        for how in (DEEP, SHALLOW):
            async with aclosing(driver.scan("", how)) as entries:
                await anext(entries)
        assert await files_in(driver) == sorted(TREE)

    async def test_other_verbs_work_in_the_middle_of_a_listing(self, store: StorageDriver) -> None:
        await self.seed(store, TREE)
        found = {}
        async for entry in store.scan():
            if isinstance(entry, Stat):
                found[entry.path] = await content(store, entry.path)
                assert await files_in(store, "a/b", SHALLOW) == ["a/b/e"]
        assert found == TREE

    async def test_removing_what_is_listed_removes_all(self, store: StorageDriver) -> None:
        await self.seed(store, TREE)
        async for entry in store.scan():
            if isinstance(entry, Stat):
                await store.remove(entry.path)
        assert await files_in(store) == []

    async def test_files_added_meanwhile_hide_none_that_was_there(
        self, store: StorageDriver
    ) -> None:
        await self.seed(store, TREE)
        seen: list[str] = []
        async for entry in store.scan():
            seen.append(entry.path)
            if len(seen) < 10:
                await write(store, f"{'aAz'[len(seen) % 3]}/new {len(seen)}", b"")
        assert set(TREE) <= set(seen)
        assert len(seen) == len(set(seen))

    async def test_a_scan_does_nothing_before_its_first_step(self, driver: StorageDriver) -> None:
        scan = driver.scan("anything")
        await scan.aclose()

    async def test_the_root_and_folders_may_be_written_with_a_slash(self, files: Files) -> None:
        await self.seed(files.driver, {"a/b": b"", "c": b""})
        assert await files.files("/") == await files.files("") == ["c"]
        assert await files.files("a/") == await files.files("a") == ["a/b"]

    async def test_people_get_sorted_lists(self, files: Files) -> None:
        await self.seed(files.driver, TREE)
        assert await files.all_files() == sorted(TREE)
        assert await files.all_directories() == sorted(FOLDERS)
        assert await files.directories() == ["a", "ab", "z [1]"]
        assert await files.files("a", recursive=True) == await files.all_files("a")


def _key(entry: Stat | Folder) -> bytes:
    """What an entry sorts by: a folder as if its path ended in `/`."""
    return (entry.path if isinstance(entry, Stat) else f"{entry.path}/").encode()


def _has(found: list[Stat | Folder], wanted: list[Stat | Folder]) -> bool:
    """Behind a folder nothing may be lost; what is beside it may come again."""
    return all(entry in found for entry in wanted)


class Crowds(Suite, level="heavy"):
    """Listings of more entries than a page holds."""

    async def test_every_one_of_many_files_is_listed_once(self, crowded: StorageDriver) -> None:
        assert await files_in(crowded) == sorted(CROWD)

    async def test_a_folder_of_many_files_is_listed_whole(self, crowded: StorageDriver) -> None:
        wanted = sorted(path for path in CROWD if path.startswith("crowd/file"))
        assert await files_in(crowded, "crowd", SHALLOW) == wanted
        assert await folders_in(crowded, "crowd", SHALLOW) == ["crowd/sub"]

    async def test_the_first_of_many_comes_before_the_last_is_asked_for(
        self, crowded: StorageDriver
    ) -> None:
        for _ in range(20):
            async with aclosing(crowded.scan("crowd")) as entries:
                assert (await anext(entries)).path.startswith("crowd/")

    async def test_many_listings_are_under_way_at_once(self, crowded: StorageDriver) -> None:
        scans = [crowded.scan("crowd", SHALLOW) for _ in range(20)]
        try:
            firsts = {(await anext(scan)).path for scan in scans}
            assert (await crowded.stat("crowd/file 0007.txt")).size == 1
            assert firsts
            rests = [len([entry async for entry in scan]) for scan in scans]
            assert set(rests) == {1050}
        finally:
            for scan in scans:
                await scan.aclose()

    async def test_many_are_resumed_behind_any_path(self, crowded: StorageDriver) -> None:
        for after in ("crowd/file 0999.txt", "crowd/file 1000", "crowd/file 1049.txt", "crowd/s"):
            wanted = sorted(path for path in CROWD if path > after and path.startswith("crowd/"))
            assert await files_in(crowded, "crowd", ScanOptions(after=after)) == wanted

    async def test_many_are_narrowed_by_a_prefix(self, crowded: StorageDriver) -> None:
        how = ScanOptions(starting="file 10")
        wanted = sorted(path for path in CROWD if path.startswith("crowd/file 10"))
        assert await files_in(crowded, "crowd", how) == wanted

    async def test_many_files_removed_while_listed_are_all_removed(self, disk: Files) -> None:
        await self.seed(disk.driver, CROWD)
        seen: list[str] = []
        async for entry in disk.driver.scan("crowd"):
            if isinstance(entry, Stat):
                seen.append(entry.path)
                await disk.driver.remove(entry.path)
        assert sorted(seen) == sorted(path for path in CROWD if path.startswith("crowd/"))
        assert await files_in(disk.driver) == ["crowd%/no", "crowded/no"]

    async def test_a_folder_of_many_files_is_deleted_whole(self, disk: Files) -> None:
        await self.seed(disk.driver, CROWD)
        assert await disk.delete_directory("crowd") is True
        assert await disk.all_files() == ["crowd%/no", "crowded/no"]

    async def test_many_paths_are_deleted_with_a_report(self, disk: Files) -> None:
        await self.seed(disk.driver, CROWD)
        doomed = [*CROWD, "missing/one"]
        report = await disk.delete_many(doomed)
        assert report.ok
        assert set(report.done) == set(doomed)
        assert await files_in(disk.driver) == []
        assert report.done["missing/one"] in (False, None)
