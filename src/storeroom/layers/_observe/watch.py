"""Watch: one call under way, and what is known of it so far."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from time import perf_counter
from typing import Any

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.source import Source
from storeroom.contracts.values import Stat
from storeroom.events import Event, EventName
from storeroom.files import calling

__all__ = ["READS", "Watch", "names_of"]

READS = frozenset(("read", "read_version"))
"""The operations whose bytes come out of the disk; those of all others go in."""

_REMOVES = frozenset(("remove", "remove_folder"))

_NAMES: dict[str, tuple[EventName, EventName]] = {
    **dict.fromkeys(("read", "read_version"), ("reading", "read")),
    **dict.fromkeys(
        ("write", "extend", "complete_parts", "restore_version"), ("writing", "written")
    ),
    **dict.fromkeys(("remove", "remove_many", "remove_folder"), ("removing", "removed")),
    **dict.fromkeys(("copy_within", "copy_from"), ("copying", "copied")),
    "rename": ("moving", "moved"),
    **dict.fromkeys(("scan", "list_versions"), ("listing", "listed")),
    **dict.fromkeys(
        (
            *("change_attributes", "change_tags", "change_tier", "change_time"),
            *("change_visibility", "make_folder", "remove_version"),
        ),
        ("changing", "changed"),
    ),
}


class Watch:
    """One call: when it began, what it is about, and what became of it."""

    # Not slotted: most calls set few of these, and an attribute of the class costs nothing to make.
    to: str | None = None
    begun: float = 0.0
    seconds: float = 0.0
    first_byte: float | None = None
    size: int | None = None
    entries: int | None = None
    existed: bool | None = None
    stat: Stat | None = None
    refused: tuple[Exception, ...] = ()
    source: StorageDriver | None = None
    number: int | None = None
    labels: Mapping[str, str] = {}
    span: Any = None  # OpenTelemetry's, which need not be installed
    token: Any = None  # likewise
    _announced: int | None = None
    _sent: int | None = None

    def __init__(self, operation: str, path: str, to: str | None = None, /) -> None:
        self.operation = operation
        self.path = path
        if to is not None:
            self.to = to
        call = calling.get()
        self.verb = None if call is None else call.verb

    def one(self, path: str, answer: object = None, /) -> "Watch":
        """One path of a call over many, and what became of it."""
        watch = Watch(self.operation, path)
        watch.seconds = self.seconds
        watch.existed = answer if isinstance(answer, bool) else None
        return watch

    def begin(self) -> None:
        """Start the clock."""
        self.begun = perf_counter()

    def end(self) -> None:
        """Stop the clock."""
        self.seconds = perf_counter() - self.begun

    def counting(self, body: Body, /) -> Body:
        """The body, or one that is counted as it goes where its size is not known."""
        if body.size is not None:
            self._announced = body.size
            return body
        return Body(lambda: self._counted(body), replayable=body.replayable)

    def answered(self, answer: object, /) -> None:
        """Note what the driver said."""
        if isinstance(answer, Stat):
            self.stat = answer
        elif self.operation in _REMOVES:
            self.existed = answer if isinstance(answer, bool) else None
        if self._announced is not None or self._sent is not None:
            self.size = self._sent if self._announced is None else self._announced

    def opened(self, source: Source, /) -> None:
        """Note a read whose bytes are all here."""
        self.size = source.size
        if source.size:
            self.first_byte = perf_counter() - self.begun

    def came(self, count: int, /) -> None:
        """Note bytes that were read, at the end of an empty file none."""
        if self.size is None:
            self.size = 0
        if count and not self.size:
            self.first_byte = perf_counter() - self.begun
        self.size += count

    def event(self, name: EventName, disk: str, /, error: BaseException | None = None) -> Event:
        """What is told of it after its end."""
        return Event(
            name,
            disk,
            self.operation,
            self.path,
            self.to,
            self.verb,
            self.seconds,
            self.size,
            self.first_byte,
            self.entries,
            self.existed,
            self.stat,
            error,
        )

    def event_before(self, name: EventName, disk: str, /) -> Event:
        """What is told of it before it begins."""
        return Event(name, disk, self.operation, self.path, self.to, self.verb)

    async def _counted(self, body: Body) -> AsyncGenerator[bytes]:
        self._sent = 0  # a body may be sent again
        async with aclosing(body.__aiter__()) as chunks:
            async for chunk in chunks:
                self._sent += len(chunk)
                yield chunk


def names_of(operation: str, /) -> tuple[EventName, EventName]:
    """The events before and after an operation."""
    return _NAMES.get(operation, ("calling", "called"))
