"""An edge of a CDN in this process: it remembers what it was asked to purge, and fails to order."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Edge:
    """A real HTTP server; `answers` are its next statuses, 200 after them."""

    url: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.raw_path, body))
        self.headers.append(dict(request.headers))
        status = self.answers.pop(0) if self.answers else 200
        moved = {"Location": f"{self.url}/elsewhere"} if status // 100 == 3 else {}
        return web.Response(status=status, headers=moved)


@asynccontextmanager
async def edge() -> AsyncGenerator[Edge]:
    running = Edge()
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
