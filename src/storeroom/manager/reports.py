"""Reports: what puts a layer that tells of every call around a manager's drivers, while anybody listens."""

from typing import TYPE_CHECKING

from storeroom.contracts.driver import StorageDriver
from storeroom.events import Events

if TYPE_CHECKING:
    from storeroom.manager.reporting import Reporting

__all__ = ["Reports"]


class Reports:
    """One layer for each driver under its name, the same one at every call."""

    def __init__(self, events: Events, /) -> None:
        self._events = events
        self._layers: dict[tuple[str, int], Reporting] = {}

    def over(self, driver: StorageDriver, name: str, /) -> StorageDriver:
        """The driver under a layer that reports as disk `name`; itself where nobody listens."""
        if not self._events:
            return driver
        return self._layers.get((name, id(driver))) or self._made(driver, name)

    def forget(self, name: str, /) -> None:
        """Let go of the drivers of a name."""
        for key in list(self._layers):
            if key[0] == name:
                self._layers.pop(key, None)

    def _made(self, driver: StorageDriver, name: str) -> StorageDriver:
        from storeroom.manager.reporting import Reporting

        # The layer holds the driver, so that no other one can get its id.
        layer = Reporting(driver, name=name, events=self._events)
        return self._layers.setdefault((name, id(driver)), layer)
