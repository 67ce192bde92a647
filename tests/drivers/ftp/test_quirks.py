"""What servers of other makes do: proftpd, pure-ftpd, and those behind gateways."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta, timezone

import pytest

from storeroom.contracts.body import Body, Piece
from storeroom.contracts.errors import (
    ConfigError,
    Corrupted,
    InvalidArgument,
    InvalidPath,
    NotFound,
    Obstructed,
    PermissionDenied,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import ReadOptions, WriteOptions
from storeroom.drivers._ftp.channel import Channel
from storeroom.drivers._ftp.control import Control
from storeroom.drivers.ftp import FTPDriver
from tests.drivers.ftp.place import MIB, Place, listed, read
from tests.drivers.s3.bucket import outcome, random_bytes, streamed
from tests.servers.lying_ftp import LyingFtp

BIG = random_bytes(2 * MIB)
PLAIN = ("EPSV", "SIZE")


@pytest.mark.parametrize("features", [PLAIN, ("EPSV", "MLST type*;size*;modify*;")])
async def test_busy_is_not_missing(lying: LyingFtp, features: tuple[str, ...]) -> None:
    lying.lies.features = features
    lying.files["/a"] = b"old"
    driver = lying.driver(retries=0)
    lying.lies.answers.update(
        dict.fromkeys(("SIZE", "MLST", "CWD"), "450 The file is in use."), DELE="550 It failed."
    )
    for work in (
        driver.stat("a"),
        driver.remove("a"),
        driver.rename("a", "b"),
        driver.extend("a", Body(b"x")),
        driver.has_folder("folder"),
        driver.write("a", Body(b"new")),
    ):
        error = await outcome(work)
        assert isinstance(error, Unavailable), error
    assert lying.files["/a"] == b"old"


async def test_a_passing_code_whose_words_are_that_it_is_missing_is_final(lying: LyingFtp) -> None:
    """proftpd says 450 of what is not there."""
    lying.lies.features = PLAIN
    lying.lies.answers["SIZE"] = "450 /a: No such file or directory"
    error = await outcome(lying.driver().stat("a"))
    assert isinstance(error, NotFound)
    assert len(lying.asked("SIZE")) == 1


async def test_a_folder_under_a_renamed_file_is_told_whatever_the_code(lying: LyingFtp) -> None:
    """pure-ftpd says 451 where a folder is in the way, and where the folder above is missing."""
    lying.folders.add("/folder")
    driver = lying.driver(retries=0)
    lying.lies.answers["RNTO /folder"] = "451 Rename/move failure: Is a directory"
    assert isinstance(await outcome(driver.write("folder", Body(b"x"))), Obstructed)
    assert lying.left_over() == []
    await driver.write("a", Body(b"x"))
    lying.lies.answers["RNTO /new/b"] = "451 Rename/move failure: No such file or directory"
    lying.lies.after["MKD"] = lambda: lying.lies.answers.pop("RNTO /new/b", None)
    await driver.rename("a", "new/b")
    assert lying.files == {"/new/b": b"x"}


@pytest.mark.parametrize("features", [("EPSV", "MLST type*;size*;modify*;"), PLAIN, ("EPSV",)])
async def test_a_rename_is_announced_to_nobody_who_waits_for_its_end(
    lying: LyingFtp, features: tuple[str, ...]
) -> None:
    """proftpd takes no other command between RNFR and RNTO, however long that is."""
    lying.lies.features, lying.lies.strict = features, True
    if features == ("EPSV",):
        lying.lies.lacks |= {"SIZE", "MDTM"}
    driver = lying.driver(pool_size=2)
    await driver.write("old", Body(b"old"))
    await driver.extend("old", streamed(BIG))
    lying.lies.keeps_half = True
    assert isinstance(await outcome(driver.write("old", Body(b"new"))), Corrupted)
    lying.lies.keeps_half = False
    assert (await driver.stat("old")).size == len(BIG) + 3
    assert lying.left_over() == []
    lying.lies.lacks.add("CHMOD")
    private = WriteOptions(visibility="private")
    assert isinstance(await outcome(driver.write("old", Body(b"new"), private)), Unsupported)
    assert (await driver.stat("old")).size == len(BIG) + 3
    assert lying.left_over() == []
    assert await driver.remove("old") is True


async def test_a_rename_that_cannot_replace_is_announced_once(lying: LyingFtp) -> None:
    lying.lies.strict, lying.lies.replaces = True, False
    driver = lying.driver(pool_size=2)
    for data in (b"1", b"22", b"333"):
        await driver.write("a", Body(data))
    assert lying.files == {"/a": b"333"}


async def test_a_rename_whose_end_nobody_tells_is_not_made_again(lying: LyingFtp) -> None:
    lying.lies.losing = ["RNTO"]
    driver = lying.driver(retries=1)
    lying.lies.after["RNTO"] = lambda: lying.lies.answers.update(MLST="450 Busy.", SIZE="450 Busy.")
    error = await outcome(driver.write("a", Body(b"x")))
    assert isinstance(error, Unavailable)
    assert error.retryable is False


async def test_a_connection_with_a_rename_announced_serves_nobody_else(lying: LyingFtp) -> None:
    driver = lying.driver()
    await driver.write("a", Body(b"x"))

    async def half(control: Control) -> None:
        await control.do("RNFR /a")

    await driver._service.run(half)
    assert (await driver.stat("a")).size == 1
    assert lying.connections == 2


async def test_a_refusal_without_a_reason_of_what_is_there_is_a_denial(lying: LyingFtp) -> None:
    """pure-ftpd that is told to rename nothing, and to change no permissions."""
    lying.files["/a"] = b"x"
    lying.lies.features += ("MFMT",)
    lying.lies.answers.update(
        RNTO="550 Rename/move failure", SITE="550 It failed.", MFMT="550 It failed."
    )
    driver = lying.driver()
    for work in (
        driver.write("b", Body(b"x")),
        driver.rename("a", "b"),
        driver.change_visibility("a", "private"),
        driver.change_time("a", datetime(2024, 1, 1, tzinfo=UTC)),
    ):
        assert isinstance(await outcome(work), PermissionDenied)
    assert lying.files == {"/a": b"x"}


@pytest.mark.parametrize(
    "reply",
    [
        "530 Sorry, the maximum number of clients (2) from your host are already connected.",
        "530 Sorry, the maximum number of allowed clients (2) already connected.",
        "530 Sorry, max 2 users -- try again later",
        "421 2 users (the maximum) are already logged in, sorry",
    ],
)
async def test_a_login_that_is_one_too_many_is_no_wrong_password(
    lying: LyingFtp, reply: str
) -> None:
    lying.lies.answers["PASS"] = reply
    error = await outcome(lying.driver(retries=0).stat("a"))
    assert isinstance(error, Unavailable)
    assert "no more connections" in str(error)


async def test_a_server_with_few_connections_is_enough_while_they_are_being_opened(
    lying: LyingFtp,
) -> None:
    lying.lies.most = 2
    lying.lies.slow["PASS"] = 0.05
    driver = lying.driver(pool_size=4, retries=0)
    await asyncio.gather(*(driver.write(f"{number}", Body(b"x")) for number in range(16)))
    assert len(lying.files) == 16
    assert len(lying.sessions) == 2


async def test_a_server_that_was_full_for_a_while_has_room_again(
    lying: LyingFtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying.lies.most = 2
    driver = lying.driver(pool_size=4, retries=0)

    async def many() -> int:
        lying.lies.slow["MLST"] = 0.02
        await asyncio.gather(*(driver.has_folder("a") for _ in range(8)))
        return len(lying.sessions)

    monkeypatch.setattr("storeroom.drivers._ftp.pool._LATER", 0.0)
    assert await many() == 2
    lying.lies.most = None
    assert await many() == 4


async def test_one_connection_that_died_in_silence_stands_for_those_that_were_idle_longer(
    lying: LyingFtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storeroom.drivers._ftp.pool._PROMPT", 0.1)
    driver = lying.driver(pool_size=4)
    lying.lies.slow["STOR"] = 0.02
    await asyncio.gather(*(driver.write(f"{number}", Body(b"x")) for number in range(8)))
    assert lying.connections == 4
    monkeypatch.setattr("storeroom.drivers._ftp.pool._FRESH", 0.0)
    lying.lies.silent.add("NOOP")
    await driver.stat("1")
    assert len(lying.asked("NOOP")) == 1
    assert lying.connections == 5


async def test_the_control_connection_is_kept_alive_through_gateways(place: Place) -> None:
    driver = place.driver()
    await driver.make_folder("a")
    lease = await driver._service.lease("short")
    raw = lease.control.channel.about("socket")
    assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    if hasattr(socket, "TCP_KEEPIDLE"):
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 120
    lease.give()


async def test_a_range_does_not_wait_for_an_end_that_is_called_a_beginning(
    lying: LyingFtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pure-ftpd does so where the rest of a file is not taken."""
    monkeypatch.setattr("storeroom.drivers._ftp.transfer.SOON", 60.0)
    lying.files["/a"] = BIG
    driver = lying.driver()
    lying.lies.ends = "150 0.003 seconds (measured here)"
    async with asyncio.timeout(30):
        source = await driver.read("a", ReadOptions(start=5, stop=10))
        async with source:
            assert b"".join([chunk async for chunk in source]) == BIG[5:10]
    lying.lies.ends = "226 Transfer complete."
    assert await read(driver, "a") == BIG


