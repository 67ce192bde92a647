"""Worker threads, of which as few are awake as the work needs, and how their results come home."""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

__all__ = ["Answer", "Crew", "Job", "Landing"]

P = ParamSpec("P")
T = TypeVar("T")

_LIMIT = min(32, (os.cpu_count() or 1) + 14)
_PATIENCE = 0.001
_HOLD = 0.00015
_SATURATED = 0.9


class Landing:
    """Where finished jobs reach one event loop: all that are ready, with one wake-up."""

    __slots__ = ("_jobs", "_woken")

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._woken = False

    def land(self, job: "Job", /) -> None:
        """Hand over a finished job from a worker."""
        self._jobs.append(job)

    def wake(self, loop: asyncio.AbstractEventLoop, /) -> None:
        """Have the loop take what was handed over; one that is closed meanwhile misses it."""
        if not self._woken:
            self._woken = True
            try:
                loop.call_soon_threadsafe(self.unload)
            except RuntimeError:
                self._jobs.clear()

    def unload(self) -> None:
        """Answer who waits, on the loop."""
        self._woken = False
        while self._jobs:
            self._jobs.popleft().land()


class Answer:
    """What is awaited of work done elsewhere, from which a cancelled caller cannot just walk away."""

    __slots__ = ("_over", "future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, /) -> None:
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self._over: asyncio.Future[None] | None = None

    def arrive(self, result: object, error: BaseException | None = None, /) -> None:
        """Give it to who awaits it, on the loop."""
        if self.future.done():
            if self._over is None:
                self._over = self.loop.create_future()
            self._over.set_result(None)
        elif error is None:
            self.future.set_result(result)
        elif isinstance(error, StopIteration):
            self.future.set_exception(RuntimeError("the work raised StopIteration"))
        else:
            self.future.set_exception(error)

    async def awaited(self, withdraw: Callable[[Any], bool], /) -> Any:
        """The result. A cancellation waits for work that cannot be withdrawn any more."""
        try:
            return await self.future
        except asyncio.CancelledError:
            if self.future.cancelled() and not withdraw(self):
                await self._ended()
            raise

    async def _ended(self) -> None:
        """Wait for the end of the work, through further cancellations."""
        if self._over is None:
            self._over = self.loop.create_future()
        while not self._over.done():
            try:
                await asyncio.wait([self._over])
            except asyncio.CancelledError:
                continue


class Job(Answer):
    """One call on its way through a worker and back to its loop."""

    __slots__ = ("_brought", "_work", "begun", "landing")

    def __init__(
        self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop, landing: Landing, /
    ) -> None:
        super().__init__(loop)
        self.begun = False
        self.landing = landing
        self._work = work
        self._brought: tuple[Any, BaseException | None] = (None, None)

    def do(self) -> None:
        """Run it, in a worker."""
        try:
            self._brought = (self._work(), None)
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            self._brought = (None, error)
        self.landing.land(self)

    def land(self) -> None:
        """Hand over what it brought, on the loop."""
        brought, self._brought = self._brought, (None, None)
        self.arrive(*brought)


class Crew(Executor):
    """Worker threads for blocking calls.

    Threads that only copy bytes fight over the interpreter's lock, so one worker does what it can.
    While jobs wait and the process's processors idle (the workers sit in the kernel, at a slow disk),
    the number awake doubles every millisecond, up to a limit. A worker with more to do wakes the loop
    only every 150 us, for each wake-up costs both of them the lock; meanwhile the loop looks by itself
    every millisecond.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[Job | _Task] = deque()
        self._asleep: list[threading.Lock] = []
        self._awake = 0
        self._watcher: asyncio.AbstractEventLoop | None = None
        self._seen = (0.0, 0.0)

    def start(self, job: Job, /) -> None:
        """Queue a job of an event loop."""
        with self._lock:
            self._jobs.append(job)
            if self._awake == 0:
                self._wake()
            elif self._watcher is None or self._watcher.is_closed():
                self._watch(job.loop, job.landing)

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The executor's way in, for libraries that take one and for finalizers."""
        task = _Task(lambda: work(*args, **kwargs))
        with self._lock:
            self._jobs.append(task)
            if self._awake < _LIMIT:
                self._wake()
        return task.future

    def withdraw(self, job: Job, /) -> bool:
        """Take a job back that no worker has begun: whether it could be."""
        with self._lock:
            if job.begun:
                return False
            self._jobs.remove(job)
            return True

    def _wake(self) -> None:
        if self._asleep:
            self._asleep.pop().release()
        else:
            threading.Thread(target=self._work, name="storeroom", daemon=True).start()
        self._awake += 1

    def _work(self) -> None:
        bed = threading.Lock()
        bed.acquire()
        held: Job | None = None  # the first whose loop was not woken yet
        since = 0.0
        while True:
            job = self._next(bed)
            if job is None:
                _told(held)
                held = None
                bed.acquire()
                continue
            job.do()
            if isinstance(job, Job):
                now = time.perf_counter()
                if held is None or held.loop is not job.loop:
                    _told(held)
                    held, since = job, now
                if not self._jobs or now - since > _HOLD or job.loop is not self._watcher:
                    _told(held)
                    held = None
            del job  # what it holds is released now, not with the next one

    def _next(self, bed: threading.Lock) -> "Job | _Task | None":
        with self._lock:
            if self._jobs:
                job = self._jobs.popleft()
                job.begun = True
                return job
            self._awake -= 1
            self._asleep.append(bed)
            return None

    def _watch(self, loop: asyncio.AbstractEventLoop, landing: Landing) -> None:
        self._watcher = loop
        self._seen = (time.perf_counter(), time.process_time())
        loop.call_later(_PATIENCE, self._look, loop, landing)

    def _look(self, loop: asyncio.AbstractEventLoop, landing: Landing) -> None:
        with self._lock:
            self._watcher = None
            if self._jobs:
                self._call_more()
                self._watch(loop, landing)
        landing.unload()  # after the lock: a worker told nobody of what it did before the last job

    def _call_more(self) -> None:
        """Twice as many workers, while processors idle."""
        wall, cpu = self._seen
        busy = (time.process_time() - cpu) / (time.perf_counter() - wall)
        if busy < _SATURATED:
            for _ in range(min(self._awake, _LIMIT - self._awake, len(self._jobs))):
                self._wake()


def _told(held: Job | None) -> None:
    """Wake the loop of a job, if there is one."""
    if held is not None:
        held.landing.wake(held.loop)


class _Task:
    """A call that came in by `submit`."""

    __slots__ = ("_work", "begun", "future")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.begun = False
        self.future: Future[Any] = Future()
        self._work = work

    def do(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self._work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            self.future.set_exception(error)
