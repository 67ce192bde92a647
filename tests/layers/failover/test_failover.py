"""Failover: the next disk serves within two seconds, and has all that was acknowledged."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from storeroom import StorageManager
from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    ConfigError,
    NotFound,
    PermissionDenied,
    StorageError,
    Unavailable,
)
from storeroom.contracts.values import Stat
from storeroom.drivers.memory import MemoryDriver
from storeroom.drivers.s3 import S3Driver
from storeroom.layers.failover import Failover
from storeroom.layers.readonly import ReadOnly
from storeroom.layers.scoped import Scoped
from storeroom.testing import Faults
from tests.layers.everything import Everything, fates
from tests.layers.mirror.test_mirror import BIG, Pair, chunks
from tests.layers.moody import Mood, Moody
from tests.servers.s3 import S3Server
from tests.servers.strict_s3 import strict_s3_process, strict_s3_server

SWITCHED_WITHIN = 2.0
CALLS: dict[str, Callable[[Failover], Any]] = {
    "get": lambda disk: disk.get("f/a"),
    "metadata": lambda disk: disk.metadata("f/a"),
    "exists": lambda disk: disk.exists("missing"),
    "files": lambda disk: disk.files("f"),
    "put": lambda disk: disk.put("f/a", b"new"),
    "put a stream": lambda disk: disk.put("f/a", chunks(BIG, BIG)),
    "delete": lambda disk: disk.delete("f/a"),
    "copy": lambda disk: disk.copy("f/a", "b"),
    "move": lambda disk: disk.move("f/a", "b"),
    "set_attributes": lambda disk: disk.set_attributes("f/a", content_type="text/odd"),
    "checksum": lambda disk: disk.checksum("f/a"),
    "delete_directory": lambda disk: disk.delete_directory("f"),
}


class Standby(Pair):
    """A failover over moody disks."""

    def __init__(self, count: int = 2, **options: Any) -> None:
        self.stores = [MemoryDriver() for _ in range(count)]
        self.disks = [Moody(store) for store in self.stores]
        self.mirror = Failover(*self.disks, **options)  # type: ignore[assignment]

    @property
    def disk(self) -> Failover:
        disk: Any = self.mirror
        return disk  # type: ignore[no-any-return]


@pytest.fixture
async def standby() -> AsyncGenerator[Standby]:
    standby = Standby()
    yield standby
    for disk in standby.disks:
        disk.freed.set()
    await standby.disk.aclose()


@pytest.mark.parametrize("mood", ["down", "lost", "hangs", "stuck"])
async def test_the_standby_serves_in_time(mood: Mood) -> None:
    standbys = {call: Standby() for call in CALLS}
    for standby in standbys.values():
        await standby.disk.put("f/a", b"x")
        standby.disks[0].be(mood)
    tasks = {call: asyncio.ensure_future(CALLS[call](one.disk)) for call, one in standbys.items()}
    await asyncio.wait(tasks.values(), timeout=SWITCHED_WITHIN)
    assert [call for call, task in tasks.items() if not task.done()] == []
    for call, task in tasks.items():
        assert task.exception() is None, call
        for disk in standbys[call].disks:
            disk.freed.set()
        await standbys[call].disk.aclose()


async def test_a_disk_that_dies_in_a_long_upload_is_left_in_time() -> None:
    """However long it went well: the others have the bytes, and the upload goes on there."""
    dead = asyncio.Event()

    class Dying(Moody):
        async def write(self, path: str, body: Body, how: Any = None, /) -> Stat:
            async for _ in body:
                if dead.is_set():
                    await asyncio.Event().wait()
            raise AssertionError("it dies before the end")

    dying, standby = Dying(MemoryDriver()), MemoryDriver()
    disk = Failover(dying, standby, patience=0.05)
    ended: list[float] = []

    async def body() -> AsyncGenerator[bytes]:
        for _ in range(32):  # past many times its patience
            yield BIG
            await asyncio.sleep(0.05)
        dying.be("hangs")
        dead.set()
        yield BIG
        ended.append(asyncio.get_running_loop().time())

    await disk.put("a", body())
    assert asyncio.get_running_loop().time() - ended[0] < SWITCHED_WITHIN / 2
    assert await standby.size("a") == 33 * len(BIG)
    assert disk.active == "memory 2"
    await disk.aclose()


async def test_a_disk_that_hung_is_not_waited_for_again(standby: Standby) -> None:
    await standby.disk.put("a", b"x")
    standby.disks[0].be("hangs")
    assert await standby.disk.get("a") == b"x"
    assert standby.disk.active == "memory 2"
    count = len(standby.disks[0].calls)
    for _ in range(20):
        assert await standby.disk.get("a") == b"x"
    asked = [operation for operation, path in standby.disks[0].calls[count:] if path == "a"]
    assert asked == []


async def test_all_that_was_acknowledged_is_on_the_standby(standby: Standby) -> None:
    await standby.disk.put("a", b"1", content_type="text/odd", metadata={"k": "é"})
    await standby.disk.put("b/c", chunks(BIG, BIG))
    await standby.disk.move("a", "d")
    standby.disks[0].be("down")
    assert await standby.disk.all_files() == ["b/c", "d"]
    assert await standby.disk.get("b/c") == BIG + BIG
    assert (await standby.disk.metadata("d")).metadata == {"k": "é"}


async def test_what_the_standby_missed_is_never_read_there() -> None:
    standby = Standby(trips=1000)
    await standby.disk.put("a", b"old")
    standby.disks[1].be("down")
    await standby.disk.put("a", b"new")
    standby.disks[0].be("down")
    standby.disks[1].be("well")
    with pytest.raises(Unavailable, match="'memory 2' missed a change of it"):
        await standby.disk.get("a")
    standby.disks[0].be("well")
    assert await standby.disk.get("a") == b"new"
    await standby.quiet()
    assert standby.contents() == [{"a": b"new"}] * 2
    await standby.disk.aclose()


async def test_the_primary_gets_what_it_missed_before_it_is_read() -> None:
    standby = Standby(trips=1)
    await standby.disk.put("a", b"old")
    await standby.disk.put("gone", b"x")
    standby.disks[0].be("down")
    await standby.disk.put("a", b"new")
    await standby.disk.put("b", b"new")
    await standby.disk.delete("gone")
    await standby.disk.move("b", "c")
    assert standby.disk.active == "memory 2"
    standby.disks[0].be("well")
    async with asyncio.timeout(5):
        while standby.disk.active != "memory 1":
            assert await standby.disk.get("a") == b"new"
            assert not await standby.disk.exists("gone")
            assert await standby.disk.all_files() == ["a", "c"]
            await asyncio.sleep(0.02)
    await standby.quiet()
    assert standby.contents() == [{"a": b"new", "c": b"new"}] * 2
    await standby.disk.aclose()


async def test_a_change_that_only_one_disk_can_take() -> None:
    strict, lenient = Standby(alone="refuse", trips=1000), Standby(trips=1000)
    for standby in (strict, lenient):
        await standby.disk.put("a", b"old")
        standby.disks[1].be("down")
    await lenient.disk.put("a", b"new")
    with pytest.raises(Unavailable):
        await strict.disk.put("a", b"new")
    for standby in (strict, lenient):
        standby.disks[1].be("well")
        found = await standby.disk.get("a")
        await standby.quiet()
        assert standby.contents() == [{"a": found}] * 2
        await standby.disk.aclose()


async def test_two_disks_of_three_are_enough() -> None:
    standby = Standby(3, alone="refuse")
    standby.disks[0].be("down")
    await standby.disk.put("a", b"x")
    assert [sorted(found) for found in standby.contents()] == [[], ["a"], ["a"]]
    standby.disks[1].be("down")
    assert await standby.disk.get("a") == b"x"
    with pytest.raises(Unavailable):
        await standby.disk.put("a", b"y")
    await standby.disk.aclose()


async def test_a_missing_file_is_no_failure_of_the_disk(standby: Standby) -> None:
    for _ in range(10):
        with pytest.raises(NotFound):
            await standby.disk.get("missing")
    assert standby.disk.active == "memory 1"


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="'accept' or 'refuse'"):
        Failover(MemoryDriver(), MemoryDriver(), alone="ignore")  # type: ignore[arg-type]


async def test_a_wrong_configuration_is_an_answer() -> None:
    """A bucket that is not there does not come back by itself: who wrote it down has to be told."""
    primary, standby = Faults(MemoryDriver()), MemoryDriver()
    disk = Failover(primary, standby)
    await disk.put("a", b"x")
    primary.fail("read", ConfigError).fail("write", ConfigError, times=2)
    for call in (disk.get("a"), disk.put("a", b"y"), disk.put("a", BIG)):
        with pytest.raises(ConfigError):
            await call
    assert [await disk.get("a"), await standby.get("a")] == [b"x", b"x"]
    assert disk.active == "memory 1"


async def test_what_a_standby_refuses_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    standby = Faults(MemoryDriver()).fail("write", ConfigError, times=None)
    disk = Failover(MemoryDriver(), standby)
    await disk.put("a", b"x")
    await disk.put("b", b"x")
    assert [record.message.split(":")[1] for record in caplog.records] == [
        " 'memory 2' refuses a change that others took"
    ]
    assert await disk.get("a") == b"x"
    await disk.aclose()


async def test_with_a_read_only_standby_it_only_reads() -> None:
    primary, replica = Faults(MemoryDriver()), MemoryDriver()
    await primary.put("a", b"x")
    await replica.put("a", b"x")
    disk = Failover(primary, ReadOnly(replica))
    primary.fail("read", Unavailable)
    assert await disk.get("a") == b"x"
    for refused in (disk.put("a", b"y"), Scoped(disk, "t").put("a", b"y"), disk.delete("a")):
        with pytest.raises(PermissionDenied, match="read-only, because 'memory 2' is"):
            await refused
    with pytest.raises(PermissionDenied, match="'memory 2'"):
        await disk.write("a", Body(b"y"))
    assert await primary.get("a") == b"x"


def test_what_becomes_of_each_ability() -> None:
    assert fates(Failover(Everything(), Everything(root="/mnt")), Everything()) == {
        "adapted": {
            *("PublicUrl", "PresignRead", "VerifyUrl", "Copy", "Origin", "Move", "Visibility"),
            *("Folders", "Checksum", "Sweep", "Attributes", "Times", "Tags", "Tiers"),
        },
        "hidden": {
            *("PresignWrite", "PresignPost", "CopyFrom", "BulkRemove", "Append", "Multipart"),
            *("Versions", "Leases", "LocalPath"),
        },
    }


def on(server: S3Server, bucket: str) -> S3Driver:
    return S3Driver(
        bucket,
        endpoint_url=server.url,
        region=server.region,
        access_key=server.access_key,
        secret_key=server.secret_key,
        path_style=True,
        retries=0,
    )


async def test_a_server_that_is_killed_in_mid_run_is_replaced_and_returns_empty() -> None:
    """It forgets everything when it stops: what it had is copied back to it."""
    with strict_s3_process() as process, strict_s3_process() as other:
        server, standby = strict_s3_server(process), strict_s3_server(other)
        bucket = server.make_bucket()
        disk = Failover(on(server, bucket), on(standby, standby.make_bucket()))
        acknowledged: dict[str, bytes] = {}
        failed = 0
        for number in range(60):
            path, content = f"f/{number % 25} é", b"%d" % number * 50
            if number == 30:
                await asyncio.to_thread(process.stop)
            async with asyncio.timeout(SWITCHED_WITHIN):
                try:
                    await disk.put(path, content)
                    acknowledged[path] = content
                except StorageError:
                    failed += 1
            for known in list(acknowledged)[-3:]:
                async with asyncio.timeout(SWITCHED_WITHIN):
                    assert await disk.get(known) == acknowledged[known]
        assert failed == 0
        assert disk.active == "s3 2"
        assert await disk.all_files() == sorted(acknowledged)
        await asyncio.to_thread(process.start)
        server.client().create_bucket(Bucket=bucket)
        (await disk.heal(prefer="s3 2")).raise_failures()
        assert (await disk.verify()).files == 25
        assert disk.active == "s3 1"
        await asyncio.to_thread(other.stop)
        for path, content in acknowledged.items():
            assert await disk.get(path) == content
        await disk.aclose()


async def test_a_server_that_only_listens_is_left_in_time() -> None:
    """Connections are taken and never answered, as by a machine that is swapping."""
    taken: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: taken.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    dead = S3Driver(
        "bucket",
        endpoint_url=f"http://127.0.0.1:{port}",
        region="us-east-1",
        access_key="a",
        secret_key="b",
        path_style=True,
    )
    standby = MemoryDriver()
    await standby.put("a", b"x")
    disk = Failover(dead, standby)
    async with asyncio.timeout(SWITCHED_WITHIN):
        assert await disk.get("a") == b"x"
    async with asyncio.timeout(SWITCHED_WITHIN):
        await disk.put("b", chunks(BIG, BIG))
    assert await standby.get("b") == BIG + BIG
    await disk.aclose()
    silent.close()
    for writer in taken:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in taken), return_exceptions=True)
    await silent.wait_closed()
    assert taken


async def test_in_a_configuration_it_is_a_driver() -> None:
    storage = StorageManager.isolated(
        {
            "default": "media",
            "disks": {
                "main": {"driver": "memory"},
                "media": {
                    "driver": "failover",
                    "disks": ["main", {"driver": "memory", "url": "/standby"}],
                    "alone": "refuse",
                    "patience": "0.5",
                },
            },
        }
    )
    await storage.put("a", b"x")
    disk = storage.disk().layer(Failover)
    assert disk.active == "main"
    assert storage.url("a") == "/storage/a"
    await storage.aclose()
