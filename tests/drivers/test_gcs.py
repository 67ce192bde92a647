"""The GCS driver keeps the contract, over real servers, both transports, http and https."""

from collections import defaultdict
from pathlib import Path
from typing import Any, ClassVar

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.drivers.gcs import GCSDriver
from storeroom.testing.suite import CoreSuite, DriverSuite
from tests.servers.gcs import GcsServer
from tests.servers.strict_gcs import StrictGcs

GOOGLE_HAS_NOT = dict.fromkeys(
    ("Append", "LocalPath", "Times", "Leases", "Tags"), "Google has none"
)
HAS_NOT = {**GOOGLE_HAS_NOT, "VerifyUrl": "Google verifies what was signed for it"}
FAKE_HAS_NOT = {
    "PresignRead": "an anonymous disk signs nothing, and fake-gcs-server judges no signature",
    **dict.fromkeys(
        (
            "test_attributes_are_changed_on_a_condition_or_not_at_all",
            "test_a_stale_if_match_removes_nothing",
            "test_a_copy_without_overwrite_leaves_what_is_there",
            "test_copies_without_overwrite_have_one_winner",
            "test_native_copy_honours_if_match_of_its_target",
            "test_a_move_without_overwrite_leaves_both",
            "test_native_move_honours_conditions_on_its_target",
        ),
        "fake-gcs-server passes over conditions but those of uploads",
    ),
    **dict.fromkeys(
        ("test_attributes_change_in_place", "test_metadata_is_emptied_in_place"),
        "fake-gcs-server keeps metadata that is set to null, as empty",
    ),
    **dict.fromkeys(
        ("test_a_version_is_removed_for_good", "test_fresh_leftovers_stay_and_old_ones_go"),
        "fake-gcs-server keeps a generation that is removed",
    ),
    "test_a_file_changes_its_tier": "fake-gcs-server copies into the bucket's own tier only",
}


class OnServer(CoreSuite):
    """The contract on a bucket per place, with versions and access lists."""

    server: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    tier = "NEARLINE"
    running: ClassVar[GcsServer]
    buckets: ClassVar[defaultdict[Path, str]]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def on_a_server(cls, request: pytest.FixtureRequest) -> None:
        cls.running = request.getfixturevalue(cls.server)
        cls.buckets = defaultdict(lambda: cls.running.make_bucket(versioned=True))

    def make_driver(self, place: Path, /) -> GCSDriver:
        running = self.running
        whom = {"anonymous": True}
        if isinstance(running, StrictGcs):
            whom = {"credentials": running.service_account()}
        return GCSDriver(
            self.buckets[place],
            endpoint_url=running.url,
            uniform_access=False,
            verify=str(running.authority) if running.authority else True,
            **whom,
            **self.options,
        )

    async def abandon(self, driver: StorageDriver, /) -> None:
        assert isinstance(driver, GCSDriver)
        await driver.start_parts("left behind")


class TestFakeGcsServer(OnServer, DriverSuite):
    server = "fake_gcs"
    allowed_skips: ClassVar[dict[str, str]] = {**GOOGLE_HAS_NOT, **FAKE_HAS_NOT}


class TestStrict(OnServer, DriverSuite):
    server = "strict_gcs"
    allowed_skips = HAS_NOT


class TestStrictOverTlsThroughTheSdk(OnServer):
    server = "strict_gcs_tls"
    options: ClassVar[dict[str, Any]] = {"transport": "sdk"}
    allowed_skips = HAS_NOT


class TestStrictOverTls(OnServer):
    server = "strict_gcs_tls"
    allowed_skips = HAS_NOT
