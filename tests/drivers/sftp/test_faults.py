"""Silence, refusals and nonsense from the server: each its own kind, and none in the way of the next."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import asyncssh
import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    Corrupted,
    NotFound,
    Obstructed,
    PermissionDenied,
    QuotaExceeded,
    StorageError,
    Timeout,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import WriteOptions
from storeroom.drivers._sftp import listing, wire
from storeroom.drivers._sftp.channel import Channel
from storeroom.drivers._sftp.failures import Lost, reading
from storeroom.drivers.sftp import SFTPDriver
from tests.drivers.sftp.share import (
    KEY,
    MIB,
    Share,
    each,
    listed,
    outcome,
    random_bytes,
    read,
    streamed,
)
from tests.servers.lying_ftp import LyingFtp
from tests.servers.lying_sftp import Honest, serving
from tests.servers.process import HOST
from tests.servers.proxy import Proxy

NEW = random_bytes(4 * MIB)
OLD = b"old"
VERBS: dict[str, Callable[[SFTPDriver, str], Awaitable[object]]] = {
    "stat": lambda driver, path: driver.stat(path),
    "read": read,
    "write": lambda driver, path: driver.write(path, Body(NEW)),
    "append": lambda driver, path: driver.extend(path, Body(b"x")),
    "copy": lambda driver, path: driver.copy_within(path, f"{path} copy"),
    "move": lambda driver, path: driver.rename(path, path),
    "remove": lambda driver, path: driver.remove(path),
    "scan": lambda driver, path: listed(driver),
    "make a folder": lambda driver, path: driver.make_folder(f"{path} folder"),
}


async def test_a_black_hole_is_a_time_out(share: Share) -> None:
    async def one(verb: str, proxy: Proxy, driver: SFTPDriver) -> None:
        proxy.black_hole()
        began = time.monotonic()
        error = await outcome(VERBS[verb](driver, verb), within=5)
        assert isinstance(error, Timeout), (verb, error)
        assert 0.6 <= time.monotonic() - began < 4
        proxy.let_pass()
        driver = share.driver(proxy.port)
        await driver.write(verb, Body(b"goes on"))
        assert await read(driver, verb) == b"goes on"

    async with AsyncExitStack() as stack:
        ready: list[tuple[str, Proxy, SFTPDriver]] = []
        for verb in VERBS:
            proxy = await stack.enter_async_context(Proxy(share.port))
            driver = share.driver(proxy.port, retries=9, timeout=0.6)
            await driver.write(verb, Body(OLD))  # a login has no longer than a request
            driver._service.retries = 0
            ready.append((verb, proxy, driver))
        await each(ready, lambda case: one(*case), at_once=len(VERBS))


async def test_a_black_hole_before_the_first_word_is_a_time_out(share: Share, proxy: Proxy) -> None:
    proxy.black_hole()
    driver = share.driver(proxy.port, retries=3, timeout=0.3)
    error = await outcome(driver.stat(KEY), within=5)
    assert isinstance(error, Timeout)
    assert f"no SSH server greets at {HOST}:{proxy.port} within 0.3 s" in error.reason
    assert proxy.connections == 1  # a further try would only last as long again
    proxy.let_pass()


async def test_a_server_of_another_kind_is_a_time_out_that_says_so(share: Share) -> None:
    async with LyingFtp() as ftp:
        error = await outcome(share.driver(ftp.port, retries=3, timeout=0.3).stat(KEY), within=5)
        assert isinstance(error, Timeout)
        assert "no SSH server greets" in error.reason
        assert ftp.connections == 1


async def test_a_black_hole_that_ends_is_survived(share: Share, proxy: Proxy) -> None:
    share.put(NEW)
    driver = share.driver(proxy.port, timeout=0.4)
    async with await driver.read(KEY) as source:
        got = await source.read(1000)
        proxy.black_hole()
        asyncio.get_running_loop().call_later(0.6, proxy.let_pass)
        assert got + await source.read() == NEW


async def test_latency_costs_time_and_nothing_else(share: Share, proxy: Proxy) -> None:
    driver = share.driver(proxy.port, timeout=1)
    proxy.latency = 0.05
    await driver.write(KEY, streamed(NEW))
    assert await read(driver) == NEW
    assert await listed(driver) == [KEY.partition("/")[0], KEY]
    assert proxy.connections == 1


async def test_a_slow_connection_is_no_time_out(share: Share, proxy: Proxy) -> None:
    """The time-out is for silence, not for the whole."""
    share.put(NEW[:MIB])
    driver = share.driver(proxy.port, timeout=0.4, retries=0)
    await driver.stat(KEY)
    proxy.bandwidth = 2 * MIB
    assert await read(driver) == NEW[:MIB]
    await driver.write(KEY, Body(NEW[: 2 * MIB]))
    assert share.get() == NEW[: 2 * MIB]


class Refusing(Honest):
    """Fails as tests say: `failing` has a verb's name and the error."""

    failing: dict[str, asyncssh.SFTPError]

    def _fail(self, verb: str) -> None:
        if verb in self.failing:
            raise self.failing[verb]

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        self._fail("create" if pflags & asyncssh.FXF_CREAT else "open")
        return super().open(path, pflags, attrs)

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        self._fail("write")
        return super().write(file_obj, offset, data)

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        self._fail("read")
        return super().read(file_obj, offset, size)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._fail("rename")
        super().posix_rename(oldpath, newpath)

    def fsync(self, file_obj: object) -> None:
        self._fail("fsync")
        super().fsync(file_obj)

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        self._fail("setstat")
        super().setstat(path, attrs)

    def statvfs(self, path: bytes) -> object:
        found = super().statvfs(path)
        if "space" in self.failing:
            values = list(os.statvfs("/"))
            values[3] = values[4] = 0
            return os.statvfs_result(values)
        return found


