"""The FTP driver keeps the contract, in the clear and under TLS, on real servers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.values import PLAIN, WriteOptions
from storeroom.drivers._tree.temporaries import temporary_beside
from storeroom.drivers.ftp import FTPDriver
from storeroom.testing.suite import CoreSuite, DriverSuite
from tests.servers.ftp import FtpServer

HAS_NOT = {
    **dict.fromkeys(
        (
            *("PresignRead", "Copy", "CopyFrom", "Origin", "BulkRemove", "Attributes", "Tags"),
            *("Tiers", "Multipart", "Versions", "Leases", "LocalPath"),
        ),
        "FTP has none",
    ),
    **dict.fromkeys(("overwrite", "if_match", "etag"), "FTP has no conditions"),
    "atomic": "a server may be one that cannot replace a file",
}
NO_HASH = {"test_a_digest_is_that_of_the_bytes": "neither server computes any"}

NAMELESS = dict.fromkeys(
    (
        "test_a_visibility_is_set_and_read",
        "test_a_visibility_is_written_with_the_file",
        "test_a_visibility_is_written_with_put",
        "test_a_visibility_is_kept_or_refused",
    ),
    "vsftpd lets nobody nameless change permissions",
)


class OnServer(CoreSuite):
    """The contract in a folder per place."""

    server: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    running: ClassVar[FtpServer]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def on_a_server(cls, request: pytest.FixtureRequest) -> None:
        cls.running = request.getfixturevalue(cls.server)

    def make_driver(self, place: Path, /) -> FTPDriver:
        root = f"{type(self).__name__}/{place.name}"
        return self.running.driver(root, url="https://files.example.com/a b", **self.options)

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
        left = self._root(driver) / temporary_beside("a")
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_bytes(b"half")

    def _root(self, driver: StorageDriver) -> Path:
        assert isinstance(driver, FTPDriver)
        return self.running.folder / driver._service.account.root


class TestPyftpd(OnServer, DriverSuite):
    server = "pyftpd"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **NO_HASH}


class TestPyftpdUnderTls(OnServer):
    server = "pyftpd_tls"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **NO_HASH}


class TestPyftpdUnderImplicitTls(OnServer):
    server = "pyftpd_implicit"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **NO_HASH}


class TestVsftpd(OnServer):
    server = "vsftpd"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **NO_HASH, **NAMELESS}


class TestVsftpdUnderTls(OnServer):
    server = "vsftpd_tls"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **NO_HASH, **NAMELESS}


@pytest.mark.long
class TestAllOfVsftpd(OnServer, DriverSuite):
    server = "vsftpd"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **NO_HASH, **NAMELESS}


@pytest.mark.long
class TestAllOfVsftpdUnderTls(OnServer, DriverSuite):
    server = "vsftpd_tls"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **NO_HASH, **NAMELESS}


@pytest.mark.long
class TestAllOfPyftpdUnderTls(OnServer, DriverSuite):
    server = "pyftpd_tls"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **NO_HASH}


@pytest.mark.long
class TestAllOfProftpd(OnServer, DriverSuite):
    server = "proftpd"
    allowed_skips: ClassVar[dict[str, str]] = {
        **HAS_NOT,
        "test_patterns_in_a_folder_are_letters": "it makes no folder with a * in its name",
    }
