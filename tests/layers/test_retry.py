"""Retry: what may be done again is, what may not is not, and nothing is claimed that is not known."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from storeroom.contracts.abilities import BulkRemove
from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    ConfigError,
    NotFound,
    NotModified,
    PreconditionFailed,
    StorageError,
    Timeout,
    Unavailable,
)
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    DEEP,
    SHALLOW,
    WHOLE,
    Folder,
    ReadOptions,
    RemoveOptions,
    ScanOptions,
    Stat,
    WriteOptions,
)
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around, Layer
from storeroom.layers.retry import Retry
from storeroom.layers.scoped import Scoped
from tests.layers.calls import ABILITY_CALLS, answer, body, collected
from tests.layers.everything import METHODS, Everything, filled

T = TypeVar("T")

SYNCHRONOUS = {"public_url", "origin", "local_path"}
ONCE = {
    *("acquire_lease", "complete_parts", "extend", "release_lease", "remove_version"),
    *("rename", "restore_version", "sweep"),
}


class Flaky(Around):
    """Fails so many calls: before they are done, or (`lost`) after, as when the reply is lost."""

    def __init__(
        self,
        inner: Any,
        times: int = 2,
        *,
        lost: bool = False,
        error: Callable[[], StorageError] = Unavailable,
    ) -> None:
        super().__init__(inner)
        self.times = times
        self.lost = lost
        self.error = error
        self.calls: list[str] = []
        self.called = asyncio.Event()

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        self.calls.append(operation)
        self.called.set()
        if self.times and not self.lost:
            self.times -= 1
            raise self.error()
        answer = await call()
        if self.times:
            self.times -= 1
            raise self.error()
        return answer


class Cut(Layer):
    """Breaks each of the first `times` reads after `at` bytes, and listings after `at` entries."""

    def __init__(self, inner: Any, at: int = 3, times: int = 1) -> None:
        super().__init__(inner)
        self.at = at
        self.times = times
        self.asked: list[ReadOptions | ScanOptions] = []
        self.released = 0
        self.etag = True

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        self.asked.append(how)
        whole = await self.inner.read(path, how)
        stat = whole.stat if self.etag else Stat(path, size=whole.stat.size)
        return Source(
            stat, self._bytes(await whole.read()), size=whole.size, release=self._released
        )

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        self.asked.append(how)
        count = 0
        async for entry in self.inner.scan(folder, how):
            if self.times and count == self.at:
                self.times -= 1
                raise Unavailable("cut")
            count += 1
            yield entry

    async def _bytes(self, content: bytes) -> AsyncIterator[bytes]:
        for place in range(len(content)):
            if self.times and place == self.at:
                self.times -= 1
                raise Unavailable("cut")
            yield content[place : place + 1]

    def _released(self) -> None:
        self.released += 1


def retrying(inner: Any, attempts: int = 3) -> Retry:
    return Retry(inner, attempts=attempts, base=0)


@pytest.mark.parametrize("error", [Unavailable, Timeout, lambda: StorageError("x", retryable=True)])
async def test_what_failed_for_the_moment_is_tried_again(error: Any) -> None:
    flaky = Flaky(MemoryDriver(), error=error)
    await retrying(flaky).put("é %2F", b"x")
    assert flaky.calls == ["write"] * 3


@pytest.mark.parametrize(
    "error", [NotFound, PreconditionFailed, lambda: Unavailable(retryable=False)]
)
async def test_what_failed_for_good_is_not(error: Any) -> None:
    flaky = Flaky(MemoryDriver(), error=error)
    with pytest.raises(StorageError):
        await retrying(flaky).stat("a")
    assert flaky.calls == ["stat"]


async def test_an_error_that_is_not_the_services_passes_at_once() -> None:
    flaky = Flaky(MemoryDriver(), error=ZeroDivisionError)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await retrying(flaky).stat("a")
    assert flaky.calls == ["stat"]


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_attempts_counts_all_calls(attempts: int) -> None:
    flaky = Flaky(MemoryDriver(), times=99)
    with pytest.raises(Unavailable):
        await retrying(flaky, attempts).stat("a")
    assert len(flaky.calls) == attempts


@pytest.mark.parametrize("method", sorted(ABILITY_CALLS.keys() - SYNCHRONOUS))
async def test_a_method_is_tried_again_unless_it_must_not_happen_twice(method: str) -> None:
    driver = Everything()
    await filled(driver, "a", "a")
    flaky = Flaky(driver)
    native: Any = retrying(flaky).ability(METHODS[method])
    native.inner_origin = MemoryDriver()
    error = await answer(lambda: ABILITY_CALLS[method](native, "a", "to"))
    assert flaky.calls == [method] * (1 if method in ONCE else 3)
    assert isinstance(error, Unavailable) is (method in ONCE)


async def test_sweep_is_done_once_for_its_count_would_be_wrong() -> None:
    flaky = Flaky(Everything())
    with pytest.raises(Unavailable):
        await retrying(flaky).ability(METHODS["sweep"]).sweep(timedelta(0))
    assert flaky.calls == ["sweep"]


@pytest.mark.parametrize("lost", [True, False])
async def test_a_write_with_a_condition_is_done_once(*, lost: bool) -> None:
    for how in (WriteOptions(overwrite=False), WriteOptions(if_match="m-1")):
        driver = MemoryDriver()
        await filled(driver, *(["a"] if how.overwrite else []))
        flaky = Flaky(driver, lost=lost)
        with pytest.raises(Unavailable):
            await retrying(flaky).write("a", body(), how)
        assert flaky.calls == ["write"]


@pytest.mark.parametrize("method", ["copy_within", "copy_from", "change_attributes"])
async def test_an_ability_with_a_condition_is_done_once(method: str) -> None:
    driver, how = MemoryDriver(), WriteOptions(overwrite=False)
    await filled(driver, "a")
    flaky = Flaky(driver)
    native: Any = retrying(flaky).ability(METHODS[method])
    given = {"copy_from": (driver, "a", "b"), "copy_within": ("a", "b")}.get(method, ("a",))
    with pytest.raises(Unavailable):
        await getattr(native, method)(*given, how)
    assert flaky.calls == [method]


async def test_a_body_that_cannot_be_replayed_is_sent_once() -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        yield b"x"

    flaky = Flaky(MemoryDriver())
    with pytest.raises(Unavailable):
        await retrying(flaky).put("a", chunks())
    assert flaky.calls == ["write"]
    native: Any = retrying(flaky := Flaky(Everything())).ability(METHODS["write_part"])
    with pytest.raises(Unavailable):
        await native.write_part("a", "id", 1, Body(chunks))
    assert flaky.calls == ["write_part"]


async def test_a_body_that_can_be_replayed_is_sent_whole_each_time() -> None:
    driver = MemoryDriver()
    flaky = Flaky(driver, lost=True)
    await retrying(flaky).put("a", [b"one ", b"two"])
    assert flaky.calls == ["write"] * 3
    assert await driver.get("a") == b"one two"


async def test_what_the_callers_body_raises_is_not_tried_again() -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        yield b"x"
        raise Unavailable("another disk")

    flaky = Flaky(MemoryDriver(), times=0)
    with pytest.raises(Unavailable, match="another disk"):
        await retrying(flaky).write("a", Body(chunks, replayable=True))
    assert flaky.calls == ["write"]


async def test_a_removal_whose_reply_was_lost_does_not_claim_that_nothing_was_there() -> None:
    driver = MemoryDriver()
    await filled(driver, "a")
    assert await retrying(Flaky(driver, 1, lost=True)).remove("a") is None
    await filled(driver, "a")
    assert await retrying(Flaky(driver, 1)).remove("a") is True
    assert await retrying(Flaky(driver, 0)).remove("a") is False
    flaky = Flaky(driver)
    with pytest.raises(Unavailable):
        await retrying(flaky).remove("a", RemoveOptions("m-1"))
    assert flaky.calls == ["remove"]


class Partly(MemoryDriver):
    """Fails for the moment to remove some of many, each once."""

    def __init__(self, *slow: str) -> None:
        super().__init__()
        self.slow = set(slow)
        self.asked: list[list[str]] = []

    async def remove_many(self, paths: Any, /) -> Any:
        self.asked.append(list(paths))
        slow, self.slow = self.slow, set()
        answers = await super().remove_many([path for path in paths if path not in slow])
        return {**answers, **{path: Unavailable(path=path) for path in paths if path in slow}}


async def test_only_what_failed_of_many_is_removed_again() -> None:
    driver = Partly("b", "missing")
    await filled(driver, "a", "b")
    answers = await retrying(driver).ability(BulkRemove).remove_many(["a", "b", "missing", "../x"])
    assert driver.asked == [["a", "b", "missing", "../x"], ["b", "missing"]]
    refused = answers.pop("../x")  # type: ignore[attr-defined]
    assert isinstance(refused, ValueError)
    assert answers == {"a": True, "b": True, "missing": None}
    assert driver.count() == 0


async def test_removing_many_gives_up_with_a_report() -> None:
    flaky = Flaky(MemoryDriver(), times=99)
    answers = await retrying(flaky).ability(BulkRemove).remove_many(["a", "b"])
    assert flaky.calls == ["remove_many"] * 3
    assert {type(found) for found in answers.values()} == {Unavailable}
    with pytest.raises(PreconditionFailed):
        await (
            retrying(Flaky(MemoryDriver(), error=PreconditionFailed))
            .ability(BulkRemove)
            .remove_many(["a"])
        )


async def test_a_read_that_breaks_goes_on_where_it_stopped() -> None:
    driver = MemoryDriver()
    await driver.put("a", b"0123456789")
    etag = (await driver.stat("a")).etag
    cut = Cut(driver, at=3, times=2)
    async with retrying(cut).read_stream("a", start=1, stop=9) as source:
        assert source.size == 8
        assert await source.read() == b"12345678"
    assert cut.asked == [
        ReadOptions(1, 9),
        ReadOptions(4, 9, if_match=etag),
        ReadOptions(7, 9, if_match=etag),
    ]
    assert cut.released == 3


async def test_a_read_may_break_more_often_than_attempts_as_long_as_bytes_come() -> None:
    driver = MemoryDriver()
    await driver.put("a", bytes(range(20)))
    assert await retrying(Cut(driver, at=1, times=19), attempts=2).get("a") == bytes(range(20))


async def test_a_read_that_breaks_without_bytes_gives_up_after_attempts() -> None:
    driver = MemoryDriver()
    await driver.put("a", b"0123456789")
    cut = Cut(driver, at=0, times=99)
    with pytest.raises(Unavailable):
        await retrying(cut).get("a")
    assert len(cut.asked) == 3
    assert cut.released == 3


async def test_a_read_is_opened_again_only_for_the_same_file() -> None:
    driver = MemoryDriver()
    await driver.put("a", b"0123456789")
    cut = Cut(driver)
    async with retrying(cut).read_stream("a") as source:
        assert await source.read(2) == b"01"
        await driver.put("a", b"another one")
        with pytest.raises(Unavailable, match="cut"):
            await source.read()


async def test_a_read_without_an_etag_is_not_resumed() -> None:
    driver = MemoryDriver()
    await driver.put("a", b"0123456789")
    cut = Cut(driver)
    cut.etag = False
    with pytest.raises(Unavailable):
        await retrying(cut).get("a")
    assert len(cut.asked) == 1


async def test_conditions_of_a_read_hold_as_they_are() -> None:
    driver = MemoryDriver()
    await driver.put("a", b"0123456789")
    etag = (await driver.stat("a")).etag
    assert await retrying(Cut(driver)).get("a", if_match=etag) == b"0123456789"
    assert await retrying(Cut(driver)).get("a", if_none_match="other") == b"0123456789"
    with pytest.raises(NotModified):
        await retrying(Cut(driver)).get("a", if_none_match=etag)
    with pytest.raises(PreconditionFailed):
        await retrying(Cut(driver)).get("a", if_match="other")


async def test_a_read_of_a_version_goes_on_too() -> None:
    class Cutting(Everything):
        times = 1

        async def read_version(self, path: str, version: str, how: Any = WHOLE, /) -> Source:
            content = await (await super().read_version(path, version, how)).read()

            async def chunks() -> AsyncGenerator[bytes]:
                yield content[:2]
                if self.times:
                    self.times -= 1
                    raise Unavailable("cut")
                yield content[2:]

            return Source(Stat(path), chunks(), size=len(content))

    driver = Cutting()
    await driver.put("a", b"0123456789")
    await driver.put("a", b"new")
    native: Any = retrying(driver).ability(METHODS["read_version"])
    async with await native.read_version("a", "m-1", ReadOptions(1, 8)) as source:
        assert await source.read() == b"1234567"


async def test_a_source_is_released_when_it_is_left_or_dropped() -> None:
    driver = MemoryDriver()
    await driver.put("a", b"0123456789")
    cut = Cut(driver, times=0)
    async with retrying(cut).read_stream("a") as source:
        assert await source.read(2) == b"01"
    assert cut.released == 1
    source = await retrying(cut).read("a")
    del source
    assert cut.released == 2


NAMES = ["a", "a b", "a-", "a.txt", "a/b", "a/b/c", "a0", "b/%2F", "b/é", "z"]


@pytest.mark.parametrize("at", range(1, 16))
@pytest.mark.parametrize("how", [DEEP, SHALLOW, ScanOptions(after="a-"), ScanOptions(starting="a")])
async def test_a_listing_goes_on_where_it_broke(at: int, how: ScanOptions) -> None:
    driver = MemoryDriver()
    await filled(driver, *NAMES)
    expected = await collected(driver.scan("", how))
    times = 99 if at > 1 else 1  # of one entry at a time, a known one may come for ever
    assert await collected(retrying(Cut(driver, at, times)).scan("", how)) == expected


async def test_a_listing_goes_on_in_either_order_of_folders() -> None:
    class Walking(MemoryDriver):
        """Sorts a folder as its path, and not as its path with a "/"."""

        async def scan(self, folder: str = "", how: ScanOptions = DEEP, /) -> Any:
            entries = [entry async for entry in super().scan(folder, ScanOptions(how.deep))]
            for entry in sorted(entries, key=lambda entry: entry.path):
                if entry.path > (how.after or ""):
                    yield entry

    driver = Walking(folders="real")
    await filled(driver, "a.txt", "a/b", "a-/c", "a0", "b/c/d")
    expected = await collected(driver.scan())
    for at in range(1, 9):
        assert await collected(retrying(Cut(driver, at, times=99)).scan()) == expected


async def test_a_listing_in_no_order_breaks_with_the_failure() -> None:
    class Unordered(MemoryDriver):
        @property
        def traits(self) -> Any:
            return replace(super().traits, ordered=False)

    driver = Unordered()
    await filled(driver, "a", "b", "c")
    entries = retrying(Cut(driver, at=1)).scan()
    await anext(entries)
    with pytest.raises(Unavailable):
        await anext(entries)
    assert len(await collected(retrying(Cut(driver, at=0)).scan())) == 3


async def test_a_listing_that_never_comes_gives_up() -> None:
    driver = MemoryDriver()
    await filled(driver, "a")
    cut = Cut(driver, at=0, times=99)
    with pytest.raises(Unavailable):
        await retrying(cut).files()
    assert len(cut.asked) == 3


async def test_cancellation_passes_at_once() -> None:
    flaky = Flaky(MemoryDriver(), times=99)
    task = asyncio.create_task(Retry(flaky, base=3600, cap=3600).stat("a"))
    await flaky.called.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert flaky.calls == ["stat"]


async def test_the_wait_is_random_doubles_and_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for _ in range(200):
        with pytest.raises(Unavailable):
            await Retry(Flaky(MemoryDriver(), 99), attempts=6, base=1, cap=5).stat("a")
    for index, limit in enumerate((1, 2, 4, 5, 5)):
        waits = slept[index::5]
        assert limit * 0.7 < max(waits) <= limit
        assert 0 <= min(waits) < limit * 0.3


async def test_with_base_zero_nothing_is_waited_for() -> None:
    start = time.perf_counter()
    with pytest.raises(Unavailable):
        await retrying(Flaky(MemoryDriver(), 999), attempts=100).stat("a")
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 0},
        {"attempts": -1},
        {"attempts": 2.0},
        {"attempts": True},
        {"attempts": "3"},
        {"base": -0.1},
        {"base": float("nan")},
        {"base": float("inf")},
        {"base": None},
        {"cap": -1},
        {"cap": "1"},
    ],
)
def test_bad_settings_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Retry(MemoryDriver(), **options)


def test_two_retries_would_multiply() -> None:
    class Remote(MemoryDriver):
        retries = 3

    for inner in (Retry(MemoryDriver()), Scoped(Retry(MemoryDriver()), "t"), Layer(Remote())):
        with pytest.raises(ConfigError, match="retries already"):
            Retry(inner)
    quiet = Remote()
    quiet.retries = 0
    assert isinstance(Retry(quiet), Retry)


async def test_create_only_has_one_winner_through_retries() -> None:
    retry = retrying(MemoryDriver())
    puts = (retry.put("a", b"%d" % n, overwrite=False) for n in range(20))
    done = await asyncio.gather(*puts, return_exceptions=True)
    assert sum(isinstance(one, AlreadyExists) for one in done) == 19
