"""Several: a layer that stands on more than one disk, and knows which of them answer."""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    ConfigError,
    PreconditionFailed,
    StorageError,
    Timeout,
    Unavailable,
)
from storeroom.contracts.values import Attribute, Condition, Stat, Traits
from storeroom.files import Files
from storeroom.layers._base import Layer
from storeroom.layers._places import met
from storeroom.layers._several.errands import Errands
from storeroom.layers._several.health import Health
from storeroom.layers._several.taking import Taking
from storeroom.layers._together import through

__all__ = ["SILENT", "Several", "common"]

T = TypeVar("T")

SILENT = (Unavailable, Timeout)
"""What a disk that does not answer raises; all else is an answer."""

_PROBE = "storeroom-is-it-there"
_LEFT = "left"
_GRACE = 0.1
_log = logging.getLogger("storeroom")


class Several(Layer):
    """A layer over disks in an order of preference, of which any may be down.

    `patience` is in seconds: a call that takes longer is followed by a probe, and given up where that
    is not answered either within `patience`. After `trips` failures in a row, or one such call, a disk
    is left alone and only tried now and then.
    """

    def __init__(self, disks: tuple[StorageDriver, ...], /, *, patience: float, trips: int) -> None:
        if type(patience) not in (int, float) or not 0 < patience < math.inf:
            raise ConfigError(f"patience is a number of seconds above 0, not {patience!r}")
        if type(trips) is not int or trips < 1:
            raise ConfigError(f"trips counts failures, so at least 1, not {trips!r}")
        if len({id(disk) for disk in disks}) < len(disks):
            raise ConfigError("one driver is given twice; a disk is no copy of itself")
        super().__init__(disks[0])
        self._disks = disks
        if (alike := met(disks)) is not None:
            one, other = (self.names[number] for number in alike)
            raise ConfigError(
                f"{one!r} and {other!r} have their files at one place; a disk is no copy of itself"
            )
        self._patience = patience
        self._health = tuple(Health(trips) for _ in disks)
        self._errands = Errands()
        self._common: tuple[tuple[Traits, ...], Traits] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._disks))})"

    @property
    def disks(self) -> tuple[StorageDriver, ...]:
        """The disks it stands on, in the order of preference."""
        return self._disks

    @property
    def names(self) -> tuple[str, ...]:
        """What the disks are called in errors and reports; equal ones are numbered."""
        labels = [
            disk._label if isinstance(disk, Files) else disk.traits.service for disk in self._disks
        ]
        often, seen = Counter(labels), Counter[str]()
        names: list[str] = []
        for label in labels:
            seen[label] += 1
            names.append(f"{label} {seen[label]}" if often[label] > 1 else label)
        return tuple(names)

    @property
    def unwritable(self) -> tuple[str, ...]:
        """The names of those disks that are read-only, for which all of this is."""
        names = self.names
        return tuple(names[n] for n, disk in enumerate(self._disks) if not disk.traits.writable)

    @property
    def traits(self) -> Traits:
        """What all of the disks promise."""
        traits = tuple(disk.traits for disk in self._disks)
        known = self._common
        if known is None or any(a is not b for a, b in zip(known[0], traits, strict=True)):
            known = self._common = (traits, common(type(self).__name__.lower(), traits))
        return known[1]

    async def aclose(self) -> None:
        """Close this for good with its own tasks, and the disks but for those that are shared."""
        if self._closed:
            return
        self._closed = True
        await self._errands.aclose()
        if self._borrows:
            return
        own = [disk for disk in self._disks if not getattr(disk, "shared", False)]
        await through(disk.aclose() for disk in own)

    async def _ready(self) -> StorageDriver:
        _ = self.inner
        for disk in self._disks:
            if isinstance(disk, Files):
                await disk._ready()
        return self

    @property
    def _label(self) -> str:
        return self.traits.service

    def _up(self) -> list[int]:
        """The disks that answer, as far as is known; those whose time it is are tried behind the call."""
        _ = self.inner
        for number, health in enumerate(self._health):
            if not health.is_up and health.is_due() and not self._send_probe(number):
                health.left()
        return [number for number, health in enumerate(self._health) if health.is_up]

    def _send_probe(self, number: int) -> bool:
        return self._errands.send(("probe", number), lambda: self._tried(number))

    async def _tried(self, number: int) -> bool:
        """Whether a disk that was down answers again."""
        try:
            answers = await self._answers(number)
        except BaseException:
            self._health[number].left()
            raise
        if answers:
            self._note_answer(number)
        else:
            self._note_silence(number, hangs=True)
        return answers

    def _note_answer(self, number: int) -> None:
        if self._health[number].answered():
            _log.info("%s: %r answers again", self._label, self.names[number])
            self._returned(number)

    def _note_silence(self, number: int, *, hangs: bool = False) -> None:
        if self._health[number].failed(hangs=hangs):
            _log.warning(
                "%s: %r does not answer and is done without", self._label, self.names[number]
            )

    def _returned(self, number: int) -> None:
        """A disk that was down answers again."""

    async def _ask(
        self,
        number: int,
        work: Callable[[StorageDriver], Awaitable[T]],
        /,
        *,
        changes: bool = False,
        body: Body | None = None,
    ) -> T:
        """What the disk answers; `Timeout` where it neither does nor answers a probe.

        A call that cannot be stopped is left to itself, and the disk `is_busy` until it ends where it
        `changes` something. What the caller's own `body` raises says nothing about the disk.
        """
        if isinstance(body, Taking):
            body.heard = self._health[number].hear
        task = asyncio.ensure_future(work(self._disks[number]))
        try:
            await self._watched(number, task, body)
        except asyncio.CancelledError:
            await self._stopped(number, task, changes=changes, is_alive=changes)
            raise
        except BaseException:
            await self._stopped(number, task, changes=changes)
            if not task.done() or task.cancelled():
                raise
        try:
            answer = task.result()
        except SILENT as error:
            if body is None or body.error is not error:
                self._note_silence(number)
            raise
        except StorageError:
            self._note_answer(number)
            raise
        self._note_answer(number)
        return answer

    def _is_busy(self, number: int) -> bool:
        """Whether a change that nobody waits for any more may still happen on the disk."""
        return self._errands.is_under_way((_LEFT, number, True))

    async def _watched(
        self, number: int, task: "asyncio.Future[Any]", body: Body | None = None
    ) -> None:
        """Wait for the task as long as the disk is alive, or waits for the `body` itself."""
        health, since = self._health[number], time.monotonic()
        wait = self._patience
        while not task.done():
            await asyncio.wait({task}, timeout=wait)
            now = time.monotonic()
            if isinstance(body, Taking) and body.waits:
                since = now
            wait = max(since, health.heard) + self._patience - now
            if task.done() or wait > 0:
                continue
            if await self._answers(number, task):
                health.hear()
            elif health.heard < now:
                self._note_silence(number, hangs=True)
                raise Timeout(
                    f"{self.names[number]!r} has not answered for {self._patience:g} s, "
                    "and no probe either"
                )
            wait = self._patience

    async def _answers(self, number: int, instead: "asyncio.Future[Any] | None" = None) -> bool:
        """Whether the disk answers a probe within our patience, or what runs `instead` ends."""
        probe = asyncio.ensure_future(self._disks[number].stat(_PROBE))
        try:
            both = {probe} if instead is None else {probe, instead}
            await asyncio.wait(both, timeout=self._patience, return_when=asyncio.FIRST_COMPLETED)
            if instead is not None and instead.done():
                return True
            return probe.done() and not isinstance(probe.exception(), SILENT)
        finally:
            await self._stopped(number, probe)

    async def _stopped(
        self,
        number: int,
        task: "asyncio.Future[Any]",
        *,
        changes: bool = False,
        is_alive: bool = False,
    ) -> None:
        """Stop a task and wait a moment until it has, or as long as the disk `is_alive`."""
        if not task.done():
            task.cancel()
            try:
                if is_alive:
                    with suppress(Timeout):
                        await self._watched(number, task)
                else:
                    await asyncio.wait({task}, timeout=_GRACE)
            finally:
                if not task.done():
                    self._errands.keep((_LEFT, number, changes), task)
        if task.done() and not task.cancelled():
            task.exception()

    def _told(self, number: int, stat: Stat) -> Stat:
        """The facts as they are told outside: an etag says which disk it is of, if not of the first."""
        if stat.etag is None or not (number or self._is_marked(stat.etag)):
            return stat
        return replace(stat, etag=f"{number}:{stat.etag}")

    def _etag_of(self, number: int, etag: str) -> str | None:
        """The disk's own etag, None for that of another disk's file."""
        if self._is_marked(etag):
            other, _, own = etag.partition(":")
            return own if int(other) == number else None
        return None if number else etag

    def _is_marked(self, etag: str) -> bool:
        """Whether it begins with a disk's number, which the etags of a mirror among the disks do too."""
        return etag.partition(":")[0] in map(str, range(len(self._disks))) and ":" in etag

    def _match(self, number: int, etag: str | None, path: str) -> str | None:
        """`if_match` as this disk knows it."""
        if etag is None:
            return None
        own = self._etag_of(number, etag)
        if own is None:
            raise PreconditionFailed(
                f"the etag is not of the file as {self.names[number]!r} has it, which serves now; "
                "read it again",
                path=path,
            )
        return own


def common(service: str, traits: tuple[Traits, ...], /) -> Traits:
    """What disks with these traits have in common; folders are as on the first one."""
    first = traits[0]
    keeps: frozenset[Attribute] = first.keeps
    conditions: frozenset[Condition] = first.conditions
    for each in traits[1:]:
        keeps, conditions = keeps & each.keeps, conditions & each.conditions
    if len({each.service for each in traits}) > 1:
        keeps -= {"tier"}  # each service has names of its own
    lengths = [each.segment_bytes for each in traits if each.segment_bytes is not None]
    return Traits(
        service=service,
        folders=first.folders,
        atomic=all(each.atomic for each in traits),
        atomic_append=all(each.atomic_append for each in traits),
        writable=all(each.writable for each in traits),
        ordered=all(each.ordered for each in traits),
        tells_removed=all(each.tells_removed for each in traits),
        conditions=conditions,
        keeps=keeps,
        path_bytes=min(each.path_bytes for each in traits),
        segment_bytes=min(lengths, default=None),
        segments=min(each.segments for each in traits),
        outer_spaces=all(each.outer_spaces for each in traits),
        strict_paths=any(each.strict_paths for each in traits),
    )
