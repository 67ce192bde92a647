"""What there is to measure of one service."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from _contender import Making
from _content import Large
from _goals import Goal, Limit
from _harness import Work
from _servers import Endpoint

KINDS = ("put", "get", "head", "list", "upload", "download", "memory", "stall")

Streaming = Callable[[Endpoint, AsyncExitStack, Large], Awaitable[Work]]
Server = Callable[[], AbstractContextManager[Endpoint | None]]


@dataclass(frozen=True, slots=True)
class Service:
    """The contenders on its small objects and on streams of so many MiB, its servers and its goals.

    `disk` is what one of our disks is configured with; `stalls` are the rivals whose first use is
    looked at too. `servers` are the real ones, by the kind that asks for them.
    """

    name: str
    packages: tuple[str, ...]
    contenders: Mapping[str, Making]
    uploads: Mapping[str, Streaming]
    downloads: Mapping[str, Streaming]
    disk: Callable[[Endpoint], dict[str, Any]]
    stalls: tuple[str, ...]
    stub: Callable[[], AbstractContextManager[Endpoint]]
    goals: tuple[Goal, ...]
    limits: tuple[Limit, ...]
    servers: Mapping[str, Server] = field(default_factory=dict)
    mebibytes: int = 256

    @property
    def kinds(self) -> tuple[str, ...]:
        return (*KINDS, *self.servers)
