"""Events: who wants to hear what is done on disks, and what they are told."""

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar, get_args, overload

from storeroom.contracts.errors import InvalidArgument
from storeroom.contracts.forks import after_fork
from storeroom.contracts.nearest import nearest
from storeroom.contracts.values import Stat

__all__ = ["Event", "EventName", "Events", "Listener"]

L = TypeVar("L", bound="Listener")

EventName = Literal[
    "reading",
    "read",
    "writing",
    "written",
    "removing",
    "removed",
    "copying",
    "copied",
    "moving",
    "moved",
    "listing",
    "listed",
    "changing",
    "changed",
    "calling",
    "called",
    "failed",
]
"""The names of events: one before and one after each operation, and "failed" instead of the latter."""


# A tuple and no dataclass: two are made for each call, and a frozen dataclass takes five times as long.
class Event(NamedTuple):
    """What is about to be done on a disk, or was done, or failed.

    `operation` is the driver's verb or the ability's method, `verb` what people typed, None where the
    driver was called by itself. `to` is the target of a copy or a move. Known afterwards: `seconds`
    from the beginning to the end, of a stream to its last byte; `size`, the bytes read or written;
    `first_byte`, the seconds until a read gave the first ones; `entries` of a listing; `existed` of a
    removal, None where the service does not say; the `stat` of a file; the `error` of a failure.
    """

    name: EventName
    disk: str
    operation: str
    path: str
    to: str | None = None
    verb: str | None = None
    seconds: float | None = None
    size: int | None = None
    first_byte: float | None = None
    entries: int | None = None
    existed: bool | None = None
    stat: Stat | None = None
    error: BaseException | None = None


Listener = Callable[[Event], object]
"""Called with each event; what it returns is awaited where that can be."""


@dataclass(frozen=True, slots=True, eq=False)
class _Hearing:
    """One listener, as often as it was put on; `waits` where it is asynchronous."""

    listener: Listener
    waits: bool


class Events:
    """Tells listeners what is done; an empty one is false.

    Listeners are called one after the other in the order they came, asynchronous ones are awaited: the
    operation goes on when all have heard. One that fails is logged and changes nothing. What a
    listener does on a disk is told to the others, not to itself.
    """

    def __init__(self) -> None:
        self._renew()
        after_fork(self, Events._renew)
        self._heard: Mapping[str, tuple[_Hearing, ...]] = {}
        self._failures = 0

    def __repr__(self) -> str:
        return f"Events({', '.join(sorted(self._heard))})"

    def __bool__(self) -> bool:
        return bool(self._heard)

    @property
    def failures(self) -> int:
        """How often a listener failed."""
        return self._failures

    @overload
    def on(self, name: EventName | Literal["*"], listener: Listener, /) -> Callable[[], None]: ...

    @overload
    def on(self, name: EventName | Literal["*"], /) -> Callable[[L], L]: ...

    def on(self, name: str, listener: Listener | None = None, /) -> Callable[..., Any]:
        """Call `listener` with every event of this name, of all names for "*".

        Returns a function that takes it off again. Without a listener it is a decorator.
        """
        if name not in _NAMES:
            raise InvalidArgument(f"there is no event {name!r}; {nearest(name, _NAMES)}")
        if listener is not None:
            return self._put_on(name, listener)

        def decorated(given: Listener) -> Listener:
            self._put_on(name, given)
            return given

        return decorated

    def hears(self, name: EventName, /) -> bool:
        """Whether anybody listens to events of this name."""
        return name in self._heard or "*" in self._heard

    async def tell(self, event: Event, /) -> None:
        """Tell everybody who listens to this event, one after the other."""
        for hearing in self._waiting_for(event.name):
            token = _hearing.set((*_hearing.get(), hearing))
            try:
                answer = hearing.listener(event)
                if answer is not None and isinstance(answer, Awaitable):
                    await answer
            except asyncio.CancelledError as error:
                if _is_cancelled():
                    raise
                self._failed(hearing, event, error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the operation goes on
                self._failed(hearing, event, error)
            finally:
                _hearing.reset(token)

    def tell_now(self, event: Event, /) -> None:
        """Tell those who do not have to be awaited, where nobody can wait any more."""
        for hearing in self._waiting_for(event.name):
            if hearing.waits:
                continue
            token = _hearing.set((*_hearing.get(), hearing))
            try:
                answer = hearing.listener(event)
                if inspect.iscoroutine(answer):
                    answer.close()
            except Exception as error:  # noqa: BLE001 - as above
                self._failed(hearing, event, error)
            finally:
                _hearing.reset(token)

    def saved(self) -> Mapping[str, tuple[object, ...]]:
        """Who listens now, for `restore`."""
        return self._heard

    def restore(self, heard: Mapping[str, tuple[Any, ...]], /) -> None:
        """Listen as at the time of `saved`."""
        with self._lock:
            self._heard = heard

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def _put_on(self, name: str, listener: Listener) -> Callable[[], None]:
        if not callable(listener):
            raise TypeError(f"a listener is a function of one event, not {listener!r}")
        hearing = _Hearing(listener, _is_async(listener))
        with self._lock:
            self._heard = {**self._heard, name: (*self._heard.get(name, ()), hearing)}
        return lambda: self._take_off(name, hearing)

    def _take_off(self, name: str, hearing: _Hearing) -> None:
        with self._lock:
            left = tuple(one for one in self._heard.get(name, ()) if one is not hearing)
            others = {key: value for key, value in self._heard.items() if key != name}
            self._heard = {**others, name: left} if left else others

    def _waiting_for(self, name: str) -> Sequence[_Hearing]:
        heard, busy = self._heard, _hearing.get()
        listening = heard.get(name, ()) + heard.get("*", ())
        return [one for one in listening if one not in busy] if busy else listening

    def _failed(self, hearing: _Hearing, event: Event, error: BaseException) -> None:
        with self._lock:
            self._failures += 1
        name = getattr(hearing.listener, "__qualname__", type(hearing.listener).__name__)
        text = "the listener %s failed at %r of %r on disk %r; nothing else is changed by that"
        _log.error(text, name, event.name, event.path, event.disk, exc_info=error)


def _is_async(listener: Any) -> bool:
    return inspect.iscoroutinefunction(listener) or inspect.iscoroutinefunction(
        getattr(listener, "__call__", None)  # noqa: B004 - an object whose call is asynchronous
    )


def _is_cancelled() -> bool:
    """Whether it is the operation that was cancelled, and not something that a listener waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


_hearing: ContextVar[tuple[_Hearing, ...]] = ContextVar("storeroom_hearing", default=())
_log = logging.getLogger("storeroom.events")
_NAMES = (*get_args(EventName), "*")
