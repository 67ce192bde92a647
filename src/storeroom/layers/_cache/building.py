"""From a cache's options to its store, refusing what makes no sense before anything is opened."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError
from storeroom.contracts.nearest import nearest
from storeroom.layers._cache.entry import Change
from storeroom.layers._cache.memory import MemoryStore
from storeroom.layers._cache.namespace import check_clear, check_shared, innermost, namespace_of
from storeroom.layers._cache.store import Store
from storeroom.layers._places import met

if TYPE_CHECKING:
    from storeroom.layers._cache.news import News

__all__ = ["Options", "news_of", "store_of"]

_NAMED = ("memory", "redis")


class Options(NamedTuple):
    """What a cache is given besides its store; sizes in bytes, times in seconds."""

    ttl: float
    negative_ttl: float
    max_bytes: int
    max_entries: int
    max_object: int
    url: str
    namespace: str | None
    invalidate: str | None

    @property
    def absent(self) -> float:
        """For how long it is believed that there is no file."""
        return min(self.ttl, self.negative_ttl)

    def check(self) -> None:
        """Refuse values without a meaning."""
        for name, seconds in (("ttl", self.ttl), ("negative_ttl", self.negative_ttl)):
            if type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
                raise ConfigError(f"{name} is a number of seconds from 0, not {seconds!r}")
        for name in ("max_bytes", "max_entries", "max_object"):
            number = getattr(self, name)
            if type(number) is not int or number < 1:
                raise ConfigError(f"{name} is a whole number from 1, not {number!r}")
        if self.namespace is not None and (type(self.namespace) is not str or not self.namespace):
            raise ConfigError("namespace is a text that tells this disk from any other")
        if self.invalidate is not None and not self.ttl:
            raise ConfigError(
                "invalidate is for a cache with a ttl; without one every read asks inside already"
            )


def store_of(inner: StorageDriver, store: object, options: Options, /) -> Store:
    """The store, not opened yet."""
    options.check()
    if store == "memory":
        return MemoryStore(max_bytes=options.max_bytes, max_entries=options.max_entries)
    if store == "redis":
        return _redis(inner, options)
    if isinstance(store, str):
        raise ConfigError(
            f"there is no store {store!r}; {nearest(store, _NAMED)}, or give a disk or driver itself"
        )
    if not isinstance(store, StorageDriver):
        raise ConfigError(f"store is a name or a disk, not {type(store).__name__}")
    return _disk(inner, store, options)


def news_of(
    inner: StorageDriver,
    options: Options,
    /,
    *,
    heard: Callable[[Change], None],
    listening: Callable[[float], None],
) -> "News | None":
    """What tells other processes of changes, None where that was not asked for."""
    if options.invalidate is None:
        return None
    from storeroom.layers._cache.news import News

    namespace = _namespace(inner, options)
    return News(options.invalidate, namespace, heard=heard, listening=listening)


def _redis(inner: StorageDriver, options: Options) -> Store:
    if options.invalidate is not None:
        raise ConfigError("a store in Redis is shared already; leave invalidate out")
    check_clear(inner)
    from storeroom.layers._cache.redis_store import RedisStore

    namespace = _namespace(inner, options)
    return RedisStore(options.url, namespace, ttl=options.ttl)


def _disk(inner: StorageDriver, disk: StorageDriver, options: Options) -> Store:
    check_clear(inner)
    from storeroom.layers._cache.disk_store import DiskStore

    if innermost(disk) is innermost(inner) or met((disk, inner)) is not None:
        raise ConfigError(
            "the store is the disk that it is to cache: its entries would be files of that disk"
        )
    if not disk.traits.writable:
        raise ConfigError("the store cannot be written to; give a disk that can")
    return DiskStore(
        disk,
        _namespace(inner, options),
        ttl=options.ttl,
        max_bytes=options.max_bytes,
        max_entries=options.max_entries,
    )


def _namespace(inner: StorageDriver, options: Options) -> str:
    check_shared(inner, options.namespace)
    return options.namespace or namespace_of(inner)
