"""News of changes between processes that each hold their own entries, through Redis.

A process that cannot listen believes nothing: it asks inside, until it listens again and has let go
of what it held meanwhile.
"""

import asyncio
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from random import uniform
from time import monotonic
from typing import Any, Final, cast

from storeroom.contracts.forks import after_fork
from storeroom.contracts.loops import PerLoop
from storeroom.layers._cache.debts import Debts
from storeroom.layers._cache.entry import EVERYTHING, Change
from storeroom.layers._cache.wire import FAILURES, Wire, WireDown, client_of

__all__ = ["News"]

_ASKS_AFTER: Final = 5.0
_HEARS_FOR: Final = 2 * _ASKS_AFTER
_FIRST, _LONGEST = 0.05, 2.0
_WITHIN: Final = 1.0
_PATHS: Final = 500


class News:
    """Tells others what was changed here, and calls `heard` with what was changed there.

    `listening` is called with the moment, by `time.monotonic`, until which this process hears
    everything: a loop that stands still, or has ended unnoticed, hears nothing.
    """

    def __init__(
        self,
        url: str,
        namespace: str,
        /,
        *,
        heard: Callable[[Change], None],
        listening: Callable[[float], None],
    ) -> None:
        self._wire = Wire(url)
        name = hashlib.sha256(namespace.encode()).hexdigest()[:32]
        self.channel = f"storeroom:{name}:news"
        self._heard = heard
        self._listening = listening
        self._debts = Debts()
        self._renew()
        after_fork(self, News._forked)
        self._listeners = PerLoop(lambda: _Listener.opened(self, url))

    @property
    def errors(self) -> int:
        """How many calls failed."""
        return self._wire.errors

    async def join(self) -> None:
        """Listen on the running loop too."""
        if self._listeners.here() is None:
            await self._listeners.open()

    def change(self, change: Change, /) -> None:
        """Note what is to be told."""
        self._debts.owe(change)

    async def settle(self) -> None:
        """Tell it; if Redis does not answer, as soon as it does."""
        await self._wire.tell(self._settled)

    async def aclose(self) -> None:
        """Tell what can be told, and close."""
        await self._settled()
        await self._listeners.aclose()
        await self._wire.aclose()

    def begins(self) -> None:
        """One listener hears everything from now on."""
        with self._lock:
            self._ears += 1
            self._heard(EVERYTHING)  # the other ears may be of loops that have ended unnoticed
            self._listening(monotonic() + _HEARS_FOR)

    def hears(self) -> None:
        """One listener hears everything still."""
        with self._lock:
            if self._ears:
                self._listening(monotonic() + _HEARS_FOR)

    def ends(self) -> None:
        """One listener hears nothing more."""
        with self._lock:
            self._ears -= 1
            if not self._ears:
                self._listening(0.0)

    def came(self, message: object, /) -> None:
        """A message came; one that nobody understands may be about everything."""
        try:
            sender, change = _read(message)
        except (ValueError, TypeError, KeyError, RecursionError):
            self._heard(EVERYTHING)
            return
        if sender != self._self:
            self._heard(change)

    def _renew(self) -> None:
        self._self = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._ears = 0

    def _forked(self) -> None:
        """A child is somebody else, and nobody listens in it yet."""
        self._renew()
        self._listening(0.0)

    async def _settled(self) -> bool:
        while (due := self._debts.due()) is not None:
            try:
                for change in due.changes():
                    await self._tell(change)
            except WireDown:
                return False
            self._debts.paid(due)
        return True

    async def _tell(self, change: Change) -> None:
        for start in range(0, max(1, len(change.paths)), _PATHS):
            paths = change.paths[start : start + _PATHS]
            said = {"from": self._self, "paths": paths, "folder": change.folder}
            await self._wire.ask(partial(self._publish, text=json.dumps(said)))

    async def _publish(self, redis: Any, /, *, text: str) -> None:
        await redis.publish(self.channel, text)


class _Listener:
    """One loop's ear: a task that subscribes, again and again, until it is closed."""

    def __init__(self, news: News, url: str) -> None:
        self._news = news
        self._redis = client_of(url)
        self._tried = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._listen())

    @classmethod
    async def opened(cls, news: News, url: str) -> "_Listener":
        """A listener that listens already, if Redis answers soon; one that is down is not waited for."""
        listener = cls(news, url)
        waiting = asyncio.ensure_future(listener._tried.wait())
        try:
            await asyncio.wait([waiting], timeout=_WITHIN)
        except BaseException:
            await listener.aclose()
            raise
        finally:
            waiting.cancel()
        return listener

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _listen(self) -> None:
        pause = _FIRST
        try:
            while True:
                heard = await self._subscription()
                self._tried.set()
                pause = _FIRST if heard else min(_LONGEST, pause * 2)
                await asyncio.sleep(uniform(pause / 2, pause))  # noqa: S311 - no secret
        finally:
            with suppress(*FAILURES):
                await self._redis.aclose()

    async def _subscription(self) -> bool:
        """Listen until that fails; whether anything could be heard."""
        heard = False
        try:
            async with self._redis.pubsub() as pubsub:
                await pubsub.subscribe(self._news.channel)
                while True:
                    kind, said = await _message(pubsub)
                    if kind == "message":
                        self._news.came(said)
                    if kind != "subscribe":
                        self._news.hears()
                        continue
                    if heard:  # the client reconnected by itself: what came meanwhile is lost
                        self._news.ends()
                    self._news.begins()
                    heard = True
                    self._tried.set()
        except FAILURES:
            return heard
        finally:
            if heard:
                self._news.ends()


async def _message(pubsub: Any) -> tuple[str, object]:
    """The next that comes, with its kind; `TimeoutError` where nothing answers any more."""
    came: dict[str, Any] | None = await pubsub.get_message(timeout=_ASKS_AFTER)
    if came is None:
        await pubsub.ping()
        came = await pubsub.get_message(timeout=_ASKS_AFTER)
    if came is None:
        raise TimeoutError
    return came["type"], came["data"]


def _read(message: object) -> tuple[str, Change]:
    said = cast(dict[str, Any], json.loads(cast(bytes, message)))
    folder = said["folder"]
    given = cast(Sequence[object], said["paths"])
    paths = tuple(path for path in given if isinstance(path, str))
    if isinstance(given, str) or len(paths) != len(given):
        raise TypeError("paths")
    if folder is not None and not isinstance(folder, str):
        raise TypeError("folder")
    return str(said["from"]), Change(paths, folder)
