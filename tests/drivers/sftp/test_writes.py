"""Writes: whole or not there, exclusive where asked for, and swept up after a crash."""

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncssh
import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    Corrupted,
    InvalidArgument,
    InvalidPath,
    Obstructed,
    StorageError,
    Unsupported,
)
from storeroom.contracts.values import WriteOptions
from storeroom.drivers._sftp.channel import Answer
from storeroom.drivers._sftp.session import Session
from tests.drivers.sftp.share import KEY, MIB, Share, listed, outcome, random_bytes, read, streamed
from tests.servers.lying_sftp import Honest, serving
from tests.servers.ssh_server import HARD_LINKS, POSIX_RENAME, ssh_server
from tests.servers.sshd import sshd as run_sshd

NEW = random_bytes(3 * MIB + 5)
CREATE = WriteOptions(overwrite=False)
HOUR = timedelta(hours=1)


async def test_a_file_is_under_its_name_only_when_it_is_whole(share: Share) -> None:
    driver = share.driver()
    seen: list[list[str]] = []

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(NEW), MIB):
            yield NEW[start : start + MIB]
            seen.append(await asyncio.to_thread(share.names))
            assert await listed(driver) == []

    await driver.write("a/b/c", Body(chunks))
    assert share.names() == ["a/b/c"]
    assert all(len(names) == 1 and names[0].startswith(".storeroom-tmp-") for names in seen)


async def test_a_temporary_lies_in_the_folder_of_its_target(share: Share) -> None:
    share.put(b"old", "a/b")

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"
        (name,) = await asyncio.to_thread(share.temporaries)
        assert name.startswith("a/.storeroom-tmp-")

    await share.driver().write("a/b", Body(chunks))


async def test_no_folder_is_made_for_a_body_that_fails(share: Share) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"
        raise KeyError

    with pytest.raises(KeyError):
        await share.driver().write("new/folder/a", Body(chunks))
    assert os.listdir(share.path) == []


async def test_writers_that_create_only_have_exactly_one_winner_also_across_connections(
    each_share: Share,
) -> None:
    drivers = [each_share.driver() for _ in range(4)]
    for number in range(5):

        async def attempt(one: int, number: int = number) -> int | None:
            body = streamed(b"%d," % one * 1000)
            answer = await outcome(drivers[one % 4].write(f"{number}", body, CREATE))
            assert not isinstance(answer, Exception) or isinstance(answer, AlreadyExists)
            return None if isinstance(answer, AlreadyExists) else one

        won = [one for one in await asyncio.gather(*map(attempt, range(12))) if one is not None]
        assert len(won) == 1
        assert each_share.get(f"{number}") == b"%d," % won[0] * 1000
    assert each_share.temporaries() == []


async def test_a_server_without_hard_links_refuses_to_create_only(tmp_path: Path) -> None:
    with ssh_server(tmp_path, without=[HARD_LINKS]) as server:
        share = Share(server, "")
        driver = share.driver()
        for verb in (driver.write("a", Body(b"x"), CREATE), driver.rename("b", "a", CREATE)):
            await driver.write("b", Body(b"b"))
            assert isinstance(await outcome(verb), Unsupported)
        assert share.names() == ["b"]
        await driver.put("a", b"x")
        await share.aclose()


async def test_a_server_without_posix_rename_replaces_in_two_steps(tmp_path: Path) -> None:
    with ssh_server(tmp_path, without=[POSIX_RENAME, "fsync@openssh.com", "copy-data"]) as server:
        share = Share(server, "")
        driver = share.driver()
        assert driver.traits.atomic
        for data in (b"one", b"two", NEW):
            await driver.write("f/a", Body(data))
            assert not driver.traits.atomic
            assert share.get("f/a") == data
        await driver.write("f/b", Body(b"b"))
        await driver.rename("f/b", "f/a")
        await driver.copy("f/a", "f/c")
        assert share.get("f/a") == share.get("f/c") == b"b"
        assert share.names() == ["f/a", "f/c"]
        (share.path / "folder").mkdir()
        assert isinstance(await outcome(driver.write("folder", Body(b"x"))), Obstructed)
        await share.aclose()


async def test_the_old_file_comes_back_where_the_second_step_fails(tmp_path: Path) -> None:
    class Stuck(Honest):
        renamed = 0

        def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
            raise asyncssh.SFTPOpUnsupported("no")

        def rename(self, oldpath: bytes, newpath: bytes) -> None:
            if b".storeroom-" in oldpath and not newpath.endswith(b"-back"):
                self.renamed += 1
                if self.renamed in (1, 2):
                    raise asyncssh.SFTPFailure("stuck")
            super().rename(oldpath, newpath)

    async with serving(tmp_path, Stuck) as server:
        share = Share(server, "")
        share.put(b"old", "a")
        driver = share.driver()
        await driver.has_folder("x")
        session = await driver._service.session()
        del session.offer["posix-rename@openssh.com"]
        error = await outcome(driver.write("a", Body(b"new")))
        assert isinstance(error, Exception)
        assert share.names() == ["a"]
        assert share.get("a") == b"old"
        await share.aclose()


