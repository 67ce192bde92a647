"""A fake writes down what was called, once a call, in the words that people typed."""

from collections.abc import AsyncIterator, Iterator

import pytest

from storeroom import NotFound, Storage, StorageManager
from storeroom.contracts.abilities import Append, Copy, Folders, Multipart
from storeroom.contracts.body import Body
from storeroom.contracts.values import SHALLOW
from storeroom.testing import Called, FakeDisk


@pytest.fixture(params=["s3", "ftp", "local"])
def disk(request: pytest.FixtureRequest) -> Iterator[FakeDisk]:
    with StorageManager.isolated().fake(request.param, url="https://files.example") as disk:
        yield disk


async def pieces() -> AsyncIterator[bytes]:
    yield b"one"
    yield b"two"


async def test_verbs_are_told_by_their_own_names(disk: FakeDisk) -> None:
    await disk.put("a b.txt", b"1")
    await disk.put_json("j.json", {})
    await disk.write_stream("s", pieces())
    async with disk.open_writer("w") as writer:
        await writer.write(b"x")
    await disk.get("a b.txt")
    await disk.text("a b.txt")
    await disk.exists("a b.txt")
    await disk.missing("a b.txt")
    await disk.metadata("a b.txt")
    await disk.checksum("a b.txt")
    await disk.append("a b.txt", b"2")
    await disk.prepend("a b.txt", b"0")
    await disk.temporary_url("a b.txt", 60)
    disk.url("a b.txt")
    await disk.delete("a b.txt")
    assert disk.calls == [
        ("put", "a b.txt"),
        ("put_json", "j.json"),
        ("write_stream", "s"),
        ("put", "w"),
        ("get", "a b.txt"),
        ("text", "a b.txt"),
        ("exists", "a b.txt"),
        ("missing", "a b.txt"),
        ("metadata", "a b.txt"),
        ("checksum", "a b.txt"),
        ("append", "a b.txt"),
        ("prepend", "a b.txt"),
        ("temporary_url", "a b.txt"),
        ("url", "a b.txt"),
        ("delete", "a b.txt"),
    ]


async def test_what_a_body_calls_is_a_verb_of_its_own(disk: FakeDisk) -> None:
    await disk.put("a", b"1")
    disk.calls.clear()

    async def body() -> AsyncIterator[bytes]:
        yield await disk.get("a")
        with pytest.raises(NotFound, match="get"):
            await disk.get("none")

    await disk.put("b", body())
    assert sorted(disk.calls) == [("get", "a"), ("get", "none"), ("put", "b")]


async def test_copies_and_moves_tell_their_target(disk: FakeDisk) -> None:
    await disk.put("a", b"1")
    disk.calls.clear()
    await disk.copy("a", "b c")
    await disk.move("b c", "d/e")
    assert disk.calls == [("copy", "a", "b c"), ("move", "b c", "d/e")]
    assert (disk.calls[0].verb, disk.calls[0].path, disk.calls[0].to) == ("copy", "a", "b c")


async def test_a_copy_to_another_disk_is_read_here_and_put_there(disk: FakeDisk) -> None:
    with Storage.fake("azure") as other:
        await disk.put("a", b"1")
        await disk.put("f/1", b"")
        await disk.put("f/2", b"")
        disk.calls.clear()
        await disk.copy("a", "b", disk=other)
        await disk.move("a", "c", disk=other)
        await disk.copy_directory("f", "g", disk=other)
        assert disk.calls == [("copy", "a"), ("move", "a"), ("copy_directory", "f")]
        assert other.calls[:2] == [("put", "b"), ("put", "c")]
        assert sorted(other.calls[2:]) == [("put", "g/1"), ("put", "g/2")]


async def test_the_same_holds_where_the_service_copies() -> None:
    storage = StorageManager.isolated()
    with storage.fake("one", driver="s3") as one, storage.fake("two", driver="s3") as two:
        await one.put("a", b"1", metadata={"k": "v"})
        await storage.disk("one").copy("a", "b", disk="two")
        two.assert_exists("b", b"1")
        assert one.calls == [("put", "a"), ("copy", "a")]
        assert two.calls == [("put", "b")]


async def test_many_paths_are_many_calls(disk: FakeDisk) -> None:
    await disk.put_many({"a": b"", "b": b""})
    await disk.get_many(["a", "b"])
    await disk.delete_many(["a", "b", "c"])
    assert sorted(disk.calls[:2]) == [("put_many", "a"), ("put_many", "b")]
    assert sorted(disk.calls[2:4]) == [("get_many", "a"), ("get_many", "b")]
    assert sorted(disk.calls[4:]) == [("delete_many", name) for name in "abc"]


async def test_listings_tell_the_folder(disk: FakeDisk) -> None:
    await disk.files("a")
    await disk.all_directories()
    await disk.glob("a/*.txt")
    assert [entry async for entry in disk.entries("b", recursive=True)] == []
    await disk.directory_exists("c")
    await disk.delete_directory("d")
    assert disk.calls == [
        ("files", "a"),
        ("all_directories", ""),
        ("glob", "a"),
        ("entries", "b"),
        ("directory_exists", "c"),
        ("delete_directory", "d"),
    ]


async def test_a_stored_file_tells_the_name_it_was_given(disk: FakeDisk) -> None:
    path = await disk.put_file("avatars", b"%PDF-1.7")
    assert disk.calls == [("put_file", path)]


async def test_views_and_handles_are_told_by_the_paths_of_the_disk() -> None:
    storage = StorageManager.isolated()
    with storage.fake("s3") as disk:
        await storage.disk("s3").put("a", b"")
        await storage.disk("s3").scoped("t 1").put("b", b"")
        await disk.scoped("t 1").scoped("2").read_only().exists("c")
        async with storage.disk("s3").scoped("t 1").read_stream("b") as source:
            await source.read()
        assert disk.calls == [
            ("put", "a"),
            ("put", "t 1/b"),
            ("exists", "t 1/2/c"),
            ("read_stream", "t 1/b"),
        ]


async def test_drivers_verbs_are_told_in_peoples_words() -> None:
    with Storage.fake("memory") as disk:
        driver = disk.driver
        await driver.write("a", Body(b"1"))
        await (await driver.read("a")).aclose()
        await driver.stat("a")
        await disk.ability(Copy).copy_within("a", "b")
        await disk.ability(Append).extend("a", Body(b"2"))
        await disk.ability(Folders).has_folder("a")
        assert [entry.path async for entry in driver.scan("", SHALLOW)] == ["a", "b"]
        await driver.remove("a")
        assert disk.calls == [
            ("put", "a"),
            ("get", "a"),
            ("metadata", "a"),
            ("copy", "a", "b"),
            ("append", "a"),
            ("directory_exists", "a"),
            ("entries", ""),
            ("delete", "a"),
        ]
    with Storage.fake("s3") as disk:
        await disk.ability(Multipart).start_parts("p")
        assert disk.calls == [("start_parts", "p")]


async def test_a_failed_call_is_a_call(disk: FakeDisk) -> None:
    with pytest.raises(NotFound):
        await disk.get("nowhere")
    assert disk.calls == [("get", "nowhere")]


async def test_assertions_are_no_calls(disk: FakeDisk) -> None:
    disk.assert_missing("a").assert_count("", 0).assert_directory_empty("b").assert_empty()
    assert disk.calls == []


def test_a_call_shows_as_what_it_is_compared_with() -> None:
    call = Called("copy", "a", "b")
    assert repr(call) == "('copy', 'a', 'b')"
    assert Called("put", "a").to is None
