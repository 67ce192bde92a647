"""The Azure driver keeps the contract, over real servers, http and https, however it is let in."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import pytest
from azure.storage.blob import generate_container_sas

from storeroom.contracts.abilities import PublicUrl
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import InvalidPath
from storeroom.drivers.azure import AzureDriver
from storeroom.testing._suite.names import UGLY
from storeroom.testing.suite import CoreSuite, DriverSuite
from tests.servers.azure import AsyncBearer, AzureServer

HAS_NOT = dict.fromkeys(
    ("LocalPath", "Times", "Sweep", "VerifyUrl", "Visibility", "Multipart"), "Azure has none"
)
UNORDERED = {"ordered": "nothing is said of the order of letters beyond 16 bits"}
AZURITE_HAS_NOT = {
    **dict.fromkeys(
        (
            "test_versions_are_kept_newest_first",
            "test_a_version_is_restored",
            "test_a_version_is_removed_for_good",
        ),
        "Azurite keeps no versions",
    )
}
SIGNED = {
    **{name: reason for name, reason in HAS_NOT.items() if name != "VerifyUrl"},
    "PresignRead": "a signature signs no other",
}
DOTS = "trailing dots"
KEPT = {name: path for name, path in UGLY.items() if name != DOTS}


class OnServer(CoreSuite):
    """The contract on a container per place."""

    server: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    tier = "Cool"
    running: ClassVar[AzureServer]
    containers: ClassVar[defaultdict[Path, str]]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def on_a_server(cls, request: pytest.FixtureRequest) -> None:
        cls.running = request.getfixturevalue(cls.server)
        cls.containers = defaultdict(cls.running.make_container)

    def make_driver(self, place: Path, /) -> AzureDriver:
        running = self.running
        return AzureDriver(
            self.containers[place],
            endpoint_url=running.url,
            verify=str(running.authority) if running.authority else True,
            **self.let_in(running, self.containers[place]),
            **self.options,
        )

    def let_in(self, running: AzureServer, name: str) -> dict[str, Any]:
        return {"account_key": running.key}

    @pytest.mark.parametrize("name", KEPT.values(), ids=KEPT)
    async def test_an_ugly_name_is_kept_byte_for_byte(
        self, store: StorageDriver, name: str
    ) -> None:
        await super().test_an_ugly_name_is_kept_byte_for_byte(store, name)

    async def test_a_public_url_encodes_each_segment_exactly_once(
        self, driver: StorageDriver
    ) -> None:
        native = self.need(driver, PublicUrl)
        for path in KEPT.values():
            url = native.public_url(path)
            assert url.isascii(), url
            assert not urlsplit(url).query + urlsplit(url).fragment, url
            assert unquote(urlsplit(url).path).endswith(f"/{path}"), url

    async def test_a_dot_at_the_end_of_a_segment_is_refused(self, store: StorageDriver) -> None:
        for name in (UGLY[DOTS], "a.", "a./b"):
            with pytest.raises(InvalidPath, match="dot"):
                await store.write(name, Body(b"x"))


class ByToken(OnServer):
    """Let in by a credential that is awaited."""

    def let_in(self, running: AzureServer, name: str) -> dict[str, Any]:
        return {"credential": AsyncBearer(running.token)}


class BySignature(OnServer):
    """Let in by a signature for the container."""

    def let_in(self, running: AzureServer, name: str) -> dict[str, Any]:
        return {"sas_token": signature_of(running, name)}


class TestAzurite(OnServer, DriverSuite):
    server = "azurite"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **UNORDERED, **AZURITE_HAS_NOT}


class TestAzuriteByToken(ByToken):
    server = "azurite_tls"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **UNORDERED, **AZURITE_HAS_NOT}


class TestStrictBySignature(BySignature):
    server = "strict_azure"
    allowed_skips: ClassVar[dict[str, str]] = {**SIGNED, **UNORDERED}


@pytest.mark.long
class TestAzuriteBySignature(BySignature):
    server = "azurite"
    allowed_skips: ClassVar[dict[str, str]] = {**SIGNED, **UNORDERED, **AZURITE_HAS_NOT}


@pytest.mark.long
class TestStrict(OnServer, DriverSuite):
    server = "strict_azure"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **UNORDERED}


@pytest.mark.long
class TestStrictByToken(ByToken, DriverSuite):
    server = "strict_azure_tls"
    allowed_skips: ClassVar[dict[str, str]] = {**HAS_NOT, **UNORDERED}


def signature_of(server: AzureServer, container: str, allows: str = "racwdxltmei") -> str:
    """A signature for a container, of everything unless less is asked for."""
    return generate_container_sas(
        server.account,
        container,
        server.key,
        permission=allows,
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
