"""What a disk under Observe tells of each verb and each ability, written down."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storeroom import Disk, MemoryDriver, NotFound, PermissionDenied, Unavailable
from storeroom.contracts.abilities import (
    ABILITIES,
    BulkRemove,
    LocalPath,
    Origin,
    PublicUrl,
    Sweep,
    VerifyUrl,
)
from storeroom.contracts.body import Body
from storeroom.contracts.errors import Closed
from storeroom.contracts.values import RemoveOptions
from storeroom.drivers.local import LocalDriver
from storeroom.events import Event, Events
from storeroom.layers import Retry, Scoped
from storeroom.layers.observe import Observe
from storeroom.testing import Faults
from tests.layers.calls import ABILITY_CALLS, answer, outcome
from tests.layers.everything import METHODS, Bare, Everything, fates, filled
from tests.layers.forgotten import Failing, forgotten, two_chunks
from tests.layers.observe.conftest import Clock
from tests.layers.test_layer import Sing, Singing

CALLED = ("calling", "called")
CHANGED = ("changing", "changed")
COPIED = ("copying", "copied")
LISTED = ("listing", "listed")
READ = ("reading", "read")
REMOVED = ("removing", "removed")
WRITTEN = ("writing", "written")

# The events of each method of each ability: a change here is a change for everybody who listens.
EVENTS = {
    "abort_parts": CALLED,
    "acquire_lease": CALLED,
    "change_attributes": CHANGED,
    "change_tags": CHANGED,
    "change_tier": CHANGED,
    "change_time": CHANGED,
    "change_visibility": CHANGED,
    "complete_parts": WRITTEN,
    "copy_from": COPIED,
    "copy_within": COPIED,
    "digest": CALLED,
    "extend": WRITTEN,
    "has_folder": CALLED,
    "list_parts": CALLED,
    "list_versions": LISTED,
    "make_folder": CHANGED,
    "presign_part": CALLED,
    "presign_post": CALLED,
    "presign_read": CALLED,
    "presign_write": CALLED,
    "read_tags": CALLED,
    "read_version": READ,
    "read_visibility": CALLED,
    "release_lease": CALLED,
    "remove_folder": REMOVED,
    "remove_version": CHANGED,
    "rename": ("moving", "moved"),
    "renew_lease": CALLED,
    "restore_version": WRITTEN,
    "start_parts": CALLED,
    "write_part": CALLED,
}
SYNCHRONOUS = {"public_url", "origin", "local_path"}
APART = {"remove_many", "sweep", "verify_url"}
SECRET = "what a URL or a lease grants"


class Heard(list[Event]):
    """A disk's events, as they come."""

    def __init__(self, events: Events) -> None:
        super().__init__()
        events.on("*", self.append)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self]

    def of(self, name: str) -> Event:
        (found,) = [event for event in self if event.name == name]
        return found


@pytest.fixture
async def driver() -> Everything:
    driver = Everything()
    await filled(driver, "a", "b/c")
    await driver.write("a", Body(b"newer"))
    driver.parts["a", "id"] = {1: b"part"}
    return driver


@pytest.fixture
def disk(driver: Everything) -> Observe:
    return Observe(driver, name="media")


@pytest.fixture
def heard(disk: Observe) -> Heard:
    return Heard(disk.events)


def test_every_ability_passes_through_it() -> None:
    inner = Everything()
    names = {kind.__name__ for kind in ABILITIES}  # type: ignore[attr-defined]
    assert fates(Observe(inner), inner) == {"adapted": names}


def test_an_ability_of_a_third_party_passes_unobserved() -> None:
    disk = Observe(Singing())
    assert disk.ability(Sing).sing() == "la"
    assert not Observe(MemoryDriver()).supports(Sing)


def test_every_method_is_written_down() -> None:
    assert {*EVENTS, *SYNCHRONOUS, *APART} == set(METHODS)


