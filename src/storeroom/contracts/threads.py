"""The one door to blocking code: a verb goes through it once, and never leaves it behind running."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from storeroom.contracts._crew import Crew, Job, Landing

__all__ = ["Behind", "off_the_loop", "pool", "run"]

P = ParamSpec("P")
T = TypeVar("T")

_crews: list[Crew] = []
_landings: WeakKeyDictionary[asyncio.AbstractEventLoop, Landing] = WeakKeyDictionary()
_making = threading.Lock()


def pool() -> Executor:
    """The process's worker threads, made on first use and anew after a fork."""
    return _crew()


async def run(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns, done in a worker thread.

    A cancellation waits for the worker first: when the caller goes on, nothing of this call can still
    happen. What `work` returned is then dropped, so it must clean up after itself. Work that no worker
    has begun is taken back.
    """
    crew = _crew()
    answer: T = await _started(crew, partial(work, *args, **kwargs)).awaited(crew.withdraw)
    return answer


class Behind:
    """Work in a worker thread while its caller goes on: one call at a time, in their order.

    Whoever began a call waits for its `end`, or, where something else failed, until it is `over`.
    """

    __slots__ = ("_crew", "_job")

    def __init__(self) -> None:
        self._crew = _crew()
        self._job: Job | None = None

    async def begin(self, work: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Begin a call when the last one has ended; what that one raised is raised here."""
        await self.end()
        self._job = _started(self._crew, partial(work, *args, **kwargs))
        self._job.future.add_done_callback(_seen)

    async def end(self) -> None:
        """Wait for the call under way, and raise what it raised."""
        job, self._job = self._job, None
        if job is not None:
            await job.awaited(self._crew.withdraw)

    async def over(self) -> None:
        """Wait for the call under way, whatever comes of it: something else is raised already."""
        with suppress(Exception):
            await self.end()


def off_the_loop(work: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Do what a finalizer has to: here, or in a worker thread where a loop runs in this one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        work(*args, **kwargs)
        return
    with suppress(RuntimeError):  # the interpreter is ending
        _crew().submit(work, *args, **kwargs)


def _started(crew: Crew, work: Callable[[], object]) -> Job:
    loop = asyncio.get_running_loop()
    landing = _landings.get(loop)
    if landing is None:
        landing = _landings[loop] = Landing()
    job = Job(work, loop, landing)
    crew.start(job)
    return job


def _seen(future: "asyncio.Future[object]") -> None:
    """Its error is no news to whoever left it behind."""
    if not future.cancelled():
        future.exception()


def _crew() -> Crew:
    if _crews:
        return _crews[0]
    with _making:
        if not _crews:
            _crews.append(Crew())
    return _crews[0]


def _forked() -> None:
    global _making  # noqa: PLW0603 - another thread may have held it
    _crews.clear()
    _landings.clear()
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
