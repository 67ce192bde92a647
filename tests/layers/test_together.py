"""Several calls at once: none is left to itself."""

import asyncio
import threading

import pytest

from storeroom.contracts import threads
from storeroom.layers._together import ended


async def test_what_cannot_be_stopped_is_waited_for_through_further_cancellations() -> None:
    begun, may_end, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        may_end.wait(10)

    task = asyncio.ensure_future(threads.run(work))
    await begun.wait()
    ending = asyncio.create_task(ended(task))
    for _ in range(3):
        await asyncio.sleep(0)
        ending.cancel()
    await asyncio.sleep(0)
    still = not ending.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert (still, task.done()) == (True, True)
