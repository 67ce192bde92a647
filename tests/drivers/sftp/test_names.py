"""Names from a server that lies, names that are no UTF-8, and links."""

import logging
import os
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    InvalidPath,
    NotFound,
    Obstructed,
    PermissionDenied,
    StorageError,
)
from storeroom.contracts.values import ScanOptions, Stat
from tests.drivers.sftp.share import KEY, Share, listed, outcome, read
from tests.servers.lying_sftp import Honest, serving

HOSTILE = (
    *(b"../evil", b"..", b".", b"", b"/abs", b"a/b", b"a/../b", b"..\\evil", b"C:\\x"),
    *(b"line\nbreak", b"cr\r\nlf", b"\x1b[31mred", b"nul\x00", b"\x7f", b"\xc2\x85", b"\xff\xfe"),
    *(b"\xed\xa0\x80", "\u202egpj.exe".encode(), "\ufeffbom".encode(), b"x" * 1100),
    *(b".storeroom-tmp-1", b".storeroom-lock"),
)
GOOD = {"good.txt": b"1", "ü 🦔": b"2"}


class Lying(Honest):
    """Puts hostile names, as files and as folders, among what is there."""

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        for name in HOSTILE:
            for permissions in (0o100644, 0o040755):
                yield asyncssh.SFTPName(name, attrs=asyncssh.SFTPAttrs(permissions=permissions))
        async for entry in super().scandir(path):
            yield entry
            yield entry


async def test_hostile_names_are_never_listed_and_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, Lying) as server:
        share = Share(server, "")
        for name, data in GOOD.items():
            share.put(data, name)
        share.put(b"3", "folder/good.txt")
        driver = share.driver()
        wanted = ["folder", "folder/good.txt", "good.txt", "ü 🦔"]
        with caplog.at_level(logging.WARNING, "storeroom"):
            for _ in range(2):
                assert await listed(driver) == wanted
            assert await listed(driver, "folder") == ["folder/good.txt"]
        assert len([record for record in caplog.records if record.name == "storeroom"]) == 1
        with pytest.raises(Obstructed):
            _ = [entry async for entry in driver.scan("", ScanOptions(strangers="refuse"))]
        await share.aclose()


async def test_hostile_names_are_never_followed_when_a_folder_is_removed(tmp_path: Path) -> None:
    asked: list[bytes] = []

    class Watched(Lying):
        def remove(self, path: bytes) -> None:
            asked.append(path)
            super().remove(path)

        def rmdir(self, path: bytes) -> None:
            asked.append(path)
            super().rmdir(path)

    async with serving(tmp_path, Watched) as server:
        share = Share(server, "")
        share.put(b"x", "folder/a")
        assert isinstance(await outcome(share.driver().remove_folder("folder")), Obstructed)
        assert asked == []
        assert share.names() == ["folder/a"]
        await share.aclose()


async def test_hostile_names_are_not_swept(tmp_path: Path) -> None:
    class Tempting(Honest):
        async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
            for name in (b".storeroom-tmp-/../../good", b"../.storeroom-tmp-1"):
                attrs = asyncssh.SFTPAttrs(permissions=0o100644, atime=1, mtime=1)
                yield asyncssh.SFTPName(name, attrs=attrs)

        def remove(self, path: bytes) -> None:
            raise AssertionError(path)

    async with serving(tmp_path, Tempting) as server:
        share = Share(server, "")
        assert await share.driver().sweep(timedelta(0)) == 0
        await share.aclose()


async def test_names_that_are_no_utf8_are_left_out_and_removed_with_their_folder(
    each_share: Share, caplog: pytest.LogCaptureFixture
) -> None:
    share = each_share
    for name in (b"latin-\xe9.txt", b"\xff", "good ü".encode()):
        share.put(b"x", os.fsdecode(b"folder/" + name))
    driver = share.driver()
    with caplog.at_level(logging.WARNING, "storeroom"):
        assert await listed(driver) == ["folder", "folder/good ü"]
    assert "latin" in caplog.text or "udcff" in caplog.text
    assert isinstance(await outcome(driver.move_directory("folder", "elsewhere")), Obstructed)
    assert await driver.remove_folder("folder") is True
    assert await listed(driver) == []


