"""The S3 driver keeps the contract, over real servers, both transports, http and https."""

from collections import defaultdict
from pathlib import Path
from typing import Any, ClassVar

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.drivers.s3 import S3Driver
from storeroom.testing.suite import CoreSuite, DriverSuite
from tests.servers.s3 import S3Server

MOTO = {
    "acl": True,
    "tags": True,
    "tiers": True,
    "versions": True,
    "conditions": ["write", "complete", "remove"],
}
HAS_NOT = dict.fromkeys(("Append", "LocalPath", "Times", "Leases", "VerifyUrl"), "S3 has none")
MOTO_HAS_NOT = {
    "test_fresh_leftovers_stay_and_old_ones_go": "moto dates every upload to 2010",
}
AMAZON: dict[str, Any] = {"provider": "aws", "path_style": True}
RCLONE: dict[str, Any] = {"features": {"folders": False}}
RCLONE_HAS_NOT = {
    **dict.fromkeys(("Visibility", "Tags", "Tiers", "Versions"), "rclone keeps none"),
    **dict.fromkeys(("overwrite", "if_match"), "rclone passes over conditions"),
    "Folders": "rclone makes a file of a placeholder",
    **dict.fromkeys(
        (
            "test_removing_a_folders_path_leaves_what_is_in_it",
            "test_removing_through_a_file_is_no_error",
            "test_a_file_where_a_folder_is",
            "test_a_folder_where_a_file_is",
            "test_an_implied_folder_beside_a_file_of_its_name",
            "test_a_copy_or_move_onto_a_folder",
            "test_an_append_to_a_folder",
        ),
        "rclone's objects are files, and its folders are real",
    ),
    **dict.fromkeys(
        (
            "test_a_move_keeps_type_and_metadata",
            "test_a_copy_keeps_type_and_metadata",
            "test_native_copy_takes_other_headers",
        ),
        "rclone adds metadata of its own to copies",
    ),
    "test_the_type_is_told_by_the_bytes_without_an_extension": "rclone makes up a type",
    "test_composed_and_decomposed_letters_are_two_names": "rclone composes letters",
    "test_readers_never_see_a_torn_file": "rclone writes into the file that is being read",
    "test_concurrent_writes_leave_one_of_them_whole": "rclone lists a file twice after that",
}


class OnServer(CoreSuite):
    """The contract on a bucket per place, with or without versions."""

    server: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    versioned: ClassVar[bool] = True
    tier = "STANDARD_IA"
    running: ClassVar[S3Server]
    buckets: ClassVar[defaultdict[Path, str]]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def on_a_server(cls, request: pytest.FixtureRequest) -> None:
        cls.running = request.getfixturevalue(cls.server)
        versions = cls.versioned
        cls.buckets = defaultdict(
            lambda: cls.running.make_bucket(versioned=versions, owned=not versions)
        )

    def make_driver(self, place: Path, /) -> S3Driver:
        running = self.running
        return S3Driver(
            self.buckets[place],
            endpoint_url=running.url,
            region=running.region,
            access_key=running.access_key,
            secret_key=running.secret_key,
            verify=str(running.authority) if running.authority else True,
            **self.options,
        )

    async def abandon(self, driver: StorageDriver, /) -> None:
        assert isinstance(driver, S3Driver)
        await driver.start_parts("left behind")


class TestMoto(OnServer, DriverSuite):
    server = "moto"
    options: ClassVar[dict[str, Any]] = {"features": MOTO}
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **MOTO_HAS_NOT}


class TestRclone(OnServer, DriverSuite):
    server = "rclone"
    versioned = False
    options = RCLONE
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **RCLONE_HAS_NOT}


class TestRcloneOverTls(OnServer, DriverSuite):
    server = "rclone_tls"
    versioned = False
    options = RCLONE
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **RCLONE_HAS_NOT}


class TestStrict(OnServer, DriverSuite):
    server = "strict_s3"
    options = AMAZON
    allowed_skips = HAS_NOT


class TestStrictOverTls(OnServer, DriverSuite):
    server = "strict_s3_tls"
    options = AMAZON
    allowed_skips = HAS_NOT


class TestStrictOverTlsThroughTheSdk(OnServer, DriverSuite):
    server = "strict_s3_tls"
    options: ClassVar[dict[str, Any]] = {**AMAZON, "transport": "sdk"}
    allowed_skips = HAS_NOT


@pytest.mark.long
class TestAllOfMotoThroughTheSdk(OnServer, DriverSuite):
    server = "moto"
    options: ClassVar[dict[str, Any]] = {"features": MOTO, "transport": "sdk"}
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **MOTO_HAS_NOT}


@pytest.mark.long
class TestAllOfMotoOverTls(OnServer, DriverSuite):
    server = "moto_tls"
    options: ClassVar[dict[str, Any]] = {"features": MOTO}
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **MOTO_HAS_NOT}


@pytest.mark.long
class TestAllOfRcloneThroughTheSdk(OnServer, DriverSuite):
    server = "rclone"
    versioned = False
    options: ClassVar[dict[str, Any]] = {**RCLONE, "transport": "sdk"}
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **RCLONE_HAS_NOT}
