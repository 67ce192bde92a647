"""TimeLimit: what gets nowhere is ended, and what takes long but moves is not."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from storeroom.contracts.abilities import LocalPath, Origin, Sweep, VerifyUrl
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import Closed, ConfigError, StorageError, Timeout, Unavailable
from storeroom.contracts.source import Source
from storeroom.contracts.values import Folder, Stat, WriteOptions
from storeroom.drivers.memory import MemoryDriver
from storeroom.drivers.s3 import S3Driver
from storeroom.layers import Around, Retry, stack
from storeroom.layers.timeout import TimeLimit
from storeroom.manager import StorageManager
from storeroom.testing.suite import DriverSuite
from tests.layers.calls import ABILITY_CALLS, answer, collected
from tests.layers.everything import METHODS, Everything, fates, filled
from tests.layers.places import OnLocal, OnMemory, OnS3

SHORT = 0.02
SYNCHRONOUS = {"public_url", "origin", "local_path"}
WORK = {
    *("complete_parts", "copy_from", "copy_within", "digest", "remove_folder", "remove_many"),
    *("rename", "restore_version", "sweep"),
    *("change_attributes", "change_tier"),  # on S3 they are copies
}


class Layered:
    def layered(self, driver: StorageDriver) -> StorageDriver:
        return TimeLimit(driver, seconds=60, work=60)


class TestOnMemory(Layered, OnMemory, DriverSuite):
    """Also cancelled at every await."""


class TestOnLocal(Layered, OnLocal):
    pass


class TestOnS3(Layered, OnS3):
    pass


class Stuck(Around):
    """Answers to nothing that it is asked to."""

    def __init__(self, inner: StorageDriver) -> None:
        super().__init__(inner)
        self.ended: list[str] = []

    async def around(self, operation: str, path: str, call: Any, /) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append(operation)


class Slow(MemoryDriver):
    """Gives and takes bytes and entries one by one, waiting `seconds` before those in `stops`."""

    stops: ClassVar[set[int]] = set()
    seconds = 3600.0

    def __init__(self) -> None:
        super().__init__()
        self.released = 0

    async def read(self, path: str, how: Any = None, /) -> Source:
        whole = await super().read(path)
        content = await whole.read()
        return Source(whole.stat, self._bytes(content), release=self._released)

    async def scan(self, folder: str = "", how: Any = None, /) -> AsyncGenerator[Stat | Folder]:
        number = 0
        async for entry in super().scan(folder):
            await self._wait(number)
            number += 1
            yield entry

    async def write(self, path: str, body: Body, how: Any = None, /) -> Stat:
        parts: list[bytes] = []
        async for chunk in body:
            await self._wait(len(parts))
            parts.append(chunk)
        return await super().write(path, Body(b"".join(parts)))

    async def _bytes(self, content: bytes) -> AsyncIterator[bytes]:
        for place in range(len(content)):
            await self._wait(place)
            yield content[place : place + 1]

    async def _wait(self, number: int) -> None:
        await asyncio.sleep(self.seconds if number in self.stops else 0)

    def _released(self) -> None:
        self.released += 1


@pytest.fixture
def slow() -> Slow:
    slow = Slow()
    slow.stops = set()  # type: ignore[misc]
    return slow


@pytest.mark.parametrize("verb", ["stat", "read", "write", "remove"])
async def test_a_verb_without_an_answer_ends_with_its_name_and_path(verb: str) -> None:
    stuck = Stuck(MemoryDriver())
    arguments = ("é %2F", Body(b"x")) if verb == "write" else ("é %2F",)
    with pytest.raises(Timeout, match=r"'é %2F'.* 0.02 seconds") as caught:
        await getattr(TimeLimit(stuck, seconds=SHORT), verb)(*arguments)
    assert (caught.value.operation, caught.value.path) == (verb, "é %2F")
    assert caught.value.retryable
    assert isinstance(caught.value, TimeoutError)
    assert stuck.ended == [verb]


@pytest.mark.parametrize("method", sorted(ABILITY_CALLS.keys() - SYNCHRONOUS))
async def test_an_ability_without_an_answer_ends(method: str) -> None:
    stuck = Stuck(Everything())
    native: Any = TimeLimit(stuck, seconds=SHORT, work=SHORT).ability(METHODS[method])
    native.inner_origin = MemoryDriver()
    error = await answer(lambda: ABILITY_CALLS[method](native, "a", "to"))
    assert isinstance(error, Timeout)
    assert error.operation == method
    assert stuck.ended == [method]


@pytest.mark.parametrize("method", sorted(WORK - {"remove_many", "sweep"}))
async def test_work_out_of_sight_is_left_alone_unless_it_has_a_limit(method: str) -> None:
    stuck = Stuck(Everything())
    native: Any = TimeLimit(stuck, seconds=SHORT / 10).ability(METHODS[method])
    native.inner_origin = MemoryDriver()
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(SHORT * 2):
            await ABILITY_CALLS[method](native, "a", "to")
    assert not isinstance(caught.value, StorageError)


async def test_sweeps_and_bulk_removals_are_work_too() -> None:
    disk = TimeLimit(Stuck(Everything()), seconds=60, work=SHORT)
    for call in (
        disk.ability(Sweep).sweep(timedelta(0)),
        disk.ability(METHODS["remove_many"]).remove_many(["a"]),
    ):
        with pytest.raises(Timeout):
            await call
    with pytest.raises(Timeout):
        await (
            TimeLimit(Stuck(Everything()), seconds=SHORT).ability(VerifyUrl).verify_url("u", "GET")
        )


async def test_a_long_read_that_moves_is_no_time_out(slow: Slow) -> None:
    await filled(slow, "some long path")
    slow.stops, slow.seconds = set(range(14)), SHORT  # type: ignore[misc]
    disk = TimeLimit(slow, seconds=SHORT * 6)
    assert await disk.get("some long path") == b"some long path"


@pytest.mark.parametrize("at", [0, 1, 5])
async def test_a_read_that_stops_ends_and_never_looks_complete(slow: Slow, at: int) -> None:
    await filled(slow, "0123456789")
    slow.stops = {at}  # type: ignore[misc]
    source = await TimeLimit(slow, seconds=SHORT).read("0123456789")
    assert await source.read(at) == b"0123456789"[:at]
    with pytest.raises(Timeout, match="read '0123456789'"):
        await source.read(1)
    for _ in range(3):
        with pytest.raises(Closed):
            await source.read(1)
    await source.aclose()
    assert slow.released == 1


async def test_time_between_two_reads_is_the_callers(slow: Slow) -> None:
    await filled(slow, "ab")
    source = await TimeLimit(slow, seconds=SHORT).read("ab")
    assert await source.read(1) == b"a"
    await asyncio.sleep(SHORT * 3)
    assert await source.read(1) == b"b"


async def test_a_listing_that_stops_ends_and_one_that_moves_goes_on(slow: Slow) -> None:
    await filled(slow, "a", "b", "c", "d")
    slow.stops, slow.seconds = {0, 1, 2, 3}, SHORT  # type: ignore[misc]
    assert len(await TimeLimit(slow, seconds=SHORT * 6).files()) == 4
    slow.stops, slow.seconds = {2}, 3600  # type: ignore[misc]
    entries = TimeLimit(slow, seconds=SHORT).scan()
    assert [(await anext(entries)).path for _ in range(2)] == ["a", "b"]
    await asyncio.sleep(SHORT * 3)
    with pytest.raises(Timeout, match="scan"):
        await anext(entries)


async def pieces(count: int, pause: float = 0) -> AsyncGenerator[bytes]:
    for number in range(count):
        await asyncio.sleep(pause)
        yield bytes([number])


async def test_a_long_write_that_moves_is_no_time_out(slow: Slow) -> None:
    slow.stops, slow.seconds = set(range(14)), SHORT  # type: ignore[misc]
    await TimeLimit(slow, seconds=SHORT * 6).write("a", Body(lambda: pieces(14)))
    assert await slow.get("a") == bytes(range(14))


async def test_a_write_that_stops_taking_bytes_ends_and_changes_nothing(slow: Slow) -> None:
    await filled(slow, "a")
    slow.stops = {3}  # type: ignore[misc]
    with pytest.raises(Timeout) as caught:
        await TimeLimit(slow, seconds=SHORT).write("a", Body(lambda: pieces(9)))
    assert caught.value.operation == "write"
    slow.stops = set()  # type: ignore[misc]
    assert await slow.get("a") == b"a"


async def test_what_the_callers_body_takes_is_not_counted() -> None:
    driver = Everything()
    disk = TimeLimit(driver, seconds=SHORT)
    await disk.put("a", pieces(3, SHORT * 3))
    await disk.append("a", pieces(2, SHORT * 3))
    assert await driver.get("a") == bytes((0, 1, 2, 0, 1))
    upload = await disk.ability(METHODS["start_parts"]).start_parts("b")
    await disk.ability(METHODS["write_part"]).write_part(
        "b", upload, 1, Body(lambda: pieces(2, SHORT * 3))
    )


async def test_large_bytes_show_progress_by_the_piece(slow: Slow) -> None:
    content = bytes(3 << 20)
    slow.stops, slow.seconds = {0, 1, 2}, SHORT  # type: ignore[misc]
    await TimeLimit(slow, seconds=SHORT * 6).put("a", content)
    assert slow._store.objects["a"].content == content


async def test_a_body_is_passed_as_it_is_where_it_is_small() -> None:
    seen: list[Body] = []

    class Noting(MemoryDriver):
        async def write(self, path: str, body: Body, how: Any = None, /) -> Stat:
            seen.append(body)
            return await super().write(path, body)

    body = Body(b"x")
    await TimeLimit(Noting()).write("a", body)
    assert seen == [body]


async def test_failures_pass_as_they_are() -> None:
    class Failing(Around):
        async def around(self, operation: str, path: str, call: Any, /) -> Any:
            await asyncio.sleep(0)
            raise self.error

        error: ClassVar[Exception] = Unavailable("theirs")

    disk = TimeLimit(Failing(MemoryDriver()), seconds=5)
    for error in (Unavailable("theirs"), Timeout("theirs"), TimeoutError("theirs")):
        Failing.error = error
        with pytest.raises(type(error), match="theirs") as caught:
            await disk.stat("a")
        assert caught.value is error


async def test_a_cancellation_is_no_time_out() -> None:
    stuck = Stuck(MemoryDriver())
    task = asyncio.create_task(TimeLimit(stuck, seconds=60).stat("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stuck.ended == ["stat"]


async def test_what_cleans_up_after_the_end_is_waited_for() -> None:
    """A commit that may not be left behind comes to its end first: then the time-out is told."""
    over: list[str] = []

    class Careful(Around):
        async def around(self, operation: str, path: str, call: Any, /) -> Any:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(SHORT)
                await asyncio.sleep(SHORT)
                over.append(operation)
                raise

    with pytest.raises(Timeout):
        await TimeLimit(Careful(MemoryDriver()), seconds=SHORT).stat("a")
    assert over == ["stat"]


async def test_a_server_that_only_listens_holds_up_nobody_for_long() -> None:
    """A commit is waited for, but as long as this layer allows and not as the driver would."""
    taken: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: taken.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    driver = S3Driver(
        "bucket",
        endpoint_url=f"http://127.0.0.1:{port}",
        region="us-east-1",
        access_key="a",
        secret_key="b",
        path_style=True,
    )
    disk = TimeLimit(driver, seconds=0.1)
    async with asyncio.timeout(10):
        for content in (b"x", bytes(9 << 20)):
            with pytest.raises(Timeout, match=r"nothing came of it for 0\.1 seconds"):
                await disk.put("a", content)
        await disk.aclose()
    silent.close()
    for writer in taken:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in taken), return_exceptions=True)
    await silent.wait_closed()
    assert taken


async def test_what_succeeds_at_the_last_moment_has_succeeded() -> None:
    class Stubborn(Around):
        async def around(self, operation: str, path: str, call: Any, /) -> Any:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return await call()

    driver = MemoryDriver()
    await filled(driver, "a")
    assert (await TimeLimit(Stubborn(driver), seconds=SHORT).stat("a")).path == "a"


async def test_an_outer_time_out_keeps_its_meaning() -> None:
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(SHORT):
            await TimeLimit(Stuck(MemoryDriver()), seconds=60).stat("a")
    assert not isinstance(caught.value, StorageError)


async def test_under_a_retry_each_try_has_its_own_time(slow: Slow) -> None:
    class Once(Around):
        tries = 0

        async def around(self, operation: str, path: str, call: Any, /) -> Any:
            self.tries += 1
            if self.tries < 3:
                await asyncio.Event().wait()
            return await call()

    once = Once(MemoryDriver())
    disk = Retry(TimeLimit(once, seconds=SHORT), base=0)
    await disk.put("a", b"x")
    assert once.tries == 3


async def test_create_only_still_has_one_winner() -> None:
    disk = TimeLimit(MemoryDriver())
    await disk.write("a", Body(b"x"), WriteOptions(overwrite=False))
    with pytest.raises(FileExistsError):
        await disk.write("a", Body(b"y"), WriteOptions(overwrite=False))


@pytest.mark.parametrize(
    "options",
    [
        {"seconds": 0},
        {"seconds": -1},
        {"seconds": "30"},
        {"seconds": True},
        {"seconds": None},
        {"seconds": float("inf")},
        {"seconds": float("nan")},
        {"work": 0},
        {"work": "1"},
    ],
)
def test_bad_settings_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        TimeLimit(MemoryDriver(), **options)


def test_every_ability_is_there_that_is_inside() -> None:
    driver = Everything()
    assert fates(TimeLimit(driver), driver).keys() == {"adapted"}
    assert TimeLimit(driver).ability(Origin).origin("a") == (driver, "a")
    plain = MemoryDriver()
    assert "adapted" in fates(TimeLimit(plain), plain)
    assert not TimeLimit(plain).supports(LocalPath)


async def test_it_is_made_by_a_configuration() -> None:
    layers = [{"layer": "timeout", "seconds": 1.5, "work": 600}]
    config = {"default": "m", "disks": {"m": {"driver": "memory", "layers": layers}}}
    async with StorageManager.isolated(config) as manager:
        await manager.put("a", b"x")
        layer = manager.disk("m").layer(TimeLimit)
        assert (layer._seconds, layer._work) == (1.5, 600)
    with pytest.raises(ConfigError, match="second"):
        StorageManager.isolated(
            {
                "default": "m",
                "disks": {"m": {"driver": "memory", "layers": [{"layer": "timeout", "second": 1}]}},
            }
        )


async def test_it_stacks() -> None:
    make: Callable[[StorageDriver], Any] = TimeLimit
    disk: Any = stack(Everything(), make, make)
    await disk.put("a", pieces(3))
    assert await collected(disk.scan()) == [await disk.stat("a")]
