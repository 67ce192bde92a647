"""Drivers and layers by name: ours from a table, those of third parties from their entry points."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from storeroom.contracts.errors import ConfigError
from storeroom.contracts.nearest import nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Entry", "Registry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One driver or layer of ours, by `target`, its "module:Class".

    `extra` names the packages it needs beyond the core, None where it needs none.
    """

    target: str
    extra: str | None
    about: str


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything of one kind: `word` is what it is called, `group` that of its entry points."""

    word: str
    group: str
    entries: Mapping[str, Entry]

    def names(self) -> list[str]:
        """All that can be loaded, third parties' too."""
        return sorted({*self.entries, *self._installed()})

    def knows(self, name: str, /) -> bool:
        """Whether we or a third party have one of this name."""
        return name in self.entries or name in self._installed()

    def check(self, name: str, /) -> None:
        """Refuse a name that neither we nor a third party know."""
        if not self.knows(name):
            raise ConfigError(f"there is no {self.word} {name!r}; {nearest(name, self.names())}")

    def homes(self) -> dict[str, str]:
        """The module of each class of ours, by the class's name; nothing is imported."""
        parts = (entry.target.partition(":") for entry in self.entries.values())
        return {attribute: module for module, _, attribute in parts}

    def is_light(self, name: str, /) -> bool:
        """Whether it is ours and imports nothing beyond the core."""
        entry = self.entries.get(name)
        return entry is not None and entry.extra is None

    def load(self, name: str, /) -> Callable[..., Any]:  # a class; its parameters are its own
        """The class, imported now; `ConfigError` for a name that is not there."""
        self.check(name)
        entry = self.entries.get(name)
        if entry is None:
            loaded: Callable[..., Any] = self._installed()[name].load()
            return loaded
        module, _, attribute = entry.target.partition(":")
        found: Callable[..., Any] = getattr(import_module(module), attribute)
        return found

    def _installed(self) -> "dict[str, EntryPoint]":
        from importlib.metadata import entry_points

        return {point.name: point for point in entry_points(group=self.group)}
