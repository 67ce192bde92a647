"""Where a disk's files really are, so that two disks never meet in a store that they share."""

from typing import Any
from urllib.parse import urlsplit

from storeroom.contracts.abilities import LocalPath, PublicUrl, find, within
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError, StorageError
from storeroom.layers._base import Layer, layers_inside

__all__ = ["check_clear", "check_shared", "innermost", "namespace_of"]

_SAY = "say which disk this is: namespace = 'a name of its own'"


def check_clear(inner: StorageDriver, /) -> None:
    """Refuse to hold outside of this process, in the clear, what is encrypted inside."""
    if any(_is(layer, "Encryption") for layer in layers_inside(inner)):
        raise ConfigError(
            "what is encrypted inside would lie in the store in the clear: put the cache inside the "
            "encryption (in a configuration, behind it in layers), or hold it in memory"
        )


def check_shared(inner: StorageDriver, namespace: str | None, /) -> None:
    """Refuse to share entries where the same path is another tenant's file."""
    if namespace is None and any(_is(layer, "Scoped") for layer in layers_inside(inner)):
        raise ConfigError(
            "a shared cache outside of a prefix would give one tenant's files to another, whose paths "
            "are the same: put the cache inside the prefix, or give each tenant a namespace"
        )


def namespace_of(inner: StorageDriver, /) -> str:
    """The namespace of a disk that gave none: from its layers and where its files are.

    `ConfigError` where these do not tell it from any other disk.
    """
    for layer in layers_inside(inner):
        if not type(layer).__module__.startswith("storeroom."):
            name = type(layer).__name__
            raise ConfigError(f"nothing tells what {name} makes of the disk's paths; {_SAY}")
    bottom = innermost(inner)
    if find(bottom, LocalPath) is not None:
        raise ConfigError(f"the same path may be another disk on another machine; {_SAY}")
    address = getattr(bottom, "place", None) or _address(bottom)
    if not address:
        service = getattr(bottom, "traits", None) and bottom.traits.service
        raise ConfigError(f"{service} does not tell where its files are; {_SAY}")
    return f"{inner!r} at {address}"


def innermost(driver: Any, /) -> Any:  # a layer, a disk, or any driver
    """What a stack stands on."""
    below = within(driver)
    return driver if below is None else innermost(below)


def _address(bottom: Any) -> str:
    native = find(bottom, PublicUrl)
    if native is None:
        return ""
    try:
        address = native.public_url("x")
    except StorageError:
        return ""
    return address if urlsplit(address).netloc else ""


def _is(layer: Layer, name: str) -> bool:
    """Layers know each other by name only, for none imports another."""
    return any(kind.__name__ == name for kind in type(layer).__mro__)
