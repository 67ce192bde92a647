"""The one door to blocking code: it never leaves anything running behind its caller."""

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

from storeroom.contracts import threads


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_the_work_runs_in_another_thread() -> None:
    def work(a: int, *, b: int) -> tuple[int, int]:
        return a + b, threading.get_ident()

    total, ident = await threads.run(work, 1, b=2)
    assert total == 3
    assert ident != threading.get_ident()


async def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)


async def test_a_cancelled_call_waits_for_its_worker(gate: threading.Event) -> None:
    started, done = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        gate.wait(5)
        done.set()

    task = asyncio.create_task(threads.run(work))
    await asyncio.to_thread(started.wait, 5)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_an_error_of_a_cancelled_call_is_dropped(gate: threading.Event) -> None:
    def work() -> None:
        gate.wait(5)
        raise ZeroDivisionError

    task = asyncio.create_task(threads.run(work))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_settled_gives_the_result() -> None:
    future = asyncio.get_running_loop().create_future()
    future.set_result(3)
    assert await threads.settled(future) == 3


def test_the_pool_serves_several_loops_one_after_another() -> None:
    assert [asyncio.run(threads.run(lambda: 1)) for _ in range(3)] == [1, 1, 1]
    assert threads.pool() is threads.pool()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    asyncio.run(threads.run(lambda: None))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = asyncio.run(threads.run(lambda: 0))
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
