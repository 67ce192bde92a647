"""The SFTP driver keeps the contract, on OpenSSH's server and on asyncssh's."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.values import PLAIN, WriteOptions
from storeroom.drivers.sftp import SFTPDriver
from storeroom.testing.suite import CoreSuite, DriverSuite
from tests.servers.sftp import SftpServer
from tests.servers.sshd import Sshd

HAS_NOT = {
    **dict.fromkeys(
        ("PresignRead", "Tags", "Tiers", "Multipart", "Versions", "Leases", "LocalPath"),
        "SFTP has none",
    ),
    **dict.fromkeys(("Attributes", "BulkRemove", "Checksum"), "SFTP has none"),
    "if_match": "SFTP compares and replaces in two steps",
}


class OnServer(CoreSuite):
    """The contract on a folder per place."""

    running: ClassVar[SftpServer]
    folders: ClassVar[defaultdict[Path, str]]
    allowed_skips: ClassVar[dict[str, str]] = HAS_NOT

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def on_a_server(cls, request: pytest.FixtureRequest) -> None:
        numbers = count()
        cls.running = cls.server(request)
        cls.folders = defaultdict(lambda: f"{cls.__name__}/{next(numbers)} ü")

    @classmethod
    def server(cls, request: pytest.FixtureRequest) -> SftpServer:
        raise NotImplementedError

    def make_driver(self, place: Path, /) -> SFTPDriver:
        options: dict[str, Any] = self.running.options(self.folders[place])
        return SFTPDriver(self.running.host, url="https://files.example/x", **options)

    async def seed(
        self, driver: StorageDriver, files: Mapping[str, bytes], how: WriteOptions = PLAIN, /
    ) -> None:
        """Crowds past the driver, which would take seconds for them."""
        if len(files) < 500:
            return await super().seed(driver, files, how)
        root = self._root(driver)
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        return None

    async def abandon(self, driver: StorageDriver, /) -> None:
        (self._root(driver) / ".storeroom-tmp-1").write_bytes(b"half")

    def _root(self, driver: StorageDriver) -> Path:
        assert isinstance(driver, SFTPDriver)
        folder = driver._root.folder.removeprefix(self.running.base)
        return self.running.folder / folder.strip("/")


class TestOpenSsh(OnServer, DriverSuite):
    @classmethod
    def server(cls, request: pytest.FixtureRequest) -> SftpServer:
        running: Sshd = request.getfixturevalue("sshd")
        return running.server


class TestAsyncSsh(OnServer, DriverSuite):
    @classmethod
    def server(cls, request: pytest.FixtureRequest) -> SftpServer:
        running: SftpServer = request.getfixturevalue("asyncssh_server")
        return running