@pytest.mark.parametrize("method", EVENTS)
async def test_an_abilitys_call_tells_before_and_after(
    driver: Everything, disk: Observe, heard: Heard, method: str
) -> None:
    if method != "acquire_lease":
        driver.leases["a"] = "id"
    native: Any = disk.ability(METHODS[method])
    native.inner_origin = MemoryDriver()
    await filled(native.inner_origin, "src")
    call = ABILITY_CALLS[method]
    await outcome(lambda: call(native, "a", "to"))
    assert tuple(heard.names) == EVENTS[method]
    before, after = heard
    for event in heard:
        assert (event.disk, event.operation, event.verb) == ("media", method, None)
        path, to = ("src", "a") if method == "copy_from" else ("a", None)
        to = "to" if method in ("copy_within", "rename") else to
        assert (event.path, event.to, event.error) == (path, to, None)
    assert before.seconds is None
    assert after.seconds is not None


@pytest.mark.parametrize("method", EVENTS)
async def test_an_abilitys_call_that_fails_tells_so(
    disk: Observe, heard: Heard, method: str
) -> None:
    await disk.inner.aclose()
    native: Any = disk.ability(METHODS[method])
    native.inner_origin = MemoryDriver()
    call = ABILITY_CALLS[method]
    told = await answer(lambda: call(native, "..", "to"))
    assert isinstance(told, Exception)
    assert heard.names == [EVENTS[method][0], "failed"]
    assert heard.of("failed").error is told


async def test_what_is_synchronous_is_not_told(disk: Observe, heard: Heard) -> None:
    assert disk.ability(PublicUrl).public_url("a")
    assert disk.ability(LocalPath).local_path("a")
    assert disk.ability(Origin).origin("a") == (disk.inner, "a")
    assert heard == []


async def test_calls_about_no_single_path_tell_of_none(disk: Observe, heard: Heard) -> None:
    await disk.ability(Sweep).sweep(timedelta(0))
    url = await disk.temporary_url("a", 60)
    heard.clear()
    await disk.ability(VerifyUrl).verify_url(url, "GET")
    assert [(event.name, event.path) for event in heard] == [("calling", ""), ("called", "")]
    assert not any(url in repr(event) for event in heard)


async def test_each_path_of_a_removal_of_many_has_its_own_events(
    driver: Everything, disk: Observe, heard: Heard
) -> None:
    await disk.ability(BulkRemove).remove_many(["a", "missing", "../x"])
    assert [(event.name, event.path) for event in heard] == [
        *(("removing", path) for path in ("a", "missing", "../x")),
        *(("removed", "a"), ("removed", "missing"), ("failed", "../x")),
    ]
    assert [event.existed for event in heard[3:]] == [True, False, None]
    assert heard[-1].error is not None
    heard.clear()
    await driver.aclose()
    with pytest.raises(Closed):
        await disk.ability(BulkRemove).remove_many(["a", "b"])
    assert heard.names == ["removing", "removing", "failed", "failed"]


async def test_a_write_tells_its_bytes_and_facts(disk: Observe, heard: Heard) -> None:
    await disk.put("n%2F é.txt", b"12345", metadata={"k": "v"})
    before, after = heard
    assert before == Event("writing", "media", "write", "n%2F é.txt", verb="put")
    assert (after.name, after.size, after.stat) == (
        "written",
        5,
        await disk.inner.stat("n%2F é.txt"),
    )
    assert after.verb == "put"


async def test_a_stream_of_unknown_size_is_counted(disk: Observe, heard: Heard) -> None:
    await disk.write_stream("s", (b"x" * 10 for _ in range(5)))
    await disk.append("s", (b"y" for _ in range(3)))
    assert [event.size for event in heard if event.name == "written"] == [50, 3]
    assert await disk.get("s") == b"x" * 50 + b"yyy"


async def test_what_counts_a_body_is_closed_where_the_driver_fails() -> None:
    disk = Observe(Failing())
    with forgotten() as found:
        for store in (disk.put, disk.append):
            with pytest.raises(Unavailable):
                await store("a", two_chunks())
    assert found == []


async def test_a_body_that_is_sent_again_is_counted_once() -> None:
    faulty = Faults(MemoryDriver()).fail("write", Unavailable, times=2)

    class Eager(MemoryDriver):
        tries = 0

        async def write(self, path: str, body: Body, how: Any = None, /) -> Any:
            self.tries += 1
            data = await body.content()
            if self.tries < 3:
                raise Unavailable("not yet")
            return await super().write(path, Body(data))

    for inner in (faulty, Eager()):
        disk = Observe(Retry(inner, base=0))
        heard = Heard(disk.events)
        await disk.put("a", [b"12", b"345"])
        assert heard.of("written").size == 5
        assert await disk.get("a") == b"12345"


