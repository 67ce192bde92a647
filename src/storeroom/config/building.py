"""From a disk's configuration to its driver under its layers."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from storeroom.config.models import COMMON, STANDS_ON, DiskConfig, LayerConfig
from storeroom.config.parameters import Parameters, parameters_of, revealed
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError, StorageError
from storeroom.disk import Disk, check_driver
from storeroom.drivers._registry import DRIVERS
from storeroom.layers._registry import LAYERS

__all__ = ["Builder", "Factory"]

_OF_DRIVERS = frozenset(("timeout", "visibility"))

Factory = Callable[..., StorageDriver]
"""Makes a driver from its options."""


class Builder:
    """Makes drivers; `extended` are those of `Storage.extend`, `disk` gives a live handle by name."""

    def __init__(self, extended: Mapping[str, Factory], disk: Callable[[str], Disk], /) -> None:
        self._extended = extended
        self._disk = disk

    def check(self, name: str, config: DiskConfig, /) -> None:
        """Refuse wrong options now, where that imports nothing beyond the core."""
        driver = config.driver
        for place, one in config.inner():
            if isinstance(one, DiskConfig):
                with _telling(place):
                    self.check(name, one)
        if config.disks or driver in self._extended or DRIVERS.is_light(driver):
            self._arguments(name, config)
        for layer in (*config.layers, *([config.cache] if config.cache else [])):
            if LAYERS.is_light(layer.layer):
                with _telling(f"layer {layer.layer!r}"):
                    _layer_arguments(name, layer)
        _check_retries(name, config)

    def build(self, name: str, config: DiskConfig, /) -> StorageDriver:
        """The driver with all its layers; nothing is opened yet."""
        _check_retries(name, config)
        driver = self._driver(name, config)
        if config.retries and not self._retries_itself(config):
            driver = self._layered(name, driver, LayerConfig(layer="retry", options=_tries(config)))
        for layer in reversed(config.layers):
            driver = self._layered(name, driver, layer)
        if config.cache is not None:  # within the prefix, so that tenants share no entry
            driver = self._layered(name, driver, config.cache)
        if config.prefix:
            driver = self._layered(
                name, driver, LayerConfig(layer="scoped", options={"prefix": config.prefix})
            )
        if config.read_only:
            driver = self._layered(name, driver, LayerConfig(layer="readonly", options={}))
        return driver

    def _layered(self, name: str, driver: StorageDriver, layer: LayerConfig) -> StorageDriver:
        store = None if layer.store is None else self._named(layer.store)
        with _telling(f"layer {layer.layer!r}"):
            places, named = _layer_arguments(name, layer)
            if store is not None:
                named["store"] = store
            built: StorageDriver = LAYERS.load(layer.layer)(driver, *places, **named)
        return built

    def _driver(self, name: str, config: DiskConfig) -> StorageDriver:
        inner = [self._stood_on(name, place, one) for place, one in config.inner()]
        if config.driver == "scoped":
            return inner[0]  # its prefix is that of any disk
        places, named = self._arguments(name, config)
        driver: StorageDriver = self._target(config)(*inner, *places, **named)
        check_driver(driver)
        return driver

    def _stood_on(self, name: str, place: str, one: str | DiskConfig) -> StorageDriver:
        if isinstance(one, str):
            return self._named(one)
        with _telling(place):
            return self.build(name, one)

    def _named(self, name: str) -> StorageDriver:
        disk = self._disk(name)
        check_driver(disk.driver)  # built here too, off the loop's thread
        return disk

    def _arguments(self, name: str, config: DiskConfig) -> tuple[list[Any], dict[str, Any]]:
        if config.driver == "scoped":
            return [], {}
        options = {key: revealed(value) for key, value in config.options.items()}
        known = self._parameters(config).names
        for key in _OF_DRIVERS:
            if key in options and key not in known:
                raise ConfigError(f"the driver {config.driver!r} takes no {key}", disk=name)
        if config.retries is not None and self._retries_itself(config):
            options["retries"] = config.retries
        also = {*COMMON, STANDS_ON[config.driver]} - _OF_DRIVERS if config.disks else COMMON
        return self._parameters(config).arguments(options, name, also)

    def _parameters(self, config: DiskConfig) -> Parameters:
        return parameters_of(self._target(config), skip=min(len(config.disks), 2))

    def _target(self, config: DiskConfig) -> Callable[..., Any]:
        if config.disks:
            return LAYERS.load(config.driver)
        custom = self._extended.get(config.driver)
        return custom if custom is not None else DRIVERS.load(config.driver)

    def _retries_itself(self, config: DiskConfig) -> bool:
        return config.driver != "scoped" and "retries" in self._parameters(config).names


@contextmanager
def _telling(place: str) -> Generator[None]:
    """Have an error say which part of a disk's configuration it is about."""
    try:
        yield
    except StorageError as error:
        error.reason = f"{place}: {error.reason}"
        raise


def _layer_arguments(name: str, layer: LayerConfig) -> tuple[list[Any], dict[str, Any]]:
    parameters = parameters_of(LAYERS.load(layer.layer), skip=1)
    options = {key: revealed(value) for key, value in layer.options.items()}
    return parameters.arguments(options, name)


def _tries(config: DiskConfig) -> dict[str, Any]:
    return {"attempts": (config.retries or 0) + 1}


def _check_retries(name: str, config: DiskConfig) -> None:
    if config.retries is not None and any(layer.layer == "retry" for layer in config.layers):
        raise ConfigError("retries and a retry layer would multiply; keep one of them", disk=name)
