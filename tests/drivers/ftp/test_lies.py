"""A server that says what is not so, or says it strangely: noticed, every time."""

import asyncio
import logging
import socket
from contextlib import AsyncExitStack
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted, NotFound, Obstructed, Unavailable
from storeroom.contracts.values import ReadOptions, ScanOptions, Stat
from tests.drivers.ftp.place import MIB, listed, read
from tests.drivers.s3.bucket import outcome, random_bytes, streamed
from tests.servers.lying_ftp import LyingFtp
from tests.servers.process import HOST

BIG = random_bytes(MIB)
HOSTILE = [
    *(b"../x", b"/etc/passwd", b"a/../../b", b"..", b".", b"", b"a\x1b[31mb", b"a\rb", b"a\x00b"),
    *(b"a\\b", b"\xff\xfe.txt", b" lead", b"trail ", b"..\\x", b"sub/x", "a\u202eb".encode()),
]


@pytest.mark.parametrize("lacks", [(), ("MLST", "MLSD")], ids=["MLST", "SIZE"])
async def test_half_a_file_and_a_226_is_corrupted_and_changes_nothing(
    lying: LyingFtp, lacks: tuple[str, ...]
) -> None:
    _without(lying, *lacks)
    driver = lying.driver()
    await driver.write("a", Body(b"old"))
    lying.lies.keeps_half = True
    for body in (Body(BIG), streamed(BIG), Body(b"12")):
        error = await outcome(driver.write("a", body))
        assert isinstance(error, Corrupted), error
        assert lying.files == {"/a": b"old"}


async def test_a_replayable_body_is_sent_once_more_and_no_more(lying: LyingFtp) -> None:
    lying.lies.keeps_half = True
    driver = lying.driver()
    await outcome(driver.write("a", Body(BIG)))
    assert len(lying.asked("STOR")) == 2
    await outcome(driver.write("a", streamed(BIG, piece=1000)))
    assert len(lying.asked("STOR")) == 3


async def test_half_an_append_is_corrupted(lying: LyingFtp) -> None:
    lying.files["/a"] = b"old"
    lying.lies.keeps_half = True
    error = await outcome(lying.driver().extend("a", Body(b"1234")))
    assert isinstance(error, Corrupted)


@pytest.mark.parametrize("lacks", [(), ("MLST", "MLSD")], ids=["MLST", "SIZE"])
@pytest.mark.parametrize("size", [100, MIB])
@pytest.mark.parametrize("off", [-7, 7])
async def test_a_size_that_is_not_the_files_is_corrupted(
    lying: LyingFtp, lacks: tuple[str, ...], size: int, off: int
) -> None:
    _without(lying, *lacks)
    lying.files["/a"] = random_bytes(size)
    lying.lies.size_off = off
    error = await outcome(read(lying.driver(), "a"))
    assert isinstance(error, Corrupted), error