async def test_what_a_callers_own_body_raises_fails_the_write(disk: Observe, heard: Heard) -> None:
    async def broken() -> Any:
        yield b"x"
        raise ZeroDivisionError(SECRET)

    with pytest.raises(ZeroDivisionError):
        await disk.put("b.txt", broken())
    failed = heard.of("failed")
    assert (failed.operation, failed.size) == ("write", None)
    assert isinstance(failed.error, ZeroDivisionError)
    assert await disk.missing("b.txt")


async def test_removals_tell_whether_something_was_there(disk: Observe, heard: Heard) -> None:
    await disk.remove("a")
    await disk.remove("a", RemoveOptions())
    await disk.delete_directory("b")
    removed = [event for event in heard if event.name == "removed"]
    assert [(one.operation, one.path, one.existed) for one in removed] == [
        ("remove", "a", True),
        ("remove", "a", False),
        ("remove_folder", "b", True),
    ]


async def test_a_listing_tells_how_many_entries_it_gave(disk: Observe, heard: Heard) -> None:
    assert await disk.all_files() == ["a", "b/c"]
    assert [(event.name, event.path, event.entries) for event in heard] == [
        ("listing", "", None),
        ("listed", "", 3),
    ]
    heard.clear()
    assert await disk.files("missing") == []
    assert heard.of("listed").entries == 0


