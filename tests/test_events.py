"""Events: who is told what, in which order, and that a listener never breaks what it hears of."""

import asyncio
import logging
from functools import partial
from typing import Any, get_args

import pytest

from storeroom.contracts import forks
from storeroom.contracts.errors import InvalidArgument
from storeroom.events import Event, EventName, Events

WRITTEN = Event("written", "disk", "write", "a b%2F.txt")
READ = Event("read", "disk", "read", "a")


class Ear:
    """Hears, and says when it is called."""

    def __init__(self, name: str, heard: list[str]) -> None:
        self.name = name
        self.heard = heard

    def __call__(self, event: Event) -> None:
        self.heard.append(f"{self.name}:{event.name}")


class AsyncEar(Ear):
    async def __call__(self, event: Event) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().__call__(event)

    async def method(self, event: Event) -> None:
        await self(event)


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def heard() -> list[str]:
    return []


async def test_those_of_a_name_hear_it_first_then_those_of_all(
    events: Events, heard: list[str]
) -> None:
    events.on("*", Ear("all", heard))
    events.on("written", Ear("one", heard))
    events.on("written", AsyncEar("two", heard))
    events.on("read", Ear("other", heard))
    await events.tell(WRITTEN)
    assert heard == ["one:written", "two:written", "all:written"]


async def test_the_function_that_comes_back_takes_a_listener_off(
    events: Events, heard: list[str]
) -> None:
    ear = Ear("ear", heard)
    first, second = events.on("written", ear), events.on("written", ear)
    await events.tell(WRITTEN)
    first()
    await events.tell(WRITTEN)
    first()
    second()
    await events.tell(WRITTEN)
    assert heard == ["ear:written"] * 3


async def test_it_is_a_decorator_too(events: Events, heard: list[str]) -> None:
    @events.on("written")
    async def index(event: Event) -> None:
        heard.append(event.path)

    await events.tell(WRITTEN)
    assert heard == [WRITTEN.path]
    assert index.__name__ == "index"


def test_it_is_true_while_somebody_listens(events: Events) -> None:
    assert not events
    off, other = events.on("*", print), events.on("read", print)
    assert events
    assert repr(events) == "Events(*, read)"
    off()
    assert events.hears("read")
    assert not events.hears("written")
    other()
    assert not events
    assert not events.hears("read")


def test_every_name_is_known_and_a_wrong_one_is_told(events: Events) -> None:
    for name in get_args(EventName):
        events.on(name, print)
    with pytest.raises(InvalidArgument, match="no event 'writen'; did you mean 'written'"):
        events.on("writen", print)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="a listener is a function of one event, not 'x'"):
        events.on("read", "x")  # type: ignore[call-overload]


async def test_a_listener_that_fails_is_logged_by_name_and_the_others_hear(
    events: Events, heard: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError

    async def later(event: Event) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    for listener in (broken, later, partial(broken), Ear("ear", heard)):
        events.on("written", listener)
    await events.tell(WRITTEN)
    events.tell_now(WRITTEN)
    assert heard == ["ear:written"] * 2
    assert events.failures == 5  # the asynchronous one is not called where nobody waits
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    assert {record.name for record in caplog.records} == {"storeroom.events"}
    assert "broken failed at 'written' of 'a b%2F.txt' on disk 'disk'" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_what_is_waited_for_is_left_out_where_nobody_waits(
    events: Events, heard: list[str]
) -> None:
    ear = AsyncEar("async", heard)

    def gives_a_coroutine(event: Event) -> object:
        return ear.method(event)

    for listener in (ear, ear.method, partial(ear.method), gives_a_coroutine):
        events.on("written", listener)
    events.on("*", Ear("ear", heard))
    events.tell_now(WRITTEN)
    assert heard == ["ear:written"]
    await events.tell(WRITTEN)
    assert heard[1:] == ["async:written"] * 4 + ["ear:written"]


async def test_a_cancellation_while_a_listener_runs_passes_on(
    events: Events, heard: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    begun = asyncio.Event()

    async def slow(event: Event) -> None:
        begun.set()
        await asyncio.Event().wait()

    events.on("written", slow)
    events.on("written", Ear("after", heard))
    telling = asyncio.create_task(events.tell(WRITTEN))
    await begun.wait()
    telling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await telling
    assert (heard, events.failures, caplog.records) == ([], 0, [])


async def test_a_listener_whose_own_task_was_cancelled_has_failed(
    events: Events, heard: list[str]
) -> None:
    async def waits_for_another(event: Event) -> None:
        other = asyncio.create_task(asyncio.sleep(60))
        other.cancel()
        await other

    events.on("written", waits_for_another)
    events.on("written", Ear("after", heard))
    await events.tell(WRITTEN)
    assert (heard, events.failures) == (["after:written"], 1)


async def test_an_exit_passes_on(events: Events) -> None:
    def leaving(event: Event) -> None:
        raise KeyboardInterrupt

    events.on("written", leaving)
    with pytest.raises(KeyboardInterrupt):
        await events.tell(WRITTEN)
    with pytest.raises(KeyboardInterrupt):
        events.tell_now(WRITTEN)


async def test_a_listener_does_not_hear_what_it_does_itself_but_others_do(
    events: Events, heard: list[str]
) -> None:
    async def echo(event: Event) -> None:
        heard.append("echo")
        async with asyncio.TaskGroup() as group:
            group.create_task(events.tell(event))
        await events.tell(READ)

    def now(event: Event) -> None:
        heard.append("now")
        events.tell_now(event)

    events.on("written", echo)
    events.on("written", now)
    await events.tell(WRITTEN)
    assert heard == ["echo", "now", "now"]
    await events.tell(WRITTEN)
    assert heard == ["echo", "now", "now"] * 2


async def test_two_listeners_that_answer_each_other_come_to_an_end(
    events: Events, heard: list[str]
) -> None:
    async def one(event: Event) -> None:
        heard.append("one")
        await events.tell(WRITTEN)

    async def other(event: Event) -> None:
        heard.append("other")
        await events.tell(WRITTEN)

    events.on("written", one)
    events.on("written", other)
    await events.tell(WRITTEN)
    assert heard == ["one", "other", "other", "one"]


async def test_listeners_may_come_and_go_while_one_is_told(
    events: Events, heard: list[str]
) -> None:
    def once(event: Event) -> None:
        heard.append("once")
        off()
        events.on("written", Ear("new", heard))

    off = events.on("written", once)
    await events.tell(WRITTEN)
    await events.tell(WRITTEN)
    assert heard == ["once", "new:written"]


async def test_a_lock_that_was_held_at_a_fork_holds_up_nobody(
    events: Events, heard: list[str]
) -> None:
    with events._lock:
        forks._forked()
        events.on("written", Ear("child", heard))
        await events.tell(WRITTEN)
    assert heard == ["child:written"]


async def test_who_listened_comes_back(events: Events, heard: list[str]) -> None:
    events.on("written", Ear("before", heard))
    saved = events.saved()
    events.on("*", Ear("after", heard))
    events.restore(saved)
    await events.tell(WRITTEN)
    assert heard == ["before:written"]


def test_an_event_is_a_frozen_value() -> None:
    event: Any = WRITTEN
    with pytest.raises(AttributeError):
        event.path = "b"
    assert not hasattr(event, "__dict__")
    assert event == Event("written", "disk", "write", "a b%2F.txt")
