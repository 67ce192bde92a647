"""Replicas: the same files on several disks, changed together."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    AlreadyExists,
    NotFound,
    PreconditionFailed,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import ANY, PLAIN, RemoveOptions, Stat, WriteOptions
from storeroom.files._verb import checked, writable
from storeroom.layers._several.change import Change, Work
from storeroom.layers._several.mending import mend
from storeroom.layers._several.reading import Reading
from storeroom.layers._several.tee import Tee
from storeroom.layers._together import ended

__all__ = ["Replicas"]

_SMALL = 256 << 10
_log = logging.getLogger("storeroom")


class Replicas(Reading):
    """The verbs that change: on one disk, and when that has done it on all others."""

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        Body.checked(body)
        self._accept(how)
        content = await _small(body)
        plain = replace(how, overwrite=True, if_match=None)
        async with self._changing(path):
            takers = await self._takers(path)
            lead = await self._lead(path, takers, how)
            first = replace(how, if_match=self._match(lead, how.if_match, path))
            takers = [lead, *(number for number in takers if number != lead)]
            change = Change(self._ask, self.names, path, self._needed, body)
            try:
                if content is None:
                    await self._streamed(change, path, takers, body, (first, plain))
                else:
                    await self._spread(
                        change,
                        takers,
                        lambda disk: disk.write(path, Body(content), first),
                        lambda disk: disk.write(path, Body(content), plain),
                        conditional=_is_conditional(how),
                    )
            finally:
                self._note(path, change)
                self._send_mending(path)
            number, found = change.answer(takers, self._counted(takers))
            stat: Stat = found
            return self._told_vaguely(number, stat)

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        self._accept(WriteOptions(if_match=how.if_match))

        def conditional(number: int) -> RemoveOptions:
            return RemoveOptions(self._match(number, how.if_match, path))

        change = await self._changed(
            (path,),
            lambda disk, number: disk.remove(path, conditional(number)),
            lambda disk, number: disk.remove(path),
            WriteOptions(if_match=how.if_match),
            gone=True,
        )
        return True in change.answers.values() if self.traits.tells_removed else None

    def _accept(self, how: WriteOptions) -> None:
        """Refuse what not all disks can keep or honour, before anything is touched."""
        _ = self.inner
        traits = self.traits
        writable(self)
        asked = {"metadata": how.metadata, "tags": how.tags, "tier": how.tier}
        asked["visibility"] = None if how.visibility is None else {"": how.visibility}
        for name, value in asked.items():
            if value and not how.carried and name not in traits.keeps:
                raise Unsupported(f"not all of the disks keep {name}; leave it out")
        for name, wanted in (("overwrite", not how.overwrite), ("if_match", how.if_match)):
            if wanted and name not in traits.conditions:
                raise Unsupported(f"not all of the disks honour {name}")
        if self._ledger.is_full:
            raise Unavailable(
                "every disk has missed changes, and there is no room to note more; call heal()"
            )

    @asynccontextmanager
    async def _changing(self, *paths: str) -> AsyncGenerator[None]:
        for path in paths:
            checked(self, path.removesuffix("/"))
        async with self._turns.taken(*paths):
            yield

    async def _takers(self, path: str, based_on: str | None = None) -> list[int]:
        """The disks that a change goes to: those that answer, the fresh ones first.

        A change that is `based_on` what is there goes to those only that are fresh for that.
        """
        takers = self._takers_now(path, based_on)
        if len(self._counted(takers)) >= self._needed:
            return takers
        down = [number for number, health in enumerate(self._health) if not health.is_up]
        async with asyncio.TaskGroup() as group:
            for number in down:
                group.create_task(self._tried(number))
        if based_on is not None:
            with suppress(StorageError):
                await self._mend(based_on)
        takers = self._takers_now(path, based_on)
        counted = self._counted(takers)
        if len(counted) >= self._needed:
            return takers
        names = self.names
        lacking = ", ".join(repr(names[n]) for n in range(len(names)) if n not in counted)
        raise Unavailable(
            f"{self._needed} of {len(names)} disks must take it, and {lacking} cannot now; "
            "nothing was changed",
            path=path,
        )

    def _takers_now(self, path: str, based_on: str | None) -> list[int]:
        fresh = self._ledger.fresh(path)
        free = [number for number in self._up() if not self._is_busy(number)]
        if based_on is not None:
            settled = self._ledger.fresh(based_on)
            free = [number for number in free if number in settled]
        return sorted(free, key=lambda number: (number not in fresh, number))

    def _counted(self, takers: Iterable[int]) -> list[int]:
        """Those of the takers that may be read from afterwards."""
        return [number for number in takers if number not in self._ledger.out]

    async def _lead(self, path: str, takers: list[int], how: WriteOptions) -> int:
        """The disk that decides whether the conditions hold."""
        lead = takers[0]
        if not _is_conditional(how):
            return lead
        if self._asked > 1 and not self._ledger.knows(path):
            return await self._confirmed(path, how, takers)
        settled = self._ledger.fresh(path) or self._ledger.doubtful(path)
        lead = next((number for number in takers if number in settled), -1)
        if lead < 0:
            raise self._nobody(path, {})
        self._ledger.settle(path, lead)
        return lead

    async def _confirmed(self, path: str, how: WriteOptions, takers: list[int]) -> int:
        """The disk with the newest file, which is the one that the conditions are about."""
        try:
            number, stat = await self._looked(path)
        except NotFound:
            return takers[0]
        if not how.overwrite:
            raise AlreadyExists("a file is there already", path=path)
        if self._told(number, stat).etag != how.if_match or number not in takers:
            raise PreconditionFailed("the file is not the one that if_match names", path=path)
        return number

    async def _changed(
        self,
        paths: tuple[str, ...],
        first: Callable[[StorageDriver, int], Awaitable[Any]],
        then: Callable[[StorageDriver, int], Awaitable[Any]],
        how: WriteOptions = PLAIN,
        *,
        based_on: str | None = None,
        gone: bool = False,
    ) -> Change:
        """A change of the last of the paths on all disks, by which the others are gone, or all are."""
        path = paths[-1]
        async with self._changing(*paths, *filter(None, (based_on,))):
            if based_on is not None and self._ledger.doubtful(based_on):
                with suppress(StorageError):  # on each disk it would come to something else
                    await self._mend(based_on)
            takers = await self._takers(path, based_on)
            lead = await self._lead(path, takers, how)
            takers = [lead, *(number for number in takers if number != lead)]
            change = Change(self._ask, self.names, path, self._needed, None)
            numbers = {id(disk): number for number, disk in enumerate(self._disks)}

            def spread() -> Awaitable[None]:
                return self._spread(
                    change,
                    takers,
                    lambda disk: first(disk, numbers[id(disk)]),
                    lambda disk: then(disk, numbers[id(disk)]),
                    conditional=_is_conditional(how),
                )

            try:
                await spread()
            except NotFound as missing:
                if based_on is None:
                    raise
                await self._bring_back(based_on, takers, missing)
                await spread()
            finally:
                for one in paths:
                    self._note(one, change, gone=gone or one != path)
                    self._send_mending(one)
            change.answer(takers, self._counted(takers))
            return change

    async def _bring_back(self, path: str, takers: list[int], missing: NotFound) -> None:
        """Give a file to the takers that lost it, if another disk still has it."""
        source, _ = await self._elsewhere(path, {takers[0]: missing}, {})
        for number, stat in (await self._found(path, takers)).items():
            if stat is None:
                await mend(self._ask, path, source, number, None)

    def _note(self, path: str, change: Change, *, gone: bool = False) -> None:
        etags: dict[int, str] = {}
        for number, answer in change.answers.items():
            if gone:
                etags[number] = ""
            elif isinstance(answer, Stat) and answer.etag is not None:
                etags[number] = answer.etag
        self._ledger.note(path, held=change.held, unsure=change.unsure, etags=etags)
        self._refusing -= change.held
        for number, error in change.left_out().items():
            if number not in self._refusing:
                self._refusing.add(number)
                name = self.names[number]
                _log.warning(
                    "%s: %r refuses a change that others took: %s", self._label, name, error
                )

    async def _spread(
        self, change: Change, takers: list[int], first: Work, then: Work, *, conditional: bool
    ) -> None:
        """Let one disk do it, then all others; one that does not answer is followed by the next.

        What the first one refuses, none of the others is asked to do.
        """
        left = list(takers)
        while left:
            lead = left.pop(0)
            await change.attempt(lead, first if lead == takers[0] else then)
            if lead in change.answers:
                break
            refusal = change.refused(lead)
            if refusal is not None and not change.unsure:
                raise refusal
            if conditional or len(self._counted(left)) < self._needed:
                raise change.short(takers)
        async with asyncio.TaskGroup() as group:
            for number in left:
                group.create_task(change.attempt(number, then))

    async def _streamed(
        self,
        change: Change,
        path: str,
        takers: list[int],
        body: Body,
        options: tuple[WriteOptions, WriteOptions],
    ) -> None:
        """Give one body to all at once; the others end when the first one has."""
        tee = Tee(body, len(takers))

        async def branch(at: int, number: int) -> None:
            own = tee.branch(at)
            try:
                await change.attempt(
                    number, lambda disk: disk.write(path, own, options[at > 0]), own
                )
            finally:
                await tee.drop(at)

        pump = asyncio.ensure_future(tee.pump())
        tasks = [asyncio.ensure_future(branch(at, number)) for at, number in enumerate(takers)]
        try:
            await asyncio.wait({tasks[0]})
            if takers[0] not in change.answers:
                refusal, others = change.refused(takers[0]), self._counted(takers[1:])
                if refusal is not None:
                    raise refusal
                if _is_conditional(options[0]) or len(others) < self._needed:
                    raise change.short(takers)
            await tee.release()
            await asyncio.wait(tasks)
        finally:
            await ended(pump, *tasks)


async def _small(body: Body) -> bytes | None:
    """All of a body that fits into one block, None of a longer one."""
    if body.whole is not None:
        return body.whole
    if len(await body.peek(_SMALL + 1)) > _SMALL:
        return None
    return await body.content()


def _is_conditional(how: WriteOptions) -> bool:
    return not how.overwrite or how.if_match is not None
