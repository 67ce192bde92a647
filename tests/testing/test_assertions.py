"""Assertions are synchronous, chain, and show what is there when they fail."""

from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from storeroom import InvalidPath, StorageManager, Unavailable
from storeroom.testing import FakeDisk

UGLY = "avatars/tëst %2F #?+ 🧑‍🚀.png"


@pytest.fixture(params=["s3", "ftp", "local"])
def disk(request: pytest.FixtureRequest) -> Iterator[FakeDisk]:
    with StorageManager.isolated().fake(request.param) as disk:
        yield disk


async def test_all_of_them_chain(disk: FakeDisk) -> None:
    await disk.put(UGLY, "größe")
    await disk.put("avatars/2/b", b"\x00\xff")
    chained = (
        disk.assert_exists(UGLY)
        .assert_exists([UGLY, PurePosixPath("avatars/2/b")])
        .assert_exists(UGLY, "größe")
        .assert_exists("avatars/2/b", b"\x00\xff")
        .assert_missing("avatars/2/c")
        .assert_missing(["a", "avatars/2/b/c"])
        .assert_count("avatars", 1)
        .assert_count("avatars/", 2, recursive=True)
        .assert_count("", 0)
        .assert_directory_empty("avatar")
    )
    assert chained is disk
    assert await disk.delete_directory("avatars")
    disk.assert_empty().assert_directory_empty("/")


async def test_they_work_beside_a_running_loop(disk: FakeDisk) -> None:
    disk.assert_empty()


def test_they_work_without_a_loop(disk: FakeDisk) -> None:
    disk.assert_empty().assert_missing("a")


async def test_a_folder_is_there_too(disk: FakeDisk) -> None:
    await disk.put("a/b/c", b"")
    disk.assert_exists(["a", "a/b"])
    with pytest.raises(AssertionError, match="'a/b' is there, as a folder"):
        disk.assert_missing("a/b")
    with pytest.raises(AssertionError, match="there is no file 'a/b'"):
        disk.assert_exists("a/b", b"")


async def test_a_missing_file_shows_the_nearest_names_and_what_is_there(disk: FakeDisk) -> None:
    await disk.put("avatars/43.png", b"")
    await disk.put("notes.txt", b"")
    with pytest.raises(AssertionError) as caught:
        disk.assert_exists("avatars/42.png")
    assert str(caught.value) == (
        f"there is no 'avatars/42.png' on {disk!r}; near it: 'avatars/43.png'; "
        "there are 2 files:\n  'avatars/43.png'\n  'notes.txt'"
    )


async def test_a_long_listing_is_cut(disk: FakeDisk) -> None:
    await disk.put_many({f"f/{number:02}": b"" for number in range(25)})
    with pytest.raises(AssertionError) as caught:
        disk.assert_count("f", 24)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"there are 25 files in 'f', not 24, on {disk!r}:"
    assert lines[1:3] == ["  'f/00'", "  'f/01'"]
    assert lines[-1] == "  ... and 5 more"
    assert len(lines) == 22


async def test_an_empty_disk_says_so(disk: FakeDisk) -> None:
    with pytest.raises(AssertionError, match=r"; there are no files$"):
        disk.assert_exists("a")
    with pytest.raises(AssertionError, match="there are no files in 'a', not 1"):
        disk.assert_count("a", 1)


async def test_a_full_disk_is_not_empty(disk: FakeDisk) -> None:
    await disk.put("a/b", b"")
    with pytest.raises(AssertionError, match="there is 1 file under '/', not none"):
        disk.assert_empty()
    with pytest.raises(AssertionError, match="there is 1 file under 'a', not none"):
        disk.assert_directory_empty("a")


@pytest.mark.parametrize(
    ("found", "wanted", "difference"),
    [
        (b"one\ntwo\nthree", "one\n2\nthree", r"line 2 is 'two\n', not '2\n'"),
        (b"one\n", "one", r"line 1 is 'one\n', not 'one'"),
        (b"one\n", "one\ntwo\n", "it has 1 lines, not 2"),
        (b"\x00\xffabc", b"\x00\xffxyz", "byte 2 on is b'abc', not b'xyz'"),
        (b"\xff\xff", b"\xff", "it has 2 bytes, not 1"),
        (b"x" * 100, b"y", f"line 1 is {'x' * 80!r}..., not 'y'"),
    ],
)
async def test_other_content_shows_where_it_differs(
    disk: FakeDisk, found: bytes, wanted: bytes | str, difference: str
) -> None:
    await disk.put("a", found)
    with pytest.raises(AssertionError) as caught:
        disk.assert_exists("a", wanted)
    assert str(caught.value) == f"'a' on {disk!r} differs: {difference}"


async def test_a_wrong_path_is_refused_as_everywhere(disk: FakeDisk) -> None:
    with pytest.raises(InvalidPath):
        disk.assert_missing("/etc/passwd")


async def test_faults_do_not_strike_them(disk: FakeDisk) -> None:
    await disk.put("a", b"1")
    disk.fail("read", times=None).fail("stat", times=None).fail("scan", times=None)
    disk.failure_rate(1.0).latency(30).truncate("get", at=0)
    disk.assert_exists("a", b"1").assert_count("", 1)
    disk.latency(0)
    with pytest.raises(Unavailable):
        await disk.get("a")
