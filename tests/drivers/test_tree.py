"""What services of real folders share: walks in order, names that lie, temporaries."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from storeroom.contracts.errors import InvalidPath, PermissionDenied
from storeroom.contracts.values import DEEP, SHALLOW, Folder, ScanOptions, Stat
from storeroom.drivers._tree.clearing import empty
from storeroom.drivers._tree.entry import Entry
from storeroom.drivers._tree.rule import PathRule
from storeroom.drivers._tree.strangers import Strangers
from storeroom.drivers._tree.temporaries import aside_beside, leftovers, temporary_beside
from storeroom.drivers._tree.walk import Walk

NOW = datetime.now(UTC)


class Tree:
    """Folders in memory, which count how they are listed."""

    def __init__(self, folders: dict[str, list[Entry]]) -> None:
        self.folders = folders
        self.asked: list[str] = []
        self.at_once = self.most = 0
        self.stuck: asyncio.Event | None = None

    async def listed(self, folder: str) -> Sequence[Entry] | None:
        self.asked.append(folder)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(0)
            if self.stuck is not None and folder:
                await self.stuck.wait()
        finally:
            self.at_once -= 1
        if folder == "denied":
            raise PermissionDenied("no")
        return self.folders.get(folder)

    def walk(self, how: ScanOptions = DEEP, folder: str = "", at_once: int = 3) -> Walk:
        return Walk(self.listed, folder, how, Strangers(PathRule()), at_once=at_once)


def folders(*names: str) -> list[Entry]:
    return [Entry(name, "folder") for name in names]


def files(*names: str) -> list[Entry]:
    return [Entry(name, "file", 1) for name in names]


async def walked(walk: Walk) -> list[str]:
    return [
        entry.path if isinstance(entry, Stat) else f"{entry.path}/"
        async for page in walk.pages()
        for entry in page
    ]


async def test_a_walk_is_in_the_order_of_bytes_whatever_the_server_sends() -> None:
    tree = Tree(
        {
            "": [*files("b", "a.txt", "a-", "é", "\uffee", "😀"), *folders("a", "a b", "😀d")],
            "a": files("z", "a"),
            "a b": files("x"),
            "😀d": [],
        }
    )
    found = await walked(tree.walk())
    assert found == sorted(found, key=str.encode)
    assert len(found) == 12
    assert found[:3] == ["a b/", "a b/x", "a-"]


async def test_folders_that_come_next_are_listed_together_and_no_more_than_allowed() -> None:
    tree = Tree({"": folders(*"abcdefgh"), **{name: files("x") for name in "abcdefgh"}})
    pages = tree.walk().pages()
    await anext(pages)
    assert tree.asked == [""]
    await anext(pages)
    await pages.aclose()
    assert set(tree.asked[1:]) <= set("abcd")
    tree.asked.clear()
    assert len(await walked(tree.walk())) == 16
    assert tree.most == 3
    assert sorted(tree.asked) == ["", *"abcdefgh"]
    assert await walked(tree.walk(SHALLOW)) == [f"{name}/" for name in "abcdefgh"]


async def test_others_have_their_turn_between_the_pages_of_one_large_folder() -> None:
    walk = Tree({"": files(*map(str, range(5000)))}).walk()
    turns: list[None] = []

    async def other() -> None:
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    seen = [len(turns) async for _ in walk.pages()]
    beside.cancel()
    assert len(seen) == 5
    assert all(now < later for now, later in itertools.pairwise(seen))


async def test_a_walk_that_is_left_ends_what_it_has_begun() -> None:
    tree = Tree({"": folders(*"abcd")})
    pages = tree.walk().pages()
    await anext(pages)
    tree.stuck = asyncio.Event()
    going = asyncio.create_task(anext(pages))
    while tree.at_once < 3:  # noqa: ASYNC110 - nobody tells when
        await asyncio.sleep(0)
    going.cancel()
    await asyncio.wait([going])
    assert tree.at_once == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_error_comes_when_its_folder_is_reached() -> None:
    tree = Tree({"": folders("a", "denied", "e"), "a": files("x"), "e": files("x")})
    seen: list[Stat | Folder] = []

    async def look() -> None:
        async for page in tree.walk().pages():
            seen.extend(page)

    with pytest.raises(PermissionDenied):
        await look()
    assert [entry.path for entry in seen] == ["a", "a/x", "denied"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_folders_that_are_listed_ahead_are_not_held_without_end() -> None:
    names = [f"{number:03}" for number in range(40)]
    big = files(*(f"{number:05}" for number in range(6000)))
    tree = Tree({"": folders(*names), **dict.fromkeys(names, big)})
    pages = tree.walk(at_once=30).pages()
    for _ in range(3):
        await anext(pages)
    await asyncio.sleep(0.05)
    for _ in range(20):
        await anext(pages)
    assert len(tree.asked) < 36
    await pages.aclose()


async def test_a_walk_resumes_without_listing_what_lies_before() -> None:
    tree = Tree({"": folders(*"abc"), "b": files("x", "y"), "c": files("z")})
    assert await walked(tree.walk(ScanOptions(after="b/x"))) == ["b/y", "c/", "c/z"]
    assert "a" not in tree.asked


async def test_a_folder_is_emptied_from_its_depths() -> None:
    tree = Tree(
        {"": folders("a"), "a": [*folders("b"), *files("x")], "a/b": [*files("y"), *folders("c")]}
    )
    done: list[str] = []

    async def remove(path: str) -> None:
        done.append(path)

    assert await empty("a", listed=tree.listed, unlink=remove, rmdir=remove)
    assert done == ["a/x", "a/b/y", "a/b/c", "a/b"]
    assert not await empty("missing", listed=tree.listed, unlink=remove, rmdir=remove)


async def test_a_temporary_is_as_old_as_its_name_or_its_time_whichever_is_later() -> None:
    fresh = temporary_beside("f/x").rpartition("/")[2]
    old, hour = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
    by_name = f".storeroom-tmp-t{int(old.timestamp()):x}-1"
    entries = [
        Entry(fresh, "file", modified=old),
        Entry(by_name, "file", modified=NOW),
        Entry(f"{by_name}2", "file", modified=old),
        Entry(f"{by_name}3", "file"),
        Entry(".storeroom-tmp-ab12-1-1", "file", modified=old),
        Entry(".storeroom-tmp-unknown", "file"),
        Entry(f"{by_name}4", "folder", modified=old),
        Entry(aside_beside("f/x").rpartition("/")[2], "file", modified=old),
        Entry("other", "file", modified=old),
    ]
    tree = Tree({"": [*folders("f", "denied")], "f": entries})
    found = [path async for path in leftovers(tree.listed, PathRule(), hour)]
    assert found == [f"f/{by_name}2", f"f/{by_name}3", "f/.storeroom-tmp-ab12-1-1"]


def test_no_rule_lets_a_path_lead_out() -> None:
    for rule in (PathRule(), PathRule(strict=False), PathRule(strict=False, outer_spaces=False)):
        for path in ("..", "a/../b", "/a", "a//b", "a/", "./a", "a/.", ".storeroom-tmp-1", ""):
            with pytest.raises(InvalidPath):
                rule.path(path)
        for name in ("..", ".", "", "a/b", "../a", "/a", ".storeroom-x"):
            assert not rule.takes("f", name)
        with pytest.raises(InvalidPath):
            rule.path("x" * 256)
    with pytest.raises(InvalidPath):
        PathRule(outer_spaces=False).path("a/ b")
    assert PathRule(strict=False).path("a\\b\tc") == "a\\b\tc"