@pytest.mark.parametrize("reply", ["229 Extended passive mode (|||1|)", "229 Entering it."])
async def test_where_epsv_leads_nowhere_pasv_is_tried(
    lying: LyingFtp, reply: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storeroom.drivers._ftp.transfer.SOON", 0.05)
    lying.lies.answers["EPSV"] = reply
    driver = lying.driver(retries=1)
    await driver.write("a", Body(b"x"))
    assert await read(driver, "a") == b"x"
    assert len(lying.asked("EPSV")) == 2


async def test_epsv_that_worked_once_is_not_given_up(lying: LyingFtp) -> None:
    driver = lying.driver(retries=1)
    await driver.write("a", Body(b"x"))
    lying.lies.data_port = 1
    assert isinstance(await outcome(read(driver, "a")), Unavailable)
    assert lying.asked("PASV") == []


async def test_a_server_that_listens_no_more_once_it_refused_is_heard(lying: LyingFtp) -> None:
    """proftpd closes the door with the refusal, mostly before anybody can be there."""
    driver = lying.driver(retries=0)
    await driver.write("a", Body(b"x"))
    lying.lies.data_port = 1
    lying.lies.answers["RETR"] = "550 /b: No such file or directory"
    lying.lies.lacks.add("MLST")
    lying.lies.answers["SIZE"] = "550 It is not there."
    driver._service.server.unlearn("MLST")
    assert isinstance(await outcome(driver.read("b")), NotFound)
    lying.lies.answers["STOR"] = "552 Quota exceeded."
    error = await outcome(driver.write("b", Body(b"x")))
    assert "552" in str(error)


@pytest.mark.parametrize("command", ["LIST", "NLST"])
@pytest.mark.parametrize("reply", ["450 No files found.", "550 No files found"])
async def test_an_empty_folder_may_be_called_an_error(
    lying: LyingFtp, command: str, reply: str
) -> None:
    lying.lies.features = PLAIN
    if command == "NLST":
        lying.lies.lacks.add("LIST")
    lying.lies.answers[command] = reply
    driver = lying.driver(retries=0)
    assert await listed(driver) == []
    lying.files["/.a"] = b"x"
    del lying.lies.answers[command]
    assert await listed(driver) == [".a"]


@pytest.mark.parametrize("command", ["LIST", "NLST"])
async def test_a_denial_is_no_empty_folder(lying: LyingFtp, command: str) -> None:
    lying.lies.features = PLAIN
    if command == "NLST":
        lying.lies.lacks.add("LIST")
    lying.lies.answers[command] = "550 Permission denied."
    assert isinstance(await outcome(listed(lying.driver())), PermissionDenied)


async def test_listings_of_a_foreign_form_are_taken_by_name(lying: LyingFtp) -> None:
    lying.lies.features = ("EPSV",)
    lying.lies.lines = [b"", b"Directory ANON:[000000]", b"A.;1   2 28-NOV-2026 12:00:00"]
    lying.files.update({"/a": b"1", "/folder/b c": b"22"})
    lying.folders.add("/folder")
    driver = lying.driver()
    assert await listed(driver) == ["a", "folder/b c"]
    lying.lies.lacks |= {"SIZE", "MDTM"}
    assert await listed(driver) == ["a", "folder/b c"]
    assert (await driver.stat("folder/b c")).size is None


@pytest.mark.parametrize("name", ["..\\x", "a/..\\..\\x", "x\\.."])
async def test_no_backslash_leads_out_where_any_name_is_taken(lying: LyingFtp, name: str) -> None:
    driver = lying.driver(paths="service")
    assert isinstance(await outcome(driver.write(name, Body(b"x"))), InvalidPath)
    await driver.write("a\\b", Body(b"x"))
    assert lying.files == {"/a\\b": b"x"}


async def test_a_folder_that_vsftpd_may_not_read_is_no_empty_one(lying: LyingFtp) -> None:
    lying.lies.features = PLAIN
    lying.lies.ends = "226 Transfer done (but failed to open directory)."
    assert isinstance(await outcome(listed(lying.driver())), PermissionDenied)


async def test_what_is_added_at_once_is_added_one_after_the_other(lying: LyingFtp) -> None:
    """proftpd writes over what another connection adds meanwhile."""
    lying.lies.slow["APPE"] = 0.001
    driver = lying.driver()
    await asyncio.gather(*(driver.extend("a", Body(b"%02d" % number)) for number in range(20)))
    assert len(lying.files["/a"]) == 40


async def test_utf8_is_asked_for_only_where_it_is_spoken(lying: LyingFtp) -> None:
    await lying.driver(encoding="latin-1").write("ü", Body(b"x"))
    assert "/\udcfc" in lying.files
    assert lying.asked("OPTS") == []
    await lying.driver(encoding="UTF8").write("ü", Body(b"x"))
    assert "/ü" in lying.files
    assert lying.asked("OPTS") == ["OPTS UTF8 ON"]


@pytest.mark.parametrize("name", ["ÿô", "aÿÿb", "folder/ÿý ä"])
async def test_a_name_is_no_command_of_telnet(lying: LyingFtp, name: str) -> None:
    """proftpd takes those bytes out, so another file would be written or removed."""
    driver = lying.driver(encoding="latin-1")
    for work in (driver.write(name, Body(b"x")), driver.remove(name), driver.stat(name)):
        assert isinstance(await outcome(work), InvalidPath)
    with pytest.raises(ConfigError, match="Telnet"):
        FTPDriver("h", encoding="latin-1", root=name)
    await driver.write("ÿ aÿb", Body(b"x"))
    assert list(lying.files) == ["/\udcff a\udcffb"]


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-8-sig", "utf-7", "cp037", "base64", "idna", "none such"]
)
def test_an_encoding_that_is_unfit_for_commands_is_refused(encoding: str) -> None:
    with pytest.raises(ConfigError, match="encoding"):
        FTPDriver("h", encoding=encoding)


