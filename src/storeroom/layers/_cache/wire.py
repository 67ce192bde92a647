"""A Redis as the cache uses it: one client per loop, and while it is down nobody waits for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from inspect import signature
from time import monotonic
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from storeroom.contracts.errors import Closed, ConfigError
from storeroom.contracts.extras import extra
from storeroom.contracts.loops import PerLoop

with extra("redis", "redis"):
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import AuthenticationError, RedisError, ResponseError

__all__ = ["FAILURES", "REFUSED", "Wire", "WireDown", "client_of"]

T = TypeVar("T")

_NO_REDIS: Final = (ValueError, TypeError, LookupError, RecursionError)
FAILURES: Final = (RedisError, OSError, TimeoutError, *_NO_REDIS)
"""How the client fails; the last four where what answers speaks another protocol."""

REFUSED: Final = ResponseError
"""How it fails where Redis is there and does not take this command."""

_PATIENCE: Final = 1.0
_AT_ONCE: Final = 64
_FIRST, _LONGEST = 0.05, 2.0
_QUIET: Final[dict[str, None]] = (  # else it looks its own version up on the disk, on the loop
    {"driver_info": None}
    if "driver_info" in signature(Redis).parameters
    else {"lib_name": None, "lib_version": None}
)
_log = logging.getLogger("storeroom")


class WireDown(Exception):
    """Redis did not answer, or did not lately."""


class _Client:
    """One loop's connections, and the task that tells what could not be told."""

    def __init__(self, url: str) -> None:
        self.redis = client_of(url)
        self.turns = asyncio.Semaphore(_AT_ONCE)  # each command under way has a connection
        self.telling: asyncio.Task[None] | None = None

    async def aclose(self) -> None:
        if self.telling is not None:
            self.telling.cancel()
            await asyncio.wait([self.telling])
        with suppress(*FAILURES):
            await self.redis.aclose()


class Wire:
    """Commands to the Redis at `url`; a failure is counted, warned of once, and raised as `WireDown`.

    After one the next try waits a moment, up to two seconds, so that a Redis that is down costs the
    callers nothing.
    """

    def __init__(self, url: str, /) -> None:
        self.place = _checked(url)
        self.errors = 0
        self._url = url
        self._clients = PerLoop(self._opened)
        self._failures = 0
        self._again = 0.0

    async def ask(self, call: Callable[[Any], Awaitable[T]], /) -> T:
        """The answer of `call`, or `WireDown`."""
        self._check()
        try:
            client = self._clients.here() or await self._clients.open()
        except Closed as error:
            raise WireDown from error
        async with client.turns:
            self._check()
            if self._again:
                self._again = monotonic() + _PATIENCE * 2  # one tries, and nobody waits for it
            try:
                async with asyncio.timeout(_PATIENCE * 2):
                    answer = await call(client.redis)
            except FAILURES as error:
                self._failed(error)
                raise WireDown from error
        self._again = 0.0
        if self._failures:
            _log.info("the cache's Redis at %s answers again", self.place)
            self._failures = 0
        return answer

    async def tell(self, tell: Callable[[], Awaitable[bool]], /) -> None:
        """Call `tell`, also again and again, behind the caller, until it answers that all is told."""
        try:
            told = await tell()
        except asyncio.CancelledError:  # the others have to know all the same
            await self._keep_trying(tell)
            raise
        if not told:
            await self._keep_trying(tell)

    async def _keep_trying(self, tell: Callable[[], Awaitable[bool]]) -> None:
        try:
            client = self._clients.here() or await self._clients.open()
        except Closed:
            return
        if client.telling is None or client.telling.done():
            client.telling = asyncio.get_running_loop().create_task(_until_told(tell))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._clients.aclose()

    def _check(self) -> None:
        if monotonic() < self._again:
            raise WireDown

    def _failed(self, error: BaseException) -> None:
        self.errors += 1
        self._failures += 1
        pause = min(_LONGEST, _FIRST * 2 ** min(self._failures, 10))
        refused = isinstance(error, REFUSED)  # this command, so it is there
        self._again = 0.0 if refused else monotonic() + pause
        if self._failures == 1:
            _log.warning(
                "the cache's Redis at %s %s (%s); it is passed over until that changes",
                self.place,
                "refuses"
                if refused or isinstance(error, AuthenticationError)
                else "does not answer",
                type(error).__name__,
            )

    async def _opened(self) -> _Client:
        return _Client(self._url)


def client_of(url: str, /) -> Any:  # its own types say neither what is awaited nor what comes
    """A client of the running loop; one more try only where a connection was closed meanwhile."""
    made: Any = Redis
    return made.from_pool(_pool(url))


def _pool(url: str) -> Any:
    """Connections as the cache needs them, whatever an address that others use too says of that."""
    makes: Any = ConnectionPool
    options: dict[str, Any] = {
        "protocol": 2,
        "decode_responses": False,
        "encoding": "utf-8",
        "socket_timeout": _PATIENCE,
        "socket_connect_timeout": _PATIENCE,
        "max_connections": 2 * _AT_ONCE,
        "retry": Retry(NoBackoff(), 1),
        **_QUIET,
    }
    address, _, query = url.partition("?")
    others = [pair for pair in parse_qsl(query) if pair[0] not in options]
    return makes.from_url(f"{address}?{urlencode(others)}", **options)


async def _until_told(tell: Callable[[], Awaitable[bool]]) -> None:
    pause = _FIRST
    while not await tell():
        await asyncio.sleep(pause)
        pause = min(_LONGEST, pause * 2)


def _checked(url: str) -> str:
    """Where it is, without what is secret; `ConfigError` for what is no address of a Redis."""
    try:
        parts = urlsplit(url)
        _pool(url).make_connection()
        place = parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
    except (ValueError, TypeError, AttributeError):
        place = ""
    if not place:
        raise ConfigError(
            "the address of a Redis is redis://, rediss:// or unix://..., with options of its client"
        ) from None
    return place
