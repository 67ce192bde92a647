"""The proof that a driver keeps the contract: `cd examples`, `python -m pytest test_custom_driver.py`."""

from pathlib import Path

from custom_driver import SqliteDriver

from storeroom.testing import SIX_VERBS, DriverSuite


class TestSqliteDriver(DriverSuite):
    """Every promise of the contract is a test here; what may be skipped is written down."""

    allowed_skips = SIX_VERBS

    def make_driver(self, place: Path, /) -> SqliteDriver:
        return SqliteDriver(place / "files.db")
