"""An edge of a CDN in this process: it remembers what it was asked to purge, and fails to order."""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web

T = TypeVar("T", bound="Edge")


@dataclass
class Edge:
    """A real HTTP server; `answers` are its next statuses, 200 after them; 0 hangs up.

    `after` are the next values of `Retry-After`, beside failures.
    """

    url: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.raw_path, body))
        self.headers.append(dict(request.headers))
        status = self.answers.pop(0) if self.answers else 200
        if not status and request.transport is not None:
            request.transport.close()
        said = {"Location": f"{self.url}/elsewhere"} if status // 100 == 3 else {}
        if self.after and status // 100 != 2:
            said["Retry-After"] = self.after.pop(0)
        return web.Response(status=status or 200, headers=said)


@dataclass
class Distribution(Edge):
    """CloudFront's API as far as it refuses: whole calls for one path, and what is too much at once."""

    busy: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        paths = re.findall("<Path>(.*?)</Path>", await request.text())
        self.asked.append((request.method, request.path, paths))
        if any(re.search("[^!-}]|bad", path) for path in paths):
            return _refused(400, "InvalidArgument")
        if self.busy:
            self.busy -= 1
            return _refused(400, "TooManyInvalidationsInProgress")
        return web.Response(status=201, text="<Invalidation><Id>I1</Id></Invalidation>")


def _refused(status: int, code: str) -> web.Response:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
    return web.Response(status=status, text=f"<ErrorResponse>{error}</ErrorResponse>")


@asynccontextmanager
async def edge(running: T) -> AsyncGenerator[T]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", running.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    running.url = f"http://127.0.0.1:{port}"
    try:
        yield running
    finally:
        await runner.cleanup()


class Purges:
    """A purger of one's own: what it was given, batch by batch."""

    def __init__(self, *, wildcards: bool = False) -> None:
        self.wildcards = wildcards
        self.batches: list[list[str]] = []
        self.errors: list[Exception] = []
        self.before: Callable[[], Any] | None = None

    async def __call__(self, addresses: Any) -> None:
        if self.before is not None:
            await self.before()
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append(list(addresses))

    @property
    def all(self) -> set[str]:
        return {address for batch in self.batches for address in batch}
