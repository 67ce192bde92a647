"""The proof that a driver keeps the contract: `cd examples`, `python -m pytest test_custom_driver.py`."""

from pathlib import Path

from custom_driver import SqliteDriver

from storeroom.testing import DriverSuite

ABSENT = (
    *("Append", "Attributes", "BulkRemove", "Checksum", "Copy", "CopyFrom", "Files", "Folders"),
    *(
        "Leases",
        "LocalPath",
        "Move",
        "Multipart",
        "Origin",
        "PresignRead",
        "PublicUrl",
        "Sweep",
        "Tags",
    ),
    *("Tiers", "Times", "Versions", "Visibility"),
)


class TestSqliteDriver(DriverSuite):
    """Every promise of the contract is a test here; what may be skipped is written down."""

    allowed_skips = dict.fromkeys(ABSENT, "six verbs are enough")

    def make_driver(self, place: Path, /) -> SqliteDriver:
        return SqliteDriver(place / "files.db")