# What people type -> what is told, on a disk that can copy and move, and on one that has six verbs.
PLAIN_COPY = ["reading", "read", "writing", "written"]
VERBS: dict[str, tuple[Callable[[Any], Any], list[str], list[str]]] = {
    "put": (lambda disk: disk.put("x", b""), ["writing", "written"], ["writing", "written"]),
    "get": (lambda disk: disk.get("a"), ["reading", "read"], ["reading", "read"]),
    "exists": (lambda disk: disk.exists("a"), ["calling", "called"], ["calling", "called"]),
    "missing": (lambda disk: disk.missing("m"), ["calling", "failed"], ["calling", "failed"]),
    "copy": (lambda disk: disk.copy("a", "x"), ["copying", "copied"], PLAIN_COPY),
    "move": (
        lambda disk: disk.move("a", "x"),
        ["moving", "moved"],
        ["calling", "called", *PLAIN_COPY, "reading", "read", "removing", "removed"],
    ),
    "delete": (lambda disk: disk.delete("a"), ["removing", "removed"], ["removing", "removed"]),
    "files": (lambda disk: disk.files(), ["listing", "listed"], ["listing", "listed"]),
    "checksum": (lambda disk: disk.checksum("a"), ["calling", "called"], ["reading", "read"]),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_a_verb_tells_what_the_driver_did_for_it(verb: str) -> None:
    call, *expected = VERBS[verb]
    for made, names in zip((MemoryDriver, lambda: Bare(MemoryDriver())), expected, strict=True):
        driver = made()
        await filled(driver, "a")
        disk = Observe(driver)
        heard = Heard(disk.events)
        await call(disk)
        assert heard.names == names
        expected_verb = "exists" if verb == "missing" else verb
        assert {event.verb for event in heard} <= {verb, expected_verb}


async def test_paths_are_those_of_where_it_stands() -> None:
    driver = MemoryDriver()
    inside, outside = Observe(driver), Observe(Scoped(driver, "t1"))
    heard = Heard(outside.events)
    await outside.put("a", b"")
    await Scoped(inside, "t1").put("b", b"")
    heard_inside = Heard(inside.events)
    await Scoped(inside, "t1").get("b")
    assert {event.path for event in heard} == {"a"}
    assert {event.path for event in heard_inside} == {"t1/b"}


async def test_it_is_called_as_errors_call_it(tmp_path: Path) -> None:
    for inner, name in (
        (MemoryDriver(), "memory"),
        (Disk(MemoryDriver(), name="media"), "media"),
        (Scoped(LocalDriver(tmp_path), "t"), "local"),
        (Bare(MemoryDriver()), "memory"),
    ):
        disk = Observe(inner)
        heard = Heard(disk.events)
        await disk.put("a", b"")
        assert {event.disk for event in heard} == {name}


async def test_a_listener_that_fails_breaks_nothing(
    disk: Observe, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError

    disk.events.on("*", broken)
    await disk.put("x", b"1")
    assert await disk.get("x") == b"1"
    with pytest.raises(NotFound):
        await disk.get("missing")
    assert await disk.all_files() == ["a", "b/c", "x"]
    assert disk.stats().listener_failures == len(caplog.records) == 8


async def test_the_operation_goes_on_when_all_have_heard(disk: Observe, clock: Clock) -> None:
    may_go_on = asyncio.Event()
    done: list[str] = []

    async def slow(event: Event) -> None:
        await may_go_on.wait()
        clock.turn(7)
        done.append(event.name)

    disk.events.on("writing", slow)
    disk.events.on("written", slow)
    putting = asyncio.create_task(disk.put("x", b""))
    await asyncio.sleep(0)
    assert not await disk.inner.exists("x")  # type: ignore[attr-defined]
    may_go_on.set()
    await putting
    assert done == ["writing", "written"]
    assert disk.stats().operations["write"].seconds == 0  # what listeners take does not count


async def test_a_cancellation_while_a_listener_hears_passes_on(disk: Observe) -> None:
    hearing = asyncio.Event()

    async def slow(event: Event) -> None:
        hearing.set()
        await asyncio.Event().wait()

    for name, stored in (("writing", False), ("written", True)):
        hearing.clear()
        off = disk.events.on(name, slow)  # type: ignore[call-overload]
        putting = asyncio.create_task(disk.put(name, b""))
        await hearing.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        off()
        assert await disk.exists(name) is stored
    assert disk.stats().total.under_way == 0


async def test_a_cancelled_call_is_told_to_those_who_need_not_be_awaited() -> None:
    waiting = asyncio.Event()

    class Slow(MemoryDriver):
        async def stat(self, path: str, /) -> Any:
            waiting.set()
            await asyncio.Event().wait()

    disk = Observe(Slow())
    heard, never = Heard(disk.events), []

    async def later(event: Event) -> None:
        never.append(event)

    disk.events.on("failed", later)
    asking = asyncio.create_task(disk.exists("a"))
    await waiting.wait()
    assert disk.stats().total.under_way == 1
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert isinstance(heard.of("failed").error, asyncio.CancelledError)
    assert never == []
    tally = disk.stats().operations["stat"]
    assert (tally.calls, tally.failures, tally.under_way) == (1, 1, 0)


async def test_a_listener_may_use_the_disk_and_does_not_hear_itself(disk: Observe) -> None:
    written: list[str] = []

    @disk.events.on("written")
    async def keep_a_copy(event: Event) -> None:
        await disk.put(f"copies/{event.path}", await disk.get(event.path))

    disk.events.on("written", lambda event: written.append(event.path))
    await disk.put("x", b"1")
    assert await disk.all_files("copies") == ["copies/x"]
    assert written == ["copies/x", "x"]


async def test_many_at_once_are_told_apart(disk: Observe, heard: Heard) -> None:
    report = await disk.put_many({f"{number}": b"x" * number for number in range(50)})
    assert report.ok
    sizes = {event.path: event.size for event in heard if event.name == "written"}
    assert sizes == {f"{number}": number for number in range(50)}
    assert {event.verb for event in heard} == {"put_many"}


async def test_failures_are_told_with_their_error(disk: Observe, heard: Heard) -> None:
    with pytest.raises(NotFound) as caught:
        await disk.get("missing")
    assert heard.of("failed").error is caught.value
    heard.clear()
    with pytest.raises(PermissionDenied):
        await disk.read_only().put("a", b"")
    assert heard == []  # refused outside of it


async def test_two_of_them_tell_on_their_own() -> None:
    events = Events()
    disk = Observe(Observe(MemoryDriver(), name="in", events=events), name="out", events=events)
    heard = Heard(events)
    await disk.put("a", b"")
    assert [(event.name, event.disk) for event in heard] == [
        ("writing", "out"),
        ("writing", "in"),
        ("written", "in"),
        ("written", "out"),
    ]
    assert disk.events is events
    assert Observe(MemoryDriver()).events is not Observe(MemoryDriver()).events