async def test_other_names_are_reached_where_the_disk_is_opened_for_them(share: Share) -> None:
    share.put(b"x", "a\\b\tc")
    share.put(b"y", " /d")
    strict, loose = share.driver(), share.driver(paths="service")
    assert await listed(strict) == [" ", " /d"]
    assert await listed(loose) == [" ", " /d", "a\\b\tc"]
    assert await read(loose, "a\\b\tc") == b"x"
    assert loose.traits.strict_paths is False
    for path in ("../x", "a/../b", "/etc/passwd", "a//b", "a/.", "x/", ".storeroom-tmp-1", "\0"):
        for verb in (loose.stat, loose.read, loose.remove, loose.has_folder):
            if path == "x/" and verb == loose.has_folder:
                continue
            assert isinstance(await outcome(verb(path)), InvalidPath), path


async def test_a_name_that_one_disk_is_opened_for_is_copied_to_another(share: Share) -> None:
    share.put(b"x", "a\\b")
    other = Share(share.server, f"{share.name}/strict").driver()
    await share.driver(paths="service").copy("a\\b", "c", disk=other)
    assert await read(other, "c") == b"x"
    await other.aclose()


async def test_links_are_refused_and_never_followed(each_share: Share, tmp_path: Path) -> None:
    share = each_share
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    share.put(b"inside", "real/file")
    links = {"file": tmp_path / "outside" / "secret", "folder": tmp_path / "outside"}
    for name, target in {**links, "loop": share.path / "loop", "near": share.path / "real"}.items():
        os.symlink(target, share.path / name)
    driver = share.driver()
    assert await listed(driver) == ["real", "real/file"]
    assert isinstance(await outcome(driver.stat("loop")), StorageError)
    for path in ("file", "folder/secret", "folder/new", "folder/a/b", "near/file"):
        for verb in (
            driver.stat,
            driver.read,
            driver.remove,
            driver.read_visibility,
            lambda path: driver.write(path, Body(b"evil")),
            lambda path: driver.extend(path, Body(b"evil")),
            lambda path: driver.rename(path, "moved"),
            lambda path: driver.rename("real/file", path),
            lambda path: driver.copy_within("real/file", path),
            lambda path: driver.copy_within(path, "copied"),
            lambda path: driver.change_visibility(path, "private"),
            lambda path: driver.make_folder(f"{path}/x"),
        ):
            assert isinstance(await outcome(verb(path)), PermissionDenied), path
    for folder in ("folder", "near", "folder/x"):
        for look in (driver.has_folder, driver.remove_folder, lambda name: listed(driver, name)):
            assert isinstance(await outcome(look(folder)), PermissionDenied)
    assert os.listdir(tmp_path / "outside") == ["secret"]
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"
    assert share.get("real/file") == b"inside"


async def test_links_in_a_folder_that_is_removed_go_and_their_targets_stay(
    share: Share, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    share.put(b"x", "folder/deep/file")
    os.symlink(tmp_path / "outside", share.path / "folder" / "link")
    os.symlink(tmp_path / "outside" / "secret", share.path / "folder" / "deep" / "link")
    assert await share.driver().remove_folder("folder") is True
    assert os.listdir(share.path) == []
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"


async def test_the_root_itself_may_be_reached_by_a_link(share: Share) -> None:
    (share.path / "real").mkdir()
    os.symlink("real", share.path / "link")
    driver = Share(share.server, f"{share.name}/link/new/root").driver()
    await driver.write(KEY, Body(b"x"))
    assert share.names() == [f"real/new/root/{KEY}"]
    await driver.aclose()


async def test_special_files_are_no_files_and_nobody_waits_for_them(share: Share) -> None:
    os.mkfifo(share.path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(share.path)
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
        driver = share.driver(timeout=3)
        assert await listed(driver) == []
        for path in ("fifo", "socket"):
            assert isinstance(await outcome(driver.stat(path)), NotFound)
            assert isinstance(await outcome(driver.read(path)), NotFound)
            assert await driver.remove(path) is False
            for body in (driver.write(path, Body(b"x")), driver.extend(path, Body(b"x"))):
                assert isinstance(await outcome(body), Obstructed)
        with pytest.raises(Obstructed):
            _ = [entry async for entry in driver.scan("", ScanOptions(strangers="refuse"))]


async def test_a_server_that_tells_no_modes_in_listings_is_asked_again(tmp_path: Path) -> None:
    class Bare(Honest):
        async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
            async for entry in super().scandir(path):
                yield asyncssh.SFTPName(entry.filename)

    async with serving(tmp_path, Bare) as server:
        share = Share(server, "")
        share.put(b"1", "folder/a")
        os.symlink("folder", share.path / "link")
        entries = [entry async for entry in share.driver().scan()]
        assert [entry.path for entry in entries] == ["folder", "folder/a"]
        assert [entry.size for entry in entries if isinstance(entry, Stat)] == [1]
        await share.aclose()
