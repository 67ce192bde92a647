"""What a cache asks of the place where it holds its entries."""

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from storeroom.layers._cache.entry import Change, Entry
from storeroom.layers._cache.fills import Fill

__all__ = ["NOTHING", "Found", "Store", "Ticket"]


class Found(NamedTuple):
    """What a store holds of a file, and the ticket that storing something newer takes."""

    entry: Entry | None = None
    ticket: "Ticket | None" = None


class Ticket(NamedTuple):
    """What lay there when a store was asked, and when that was, by `time.monotonic`."""

    head: bytes
    epoch: bytes
    asked: float


NOTHING = Found()


class Store(Protocol):
    """Memory, Redis or a disk. Nothing here raises when the place is not there: it holds nothing then.

    `change` comes first and at once; `settle` then tells it to the place, and keeps what it could
    not tell for later. Until it is told, the files it touches are not found here.
    """

    hears_until: float
    """Until when changes elsewhere are heard of, by `time.monotonic`."""

    is_shared: bool
    """Whether a change anywhere is seen here before it returns there."""

    @property
    def is_believed(self) -> bool:
        """False while changes elsewhere may go unheard: then nothing is used without asking inside."""
        ...

    @property
    def errors(self) -> int:
        """How many calls failed."""
        ...

    @property
    def evictions(self) -> int:
        """How many entries made room for others."""
        ...

    @property
    def entries(self) -> int:
        """How many are held, as far as this process knows."""
        ...

    @property
    def weight(self) -> int:
        """What they weigh, as far as this process knows."""
        ...

    def filling(self, path: str, /) -> AbstractContextManager[Fill]:
        """A fill of this path, which begins before the file is read."""
        ...

    async def get(self, path: str, /) -> Found:
        """What is held of a file."""
        ...

    async def put(self, path: str, entry: Entry, fill: Fill, found: Found, /) -> None:
        """Hold it, unless the file was changed since `found` was."""
        ...

    def change(self, change: Change, /) -> None:
        """Forget these files, and spoil what is being read of them."""
        ...

    async def announce(self, change: Change, /) -> None:
        """Tell the place that a change begins."""
        ...

    async def settle(self) -> None:
        """Tell the place what was changed."""
        ...

    async def aclose(self) -> None:
        """Let go of everything."""
        ...
