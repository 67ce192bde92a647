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

__all__ = ["off_the_loop", "pool", "run"]

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
    loop = asyncio.get_running_loop()
    landing = _landings.get(loop)
    if landing is None:
        landing = _landings[loop] = Landing()
    job = Job(partial(work, *args, **kwargs), loop, landing)
    crew = _crew()
    crew.start(job)
    answer: T = await job.awaited(crew.withdraw)
    return answer


def off_the_loop(work: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Do what a finalizer has to: here, or in a worker thread where a loop runs in this one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        work(*args, **kwargs)
        return
    with suppress(RuntimeError):  # the interpreter is ending
        _crew().submit(work, *args, **kwargs)


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
