"""The contract: six verbs that every driver and every layer keeps, and what they promise."""

from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from storeroom.contracts.body import Body
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    ANY,
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    RemoveOptions,
    ScanOptions,
    Stat,
    Traits,
    WriteOptions,
)

__all__ = ["StorageDriver"]


@runtime_checkable
class StorageDriver(Protocol):
    """Six verbs of service; `storeroom.testing.DriverSuite` proves their promises."""

    @property
    def traits(self) -> Traits:
        """What is always true of this driver; needs no I/O."""
        ...

    async def stat(self, path: str, /) -> Stat:
        """The facts of one file; a missing path or a folder is `NotFound`."""
        ...

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        """The stored bytes with their facts; missing fails here, not at the first chunk."""
        ...

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        """Store all of the body or change nothing, also under errors and cancellation."""
        ...

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        """Remove a file: whether one was there, None where the service does not say."""
        ...

    def scan(self, folder: str = "", how: ScanOptions = DEEP, /) -> AsyncGenerator[Stat | Folder]:
        """List lazily, page by page; a missing folder yields nothing."""
        ...

    async def aclose(self) -> None:
        """Release everything; idempotent, and later verbs raise `Closed`."""
        ...
