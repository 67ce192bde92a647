"""Azurite lets in who may, by key, signature and token, and keeps what it is given."""

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from azure.storage.blob import UserDelegationKey

from tests.servers.azure import AsyncBearer, AzureServer, Bearer
from tests.servers.azure_refusals import refused
from tests.servers.azurite import azurite_process, azurite_server, bearer_token
from tests.servers.process import is_listening


@pytest.mark.parametrize("name", ["azurite", "azurite_tls"])
def test_a_blob_is_kept(name: str, request: pytest.FixtureRequest) -> None:
    server: AzureServer = request.getfixturevalue(name)
    for account in (server, server.other()):
        container = account.container(account.make_container())
        container.upload_blob("a b/ü%2F+.txt", b"kept")
        assert container.download_blob("a b/ü%2F+.txt").readall() == b"kept"
    assert server.url.startswith("https") is name.endswith("_tls")


def test_every_container_is_a_new_one(azurite: AzureServer) -> None:
    assert azurite.make_container() != azurite.make_container()


def test_another_key_is_refused(azurite: AzureServer) -> None:
    key = {"account_name": azurite.account, "account_key": azurite.other().key}
    with refused("AuthorizationFailure", 403):
        azurite.client(key).create_container("refused")


def test_a_token_lets_in(azurite_tls: AzureServer) -> None:
    container = azurite_tls.container(azurite_tls.make_container(), Bearer(azurite_tls.token))
    container.upload_blob("x", b"kept")
    assert container.download_blob("x").readall() == b"kept"


@pytest.mark.parametrize(
    "token",
    [
        "no token",
        bearer_token(lasting=-1),
        bearer_token(audience="https://vault.azure.net"),
        bearer_token(issuer="https://example.com/"),
    ],
    ids=["nonsense", "expired", "audience", "issuer"],
)
def test_a_token_is_looked_at(azurite_tls: AzureServer, token: str) -> None:
    container = azurite_tls.container(azurite_tls.make_container(), Bearer(token))
    with refused("AuthenticationFailed", 403):
        container.upload_blob("x", b"refused")


@pytest.mark.parametrize("version", ["2020-02-10", "2024-11-04", "2025-11-05"])
def test_a_delegated_key_signs(azurite_tls: AzureServer, version: str) -> None:
    name = azurite_tls.make_container()
    azurite_tls.container(name).upload_blob("x", b"kept")
    now = datetime.now(UTC).replace(microsecond=0)
    key = azurite_tls.client(Bearer(azurite_tls.token)).get_user_delegation_key(
        now, now + timedelta(hours=1)
    )
    signature = delegated(key, f"/blob/{azurite_tls.account}/{name}/x", version)
    read = azurite_tls.container(name, signature).download_blob("x").readall()
    assert read == b"kept"
    with refused("AuthorizationFailure", 403):
        azurite_tls.container(name, f"{signature}x").download_blob("x")


def delegated(key: UserDelegationKey, resource: str, version: str) -> str:
    """By hand: the SDK's own signature is of a version that Azurite does not know."""
    signer = {
        "skoid": key.signed_oid,
        "sktid": key.signed_tid,
        "skt": key.signed_start,
        "ske": key.signed_expiry,
        "sks": key.signed_service,
        "skv": key.signed_version,
    }
    said = {"sp": "r", "se": key.signed_expiry, "sv": version, "sr": "b", **signer}
    delegates = 5 if version >= "2025-07-05" else 3
    scopes = 1 if version >= "2020-12-06" else 0
    lines = ["r", "", key.signed_expiry, resource, *signer.values(), *[""] * delegates]
    lines += ["", "", version, "b", "", *[""] * scopes, *[""] * 5]
    secret = base64.b64decode(key.value)
    signature = hmac.new(secret, "\n".join(lines).encode(), hashlib.sha256).digest()
    return urlencode(said | {"sig": base64.b64encode(signature).decode()})


async def test_a_credential_tells_what_it_was_asked() -> None:
    async with AsyncBearer("a token", lasting=60) as credential:
        said = await credential.get_token("https://storage.azure.com/.default")
    assert said.token == "a token"
    assert 50 < said.expires_on - time.time() <= 60
    assert credential.asked == [("https://storage.azure.com/.default",)]
    assert credential.closed == 1


def test_the_server_comes_back_on_its_port_and_is_gone_after_its_block() -> None:
    with azurite_process() as process:
        port = process.port
        process.stop()
        assert not is_listening(port)
        process.start()
        assert process.port == port
        azurite_server(process).make_container()
    assert not is_listening(port)
