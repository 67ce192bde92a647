"""The one door to blocking code: a verb goes through it once, and never leaves it behind running."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

__all__ = ["off_the_loop", "pool", "run", "settled"]

P = ParamSpec("P")
T = TypeVar("T")

_WORKERS = min(32, (os.cpu_count() or 1) + 14)
_pools: list[ThreadPoolExecutor] = []


def pool() -> ThreadPoolExecutor:
    """The process's worker threads, made on first use and anew after a fork."""
    if not _pools:
        _pools.append(ThreadPoolExecutor(_WORKERS, thread_name_prefix="storeroom"))
    return _pools[0]


async def run(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns, done in a worker thread.

    On cancellation it waits for the worker first: when the caller goes on, nothing of this call can
    still happen. What `work` returned is then dropped, so it must clean up after itself.
    """
    loop = asyncio.get_running_loop()
    return await settled(loop.run_in_executor(pool(), lambda: work(*args, **kwargs)))


def off_the_loop(work: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Do what a finalizer has to: here, or in a worker thread where a loop runs in this one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        work(*args, **kwargs)
        return
    with suppress(RuntimeError):  # the interpreter is ending
        pool().submit(work, *args, **kwargs)


async def settled(future: "asyncio.Future[T]", /) -> T:
    """The future's result; a cancellation is held back until the future is done."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError:
                continue
        if not future.cancelled():
            future.exception()
        raise


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)
