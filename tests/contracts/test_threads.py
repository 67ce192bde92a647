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


async def test_work_that_no_worker_has_begun_is_taken_back(gate: threading.Event) -> None:
    done: list[int] = []
    first = asyncio.create_task(threads.run(gate.wait, 5))
    second = asyncio.create_task(threads.run(done.append, 2))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    gate.set()
    assert await first
    await threads.run(done.append, 3)
    assert done == [3]


async def test_workers_that_wait_are_joined_by_others() -> None:
    together = threading.Barrier(8)
    async with asyncio.timeout(5):
        places = await asyncio.gather(*[threads.run(together.wait, 5) for _ in range(8)])
    assert sorted(places) == list(range(8))


async def test_quick_work_needs_few_workers() -> None:
    seen = await asyncio.gather(*[threads.run(threading.get_ident) for _ in range(50)])
    assert len(set(seen)) <= 4


async def test_stop_iteration_is_no_result_and_hangs_nobody() -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await threads.run(next, iter(()))


async def test_what_the_pool_runs_is_answered_like_any_executor() -> None:
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(threads.pool(), sum, [1, 2]) == 3
    with pytest.raises(ZeroDivisionError):
        await loop.run_in_executor(threads.pool(), lambda: 1 // 0)


async def test_a_finalizer_on_a_loop_works_in_another_thread() -> None:
    where: list[int] = []
    came = threading.Event()

    def work() -> None:
        where.append(threading.get_ident())
        came.set()

    threads.off_the_loop(work)
    assert await asyncio.to_thread(came.wait, 5)
    assert where != [threading.get_ident()]
    await asyncio.to_thread(threads.off_the_loop, work)
    assert len(where) == 2


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


async def test_calls_begun_behind_their_caller_follow_one_another(gate: threading.Event) -> None:
    done: list[int] = []

    def work(number: int) -> None:
        gate.wait(5)
        done.append(number)

    behind = threads.Behind()
    await behind.begin(work, 1)
    assert done == [], "its caller went on meanwhile"
    second = asyncio.create_task(behind.begin(work, 2))
    await asyncio.sleep(0)
    assert not second.done()
    gate.set()
    await second
    await behind.end()
    await behind.end()
    assert done == [1, 2]


async def test_what_a_call_behind_raises_comes_with_the_next_one() -> None:
    done: list[int] = []
    behind = threads.Behind()
    await behind.begin(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        await behind.begin(done.append, 1)
    await behind.begin(lambda: 1 // 0)
    await behind.over()
    await behind.begin(done.append, 2)
    await behind.end()
    assert done == [2]


async def test_a_cancelled_wait_for_a_call_behind_lasts_until_it_is_over(
    gate: threading.Event,
) -> None:
    started, done = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        gate.wait(5)
        done.set()

    behind = threads.Behind()
    await behind.begin(work)
    await asyncio.to_thread(started.wait, 5)
    task = asyncio.create_task(behind.over())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()