async def test_rare_permissions_are_read(lying: LyingFtp) -> None:
    lying.lies.features = PLAIN
    lying.lies.names = [b"-rwSr-lr-T 1 o g 1 Jan 02 2024 z", b"-rwS--S--T 1 o g 1 Jan 02 2024 y"]
    lying.lies.answers["SIZE"] = "213 1"
    driver = lying.driver()
    assert await driver.read_visibility("z") == "public"
    assert await driver.read_visibility("y") == "private"


async def test_permissions_are_read_where_list_takes_no_option(lying: LyingFtp) -> None:
    lying.lies.features = PLAIN
    lying.files["/a"] = b"1"
    lying.lies.answers["LIST -a"] = "501 No options here."
    assert await lying.driver().read_visibility("a") == "public"


async def test_times_have_four_digits_of_a_year_or_are_refused(lying: LyingFtp) -> None:
    lying.files["/a"] = b"1"
    driver = lying.driver()
    await driver.change_time("a", datetime(999, 1, 1, tzinfo=UTC))
    assert lying.times["/a"] == "09990101000000"
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    assert isinstance(await outcome(driver.change_time("a", early)), InvalidArgument)


async def test_no_port_to_listen_on_is_unavailable(
    lying: LyingFtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = lying.driver(passive=False, retries=0)
    await driver.has_folder("a")

    async def refused(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", refused)
    error = await outcome(driver.read("a"))
    assert isinstance(error, StorageError)
    assert isinstance(error, (Unavailable, NotFound))


async def test_no_breath_is_longer_than_a_server_takes(
    lying: LyingFtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pure-ftpd under TLS waits for ever where many commands come in one record."""
    sizes: list[int] = []
    write = Channel.write

    def watched(channel: Channel, piece: Piece) -> None:
        sizes.append(len(piece))
        write(channel, piece)

    monkeypatch.setattr(Channel, "write", watched)
    deep = "/".join(["folder"] * 99)
    driver = lying.driver()
    await driver.write(f"{deep}/a", Body(b"x"))
    assert await read(driver, f"{deep}/a") == b"x"
    assert max(sizes) <= 2048
