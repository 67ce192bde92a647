"""The pytest plugin: after each test the process's disks are as they were before it.

It also makes the marks of `DriverSuite` known.
"""

import sys
from collections.abc import Iterator

import pytest

from storeroom.facade import Storage

__all__ = ["pytest_configure", "storeroom_restored"]

_MARKS = (
    "core: the part of DriverSuite that every driver and every layer runs",
    "heavy: the part that runs per driver only",
)


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest at its start."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)


@pytest.fixture(autouse=True)
def storeroom_restored() -> Iterator[None]:
    """Takes the fakes, drivers and configuration of the test away, and the fakes' folders."""
    state = Storage._saved()  # pyright: ignore[reportPrivateUsage]  # meant for this
    yield
    Storage._restore(state)  # pyright: ignore[reportPrivateUsage]  # meant for this
    if "storeroom.testing.fake" in sys.modules:
        from storeroom.testing.fake import clear

        clear(Storage)