async def test_an_old_file_that_cannot_be_brought_back_is_told_of_and_never_swept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck(Honest):
        def rename(self, oldpath: bytes, newpath: bytes) -> None:
            if b".storeroom-" in oldpath:
                raise asyncssh.SFTPFailure("stuck")
            super().rename(oldpath, newpath)

    async with serving(tmp_path, Stuck) as server:
        share = Share(server, "")
        share.put(b"old", "f/a")
        driver = share.driver()
        session = await driver._service.session()
        del session.offer["posix-rename@openssh.com"]
        error = await outcome(driver.write("f/a", Body(b"new")))
        assert await driver.sweep(timedelta(0)) == 0
        (aside,) = share.names()
        assert share.get(aside) == b"old"
        assert isinstance(error, StorageError)
        assert aside in error.reason
        assert aside in caplog.text
        await share.aclose()


async def test_a_server_that_may_keep_no_order_syncs_what_has_arrived(
    each_share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    sync = Session.sync

    def watched(session: Session, handle: bytes) -> Answer[None]:
        waiting.append(session.channel.waiting)
        return sync(session, handle)

    monkeypatch.setattr(Session, "sync", watched)
    driver = each_share.driver()
    await driver.write(KEY, Body(NEW))
    assert each_share.get() == NEW
    assert waiting == [0] or (await driver._service.session()).keeps_order


async def test_a_file_is_brought_to_the_servers_disk_before_it_gets_its_name(
    tmp_path: Path,
) -> None:
    done: list[str] = []

    class Watched(Honest):
        def fsync(self, file_obj: object) -> None:
            done.append("fsync")
            super().fsync(file_obj)

        def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
            done.append("rename")
            super().posix_rename(oldpath, newpath)

    async with serving(tmp_path, Watched) as server:
        share = Share(server, "")
        await share.driver().write("a", Body(b"x"))
        await share.driver().write("a", streamed(NEW))
        assert done == ["fsync", "rename"] * 2
        await share.driver(durability="none").write("a", Body(b"x"))
        assert done[4:] == ["rename"]
        await share.aclose()


async def test_bytes_that_the_server_loses_are_noticed(tmp_path: Path) -> None:
    class Forgetful(Honest):
        def write(self, file_obj: object, offset: int, data: bytes) -> int:
            return super().write(file_obj, offset, data[:-1] if offset == 0 else data)

    class Short(Honest):
        def write(self, file_obj: object, offset: int, data: bytes) -> int:
            return super().write(file_obj, offset, data[:100])

    for lying in (Forgetful, Short):
        folder = tmp_path / lying.__name__
        folder.mkdir()
        async with serving(folder, lying) as server:
            share = Share(server, "")
            share.put(b"old", "a")
            error = await outcome(share.driver().write("a", Body(b"x" * 5000)))
            assert isinstance(error, Corrupted)
            assert share.names() == ["a"]
            assert share.get("a") == b"old"
            await share.aclose()


async def test_a_file_that_ends_early_is_corrupted(tmp_path: Path) -> None:
    class Cut(Honest):
        def read(self, file_obj: object, offset: int, size: int) -> bytes:
            return super().read(file_obj, offset, max(0, min(size, 2 * MIB - offset)))

    async with serving(tmp_path, Cut) as server:
        share = Share(server, "")
        share.put(NEW)
        error = await outcome(read(share.driver()))
        assert isinstance(error, Corrupted)
        await share.aclose()


async def test_a_server_may_give_fewer_bytes_than_were_asked_for(tmp_path: Path) -> None:
    class Slow(Honest):
        def read(self, file_obj: object, offset: int, size: int) -> bytes:
            return super().read(file_obj, offset, min(size, 10_007))

    async with serving(tmp_path, Slow) as server:
        share = Share(server, "")
        share.put(NEW)
        assert await read(share.driver()) == NEW
        await share.aclose()


async def test_what_a_crash_left_is_hidden_and_swept_by_its_age(share: Share) -> None:
    driver = share.driver()
    hour_ago = time.time() - 3600
    stamped = f".storeroom-tmp-t{int(hour_ago):x}-1"
    for name, when in (
        (stamped, hour_ago),
        ("f/.storeroom-tmp-2", hour_ago),
        (f"g/{stamped}", None),
    ):
        share.put(b"half", name)
        if when is not None:
            os.utime(share.path / name, (when, when))
    share.put(b"whole", "f/a")
    assert await listed(driver) == ["f", "f/a", "g"]
    assert await driver.sweep(2 * HOUR) == 0
    assert await driver.sweep(HOUR / 2) == 2
    assert share.temporaries() == [f"g/{stamped}"]
    assert await driver.sweep(timedelta(0)) == 1
    assert share.names() == ["f/a"]


async def test_what_may_not_be_read_or_removed_is_no_end_of_a_sweep(tmp_path: Path) -> None:
    class Foreign(Honest):
        def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
            if path.endswith(b"closed"):
                raise asyncssh.SFTPPermissionDenied("no")
            return super().scandir(path)

        def remove(self, path: bytes) -> None:
            if b"theirs" in path:
                raise asyncssh.SFTPPermissionDenied("no")
            super().remove(path)

    async with serving(tmp_path, Foreign) as server:
        share = Share(server, "")
        for folder in ("a", "closed", "theirs", "z"):
            share.put(b"half", f"{folder}/.storeroom-tmp-1")
        assert await share.driver().sweep(timedelta(0)) == 2
        assert share.names() == ["closed/.storeroom-tmp-1", "theirs/.storeroom-tmp-1"]
        await share.aclose()


async def test_the_root_is_no_folder_to_remove(share: Share) -> None:
    share.put(b"x", "f/a")
    with pytest.raises(InvalidPath, match="names the root"):
        await share.driver().remove_folder("")
    assert share.names() == ["f/a"]


async def test_modes_are_those_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    with run_sshd(tmp_path / "sshd", more="ForceCommand internal-sftp -u 0077") as running:
        share = Share(running.server, "x")
        public = share.driver(visibility="public")
        await public.write("a/b", Body(b"x"))
        assert mode(share, "a/b") == 0o644
        assert mode(share, "a") == mode(share, "") == 0o755
        await public.write("a/b", Body(b"x"), WriteOptions(visibility="private"))
        assert mode(share, "a/b") == 0o600
        assert await public.read_visibility("a/b") == "private"
        await public.write("a/b", Body(b"x"))
        assert mode(share, "a/b") == 0o644
        own = share.driver(visibility="private", permissions={"file": {"private": 0o640}})
        await own.write("c/d", Body(b"x"))
        assert (mode(share, "c/d"), mode(share, "c")) == (0o640, 0o700)
        await share.driver().write("e/f", Body(b"x"))
        assert (mode(share, "e/f"), mode(share, "e")) == (0o600, 0o700)
        await public.make_folder("g/h", "private")
        assert (mode(share, "g"), mode(share, "g/h")) == (0o755, 0o700)
        await share.aclose()


def mode(share: Share, path: str) -> int:
    return stat.S_IMODE((share.path / path).stat().st_mode)


async def test_a_private_file_is_never_public_in_between(tmp_path: Path) -> None:
    seen: list[int | None] = []

    class Watched(Honest):
        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
            seen.append(attrs.permissions)
            return super().open(path, pflags, attrs)

    async with serving(tmp_path, Watched) as server:
        share = Share(server, "")
        await share.driver(visibility="private").write("a", Body(b"x"))
        assert seen == [0o600]
        await share.aclose()


async def test_times_are_whole_seconds_of_a_certain_range(share: Share) -> None:
    driver = share.driver()
    await driver.write(KEY, Body(b"x"))
    moment = datetime(2021, 2, 3, 4, 5, 6, 999_999, tzinfo=UTC)
    await driver.change_time(KEY, moment)
    assert (await driver.stat(KEY)).modified == moment.replace(microsecond=0)
    for wrong in (datetime(1969, 12, 31, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)):
        with pytest.raises(InvalidArgument):
            await driver.change_time(KEY, wrong)


async def test_a_copy_is_made_by_the_server_also_between_two_disks(share: Share) -> None:
    share.put(NEW, "a/source")
    other, driver = Share(share.server, f"{share.name}/b"), share.driver()
    target = other.driver()
    assert await driver.copy("a/source", "copy", disk=target) == "copy"
    assert other.get("copy") == NEW
    await other.aclose()


async def test_an_append_adds_to_what_others_add(share: Share) -> None:
    drivers = [share.driver() for _ in range(3)]
    lines = [b"line %03d\n" % number for number in range(30)]
    await asyncio.gather(
        *(drivers[n % 3].extend("log/a", Body(line)) for n, line in enumerate(lines))
    )
    assert sorted((share.get("log/a") or b"").splitlines(keepends=True)) == lines
    big = random_bytes(MIB + 7)
    await asyncio.gather(
        drivers[0].extend("log/a", streamed(big)), drivers[1].extend("log/a", streamed(big))
    )
    assert len(share.get("log/a") or b"") == sum(map(len, lines)) + 2 * len(big)
    assert share.temporaries() == []
