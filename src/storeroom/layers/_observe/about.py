"""About: what traces and metrics say of the disk that is observed."""

from typing import NamedTuple

from storeroom.contracts.abilities import within

__all__ = ["About", "namespace_of"]


class About(NamedTuple):
    """A disk's name, its service, and the bucket or container there, None where nothing tells."""

    disk: str
    service: str
    namespace: str | None


def namespace_of(driver: object, /) -> str | None:
    """The bucket or container of a driver under all layers, where it shows one."""
    while (inner := within(driver)) is not None:
        driver = inner
    for name in ("bucket", "container"):
        found = getattr(driver, name, None)
        if isinstance(found, str):
            return found
    return None
