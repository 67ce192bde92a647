"""A missing package becomes an instruction."""

from collections.abc import Generator
from contextlib import contextmanager

from storeroom.contracts.errors import MissingPackage

__all__ = ["extra"]


@contextmanager
def extra(name: str, package: str, /) -> Generator[None]:
    """Import an extra's packages inside this; a missing one names the pip command that brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("storeroom"):
            raise
        raise MissingPackage(
            f"{package} is not installed; run: pip install 'storeroom[{name}]'"
        ) from error