def refusing(**failing: asyncssh.SFTPError) -> type[Honest]:
    return type("Refusing", (Refusing,), {"failing": failing})


NO = asyncssh.SFTPPermissionDenied("no")
VAGUE = asyncssh.SFTPFailure("Failure")


@pytest.mark.parametrize(
    ("server", "verb", "kind"),
    [
        (refusing(create=NO), "write", PermissionDenied),
        (refusing(open=NO), "read", PermissionDenied),
        (refusing(rename=NO), "write", PermissionDenied),
        (refusing(setstat=NO), "chmod", PermissionDenied),
        (refusing(setstat=asyncssh.SFTPOpUnsupported("no")), "chmod", Unsupported),
        (refusing(write=VAGUE), "write", StorageError),
        (refusing(write=VAGUE, space=VAGUE), "write", QuotaExceeded),
        (refusing(fsync=VAGUE), "write", StorageError),
        (refusing(read=VAGUE), "read", StorageError),
    ],
)
async def test_a_refusal_has_its_kind_and_changes_nothing(
    tmp_path: Path, server: type[Honest], verb: str, kind: type[StorageError]
) -> None:
    async with serving(tmp_path, server) as running:
        share = Share(running, "")
        share.put(OLD, "a")
        driver = share.driver()
        verbs: dict[str, Callable[[], Awaitable[object]]] = {
            "write": lambda: driver.write("a", Body(b"new")),
            "read": lambda: read(driver, "a"),
            "chmod": lambda: driver.change_visibility("a", "private"),
        }
        error = await outcome(verbs[verb]())
        assert type(error) is kind, error
        assert error.path == "a"
        assert share.names() == ["a"]
        assert share.get("a") == OLD
        assert (await driver.stat("a")).size == 3
        await share.aclose()


async def test_a_temporary_that_could_not_be_made_is_not_said_to_be_left_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Sealed(refusing(create=NO)):  # type: ignore[misc]  # made for this
        def remove(self, path: bytes) -> None:
            raise NO

    async with serving(tmp_path, Sealed) as running:
        share = Share(running, "")
        assert isinstance(await outcome(share.driver().write("a", Body(b"x"))), PermissionDenied)
        assert not [told for told in caplog.records if told.name == "storeroom"]
        await share.aclose()


async def test_a_copy_that_finds_no_room_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path, refusing(write=VAGUE, space=VAGUE)) as running:
        share = Share(running, "")
        share.put(OLD, "a")
        assert isinstance(await outcome(share.driver().copy_within("a", "b")), QuotaExceeded)
        assert share.names() == ["a"]
        await share.aclose()


