"""Disk: a driver under a name, with temporary URLs where its service signs none."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, TypeVar, cast

from storeroom.contracts.abilities import PresignPost, PresignRead, PresignWrite, VerifyUrl, find
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import Unsupported
from storeroom.contracts.source import Source
from storeroom.contracts.stats import Stats
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
from storeroom.files import Files
from storeroom.signing import SigningKeys, UrlSigner

__all__ = ["Disk", "check_driver", "reporting"]

A = TypeVar("A")
D = TypeVar("D", bound="Disk")

_VERBS = ("stat", "read", "write", "remove", "scan", "aclose")
_SIGNED: tuple[Any, ...] = (PresignRead, PresignWrite, VerifyUrl)
_NATIVE: tuple[Any, ...] = (PresignRead, PresignWrite, PresignPost)


class Disk(Files):
    """A driver under a name, which it owns: closing the disk closes the driver.

    `signing_key`, one or several, newest first, signs temporary URLs where the driver does not. A
    disk is a driver too, so that a layer can stand on it.
    """

    shared = False
    """Whether others use the driver too, so that what stands on this disk must not close it."""

    _reports: Callable[[StorageDriver, str], StorageDriver] | None = None

    def __init__(
        self,
        driver: StorageDriver,
        /,
        *,
        name: str | None = None,
        signing_key: str | Sequence[str] | SigningKeys | None = None,
    ) -> None:
        check_driver(driver)
        self._driver = driver
        self._name = name
        if signing_key is None or isinstance(signing_key, SigningKeys):
            self._keys = signing_key
        else:
            self._keys = SigningKeys(signing_key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def name(self) -> str:
        """What the disk is called in errors and signed URLs."""
        return self._name or self._driver.traits.service

    @property
    def driver(self) -> StorageDriver:
        """The driver or outermost layer behind this."""
        return self._driver

    @property
    def traits(self) -> Traits:
        """What is always true of the driver."""
        return self.driver.traits

    async def stat(self, path: str, /) -> Stat:
        return await (await self._ready()).stat(path)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        return await (await self._ready()).read(path, how)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await (await self._ready()).write(path, Body.checked(body), how)

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        return await (await self._ready()).remove(path, how)

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        driver = await self._ready()
        async with aclosing(driver.scan(folder, how)) as entries:
            async for entry in entries:
                yield entry

    async def aclose(self) -> None:
        if not getattr(self._driver, "shared", False):
            await self._driver.aclose()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """The driver's ability; for temporary URLs a signer of this disk's where it has none."""
        driver = self.driver
        found = find(self._told(driver), kind)
        if found is not None or kind not in _SIGNED:
            return found
        if any(find(driver, native) is not None for native in _NATIVE):
            return None
        if kind is PresignWrite and not driver.traits.writable:
            return None
        return cast(A, UrlSigner(self._signing_keys(), driver, self.name))

    def stats(self) -> Stats:
        """What was done on the disk so far, where its layer `Observe` counts it."""
        from storeroom.layers.observe import Observe

        try:
            return self.layer(Observe).stats()
        except Unsupported as error:
            hint = 'add it: Observe(...) in code, layers = [{layer = "observe"}] in a configuration'
            raise Unsupported(f"{error.reason}, which counts; {hint}", disk=self._label) from None

    async def _ready(self) -> StorageDriver:
        return self._told(self.driver)

    def _told(self, driver: StorageDriver) -> StorageDriver:
        return driver if self._reports is None else self._reports(driver, self.name)

    def _borrowed(self) -> "Disk":
        if self.shared:
            return self
        lent = Disk(self._driver, name=self._name, signing_key=self._keys)
        lent.shared = True
        lent._reports = self._reports
        return lent

    def _signing_keys(self) -> SigningKeys | None:
        return self._keys

    @property
    def _label(self) -> str:
        return self.name


def reporting(disk: D, over: Callable[[StorageDriver, str], StorageDriver], /) -> D:
    """The disk, whose calls from now on go by way of `over(driver, name)`: a manager's events."""
    disk._reports = over  # pyright: ignore[reportPrivateUsage] - this is its door
    return disk


def check_driver(driver: object, /) -> None:
    """Refuse what lacks one of the six verbs, before anything is done with it."""
    if isinstance(driver, type):
        raise TypeError(f"{driver.__name__} is a class; give a driver: {driver.__name__}(...)")
    missing = [verb for verb in _VERBS if not callable(getattr(driver, verb, None))]
    if missing:
        raise TypeError(f"{type(driver).__name__} is no driver: it lacks {', '.join(missing)}")
