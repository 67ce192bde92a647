"""The memory driver keeps the contract, with implied and with real folders."""

from collections import defaultdict
from pathlib import Path
from typing import Any, ClassVar

import pytest

from storeroom.contracts.errors import ConfigError
from storeroom.drivers.memory import MemoryDriver
from storeroom.testing.suite import DriverSuite

HAS_NOT = dict.fromkeys(
    ("LocalPath", "PresignRead", "Sweep", "Multipart", "Versions", "Leases"), "memory has none"
)


class TestMemory(DriverSuite):
    allowed_skips = HAS_NOT
    stores: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(MemoryDriver)

    def make_driver(self, place: Path, /) -> MemoryDriver:
        return self.stores[place].twin()


class TestMemoryWithRealFolders(DriverSuite):
    allowed_skips = HAS_NOT
    stores: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(
        lambda: MemoryDriver(folders="real")
    )

    def make_driver(self, place: Path, /) -> MemoryDriver:
        return self.stores[place].twin()


async def test_it_is_emptied_and_counted() -> None:
    disk = MemoryDriver()
    await disk.put_many({"b/c": b"", "a": b""})
    assert (disk.count(), disk.all_paths()) == (2, ["a", "b/c"])
    disk.flush()
    assert (disk.count(), disk.all_paths(), await disk.all_directories()) == (0, [], [])


async def test_names_of_a_stranger_are_left_out_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stranger = MemoryDriver(paths="service")
    names = ["../x", "/abs", "a//b", "f/\u202etxt", "f/good", "f/new\nline"]
    await stranger.put_many(dict.fromkeys(names, b"x"))
    assert await stranger.all_files() == sorted(names)
    disk = stranger.twin()
    assert await disk.all_files() == ["f/good"]
    assert await disk.files("f") == ["f/good"]
    assert len(caplog.records) == 1
    assert (await stranger.delete_many(names)).ok
    assert stranger.count() == 0


@pytest.mark.parametrize("options", [{"folders": "none"}, {"paths": "any"}], ids=str)
def test_an_unknown_option_is_a_config_error(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        MemoryDriver(**options)
