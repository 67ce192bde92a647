"""What is sent: one command where one is meant, few where few are enough, and nothing that was not asked for."""

import asyncio
from datetime import UTC, datetime

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidPath, PermissionDenied
from storeroom.contracts.values import ReadOptions
from storeroom.drivers._ftp.channel import Channel
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.server import Server
from tests.drivers.ftp.place import KEY, MIB, Place, listed, read
from tests.drivers.s3.bucket import outcome, random_bytes, streamed
from tests.servers.lying_ftp import LyingFtp

INJECTIONS = ("a\r\nDELE /precious", "a\nDELE /precious", "a\rDELE /precious", "a\x00b", "\r\n")


@pytest.mark.parametrize("paths", ["strict", "service"])
async def test_no_path_is_two_commands(lying: LyingFtp, paths: str) -> None:
    driver = lying.driver(paths=paths)
    lying.files["/precious"] = b"x"
    await driver.stat("precious")
    before = list(lying.said)
    for path in INJECTIONS:
        for work in (
            driver.stat(path),
            read(driver, path),
            driver.write(path, Body(b"x")),
            driver.extend(path, Body(b"x")),
            driver.remove(path),
            driver.rename(path, "b"),
            driver.rename("precious", path),
            driver.make_folder(path),
            driver.remove_folder(path),
            driver.has_folder(path),
            listed(driver, path),
            driver.change_visibility(path, "public"),
            driver.change_time(path, datetime.now(UTC)),
            driver.digest(path, "md5"),
        ):
            assert isinstance(await outcome(work), InvalidPath), path
    assert not [line for line in lying.said[len(before) :] if "DELE" in line or line == "a"]
    assert lying.files == {"/precious": b"x"}
    assert (await driver.stat("precious")).size == 1


async def test_the_place_where_commands_are_made_refuses_line_breaks_and_nul() -> None:
    control = Control(
        Channel(1.0),
        Server(),
        host="h",
        encoding="utf-8",
        pipelining=True,
        passive=True,
        secret="",
    )
    for text in INJECTIONS:
        with pytest.raises(InvalidPath):
            control.send(f"STAT {text}")


async def test_a_path_without_a_spelling_in_the_encoding_is_refused(lying: LyingFtp) -> None:
    driver = lying.driver(encoding="latin-1")
    assert isinstance(await outcome(driver.write("日本", Body(b"x"))), InvalidPath)
    await driver.write("latin", Body(b"x"))


async def test_names_are_sent_in_the_encoding_of_the_disk(place: Place) -> None:
    driver = place.driver(encoding="cp1252")
    if place.server.username is not None:
        return  # pyftpdlib takes UTF-8 only
    await driver.write("größe", Body(b"x"))
    assert [file.name for file in place.path.iterdir()] == ["gr\udcf6\udcdfe"]
    assert await listed(driver) == ["größe"]


async def test_a_write_is_four_trips_and_a_read_is_one(lying: LyingFtp) -> None:
    """What is sent in one breath costs one trip; nothing is looked up before it is needed."""
    driver = lying.driver()
    await driver.write("a", Body(b"x"))
    del lying.said[:]
    await driver.write("a", Body(b"x"))
    verbs = [line.partition(" ")[0] for line in lying.said]
    assert verbs == ["EPSV", "STOR", "MLST", "RNFR", "RNTO"]
    del lying.said[:]
    assert await read(driver, "a") == b"x"
    assert [line.partition(" ")[0] for line in lying.said] == ["MLST", "EPSV", "RETR"]
    del lying.said[:]
    await driver.stat("a")
    await driver.remove("a")
    assert [line.partition(" ")[0] for line in lying.said] == ["MLST", "DELE"]


async def test_a_server_that_loses_commands_gets_them_one_by_one(
    lying: LyingFtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying.lies.takes_one = True
    driver = lying.driver(pipelining=False)
    data = random_bytes(MIB)
    await driver.write("f/a", streamed(data))
    assert await read(driver, "f/a") == data
    assert await driver.get("f/a", start=10, stop=20) == data[10:20]
    assert await listed(driver) == ["f/a"]
    await driver.rename("f/a", "b")
    assert await driver.remove_folder("f") is True
    assert await driver.remove("b") is True
    assert lying.lies.lost == 0


async def test_ranges_ask_for_no_more_than_they_need(lying: LyingFtp) -> None:
    lying.files["/a"] = random_bytes(MIB)
    driver = lying.driver()
    for start, stop in ((0, 0), (5, 5), (MIB, None), (MIB + 5, None), (MIB, MIB + 9)):
        async with await driver.read("a", ReadOptions(start, stop)) as source:
            assert await source.read() == b""
    assert lying.asked("RETR") == []
    async with await driver.read("a", ReadOptions(MIB - 10)) as source:
        assert len(await source.read()) == 10
    assert lying.asked("REST", "RETR") == [f"REST {MIB - 10}", "RETR /a"]


async def test_paths_are_absolute_whatever_the_working_folder_is(lying: LyingFtp) -> None:
    lying.lies.answers["PWD"] = '257 "/home/me ""and"" you" is the current directory'
    lying.folders.update({"/home", '/home/me "and" you', '/home/me "and" you/files'})
    driver = lying.driver(root="files")
    await driver.write("a", Body(b"x"))
    assert list(lying.files) == ['/home/me "and" you/files/a']
    absolute = lying.driver(root="/home//./")
    await absolute.write("b", Body(b"x"))
    assert "/home/b" in lying.files


@pytest.mark.parametrize("lacks", [{"PWD"}, {"FEAT"}, {"EPSV"}, {"OPTS"}, {"FEAT", "EPSV", "PWD"}])
async def test_a_server_of_few_commands_is_enough(lying: LyingFtp, lacks: set[str]) -> None:
    lying.lies.lacks = lacks
    driver = lying.driver()
    data = random_bytes(MIB)
    await driver.write(KEY.rpartition("/")[2], Body(data))
    assert await read(driver, KEY.rpartition("/")[2]) == data
    assert await listed(driver) == [KEY.rpartition("/")[2]]


async def test_the_server_may_open_the_data_connections(place: Place) -> None:
    driver = place.driver(passive=False)
    data = random_bytes(MIB)
    await driver.write(KEY, Body(data))
    assert await read(driver) == data
    assert await listed(driver) == [KEY]
    assert isinstance(await outcome(read(driver, "missing")), Exception)


async def test_a_transfer_that_never_has_to_wait_leaves_others_their_turn(place: Place) -> None:
    driver = place.driver()
    data = random_bytes(16 * MIB)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    await driver.write(KEY, Body(data))
    written = turns
    assert await read(driver) == data
    task.cancel()
    assert written > 10
    assert turns - written > 10


async def test_few_bytes_are_on_their_way_before_they_are_asked_for(lying: LyingFtp) -> None:
    """The command is sent before them; where it is refused, they are nobody's."""
    driver = lying.driver()
    await driver.write("a", Body(b"old"))
    lying.lies.answers["STOR"] = "553 Could not create file."
    assert isinstance(await outcome(driver.write("a", Body(b"new"))), PermissionDenied)
    lying.lies.answers.clear()
    assert lying.files == {"/a": b"old"}
    await driver.write("b/c/d", Body(b"new"))
    assert lying.files == {"/a": b"old", "/b/c/d": b"new"}
