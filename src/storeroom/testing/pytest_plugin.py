"""The pytest plugin: after each test the process's disks are as they were before it."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from storeroom.manager import StorageManager

__all__ = ["storeroom_restored"]


@pytest.fixture(autouse=True)
def storeroom_restored() -> Iterator[None]:
    """Takes fakes, drivers and configuration of the test away; imports nothing that it did not."""
    before = _manager()
    state = None if before is None else before._saved()  # pyright: ignore[reportPrivateUsage]
    yield
    manager = _manager()
    if manager is None:
        return
    if state is None:
        state = type(manager).isolated()._saved()  # pyright: ignore[reportPrivateUsage]
    manager._restore(state)  # pyright: ignore[reportPrivateUsage]
    if "storeroom.testing.fake" in sys.modules:
        from storeroom.testing.fake import clear

        clear(manager)


def _manager() -> "StorageManager | None":
    """The process's manager, if anybody has made it yet."""
    facade = sys.modules.get("storeroom.facade")
    return None if facade is None else facade.Storage
