"""What a server must not be able to do to us, and what must never happen whatever it says."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    ConfigError,
    Corrupted,
    NotFound,
    Obstructed,
    PermissionDenied,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import ReadOptions
from storeroom.drivers._ftp.facts import entry_of
from storeroom.drivers._ftp.lines import listed_as
from storeroom.drivers._ftp.replies import Reply
from storeroom.drivers.ftp import FTPDriver
from tests.drivers.ftp.place import MIB, Place, listed, read
from tests.drivers.ftp.test_secrets import told
from tests.drivers.s3.bucket import outcome, random_bytes
from tests.servers.ftp import FtpServer
from tests.servers.lying_ftp import LyingFtp

PLAIN = ("EPSV", "REST STREAM")


async def test_a_folder_is_removed_with_its_links_and_nothing_they_lead_to(
    pyftpd: FtpServer,
) -> None:
    """pyftpdlib tells a link to a folder as type=dir."""
    place = Place(pyftpd)
    place.put(b"precious", "other/deep/file")
    place.put(b"above", "data/above")
    place.put(b"x", "data/x/y/file")
    (place.path / "data/x/lnk").symlink_to("../../other")
    (place.path / "data/x/y/file lnk").symlink_to("../../../other/deep/file")
    (place.path / "data/x/up").symlink_to("..")
    driver = place.driver()
    assert await driver.remove_folder("data/x") is True
    assert not (place.path / "data/x").exists()
    assert place.get("data/above") == b"above"
    assert place.get("other/deep/file") == b"precious"
    assert await driver.remove_folder("data/x") is False
    await place.aclose()


async def test_a_link_given_as_the_folder_to_remove_is_removed_and_not_its_target(
    pyftpd: FtpServer,
) -> None:
    place = Place(pyftpd)
    place.put(b"precious", "other/file")
    (place.path / "lnk").symlink_to("other")
    assert await place.driver().remove_folder("lnk") is True
    assert not (place.path / "lnk").is_symlink()
    assert place.get("other/file") == b"precious"
    await place.aclose()


async def test_a_file_is_no_folder_to_remove(place: Place) -> None:
    place.put(b"x", "file")
    assert await place.driver().remove_folder("file") is False
    assert place.get("file") == b"x"


@pytest.mark.parametrize("name", ["username", "password", "root"])
def test_what_the_encoding_cannot_write_is_refused_and_not_told(name: str) -> None:
    given: dict[str, Any] = {"username": "me", "password": "p", name: "SECRET€"}
    with pytest.raises(ConfigError) as caught:
        FTPDriver("h", encoding="latin-1", **given)
    assert name in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.path is None


async def test_a_command_that_cannot_be_written_is_not_in_the_error(lying: LyingFtp) -> None:
    lying.files["/a"] = b"x"
    driver = lying.driver(encoding="latin-1")
    await driver.stat("a")
    lease = await driver._service.lease("short")
    with pytest.raises(ValueError, match="latin-1") as caught:
        lease.control.send("PASS SECRET€")
    lease.give()
    assert not [text for text in told(caught.value) if "SECRET" in text]


async def test_an_append_that_was_cut_is_not_made_again_where_no_size_is_told(
    lying: LyingFtp,
) -> None:
    lying.files["/a"] = b"old"
    lying.lies.answers["MLST"] = b"250-Listing\r\n type=file; /a\r\n250 End\r\n"
    lying.lies.losing = ["APPE"]
    error = await outcome(lying.driver().extend("a", Body(b"more")))
    assert isinstance(error, Unavailable)
    assert not error.retryable
    assert len(lying.asked("APPE")) == 1
    assert lying.files["/a"] == b"oldmore"


async def test_an_append_of_which_nothing_is_there_yet_is_not_made_again(lying: LyingFtp) -> None:
    """The server may still be writing what came before the cut."""
    lying.files["/a"] = b"old"
    lying.lies.losing = ["APPE"]
    lying.lies.after["APPE"] = lambda: lying.files.update({"/a": b"old"})
    error = await outcome(lying.driver().extend("a", Body(b"more")))
    assert isinstance(error, Unavailable)
    assert not error.retryable
    assert len(lying.asked("APPE")) == 1


@pytest.mark.parametrize("path", ["permissions.md", "no space", "quota/denied", "read only: x"])
async def test_words_in_a_name_are_not_the_servers(lying: LyingFtp, path: str) -> None:
    driver = lying.driver()
    for said in (f"/{path}", path.rpartition("/")[2], f"'/{path}'"):
        lying.lies.answers["MLST"] = f"550 {said}: No such file or directory"
        lying.lies.answers["RETR"] = lying.lies.answers["MLST"]
        assert isinstance(await outcome(driver.stat(path)), NotFound)
        assert isinstance(await outcome(read(driver, path)), NotFound)
        lying.lies.answers["MLST"] = f"550 {said}: Permission denied"
        assert isinstance(await outcome(driver.stat(path)), PermissionDenied)
    lying.lies.answers = {"MLST": f"550 /{path}: gone"}
    assert isinstance(await outcome(driver.stat(path)), NotFound)


@pytest.mark.parametrize("features", [PLAIN, ("EPSV", "MLST size*;"), ("EPSV", "SIZE")])
@pytest.mark.parametrize("size", [10, MIB])
async def test_a_server_without_facts_can_be_read(
    lying: LyingFtp, features: tuple[str, ...], size: int
) -> None:
    """Also where it names the command among its features and does not have it."""
    lying.lies.features = features
    lying.lies.lacks = {"SIZE", "MDTM", "MLST", "MLSD"}
    lying.files["/a"] = random_bytes(size)
    driver = lying.driver(retries=2)
    for _ in range(2):
        assert await read(driver, "a") == lying.files["/a"]


async def test_a_server_that_cannot_begin_in_the_middle_has_no_ranges(lying: LyingFtp) -> None:
    lying.lies.lacks = {"REST"}
    lying.files["/a"] = random_bytes(MIB)
    driver = lying.driver()
    error = await outcome(driver.read("a", ReadOptions(10, 20)))
    assert isinstance(error, Unsupported), error
    assert await read(driver, "a") == lying.files["/a"]


def test_a_line_that_is_mostly_blanks_is_no_name() -> None:
    assert listed_as("01-01-01 1:11" + " " * 8000) is None
    assert listed_as("01-01-01 1:11P" + " " * 8000) is None


@pytest.mark.parametrize("kind", ["OS.unix=slink", "OS.unix=symlink", "OS.unix=slink:/up"])
def test_a_link_that_is_told_as_one_is_not_entered(kind: str) -> None:
    found = entry_of(f"type={kind};modify=20240101000000; up")
    assert found is not None
    assert found.kind == "other"


async def test_a_listing_does_not_run_in_circles(pyftpd: FtpServer) -> None:
    place = Place(pyftpd)
    place.put(b"x", "data/x/file")
    (place.path / "data/x/up").symlink_to("..")
    (place.path / "data/x/self").symlink_to(".")
    (place.path / "data/beside").symlink_to("x")
    files = await listed(place.driver())
    assert files == ["data/beside/file", "data/x/file"]
    await place.aclose()


@pytest.mark.parametrize("verb", ["MLST", "NOOP"])
async def test_a_server_that_begins_again_and_again_is_lost(lying: LyingFtp, verb: str) -> None:
    lying.files["/a"] = b"x"
    driver = lying.driver(retries=0)
    await driver.stat("a")
    lying.lies.answers[verb] = b"150 Soon.\r\n" * 1000
    for control in next(iter(driver._service._pools._clients.values()))._idle:
        control.doubted = verb == "NOOP"
    error = await outcome(read(driver, "a"))
    assert error == b"x" if verb == "NOOP" else isinstance(error, Unavailable)


async def test_codes_below_a_hundred_are_no_ftp(lying: LyingFtp) -> None:
    lying.lies.answers["MLST"] = "050 What?"
    error = await outcome(lying.driver(retries=0).stat("a"))
    assert isinstance(error, Unavailable)
    assert "no FTP" in str(error)


async def test_the_rest_of_a_range_that_does_not_end_is_cut(lying: LyingFtp) -> None:
    lying.files["/a"] = random_bytes(MIB)
    lying.lies.sends = lambda data: data * 64
    driver = lying.driver()
    async with asyncio.timeout(20):
        async with await driver.read("a", ReadOptions(MIB - 20, MIB - 10)) as source:
            assert len(await source.read()) == 10


@pytest.mark.parametrize("port", [0, -1, 65536, 70000])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(ConfigError, match="port"):
        FTPDriver("h", port=port)


@pytest.mark.parametrize("verify", [0, 1, None, b"ca.pem"])
def test_verify_is_nothing_that_only_looks_false(verify: Any) -> None:
    with pytest.raises(ConfigError, match="verify"):
        FTPDriver("h", verify=verify)


def test_a_password_in_the_clear_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    FTPDriver("h", tls=False)
    FTPDriver("h", username="me", password="SECRET")
    assert caplog.records == []
    FTPDriver("h", username="me", password="SECRET", tls=False)
    assert len(caplog.records) == 1
    assert "in the clear" in caplog.text
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize(
    "answers",
    [
        {"EPSV": "229 Extended passive mode (|||99999|)"},
        {"EPSV": "500 What?", "PASV": "227 Entering passive mode (127,0,0,1,999,1)."},
        {"EPSV": "500 What?", "PASV": "227 Entering passive mode (127,0,0,1,0,0)."},
    ],
)
async def test_a_port_for_data_that_is_none_is_unavailable(
    lying: LyingFtp, answers: dict[str, str | bytes]
) -> None:
    lying.files["/a"] = b"x"
    lying.lies.answers = answers
    assert isinstance(await outcome(read(lying.driver(retries=0), "a")), Unavailable)


async def test_a_size_of_thousands_of_digits_is_unknown(lying: LyingFtp) -> None:
    digits = "9" * 5000
    lying.lies.answers["MLST"] = f"250-L\r\n type=file;size={digits}; /a\r\n250 End\r\n".encode()
    assert (await lying.driver().stat("a")).size is None
    lying.lies.answers = {"SIZE": f"213 {digits}"}
    lying.lies.features = PLAIN
    assert (await lying.driver().stat("a")).size is None
    assert listed_as(f"-rw-r--r-- 1 o g {digits} Jan 02 2024 a") is None


async def test_an_idle_connection_that_is_dead_costs_less_than_the_time_out(
    lying: LyingFtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storeroom.drivers._ftp.pool._PROMPT", 0.2)
    lying.files["/a"] = b"x"
    driver = lying.driver(timeout=50.0)
    await driver.stat("a")
    for control in next(iter(driver._service._pools._clients.values()))._idle:
        control.doubted = True
    lying.lies.silent = {"NOOP"}
    async with asyncio.timeout(10):
        assert (await driver.stat("a")).size == 1


async def test_a_rename_that_stays_unknown_leaves_no_temporary_beside_a_file(
    lying: LyingFtp,
) -> None:
    lying.files["/a"] = b"old"
    lying.lies.leaving = ["RNTO"] * 3
    error = await outcome(lying.driver(retries=1).write("a", Body(b"new")))
    assert isinstance(error, Unavailable)
    assert lying.left_over() == []
    assert lying.files == {"/a": b"old"}


async def test_where_an_old_file_is_aside_for_good_is_told(lying: LyingFtp) -> None:
    lying.files["/a"] = b"old"
    lying.lies.replaces = False

    def broken() -> None:
        if len(lying.asked("RNTO")) == 2:  # the old one is aside
            lying.lies.answers["RNTO"] = "550 No more."

    lying.lies.after["RNTO"] = broken
    error = await outcome(lying.driver(retries=0).write("a", Body(b"new")))
    assert isinstance(error, Unavailable), error
    (aside,) = [path for path, data in lying.files.items() if data == b"old"]
    assert aside.lstrip("/") in str(error)


async def test_a_link_that_the_server_tells_as_a_folder_and_does_not_delete_is_not_entered(
    lying: LyingFtp,
) -> None:
    lying.files.update({"/other/precious": b"precious", "/data/file": b"x"})
    lying.folders.update({"/other", "/data"})
    lying.lies.links["/data/lnk"] = "/other"
    error = await outcome(lying.driver().remove_folder("data"))
    assert isinstance(error, Obstructed), error
    assert error.path == "data/lnk"
    assert lying.files["/other/precious"] == b"precious"


async def test_an_old_file_that_was_put_aside_is_nothing_to_sweep(lying: LyingFtp) -> None:
    """A crash between the two renames leaves the only copy of the old file there."""
    lying.files["/a"] = b"old"
    lying.lies.replaces = False
    lying.lies.silent.add("QUIT")

    def crashed() -> None:
        if len(lying.asked("RNTO")) == 2:  # the old one is aside
            lying.lies.leaving = ["RNFR", "RNTO"] * 5

    lying.lies.after["RNTO"] = crashed
    assert isinstance(await outcome(lying.driver(retries=0).write("a", Body(b"new"))), Exception)
    lying.lies.leaving = []
    await lying.driver().sweep(timedelta(seconds=-60))
    assert b"old" in lying.files.values()


async def test_a_source_may_be_collected_in_another_thread(lying: LyingFtp) -> None:
    lying.files["/a"] = random_bytes(8 * MIB)
    driver = lying.driver(pool_size=2)
    for _ in range(3):
        source = await driver.read("a")
        await anext(aiter(source))
        assert source._release is not None
        await asyncio.to_thread(source._release)
        await source.aclose()
    assert await driver.get("a") == lying.files["/a"]


async def test_lines_that_nobody_understands_are_reported_once(
    lying: LyingFtp, caplog: pytest.LogCaptureFixture
) -> None:
    lying.lies.names = [b"nonsense"] * 50
    driver = lying.driver()
    for _ in range(2):
        assert await listed(driver) == []
    found = [record for record in caplog.records if "not understood" in record.getMessage()]
    assert len(found) == 1


@pytest.mark.parametrize("size", [100, MIB])
async def test_a_range_beyond_the_end_of_a_file_of_unknown_size_is_what_there_is(
    lying: LyingFtp, size: int
) -> None:
    lying.files["/a"] = random_bytes(size)
    lying.lies.answers["MLST"] = b"250-Listing\r\n type=file; /a\r\n250 End\r\n"
    async with await lying.driver().read("a", ReadOptions(10, size + 50)) as source:
        assert source.size is None
        assert await source.read() == lying.files["/a"][10:]


async def test_a_write_is_compared_by_size_where_mlst_tells_none(lying: LyingFtp) -> None:
    driver = lying.driver()
    lying.lies.answers["MLST"] = b"250-Listing\r\n type=file; /a\r\n250 End\r\n"
    lying.lies.keeps_half = True
    assert isinstance(await outcome(driver.write("a", Body(b"1234"))), Corrupted)
    assert lying.files == {}
    lying.lies.keeps_half = False
    await driver.write("a", Body(b"1234"))
    assert lying.files == {"/a": b"1234"}


async def test_a_login_whose_folder_is_unknown_has_no_relative_root(lying: LyingFtp) -> None:
    lying.lies.lacks = {"PWD"}
    error = await outcome(lying.driver(root="files").stat("a"))
    assert isinstance(error, ConfigError)
    assert isinstance(await outcome(lying.driver(root="/files").stat("a")), NotFound)


def test_what_a_server_says_is_fit_to_be_shown() -> None:
    assert Reply(550, ("a\u202eb\x1b[31m\x85 ü 🦔",)).text == "a?b?[31m? ü 🦔"