async def test_more_bytes_than_were_asked_for_are_corrupted(tmp_path: Path) -> None:
    class Generous(Honest):
        def read(self, file_obj: object, offset: int, size: int) -> bytes:
            return super().read(file_obj, offset, size + (100 if offset else 0))

    async with serving(tmp_path, Generous) as running:
        share = Share(running, "")
        share.put(NEW[:MIB])
        source = await share.driver().read(KEY)
        assert await source.read(100_000) == NEW[:100_000]
        error = await outcome(source.read())
        assert isinstance(error, Corrupted)
        assert "were asked for" in error.reason
        await source.aclose()
        await share.aclose()


async def test_a_root_that_is_a_file_is_told(each_share: Share) -> None:
    each_share.put(OLD, "file")
    for name in ("file", "file/inside"):
        driver = Share(each_share.server, f"{each_share.name}/{name}").driver()
        for verb in (
            driver.write("a", Body(b"x")),
            driver.extend("a", Body(b"x")),
            driver.make_folder("a"),
        ):
            error = await outcome(verb)
            assert isinstance(error, Obstructed)
            assert "root" in error.reason
        assert isinstance(await outcome(driver.read("a")), NotFound)
        assert await listed(driver) == []
        await driver.aclose()


async def test_a_port_that_is_closed_without_a_greeting_is_told(share: Share) -> None:
    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(met, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await outcome(share.driver(port, retries=0).stat(KEY))
        assert isinstance(error, Unavailable)
        assert f"before an SSH server greeted ({HOST}:{port})" in error.reason


@pytest.mark.parametrize("error", [NO, asyncssh.SFTPNoSuchFile("No such file")])
async def test_a_root_that_cannot_be_made_is_denied(
    tmp_path: Path, error: asyncssh.SFTPError
) -> None:
    class Sealed(Honest):
        def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
            if path.endswith(b"/new"):
                raise error
            super().mkdir(path, attrs)

    async with serving(tmp_path, Sealed) as running:
        await _is_denied(Share(running, "new/root"), "the root '/new/root'", error.reason)


async def test_a_root_that_leads_nowhere_is_denied(share: Share) -> None:
    (share.path / "link").symlink_to("nowhere")
    await _is_denied(Share(share.server, f"{share.name}/link"), "the root", "link to nowhere")


@pytest.mark.parametrize("root", ["", "new/root"])
async def test_a_file_system_that_is_read_only_is_told(tmp_path: Path, root: str) -> None:
    class ReadOnly(refusing(create=VAGUE)):  # type: ignore[misc]  # made for this
        def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
            raise VAGUE

        def statvfs(self, path: bytes) -> object:
            values = list(os.statvfs(self.map_path(path)))
            values[8] = os.ST_RDONLY
            return os.statvfs_result(values)

    async with serving(tmp_path, ReadOnly) as running:
        await _is_denied(Share(running, root), "mounted read-only")


async def test_a_failure_of_which_nothing_is_known_names_what_to_look_at(tmp_path: Path) -> None:
    async with serving(tmp_path, refusing(create=VAGUE)) as running:
        share = Share(running, "")
        error = await outcome(share.driver().write("a", Body(b"x")))
        assert type(error) is StorageError
        assert "read-only" in error.reason
        await share.aclose()


async def _is_denied(share: Share, *words: str) -> None:
    driver = share.driver()
    for verb in (
        driver.write("a", Body(b"x")),
        driver.write("b/a", Body(b"x")),
        driver.extend("a", Body(b"x")),
        driver.make_folder("b"),
    ):
        error = await outcome(verb)
        assert isinstance(error, PermissionDenied)
        assert all(word in error.reason for word in words), error
    await share.aclose()


async def test_a_failure_without_words_is_looked_into(each_share: Share) -> None:
    share, driver = each_share, each_share.driver()
    share.put(b"x", "file")
    share.put(b"x", "folder/inside")
    for path in ("file/a", "file/a/b", "folder"):
        for how in (WriteOptions(), WriteOptions(overwrite=False)):
            assert isinstance(await outcome(driver.write(path, Body(b"x"), how)), Obstructed)
        assert isinstance(await outcome(driver.extend(path, Body(b"x"))), Obstructed)
        assert isinstance(await outcome(driver.rename("file", path)), Obstructed)
    for path in ("file", "file/a"):
        assert isinstance(await outcome(driver.make_folder(path)), Obstructed)
    for path in ("folder", "missing", "missing/a", "file/a"):
        for verb in (driver.stat, driver.read, driver.read_visibility):
            assert isinstance(await outcome(verb(path)), NotFound)
        assert isinstance(await outcome(driver.rename(path, "to")), NotFound)
        assert isinstance(await outcome(driver.copy_within(path, "to")), NotFound)
        assert await driver.remove(path) is False
    assert share.names() == ["file", "folder/inside"]


async def test_what_a_server_says_of_a_way_through_a_file_does_not_count(tmp_path: Path) -> None:
    """OpenSSH says that nothing is there, ProFTPD only that it failed."""

    class Vague(Honest):
        def lstat(self, path: bytes) -> os.stat_result:
            try:
                return os.lstat(self.map_path(path))
            except NotADirectoryError:
                raise VAGUE from None

    async with serving(tmp_path, Vague) as running:
        share, driver = Share(running, ""), Share(running, "").driver()
        share.put(b"x", "file")
        for path in ("file/a", "file/a/b"):
            assert isinstance(await outcome(driver.stat(path)), NotFound)
            assert isinstance(await outcome(driver.write(path, Body(b"x"))), Obstructed)
            assert isinstance(await outcome(driver.make_folder(path)), Obstructed)
            assert await driver.remove(path) is False
            assert await driver.has_folder(path) is False
            assert await listed(driver, path) == []
        await driver.aclose()


async def test_folders_that_may_not_be_read_are_denied(tmp_path: Path) -> None:
    class Closed(Honest):
        def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
            if path.endswith(b"closed"):
                raise NO
            return super().scandir(path)

    async with serving(tmp_path, Closed) as running:
        share = Share(running, "")
        share.put(b"x", "closed/a")
        share.put(b"x", "a")
        assert isinstance(await outcome(listed(share.driver())), PermissionDenied)
        assert isinstance(await outcome(listed(share.driver(), "closed")), PermissionDenied)
        await share.aclose()


async def test_a_listing_that_does_not_end_is_corrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless(Honest):
        async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
            for number in count():
                yield asyncssh.SFTPName(b"%d" % number)

    monkeypatch.setattr(listing, "_MOST_NAMES", 1000)
    async with serving(tmp_path, Endless) as running:
        share = Share(running, "")
        error = await outcome(listed(share.driver()))
        assert isinstance(error, Corrupted)
        assert "does not end" in error.reason
        await share.aclose()


def test_words_of_the_server_are_short_and_printable() -> None:
    error = reading(Lost("dropped", "\x1b[2J\r\n" + "x" * 1000))
    assert error is not None
    assert error.reason.isprintable()
    assert len(error.reason) < 300


async def test_a_bad_handle_that_nobody_waits_for_ends_the_channel() -> None:
    channel = Channel(asyncio.get_running_loop(), 1)
    channel.unwanted((wire.HANDLE, b"\0\0\0\x09x"))
    assert channel.lost is not None
    assert "that is no SFTP" in channel.lost.reason


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\0\0\0\x05\x02\0\0\0\x03" + b"\xff\xff\xff\xff" * 4,
        b"\0\0\0\x05\x02\0\0\0\x03" + b"\0\0\0\x01x",
        b"\0\0\0\x09\x65\x00\x00\x00\x63\0\0\0\0",
        b"\0\0\0\x05\x02\0\0\0\x09",
        b"Welcome to the shell!\r\n",
        b"\0\0\0\x0d\x02\0\0\0\x03\0\0\x01\0abcd",
        b"",
    ],
)
async def test_nonsense_is_no_sftp_and_ends_the_connection(nonsense: bytes) -> None:
    def talk(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        process.stdout.write(nonsense)
        process.exit(0)

    key = asyncssh.generate_private_key("ssh-ed25519")
    acceptor = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=_Open, server_host_keys=[key], process_factory=talk,
        encoding=None,
    )  # fmt: skip
    public = key.export_public_key().decode()
    driver = SFTPDriver(
        "127.0.0.1", port=acceptor.get_port(), username="u", password="x", host_key=public,
        retries=0, timeout=5,
    )  # fmt: skip
    assert isinstance(await outcome(driver.stat(KEY)), Unavailable)
    await driver.aclose()
    acceptor.close()
    await acceptor.wait_closed()


class _Open(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False
