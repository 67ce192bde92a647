"""Who asks: what is given, what is refused, and tokens that are renewed."""

import asyncio
import sys
import time
import traceback
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, MissingPackage, PermissionDenied
from storeroom.drivers._azure.tokens import Standard
from storeroom.drivers.azure import AzureDriver
from tests.drivers.azure.container import Container, read
from tests.drivers.s3.bucket import KEY
from tests.drivers.test_azure import signature_of
from tests.servers.azure import AsyncBearer, Bearer

SCOPE = ("https://storage.azure.com/.default",)
SAS = "sv=2024-11-04&sig=c2lnbmF0dXJl"
SECRET = "c2VjcmV0IGtleQ=="

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"account_key": SECRET, "sas_token": SAS}, "account_key and sas_token say in two ways"),
    ({"account_key": SECRET, "anonymous": True}, "two ways"),
    ({"sas_token": SAS, "credential": "default"}, "two ways"),
    ({"connection_string": "AccountName=a;AccountKey=b", "sas_token": SAS}, "two ways"),
    ({"account_key": "no base64!"}, "account_key is the key of the account"),
    ({"sas_token": "https://example.com"}, "sas_token is the query of a signed URL"),
    ({"sas_token": f"{SAS}\r\nx: y"}, "sas_token is the query"),
    ({"credential": SECRET}, "an object with get_token"),
    ({"credential": 42}, "an object with get_token"),
    ({"account_name": None, "connection_string": "x"}, "connection_string is of pairs"),
    (
        {"account_name": None, "connection_string": "AccountName=acc1"},
        "neither AccountKey nor SharedAccessSignature",
    ),
    ({"connection_string": f"AccountName=acc1;AccountKey={SECRET}"}, "leave account_name out"),
    ({"endpoint_url": "ftp://example.com", "account_key": SECRET}, "endpoint_url is a URL"),
    ({"endpoint_url": "http://127.0.0.1:1/acc1"}, "over https only"),
    ({"account_name": "Bad Name", "account_key": SECRET}, "account_name is an account's name"),
    ({"account_name": None, "account_key": SECRET}, "account_name is missing"),
    (
        {"account_name": None, "account_key": SECRET, "endpoint_url": "https://files.test"},
        "account_name is missing",
    ),
    ({"account_key": SECRET, "part_size": 1}, "part_size is 64 KiB"),
    ({"account_key": SECRET, "concurrency": 0}, "concurrency at least 1"),
    ({"account_key": SECRET, "download_concurrency": 0}, "download_concurrency"),
    ({"account_key": SECRET, "retries": -1}, "retries is 0 or more"),
    ({"account_key": SECRET, "paths": "any"}, "paths is 'strict' or 'service'"),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_cannot_be_meant_is_refused_with_the_way_out(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        AzureDriver("media", **{"account_name": "acc1", **options})
    for secret in (SECRET, SAS, "c2lnbmF0dXJl"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize("name", ["", "ab", "Upper", "a--b", "-a", "a-", "a/b", "a" * 64, "ü" * 5])
def test_a_container_has_a_containers_name(name: str) -> None:
    with pytest.raises(ConfigError, match="container is a container's name"):
        AzureDriver(name, account_name="acc1", account_key=SECRET)


async def test_every_way_in_opens_the_same_container(container: Container) -> None:
    server = container.server
    ways: list[dict[str, Any]] = [
        {"account_key": server.key},
        {"sas_token": signature_of(server, container.name)},
        {"sas_token": f"?{signature_of(server, container.name)}"},
        {"connection_string": server.connection_string, "endpoint_url": None},
        {
            "connection_string": f"BlobEndpoint={server.url};SharedAccessSignature="
            f"{signature_of(server, container.name)}",
            "endpoint_url": None,
        },
    ]
    for number, way in enumerate(ways):
        whom = {"account_key": None} if "connection_string" in way else {}
        driver = container.driver(**{**whom, **way})
        await driver.put(f"{number}", b"x")
        assert await driver.get("0") == b"x"
        assert (await driver.delete_many([f"{number}x", "y"])).ok


@pytest.mark.parametrize("kind", [Bearer, AsyncBearer])
async def test_a_token_is_asked_for_once_and_is_its_owners(
    secure: Container, kind: type[Any]
) -> None:
    credential = kind(secure.server.token)
    driver = secure.driver(credential=credential)
    await asyncio.gather(*(driver.write(f"{number}", Body(b"x")) for number in range(8)))
    await driver.aclose()
    if isinstance(credential, AsyncBearer):
        assert (credential.asked, credential.closed) == ([SCOPE], 0)


async def test_a_token_is_renewed_before_it_ends(secure: Container) -> None:
    credential = AsyncBearer(secure.server.token, lasting=4)
    driver = secure.driver(credential=credential)
    began = time.monotonic()
    while time.monotonic() - began < 3:
        await driver.write(KEY, Body(b"x"))
        await asyncio.sleep(0.1)
    assert 2 <= len(credential.asked) <= 3


async def test_a_token_the_service_refuses_is_renewed_once(secure: Container) -> None:
    secure.strict.settings(expired=[secure.server.token])
    credential = AsyncBearer(secure.server.token)
    driver = secure.driver(credential=credential)
    with pytest.raises(PermissionDenied, match="refuses the token"):
        await driver.write(KEY, Body(b"x"))
    assert len(credential.asked) == 2
    secure.strict.settings(expired=[])
    await driver.write(KEY, Body(b"x"))
    assert await read(driver) == b"x"


async def test_tokens_serve_several_loops(secure: Container) -> None:
    credential = AsyncBearer(secure.server.token)
    driver = secure.driver(credential=credential)
    await driver.put(KEY, b"x")
    assert await asyncio.to_thread(lambda: asyncio.run(driver.get(KEY))) == b"x"
    assert len(credential.asked) == 1


class Failing:
    """Says in its error what it should not."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        raise ClientAuthenticationError(f"no token for {SECRET}")


class AsyncFailing(Failing):
    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:  # type: ignore[override]
        raise ClientAuthenticationError(f"no token for {SECRET}")


@pytest.mark.parametrize("kind", [Failing, AsyncFailing])
async def test_a_credential_that_gives_no_token_says_so(secure: Container, kind: type[Any]) -> None:
    driver = secure.driver(credential=kind())
    with pytest.raises(PermissionDenied, match="gives no token") as caught:
        await driver.get(KEY)
    assert SECRET not in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


class Default(Bearer):
    """What stands for azure-identity's DefaultAzureCredential."""

    made = 0
    closed = 0

    def __init__(self) -> None:
        type(self).made += 1
        super().__init__(TOKEN[0])

    def close(self) -> None:
        type(self).closed += 1


TOKEN: list[str] = []


@pytest.mark.parametrize("options", [{"credential": None}, {"credential": "default"}], ids=str)
async def test_without_any_credential_it_is_the_default_one_and_ours_to_close(
    secure: Container, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    module = ModuleType("azure.identity")
    kind = type("DefaultAzureCredential", (Default,), {})
    module.DefaultAzureCredential = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "azure.identity", module)
    TOKEN[:] = [secure.server.token]
    driver = secure.driver(**options)
    assert kind.made == 0
    await driver.put(KEY, b"x")
    await driver.temporary_url(KEY, timedelta(hours=1))
    assert (kind.made, kind.closed) == (1, 0)
    await driver.aclose()
    await driver.aclose()
    assert (kind.made, kind.closed) == (1, 1)


async def test_without_azure_identity_the_command_to_get_it_is_named(
    secure: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    driver = secure.driver(credential="default")
    with pytest.raises(
        MissingPackage,
        match=r"azure-identity is not installed; run: pip install 'storeroom.azure-identity.'",
    ):
        await driver.get(KEY)


async def test_the_real_default_credential_finds_nobody_here(
    secure: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every source switched off but the one that answers at once."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    driver = secure.driver(credential="default")
    with pytest.raises(PermissionDenied, match="gives no token"):
        await driver.get(KEY)


async def test_many_removals_are_made_with_the_new_token_and_the_new_clock(
    container: Container, secure: Container
) -> None:
    """What was refused as a whole has the old ones inside."""
    for place in (container, secure):
        for name in "ab":
            place.put(b"x", name)
    container.strict.settings(clock=3600)
    assert await container.driver().remove_many(["a", "b"]) == {"a": True, "b": True}
    container.strict.settings(clock=0)
    credential = Renewing("old")
    secure.strict.settings(expired=["old"])
    driver = secure.driver(credential=credential)
    credential.next = secure.server.token
    assert await driver.remove_many(["a", "b"]) == {"a": True, "b": True}


class Renewing:
    """A token that is refused, and then one that is not."""

    def __init__(self, first: str) -> None:
        self.first: str | None = first
        self.next = ""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        text, self.first = self.first or self.next, None
        return AccessToken(text, int(time.time()) + 3600)


@pytest.mark.parametrize(
    "options",
    [
        {"endpoint_url": "http://files.test/acc1", "sas_token": SAS},
        {
            "connection_string": f"BlobEndpoint=http://files.test/acc1;SharedAccessSignature={SAS}",
        },
    ],
    ids=str,
)
def test_a_signature_does_not_travel_in_the_open(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="over https only"):
        AzureDriver("media", **options)
    AzureDriver("media", endpoint_url="http://localhost:10000/acc1", sas_token=SAS)


@pytest.mark.parametrize("said", ["DefaultEndpointsProtocol=ftp", "EndpointSuffix=a?b"])
def test_a_connection_string_makes_an_address(said: str) -> None:
    with pytest.raises(ConfigError, match="what connection_string makes of"):
        AzureDriver("media", connection_string=f"AccountName=acc1;AccountKey={SECRET};{said}")


async def test_a_default_credential_that_is_forgotten_while_it_is_asked_gives_its_token(
    secure: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Standard()

    class Forgotten(Bearer):
        def __init__(self) -> None:
            super().__init__(TOKEN[0])

        def get_token(self, *scopes: str, **_: Any) -> AccessToken:
            source.forget()
            return super().get_token(*scopes)

    module = ModuleType("azure.identity")
    module.DefaultAzureCredential = Forgotten  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "azure.identity", module)
    TOKEN[:] = [secure.server.token]
    assert source.fetch().text == secure.server.token
    assert source.fetch().text == secure.server.token
