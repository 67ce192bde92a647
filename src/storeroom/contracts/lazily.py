"""A package gives names whose modules are imported when they are asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["lazily"]


def lazily(
    package: str, modules: Mapping[str, str], names: list[str], /
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__`: `names` are its `__all__`, `modules` says where they are."""

    def found(name: str) -> object:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    return found, lambda: sorted(names)
