"""What fakes are made of keeps the contract, whatever service it poses as."""

from collections import defaultdict
from pathlib import Path
from typing import ClassVar

from storeroom.contracts.abilities import ABILITIES
from storeroom.contracts.driver import StorageDriver
from storeroom.drivers._registry import PROFILES
from storeroom.testing.faults import Faults
from storeroom.testing.pose import LocalPose, Pose, Service
from storeroom.testing.suite import CoreSuite

UNTESTED = {"PublicUrl", "PresignRead", "PresignWrite", "PresignPost", "VerifyUrl", "Folders"}


def lacking(service: str, *also: str, tested: tuple[str, ...] = ()) -> dict[str, str]:
    names = {kind.__name__ for kind in ABILITIES if kind not in PROFILES[service].abilities}
    return dict.fromkeys((names | {*also}) - UNTESTED - {"Move"} | {*tested}, f"{service} has none")


def stores(service: str) -> defaultdict[Path, Pose]:
    profile = PROFILES[service]
    like = Service(profile.traits, profile.abilities)
    return defaultdict(lambda: Pose("tést disk%", like))


class Posing(CoreSuite):
    stores: ClassVar[defaultdict[Path, Pose]]

    def make_driver(self, place: Path, /) -> StorageDriver:
        return Faults(self.stores[place].twin())

    async def abandon(self, driver: StorageDriver, /) -> None:
        assert isinstance(driver, Faults)
        await driver.start_parts("half/way %2F.bin")


class TestS3(Posing):
    stores = stores("s3")
    allowed_skips = lacking("s3", tested=("VerifyUrl",))


class TestGcs(Posing):
    stores = stores("gcs")
    allowed_skips = lacking("gcs", tested=("VerifyUrl",))


class TestAzure(Posing):
    stores = stores("azure")
    allowed_skips = lacking("azure", "ordered", tested=("VerifyUrl",))


class TestSftp(Posing):
    stores = stores("sftp")
    allowed_skips = lacking("sftp", "if_match", "abandon", tested=("PublicUrl",))

    async def abandon(self, driver: StorageDriver, /) -> None:
        self.skip("abandon")


class TestFtp(TestSftp):
    stores = stores("ftp")
    allowed_skips = lacking(
        "ftp", "if_match", "overwrite", "atomic", "abandon", tested=("PublicUrl",)
    )


class TestLocalPose(CoreSuite):
    allowed_skips = dict.fromkeys(
        ("Tags", "Tiers", "Multipart", "Versions", "Leases"), "a file system has none"
    )

    def make_driver(self, place: Path, /) -> StorageDriver:
        return Faults(LocalPose("local", str(place / "root")))

    async def abandon(self, driver: StorageDriver, /) -> None:
        assert isinstance(driver, Faults)
        path = Path(driver.local_path("x")).with_name(".storeroom-tmp-1")
        path.write_bytes(b"half")
