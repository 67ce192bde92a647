"""Work that is cancelled at one of its awaits, of its own or of a task it started."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Generator
from typing import Any

__all__ = ["interrupted"]

Work = Callable[[], Coroutine[Any, Any, object]]


async def interrupted(work: Work, at: int, /, *, late: bool, again: bool = False) -> int:
    """How many awaits there were; the work's task is cancelled at number `at`, at its end if `late`.

    What the work raises is raised, but for its cancellation. `again` cancels at every later await too.
    """
    loop, count = asyncio.get_running_loop(), _Count(at, late=late, again=again)

    def task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> "asyncio.Task[Any]":
        return asyncio.Task(_Counted(work, count), loop=loop, **options)

    loop.set_task_factory(task)
    try:
        count.task = loop.create_task(work())
        await asyncio.wait([count.task])
    finally:
        loop.set_task_factory(None)
    if not count.task.cancelled():
        count.task.result()
    return count.reached


class _Count:
    """The awaits of all tasks together, and the task to cancel."""

    def __init__(self, at: int, *, late: bool, again: bool) -> None:
        self.reached = 0
        self.task: asyncio.Task[Any]
        self._at = at
        self._late = late
        self._again = again

    def seen(self, waiting: Any) -> None:
        due = self.reached == self._at or (self._again and self.reached > self._at)
        self.reached += 1
        if not due:
            return
        if self._late and asyncio.isfuture(waiting):
            waiting.add_done_callback(functools.partial(_cancel, self.task))
        else:
            self.task.cancel()


class _Counted(Coroutine[Any, Any, Any]):
    def __init__(self, work: Coroutine[Any, Any, Any], count: _Count) -> None:
        self._work = work
        self._count = count

    def send(self, value: Any, /) -> Any:
        return self._seen(self._work.send(value))

    def throw(self, *error: Any) -> Any:
        return self._seen(self._work.throw(*error))

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()

    def _seen(self, waiting: Any) -> Any:
        self._count.seen(waiting)
        return waiting


def _cancel(task: "asyncio.Task[Any]", _: object) -> None:
    task.cancel()
