"""The testing kit: fakes and faults for applications, the contract as a suite for drivers."""

from importlib import import_module
from typing import TYPE_CHECKING

from storeroom.contracts.extras import extra

if TYPE_CHECKING:
    from storeroom.testing.calls import Called
    from storeroom.testing.fake import FakeDisk
    from storeroom.testing.faults import Faults
    from storeroom.testing.suite import SIX_VERBS, CoreSuite, DriverSuite

__all__ = ["SIX_VERBS", "Called", "CoreSuite", "DriverSuite", "FakeDisk", "Faults"]

_HOMES = {
    "SIX_VERBS": "storeroom.testing.suite",
    "Called": "storeroom.testing.calls",
    "CoreSuite": "storeroom.testing.suite",
    "DriverSuite": "storeroom.testing.suite",
    "FakeDisk": "storeroom.testing.fake",
    "Faults": "storeroom.testing.faults",
}


def __getattr__(name: str) -> object:
    """What needs pytest, or loads the drivers, only when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with extra("testing", "pytest"):
        return getattr(import_module(_HOMES[name]), name)
