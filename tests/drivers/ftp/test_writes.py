"""Writes go to another name first, and where a server cannot replace, nothing is lost for it."""

import asyncio

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Obstructed, StorageError
from tests.drivers.ftp.place import MIB, Place, read
from tests.drivers.s3.bucket import outcome, random_bytes, streamed
from tests.servers.lying_ftp import LyingFtp

BIG = random_bytes(MIB)


async def test_a_write_goes_to_a_hidden_name_in_the_same_folder(lying: LyingFtp) -> None:
    lying.folders.add("/f")
    await lying.driver().write("f/a", Body(BIG))
    command = lying.asked("STOR")[0]
    assert command.startswith("STOR /f/.storeroom-tmp-")
    assert lying.asked("RNTO") == ["RNTO /f/a"]
    assert lying.files == {"/f/a": BIG}


async def test_folders_are_made_only_where_they_are_missing(lying: LyingFtp) -> None:
    driver = lying.driver()
    await driver.write("a/b/c", Body(b"x"))
    made = lying.asked("MKD")
    await driver.write("a/b/d", Body(b"x"))
    assert lying.asked("MKD") == made
    assert lying.folders == {"/", "/a", "/a/b"}


async def test_a_body_that_fails_before_its_first_byte_opens_no_connection(lying: LyingFtp) -> None:
    async def chunks():
        raise ZeroDivisionError
        yield b""

    with pytest.raises(ZeroDivisionError):
        await lying.driver().write("a", Body(chunks))
    assert lying.connections == 0


async def test_a_body_that_fails_leaves_the_connection_to_others(lying: LyingFtp) -> None:
    driver = lying.driver()

    async def chunks():
        yield BIG
        raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await driver.write("a", Body(chunks))
    assert lying.files == {}
    assert lying.connections == 1


async def test_where_a_server_cannot_replace_the_old_file_is_put_aside_first(
    lying: LyingFtp,
) -> None:
    lying.lies.replaces = False
    driver = lying.driver()
    lying.files.update({"/a": b"old", "/c": b"other"})
    for number in range(3):
        await driver.write("a", Body(b"%d" % number))
        assert lying.files == {"/a": b"%d" % number, "/c": b"other"}
    await driver.write("new", Body(b"x"))
    await driver.rename("new", "a")
    assert lying.files == {"/a": b"x", "/c": b"other"}


async def test_an_old_file_that_was_put_aside_comes_back_where_the_new_one_cannot_take_its_place(
    lying: LyingFtp,
) -> None:
    lying.lies.replaces = False
    lying.files["/a"] = b"old"
    driver = lying.driver(retries=0)
    renames = 0

    def one_more() -> None:
        nonlocal renames
        renames += 1
        if renames == 2:  # the old file is aside by now
            lying.lies.answers["RNTO /a"] = "550 Rename failed."

    def back() -> None:
        if len(lying.asked("RNTO")) >= 3:
            lying.lies.answers.clear()

    lying.lies.after = {"RNTO": one_more, "RNFR": back}
    error = await outcome(driver.write("a", Body(b"new")))
    assert isinstance(error, StorageError)
    assert lying.files == {"/a": b"old"}


async def test_a_folder_is_never_put_aside_for_a_file(place: Place) -> None:
    place.put(b"inside", "folder/file")
    driver = place.driver()
    for body in (Body(b"x"), streamed(BIG)):
        assert isinstance(await outcome(driver.write("folder", body)), Obstructed)
    assert place.get("folder/file") == b"inside"
    assert place.left_over() == []


async def test_a_move_whose_source_is_gone_leaves_the_target(lying: LyingFtp) -> None:
    """The server's 550 is no reason to take it for one that cannot replace."""
    lying.files.update({"/a": b"x", "/b": b"precious"})
    driver = lying.driver()
    await driver.stat("a")
    lying.lies.after["RNFR"] = lambda: lying.files.pop("/a", None)
    error = await outcome(driver.rename("a", "b"))
    assert isinstance(error, StorageError)
    assert lying.files == {"/b": b"precious"}


async def test_writes_of_one_file_at_once_leave_one_of_them_whole(place: Place) -> None:
    driver = place.driver()
    bodies = [bytes([65 + number]) * (MIB // 2 + number) for number in range(6)]
    await asyncio.gather(*(driver.write("a", streamed(body)) for body in bodies))
    assert place.get("a") in bodies
    assert place.left_over() == []


async def test_readers_see_old_or_new_while_it_is_replaced(place: Place) -> None:
    """Both servers rename as their system does, which replaces in one step.

    A file that is replaced between its size and its bytes may be told as such, and is never torn.
    """
    driver = place.driver()
    bodies = [bytes([65 + number]) * (300_000 + number) for number in range(8)]
    place.put(bodies[0], "a")

    async def watch() -> None:
        for _ in range(10):
            found = await outcome(read(driver, "a"))
            assert found in bodies or "the file changed" in str(found)

    async def overwrite() -> None:
        for body in bodies:
            await driver.write("a", Body(body))

    await asyncio.gather(overwrite(), watch(), watch())
