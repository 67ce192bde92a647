"""Layer: a driver whose first argument is a driver; `stack` puts several on one."""

from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, ClassVar, Self, TypeVar

from storeroom.contracts.abilities import find, why_absent, within
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import Closed, Unsupported
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
from storeroom.files import Files

__all__ = ["Layer", "layers_inside", "stack"]

A = TypeVar("A")


class Layer(Files):
    """A driver over another one: it forwards the six verbs, and a subclass overrides what it changes.

    `keeps` names the abilities handed through untouched, `adapts` those it has a version of its own
    for (there only if the driver inside has them), `adds` those it brings itself. Any other is hidden.
    """

    keeps: ClassVar[frozenset[Callable[..., Any]]] = frozenset()
    adapts: ClassVar[frozenset[Callable[..., Any]]] = frozenset()
    adds: ClassVar[frozenset[Callable[..., Any]]] = frozenset()

    def __init__(self, inner: StorageDriver, /) -> None:
        self._inner = inner
        self._closed = False
        self._borrows = False
        self._known: tuple[Traits, Traits] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._inner!r})"

    @property
    def inner(self) -> StorageDriver:
        """The driver or layer inside; `Closed` after `aclose`."""
        if self._closed:
            raise Closed(f"this {type(self).__name__} was closed; build a new one")
        return self._inner

    @property
    def traits(self) -> Traits:
        """What `described` makes of the traits inside."""
        inside = self._inner.traits
        if self._known is None or self._known[0] is not inside:
            self._known = (inside, self.described(inside))
        return self._known[1]

    def described(self, inside: Traits, /) -> Traits:
        """The traits of this layer over a driver with those; a layer that changes them overrides it."""
        return inside

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """Who has an ability: this layer, somebody inside, or nobody."""
        if kind in self.adds:
            return self  # type: ignore[return-value]  # by its declaration
        if kind in self.adapts:
            return None if find(self._inner, kind) is None else self  # type: ignore[return-value]
        return find(self._inner, kind) if kind in self.keeps else None

    def inner_ability(self, kind: Callable[..., A], /) -> A:
        """The ability of the driver inside, or `Unsupported`."""
        found = find(self.inner, kind)
        if found is None:
            raise Unsupported(why_absent(self._inner, kind))
        return found

    async def stat(self, path: str, /) -> Stat:
        return await self.inner.stat(path)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        return await self.inner.read(path, how)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await self.inner.write(path, Body.checked(body), how)

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        return await self.inner.remove(path, how)

    def scan(self, folder: str = "", how: ScanOptions = DEEP, /) -> AsyncGenerator[Stat | Folder]:
        return self.inner.scan(folder, how)

    async def aclose(self) -> None:
        """Close this layer for good, and the driver inside unless it is shared (a manager's disk)."""
        if self._closed:
            return
        self._closed = True
        if not self._borrows and not getattr(self._inner, "shared", False):
            await self._inner.aclose()

    def borrowing(self) -> Self:
        """This layer, which from now on leaves the driver inside open when it is closed."""
        self._borrows = True
        return self

    async def _ready(self) -> StorageDriver:
        if isinstance(self.inner, Files):
            await self.inner._ready()
        return self

    async def _other(self, disk: Any) -> StorageDriver:
        if isinstance(disk, str) and isinstance(self._inner, Files):
            return await self._inner._other(disk)
        return await super()._other(disk)

    @property
    def _label(self) -> str:
        return self._inner._label if isinstance(self._inner, Files) else self.traits.service


def stack(driver: StorageDriver, /, *layers: Callable[[StorageDriver], Layer]) -> StorageDriver:
    """The driver under layers, the first outermost: `stack(driver, partial(Scoped, prefix="a"), Retry)`.

    Each is a layer's class, or any function from a driver to a layer.
    """
    for layer in reversed(layers):
        driver = layer(driver)
    return driver


def layers_inside(driver: StorageDriver, /) -> Iterator[Layer]:
    """The layers of a stack, outermost first, for a layer that refuses to stand over some of them."""
    one: object = driver
    while one is not None:
        if isinstance(one, Layer):
            yield one
        one = within(one)
