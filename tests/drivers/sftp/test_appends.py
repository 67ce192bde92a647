"""Adding to a file: all of it or nothing, never twice, and nothing that others added is lost."""

import os
from collections.abc import Callable
from pathlib import Path

import asyncssh
import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import QuotaExceeded, StorageError, Unavailable
from storeroom.contracts.values import Stat
from tests.drivers.sftp.share import MIB, Share, each, outcome, random_bytes, read, streamed
from tests.servers.lying_sftp import Honest, serving
from tests.servers.proxy import Proxy

MORE = random_bytes(300_000)
ROOM = 280_000
VAGUE = asyncssh.SFTPFailure("Failure")


class Full(Honest):
    """Its disk takes `ROOM` bytes, the last of them as a part of a piece: OpenSSH does just that."""

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        taken = super().write(file_obj, offset, data[: max(0, ROOM - offset)])
        if taken < len(data):
            raise VAGUE
        return taken

    def statvfs(self, path: bytes) -> object:
        values = list(os.statvfs("/"))
        values[3] = values[4] = 0
        return os.statvfs_result(values)


@pytest.mark.parametrize("before", [b"old", b""])
async def test_an_append_that_a_full_disk_takes_in_part_adds_nothing(
    tmp_path: Path, before: bytes
) -> None:
    async with serving(tmp_path, Full) as server:
        share = Share(server, "")
        if before:
            share.put(before, "a")
        error = await outcome(share.driver().extend("a", Body(MORE)))
        assert isinstance(error, QuotaExceeded)
        assert share.get("a") == before
        await share.aclose()


async def test_an_append_that_fails_takes_back_nothing_that_others_added(tmp_path: Path) -> None:
    class Shared(Honest):
        def write(self, file_obj: object, offset: int, data: bytes) -> int:
            super().write(file_obj, offset, b"theirs")
            raise VAGUE

    async with serving(tmp_path, Shared) as server:
        share = Share(server, "")
        share.put(b"old ", "a")
        error = await outcome(share.driver().extend("a", Body(MORE)))
        assert isinstance(error, Unavailable)
        assert not error.retryable
        assert share.get("a") == b"old theirs"
        await share.aclose()


async def test_an_append_whose_temporary_cannot_be_read_adds_nothing(tmp_path: Path) -> None:
    class Bad(Honest):
        def read(self, file_obj: object, offset: int, size: int) -> bytes:
            if offset > MIB:
                raise VAGUE
            return super().read(file_obj, offset, size)

    async with serving(tmp_path, Bad) as server:
        share = Share(server, "")
        share.put(b"old", "a")
        error = await outcome(share.driver().extend("a", streamed(random_bytes(2 * MIB))))
        assert type(error) is StorageError
        assert share.names() == ["a"]
        assert share.get("a") == b"old"
        await share.aclose()


async def test_an_append_that_the_server_cannot_bring_to_its_disk_adds_nothing(
    tmp_path: Path,
) -> None:
    class Unsynced(Honest):
        def fsync(self, file_obj: object) -> None:
            raise VAGUE

    async with serving(tmp_path, Unsynced) as server:
        share = Share(server, "")
        share.put(b"old", "a")
        assert type(await outcome(share.driver().extend("a", Body(MORE)))) is StorageError
        assert share.get("a") == b"old"
        await share.aclose()


@pytest.mark.parametrize("retries", [0, 3])
async def test_an_append_that_loses_its_reply_adds_once_and_says_what_it_does_not_know(
    share: Share, retries: int
) -> None:
    async def one(number: int) -> None:
        async with Proxy(share.port) as proxy:
            driver = share.driver(proxy.port, retries=retries)
            share.put(b"old", f"{number}")
            await driver.has_folder("x")
            proxy.lose_reply(number)
            answer = await outcome(driver.extend(f"{number}", Body(b" new")))
            assert isinstance(answer, Stat | Unavailable)
            content = share.get(f"{number}")
            assert content in (b"old", b"old new")
            assert content == b"old new" or not isinstance(answer, Stat)
            assert content == b"old" or isinstance(answer, Stat) or not answer.retryable

    await each(range(1, 8), one)


@pytest.mark.parametrize(
    "body", [lambda: Body(b"x"), lambda: Body(b""), lambda: streamed(random_bytes(2 * MIB))]
)
async def test_an_append_may_be_the_first_that_a_disk_sees(
    each_share: Share, body: Callable[[], Body]
) -> None:
    driver = Share(each_share.server, f"{each_share.name}/new/root").driver()
    stat = await driver.extend("a", body())
    assert stat.size == len(await read(driver, "a"))
    await driver.aclose()
