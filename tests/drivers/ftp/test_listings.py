"""Listings by whatever command a server has, lazily, and with a connection that is free in between."""

import asyncio
from contextlib import aclosing

import pytest

from storeroom.contracts.errors import NotFound, PermissionDenied
from storeroom.contracts.values import Folder, Stat
from storeroom.drivers.ftp import FTPDriver
from tests.drivers.ftp.place import Place, listed
from tests.drivers.s3.bucket import outcome
from tests.servers.ftp import FtpServer
from tests.servers.lying_ftp import LyingFtp

WAYS = ("MLSD", "LIST -a", "LIST", "NLST")
TREE = {"/a.txt": b"1", "/a/b": b"22", "/a/c d/e": b"333", "/z": b""}


def only(lying: LyingFtp, way: str) -> None:
    """The server has this way of listing and no better one."""
    if way != "MLSD":
        lying.lies.features = ("EPSV", "REST STREAM")
        lying.lies.lacks |= {"MLST", "MLSD"}
    if way == "LIST":
        lying.lies.answers["LIST -a"] = "550 No such file or directory: -a"
    if way == "NLST":
        lying.lies.lacks |= {"LIST"}


def planted(lying: LyingFtp) -> FTPDriver:
    lying.files.update(TREE)
    lying.folders.update({"/a", "/a/c d"})
    return lying.driver()


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_of_listing_shows_the_same(lying: LyingFtp, way: str) -> None:
    only(lying, way)
    driver = planted(lying)
    entries = [entry async for entry in driver.scan()]
    assert [entry.path for entry in entries] == ["a.txt", "a", "a/b", "a/c d", "a/c d/e", "z"]
    sizes = {entry.path: entry.size for entry in entries if isinstance(entry, Stat)}
    assert sizes == {"a.txt": 1, "a/b": 2, "a/c d/e": 3, "z": 0}
    assert [entry.path for entry in entries if isinstance(entry, Folder)] == ["a", "a/c d"]
    assert [entry.path async for entry in driver.scan("missing")] == []
    assert [entry.path async for entry in driver.scan("a.txt")] == []


@pytest.mark.parametrize("way", WAYS)
async def test_times_without_seconds_and_zone_are_unknown_in_listings_and_asked_for_in_stat(
    lying: LyingFtp, way: str
) -> None:
    only(lying, way)
    driver = planted(lying)
    times = [entry.modified async for entry in driver.scan() if isinstance(entry, Stat)]
    assert all(times) if way in ("MLSD", "NLST") else not any(times)
    stat = await driver.stat("a/b")
    assert stat.modified is not None
    assert stat.modified.isoformat() == "2024-02-03T04:05:06+00:00"


async def test_names_that_begin_with_a_dot_are_shown_where_the_server_can(
    lying: LyingFtp, vsftpd: FtpServer
) -> None:
    only(lying, "LIST -a")
    driver = planted(lying)
    lying.files["/.hidden"] = b""
    assert ".hidden" in await listed(driver)
    place = Place(vsftpd)
    place.put(b"x", ".hidden/.file")
    assert await listed(place.driver()) == [".hidden/.file"]
    await place.aclose()


async def test_a_folders_name_is_no_option_and_no_pattern(vsftpd: FtpServer) -> None:
    place = Place(vsftpd)
    for folder in ("-la", "*", "a[b]c", "abc", "~", "{a,b}"):
        place.put(b"x", f"{folder}/in {folder}")
    driver = place.driver()
    for folder in ("-la", "*", "a[b]c", "abc", "~", "{a,b}"):
        assert await listed(driver, folder) == [f"{folder}/in {folder}"]
    await place.aclose()


async def test_links_to_files_are_files_and_links_to_folders_are_not_followed(
    vsftpd: FtpServer,
) -> None:
    place = Place(vsftpd)
    place.put(b"12345", "real/file")
    (place.path / "to a file").symlink_to("real/file")
    (place.path / "to a folder").symlink_to("real")
    (place.path / "to itself").symlink_to(".")
    (place.path / "to nothing").symlink_to("nothing")
    entries = [entry async for entry in place.driver().scan()]
    assert [entry.path for entry in entries] == ["real", "real/file", "to a file"]
    assert [entry.size for entry in entries if isinstance(entry, Stat)] == [5, 5]
    await place.aclose()


async def test_removing_a_folder_removes_links_and_not_what_they_lead_to(
    vsftpd: FtpServer,
) -> None:
    place = Place(vsftpd)
    place.put(b"precious", "outside/file")
    place.put(b"x", "f/deep/x")
    (place.path / "f/link").symlink_to("../outside")
    (place.path / "f/deep/file").symlink_to("../../outside/file")
    assert await place.driver().remove_folder("f") is True
    assert not (place.path / "f").exists()
    assert place.get("outside/file") == b"precious"
    await place.aclose()


async def test_a_listing_holds_no_connection_between_its_pages(place: Place) -> None:
    for number in range(30):
        place.put(b"x", f"folder {number:02}/file")
    driver = place.driver(pool_size=2)
    async with asyncio.timeout(20):
        scans = [driver.scan() for _ in range(6)]
        firsts = [(await anext(scan)).path for scan in scans]
        assert firsts == ["folder 00"] * 6
        assert (await driver.stat("folder 07/file")).size == 1
        for scan in scans:
            assert len([entry async for entry in scan]) == 59


async def test_a_listing_is_lazy_and_looks_a_little_ahead(lying: LyingFtp) -> None:
    for number in range(40):
        lying.folders.add(f"/{number:02}")
        lying.files[f"/{number:02}/x"] = b""
    driver = lying.driver(pool_size=4)
    async with aclosing(driver.scan()) as entries:
        await anext(entries)
        await anext(entries)
    assert 2 <= len(lying.asked("MLSD")) <= 6
    assert lying.connections <= 4
    assert len(await listed(driver)) == 40


async def test_an_empty_folder_and_a_missing_one_are_told_apart(place: Place) -> None:
    driver = place.driver()
    await driver.make_folder("empty")
    assert await driver.has_folder("empty") is True
    assert await driver.has_folder("missing") is False
    assert await listed(driver, "empty") == await listed(driver, "missing") == []


async def test_a_folder_that_may_not_be_seen_is_no_empty_one(lying: LyingFtp) -> None:
    driver = planted(lying)
    await driver.stat("z")
    lying.lies.answers["MLSD"] = "550 Permission denied."
    error = await outcome(listed(driver))
    assert isinstance(error, PermissionDenied)
    lying.lies.answers["MLSD"] = "550 Something went wrong."
    error = await outcome(listed(driver, "a"))
    assert isinstance(error, PermissionDenied)


async def test_lines_that_nobody_understands_are_left_out_with_a_warning(
    lying: LyingFtp, caplog: pytest.LogCaptureFixture
) -> None:
    only(lying, "LIST")
    driver = planted(lying)
    lying.lies.names = [b"total 42", b"what is this?", b""]
    assert len(await listed(driver)) == 4
    assert any("not understood" in record.getMessage() for record in caplog.records)


async def test_a_server_without_size_is_asked_by_its_listing(lying: LyingFtp) -> None:
    only(lying, "LIST")
    lying.lies.lacks |= {"SIZE", "MDTM"}
    driver = planted(lying)
    stat = await driver.stat("a/c d/e")
    assert (stat.size, stat.modified) == (3, None)
    assert await driver.get("a/b") == b"22"
    for missing in ("a/c d", "nothing", "a/nothing"):
        with pytest.raises(NotFound):
            await driver.stat(missing)
    await driver.put("new", b"12345")
    assert lying.files["/new"] == b"12345"
