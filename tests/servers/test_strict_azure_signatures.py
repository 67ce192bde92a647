"""The strict Azure server lets in whom the official client signs for, and nobody else."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from azure.storage.blob import generate_account_sas, generate_blob_sas, generate_container_sas

from tests.servers.azure import AzureServer, Bearer
from tests.servers.azure_refusals import refused
from tests.servers.azure_requests import send, signed
from tests.servers.strict_azure import StrictAzure

UGLY = "a b/ü%2F+😀.txt"
HOUR = timedelta(hours=1)


@pytest.fixture
def container(strict_azure: StrictAzure, levers: None) -> str:
    """With one blob of an ugly name."""
    name = strict_azure.make_container()
    strict_azure.container(name).upload_blob(UGLY, b"kept")
    return name


def later() -> datetime:
    return datetime.now(UTC) + HOUR


def of_blob(server: AzureServer, container: str, **settings: Any) -> str:
    """The path with a signature to read the ugly blob."""
    said = {"permission": "r", "expiry": later(), "account_key": server.key} | settings
    signature = generate_blob_sas(server.account, container, UGLY, **said)
    return f"/{server.account}/{container}/{quote(UGLY)}?{signature}"


@pytest.mark.parametrize("name", ["strict_azure", "strict_azure_tls"])
def test_the_key_of_an_account_lets_in(name: str, request: pytest.FixtureRequest) -> None:
    server: StrictAzure = request.getfixturevalue(name)
    for account in (server, server.other()):
        client = account.container(account.make_container(metadata={"a_b": "1", "a1": "2"}))
        client.upload_blob(UGLY, b"kept", metadata={"a_b": "1", "a1": "2", "Ab": "3"})
        assert client.download_blob(UGLY).readall() == b"kept"
        assert [blob.name for blob in client.list_blobs(include=["metadata", "tags"])] == [UGLY]


def test_another_key_is_refused(strict_azure: StrictAzure) -> None:
    key = {"account_name": strict_azure.account, "account_key": strict_azure.other().key}
    with refused("AuthenticationFailed", 403):
        strict_azure.client(key).create_container("refused")
    stranger = {"account_name": "stranger", "account_key": strict_azure.key}
    with refused("AuthenticationFailed", 403):
        strict_azure.client(stranger).create_container("refused")


def test_what_is_signed_is_what_is_documented(strict_azure: StrictAzure, container: str) -> None:
    target = f"/{container}/x?timeout=30&comp=metadata"
    assert signed(strict_azure, "PUT", f"/{container}/x", headers=BLOCK_BLOB).status == 201
    metadata = {"x-ms-meta-one": "1", "content-type": "text/x"}
    assert signed(strict_azure, "PUT", target, headers=metadata).status == 200
    part = {"range": "bytes=0-1", "if-unmodified-since": "Mon, 01 Jan 2035 00:00:00 GMT"}
    read = signed(strict_azure, "GET", f"/{container}/{quote(UGLY)}", headers=part)
    assert (read.status, read.body) == (206, b"ke")


BLOCK_BLOB = {"x-ms-blob-type": "BlockBlob"}


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ms-date": "Mon, 01 Jan 2024 00:00:00 GMT"},
        {"x-ms-date": "yesterday"},
    ],
)
def test_old_requests_are_refused(
    strict_azure: StrictAzure, container: str, headers: dict[str, str]
) -> None:
    answer = signed(strict_azure, "GET", f"/{container}/x", headers=headers)
    assert (answer.status, answer.code) == (403, "AuthenticationFailed")


def test_a_request_says_its_version(strict_azure: StrictAzure, container: str) -> None:
    answer = signed(strict_azure, "GET", f"/{container}/x", headers={"x-ms-version": ""})
    assert (answer.status, answer.code) == (400, "MissingRequiredHeader")


def test_a_header_that_is_not_ascii_is_refused(strict_azure: StrictAzure, container: str) -> None:
    client = strict_azure.container(container)
    with refused("AuthenticationFailed", 403):
        client.upload_blob("x", b"", metadata={"name": "ü"})


def test_a_clock_that_is_wrong_is_told(strict_azure: StrictAzure, container: str) -> None:
    strict_azure.settings(clock=3600)
    with refused("AuthenticationFailed", 403):
        strict_azure.container(container).download_blob(UGLY)


def test_a_signature_in_the_url_reads_its_blob(strict_azure: StrictAzure, container: str) -> None:
    target = of_blob(strict_azure, container)
    answer = send(strict_azure, "GET", target)
    assert (answer.status, answer.body) == (200, b"kept")
    assert send(strict_azure, "HEAD", target).status == 200
    other = target.replace(quote(UGLY), "other")
    assert send(strict_azure, "GET", other).code == "AuthenticationFailed"
    written = send(strict_azure, "PUT", target, headers=BLOCK_BLOB, body=b"x")
    assert (written.status, written.code) == (403, "AuthorizationPermissionMismatch")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"expiry": datetime(2020, 1, 1, tzinfo=UTC)}, "AuthenticationFailed"),
        ({"start": datetime(2099, 1, 1, tzinfo=UTC)}, "AuthenticationFailed"),
        ({"account_key": "c29tZSBvdGhlciBrZXk="}, "AuthenticationFailed"),
        ({"permission": "w"}, "AuthorizationPermissionMismatch"),
        ({"protocol": "https"}, "AuthorizationProtocolMismatch"),
        ({"ip": "10.0.0.1-10.0.0.9"}, "AuthorizationSourceIPMismatch"),
    ],
)
def test_a_signature_in_the_url_has_limits(
    strict_azure: StrictAzure, container: str, settings: dict[str, Any], code: str
) -> None:
    answer = send(strict_azure, "GET", of_blob(strict_azure, container, **settings))
    assert (answer.status, answer.code) == (403, code)


def test_what_is_changed_in_a_signature_is_seen(strict_azure: StrictAzure, container: str) -> None:
    target = of_blob(
        strict_azure, container, ip="127.0.0.1", start=datetime(2020, 1, 1, tzinfo=UTC)
    )
    assert send(strict_azure, "GET", target).status == 200
    for old, new in (("sp=r", "sp=rw"), ("sip=127.0.0.1", "sip=0.0.0.0"), ("st=2020", "st=2021")):
        assert old in target
        assert send(strict_azure, "GET", target.replace(old, new)).code == "AuthenticationFailed"


def test_a_signature_gives_headers_to_the_reply(strict_azure: StrictAzure, container: str) -> None:
    said = 'attachment; filename="a b;.txt"'
    target = of_blob(
        strict_azure, container, content_disposition=said, content_type="text/html; charset=utf-8"
    )
    answer = send(strict_azure, "GET", target)
    assert answer.headers["Content-Disposition"] == said
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    forged = target.replace("rsct=text/html", "rsct=text/xml")
    assert send(strict_azure, "GET", forged).status == 403


def test_a_signature_to_create_does_not_replace(strict_azure: StrictAzure, container: str) -> None:
    signature = generate_container_sas(
        strict_azure.account, container, strict_azure.key, permission="cl", expiry=later()
    )
    client = strict_azure.container(container, signature)
    client.upload_blob("new", b"1")
    with refused("AuthorizationPermissionMismatch", 403):
        client.upload_blob("new", b"2", overwrite=True)
    assert len(list(client.list_blobs())) == 2
    with refused("AuthorizationFailure", 403):
        client.delete_container()


def test_a_signature_of_the_account(strict_azure: StrictAzure, container: str) -> None:
    def client(kinds: str, permission: str) -> Any:
        signature = generate_account_sas(
            strict_azure.account, strict_azure.key, kinds, permission, later()
        )
        return strict_azure.container(container, signature)

    assert client("o", "r").download_blob(UGLY).readall() == b"kept"
    assert len(list(client("c", "l").list_blobs())) == 1
    with refused("AuthorizationResourceTypeMismatch", 403):
        client("c", "r").download_blob(UGLY)
    with refused("AuthorizationPermissionMismatch", 403):
        client("co", "r").delete_blob(UGLY)


def test_a_token_lets_in_over_https_only(
    strict_azure: StrictAzure, strict_azure_tls: StrictAzure, levers: None
) -> None:
    client = strict_azure_tls.container(
        strict_azure_tls.make_container(), Bearer(strict_azure_tls.token)
    )
    client.upload_blob("x", b"kept")
    assert client.download_blob("x").readall() == b"kept"
    headers = {"Authorization": f"Bearer {strict_azure.token}", "x-ms-version": "2025-11-05"}
    plain = send(strict_azure, "GET", f"/{strict_azure.account}/a/b", headers=headers)
    assert plain.status == 403
    strict_azure_tls.settings(expired=[strict_azure_tls.token])
    with refused("InvalidAuthenticationInfo", 401) as said:
        client.download_blob("x")
    assert said["www-authenticate"].startswith("Bearer authorization_uri=https://login.")


def test_a_delegated_key_signs(strict_azure_tls: StrictAzure, levers: None) -> None:
    server, now = strict_azure_tls, datetime.now(UTC)
    container = server.make_container()
    server.container(container).upload_blob(UGLY, b"kept")
    client = server.client(Bearer(server.token))
    key = client.get_user_delegation_key(now, now + HOUR)
    with refused("AuthenticationFailed", 403):
        server.client().get_user_delegation_key(now, now + HOUR)
    delegated = {"account_key": None, "user_delegation_key": key}
    target = of_blob(server, container, protocol="https", **delegated)
    assert send(server, "GET", target).body == b"kept"
    forged = target.replace("skoid=1", "skoid=2")
    assert send(server, "GET", forged).code == "AuthenticationFailed"
    server.settings(clock=7200)
    longer = of_blob(server, container, expiry=now + 9 * HOUR, **delegated)
    assert send(server, "GET", longer).code == "AuthenticationFailed"


def test_strangers_see_what_is_public(strict_azure: StrictAzure, levers: None) -> None:
    for access, may_list in (("blob", 404), ("container", 200), (None, 404)):
        name = strict_azure.make_container(public_access=access)
        strict_azure.container(name).upload_blob("x", b"seen")
        place = f"/{strict_azure.account}/{name}"
        seen = send(strict_azure, "GET", f"{place}/x")
        assert seen.status == (200 if access else 404)
        assert send(strict_azure, "GET", f"{place}?restype=container&comp=list").status == may_list
        written = send(strict_azure, "PUT", f"{place}/x", headers=BLOCK_BLOB, body=b"")
        assert (written.status, written.code) == (401, "NoAuthenticationInformation")
    strict_azure.settings(public_access=False)
    with refused("PublicAccessNotPermitted", 409):
        strict_azure.make_container(public_access="blob")
