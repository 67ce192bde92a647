"""A local disk by each way of opening beneath its root, and what it may leave behind."""

import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from storeroom.drivers._local import beneath
from storeroom.drivers.local import LocalDriver
from tests.safety.disks import KINDS


class Checked(LocalDriver):
    """As on a system without directory descriptors."""

    @staticmethod
    def _opener(root: str) -> beneath.Tree:
        return beneath.opened_checked(root)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> type[LocalDriver]:
    return KINDS[request.param]


@pytest.fixture
def checked_kind() -> type[LocalDriver]:
    return Checked


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
async def disk(kind: type[LocalDriver], root: Path) -> AsyncIterator[LocalDriver]:
    async with kind(root) as disk:
        yield disk


@pytest.fixture
def temporaries(root: Path) -> Callable[[], list[str]]:
    """What is left of writes that did not end."""
    return lambda: sorted(str(found) for found in root.rglob(".storeroom-*"))


@pytest.fixture
def descriptors() -> Callable[[], int]:
    """How many descriptors of regular files and folders are open."""
    gc.collect()
    return lambda: len(list(_open_files()))


def _open_files() -> Iterator[str]:
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            target = os.readlink(f"/proc/self/fd/{number}")
            if target.startswith("/") and not target.startswith(("/dev/", "/proc/")):
                yield target
