"""The contract again, for the ways of opening that newer kernels do not need, and without a compiler."""

from pathlib import Path

from storeroom.drivers.local import LocalDriver
from tests.drivers.test_local import OnLocal
from tests.safety.disks import Uncompiled, Walked


class TestUncompiled(OnLocal):
    def make_driver(self, place: Path, /) -> LocalDriver:
        return Uncompiled(place / "root")


class TestWalked(OnLocal):
    def make_driver(self, place: Path, /) -> LocalDriver:
        return Walked(place / "root")
