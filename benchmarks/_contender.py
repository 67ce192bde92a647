"""Who puts, gets and looks at 4 KiB objects, one client each as its own page says to make it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from _harness import PathWork
from _servers import Endpoint
from _stub import SMALL, pattern

DATA = pattern(SMALL)
PREFIX = "list/"
OURS = "storeroom"

Listing = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Contender:
    """The verbs on 4 KiB objects, and a listing of everything under `list/` that tells how many."""

    put: PathWork
    get: PathWork
    head: PathWork
    listing: Listing | None = None

    def verb(self, name: str) -> PathWork:
        return {"put": self.put, "get": self.get, "head": self.head}[name]


Making = Callable[[Endpoint, AsyncExitStack], Awaitable[Contender]]


@asynccontextmanager
async def contenders(
    makings: Mapping[str, Making], place: Endpoint, /
) -> AsyncIterator[dict[str, Contender]]:
    """All that can be imported, by name; closed at the end."""
    async with AsyncExitStack() as stack:
        made: dict[str, Contender] = {}
        for name, make in makings.items():
            try:
                made[name] = await make(place, stack)
            except ImportError:
                continue
        yield made
