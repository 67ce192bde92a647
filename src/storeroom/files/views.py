"""Views of a disk, and what is behind it."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from storeroom.contracts.abilities import find, why_absent, within
from storeroom.contracts.errors import Unsupported
from storeroom.files._verb import Held

if TYPE_CHECKING:
    from storeroom.layers.readonly import ReadOnly
    from storeroom.layers.scoped import Scoped

__all__ = ["Views"]

A = TypeVar("A")


class Views(Held):
    """Views, abilities and closing; see `Files`."""

    __slots__ = ()

    def scoped(self, prefix: str, /) -> "Scoped":
        """The same disk seen from inside a folder: nothing outside it can be reached."""
        from storeroom.layers.scoped import Scoped

        return Scoped(self._borrowed(), prefix).borrowing()

    def read_only(self) -> "ReadOnly":
        """The same disk without the verbs that change it."""
        from storeroom.layers.readonly import ReadOnly

        return ReadOnly(self._borrowed()).borrowing()

    def supports(self, kind: Callable[..., Any], /) -> bool:
        """Whether the disk has an ability, such as `Append`."""
        return find(self, kind) is not None

    def ability(self, kind: Callable[..., A], /) -> A:
        """The disk's ability, or `Unsupported`."""
        found = find(self, kind)
        if found is None:
            raise Unsupported(why_absent(self, kind), disk=self._label)
        return found

    def layer(self, kind: Callable[..., A], /) -> A:
        """The disk's layer of this class, or `Unsupported`."""
        layer: Any = self.driver
        while layer is not None:
            if isinstance(layer, kind):  # type: ignore[arg-type]  # a class by its use
                return layer  # type: ignore[no-any-return]
            layer = within(layer)
        name = getattr(kind, "__name__", str(kind))
        raise Unsupported(f"this disk has no layer {name}", disk=self._label)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.driver.aclose()

    def _borrowed(self) -> Any:
        """What a view stands on."""
        return self