@pytest.mark.parametrize("size", [100, MIB])
async def test_a_file_that_ends_early_is_corrupted(lying: LyingFtp, size: int) -> None:
    lying.files["/a"] = random_bytes(size)
    lying.lies.sends = lambda data: data[: size // 2] if len(data) == size else b""
    error = await outcome(read(lying.driver(), "a"))
    assert isinstance(error, Corrupted), error


@pytest.mark.parametrize("size", [100, MIB])
async def test_a_file_that_changes_between_its_size_and_its_bytes_is_never_torn(
    lying: LyingFtp, size: int
) -> None:
    """A small one is read again; of a large one some bytes are given already."""
    old, new = random_bytes(size), random_bytes(size + 1, "new")
    lying.files["/a"] = old

    def replaced(data: bytes) -> bytes:
        lying.files["/a"] = new
        return new

    lying.lies.sends = replaced
    if size == 100:
        assert await read(lying.driver(), "a") == new
        return
    error = await outcome(read(lying.driver(), "a"))
    assert isinstance(error, Unavailable)
    assert "changed" in str(error)


async def test_a_file_that_grows_is_read_up_to_where_one_says(lying: LyingFtp) -> None:
    lying.files["/log"] = BIG
    lying.lies.sends = lambda data: data + b"one more line"
    async with await lying.driver().read("log", ReadOptions(0, len(BIG))) as source:
        assert await source.read() == BIG


@pytest.mark.parametrize("way", ["MLSD", "LIST", "NLST"])
async def test_hostile_names_are_never_listed_and_reported_once(
    lying: LyingFtp, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    _only(lying, way)
    lying.files.update({"/fine": b"x", "/also fine": b"y"})
    lying.lies.names = [_named(way, name) for name in HOSTILE]
    driver = lying.driver()
    with caplog.at_level(logging.WARNING, "storeroom"):
        for _ in range(3):
            assert sorted(await listed(driver)) == ["also fine", "fine"]
    told = [record for record in caplog.records if "path rule" in record.getMessage()]
    assert len(told) == 1
    assert all("\x1b" not in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("way", ["MLSD", "LIST", "NLST"])
async def test_a_verb_that_would_leave_hostile_names_behind_is_refused(
    lying: LyingFtp, way: str
) -> None:
    _only(lying, way)
    lying.folders.add("/f")
    lying.files["/f/fine"] = b"x"
    lying.lies.names = [_named(way, b"a\\b")]
    with pytest.raises(Obstructed):
        _ = [e async for e in lying.driver().scan("f", ScanOptions(strangers="refuse"))]


async def test_a_folder_with_names_that_lead_elsewhere_is_not_emptied(lying: LyingFtp) -> None:
    lying.folders.update({"/f", "/g"})
    lying.files.update({"/f/x": b"x", "/g/precious": b"x", "/precious": b"x"})
    for name in (b"../precious", b"/precious", b"../g", b"a\rDELE /precious"):
        lying.lies.names = [b"type=file;size=1; " + name]
        error = await outcome(lying.driver().remove_folder("f"))
        assert error is not True, name
        assert {"/precious", "/g/precious"} <= set(lying.files)
        assert not [line for line in lying.asked("DELE") if "precious" in line]


async def test_replies_in_pieces_and_all_at_once_are_the_same_replies(lying: LyingFtp) -> None:
    lying.lies.scattered = True
    driver = lying.driver()
    await driver.write("a/b", Body(b"12345"))
    assert await read(driver, "a/b") == b"12345"
    assert await listed(driver) == ["a/b"]
    assert await driver.remove("a/b") is True


async def test_replies_of_many_lines_are_understood(lying: LyingFtp) -> None:
    """RFC 959, 4.2: only the number and a space end it, whatever else the lines begin with."""
    driver = lying.driver()
    await driver.write("a", Body(b"x"))
    lying.lies.answers["MLST"] = (
        b"250-Listing\r\n type=file;size=1; /a\r\n226 not the end\r\n250-nor this\r\n"
        b"250and not this\r\n250 End\r\n"
    )
    assert (await driver.stat("a")).size == 1
    lying.lies.answers.clear()
    assert (await driver.stat("a")).size == 1


@pytest.mark.parametrize(
    "nonsense",
    [b"hello\r\n", b"25\r\n", b"\xff\xfe\xfd\r\n", b"2000 ok\r\n", b"\r\n", b"250-never\r\n" * 9],
)
async def test_what_is_no_ftp_is_unavailable(lying: LyingFtp, nonsense: bytes) -> None:
    driver = lying.driver(retries=1, timeout=0.3)
    await driver.write("a", Body(b"x"))
    lying.lies.answers["MLST"] = nonsense
    error = await outcome(driver.stat("a"))
    assert isinstance(error, (Unavailable, TimeoutError)), error
    lying.lies.answers.clear()
    assert (await driver.stat("a")).size == 1


async def test_a_reply_without_end_does_not_fill_the_memory(lying: LyingFtp) -> None:
    driver = lying.driver(retries=0)
    await driver.write("a", Body(b"x"))
    for endless in (b"x" * (3 << 20), b"250-" + b"line\r\n" * (1 << 19)):
        lying.lies.answers["MLST"] = endless
        error = await outcome(driver.stat("a"))
        assert isinstance(error, Unavailable)
        assert "does not end" in str(error)


async def test_data_never_goes_to_another_host(lying: LyingFtp) -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2020-8284"""
    met: asyncio.Queue[str] = asyncio.Queue()

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.put_nowait(writer.get_extra_info("sockname")[0])
        writer.close()

    lying.lies.lacks = {"EPSV"}
    lying.lies.pasv_host = "127.0.0.3"
    lying.files["/a"] = BIG
    assert await read(lying.driver(), "a") == BIG
    async with AsyncExitStack() as stack:
        for listener in _twins(HOST, "127.0.0.3"):
            server = await asyncio.start_server(trap, sock=listener)
            await stack.enter_async_context(server)
            lying.lies.data_port = listener.getsockname()[1]
        lying.lies.answers["RETR"] = "425 Can't open data connection."
        error = await outcome(read(lying.driver(retries=0), "a"))
        assert isinstance(error, Unavailable)
        assert await asyncio.wait_for(met.get(), 10) == HOST
        assert met.empty()


async def test_a_server_that_accepts_a_file_and_shows_none_stored_nothing(lying: LyingFtp) -> None:
    driver = lying.driver()
    lying.lies.answers["MLST"] = "550 No such file or directory."
    error = await outcome(driver.write("a", Body(b"x")))
    assert isinstance(error, Corrupted)


async def test_a_listing_that_breaks_off_is_not_a_shorter_one(lying: LyingFtp) -> None:
    lying.files.update({f"/{number}": b"" for number in range(100)})
    lying.lies.cut_at = 500
    driver = lying.driver()
    assert len(await listed(driver)) == 100
    assert len(lying.asked("MLSD")) == 2


async def test_a_range_of_a_lying_server_is_what_was_asked_for(lying: LyingFtp) -> None:
    lying.files["/a"] = BIG
    driver = lying.driver()
    async with await driver.read("a", ReadOptions(100, 300)) as source:
        assert await source.read() == BIG[100:300]
    assert isinstance(await driver.stat("a"), Stat)


async def test_a_file_that_the_server_calls_a_folder_is_none(lying: LyingFtp) -> None:
    lying.files["/a"] = b"x"
    lying.lies.answers["MLST"] = b"250-Listing\r\n type=dir; /a\r\n250 End\r\n"
    with pytest.raises(NotFound):
        await lying.driver().read("a")


def _twins(*hosts: str) -> list[socket.socket]:
    """A listener on each of these addresses, all with one port, which nobody else can have then."""
    while True:
        port, found = 0, list[socket.socket]()
        try:
            for host in hosts:
                found.append(socket.create_server((host, port)))
                port = found[0].getsockname()[1]
        except OSError:
            for listener in found:
                listener.close()
        else:
            return found


def _without(lying: LyingFtp, *verbs: str) -> None:
    lying.lies.lacks |= set(verbs)
    lying.lies.features = tuple(f for f in lying.lies.features if f.split()[0] not in verbs)


def _only(lying: LyingFtp, way: str) -> None:
    if way != "MLSD":
        _without(lying, "MLST", "MLSD")
    if way == "NLST":
        _without(lying, "LIST")


def _named(way: str, name: bytes) -> bytes:
    before: dict[str, Any] = {
        "MLSD": b"type=file;size=1; ",
        "LIST": b"-rw-r--r-- 1 o g 1 Jan 02 2024 ",
        "NLST": b"",
    }
    whole: bytes = before[way] + name
    return whole
