"""Credentials of every source, judged by a server that verifies what they are worth."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, PermissionDenied, Unavailable
from storeroom.drivers._gcs.credentials import Bearer
from storeroom.drivers._http.renewal import Keys
from storeroom.drivers.gcs import GCSDriver
from tests.drivers.gcs.bucket import Bucket, files, read
from tests.drivers.s3.bucket import KEY
from tests.servers import google_keys
from tests.servers.strict_gcs import Fault, StrictGcs

FOUND: dict[str, Any] = {"credentials": None}


async def use(driver: GCSDriver) -> GCSDriver:
    """The driver, after it wrote, read and listed."""
    await driver.write(KEY, Body(b"by these credentials"))
    assert await read(driver) == b"by these credentials"
    assert await files(driver) == [KEY]
    return driver


def impersonating(server: StrictGcs, source: dict[str, Any]) -> dict[str, Any]:
    url = f"{server.url}/v1/projects/-/serviceAccounts/{google_keys.EMAIL}:generateAccessToken"
    return {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": url,
        "source_credentials": source,
        "delegates": [],
    }


SOURCES: dict[str, Callable[[StrictGcs, Path], dict[str, Any]]] = {
    "service account": lambda server, _: server.service_account(),
    "person": lambda server, _: server.authorized_user(),
    "workload identity": lambda server, folder: server.external_account(folder / "subject"),
    "workload identity by gcloud's config": lambda server, folder: {
        **server.external_account(folder / "subject"),
        "credential_source": {
            "file": str(folder / "subject"),
            "format": {"type": "text"},
        },
    },
    "impersonated by a person": lambda server, _: impersonating(server, server.authorized_user()),
    "impersonated by a service account": lambda server, _: impersonating(
        server, server.service_account()
    ),
}


@pytest.mark.parametrize("source", SOURCES)
async def test_each_source_lets_in(
    bucket: Bucket, each_transport: str, tmp_path: Path, source: str
) -> None:
    given = SOURCES[source](bucket.strict, tmp_path)
    await use(bucket.driver(credentials=given, transport=each_transport))


async def test_a_federated_identity_that_impersonates_lets_in(
    bucket: Bucket, tmp_path: Path
) -> None:
    given = bucket.strict.external_account(tmp_path / "subject", impersonates=True)
    await use(bucket.driver(credentials=given))


async def test_a_token_of_another_provider_comes_from_an_address(
    bucket: Bucket, tmp_path: Path
) -> None:
    """As GitHub's and Azure's do: in JSON, behind a header."""
    subject = tmp_path / "subject"
    given = bucket.strict.external_account(subject)
    async with serving({"value": subject.read_text()}) as port:
        given["credential_source"] = {
            "url": f"http://127.0.0.1:{port}/",
            "headers": {"x-asked": "yes"},
            "format": {"type": "json", "subject_token_field_name": "value"},
        }
        await use(bucket.driver(credentials=given))


@asynccontextmanager
async def serving(told: object) -> AsyncGenerator[int]:
    """The port where whoever asks is told the same."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(told).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        writer.write(f"{head}\r\nconnection: close\r\n\r\n".encode() + body)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("option", ["credentials_path", "key_file"])
async def test_of_a_file(bucket: Bucket, tmp_path: Path, option: str) -> None:
    file = written(tmp_path / "key.json", bucket.strict.service_account())
    await use(bucket.driver(**{option: str(file)}))


@pytest.mark.parametrize("option", ["credentials", "key_file"])
async def test_of_the_contents_of_a_file(bucket: Bucket, option: str) -> None:
    await use(bucket.driver(**{option: bucket.strict.service_account()}))
    if option == "credentials":
        await use(bucket.driver(credentials=json.dumps(bucket.strict.service_account())))


async def test_of_a_file_that_the_environment_names(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "key.json", bucket.strict.service_account())
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    await use(bucket.driver(**FOUND))


async def test_of_the_file_that_gcloud_wrote(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "home/.config/gcloud/application_default_credentials.json"
    file.parent.mkdir(parents=True)
    written(file, bucket.strict.authorized_user())
    monkeypatch.delenv("CLOUDSDK_CONFIG")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    await use(bucket.driver(**FOUND))


@pytest.mark.parametrize("variable", ["GCE_METADATA_HOST", "GCE_METADATA_ROOT"])
async def test_of_the_machine(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, bucket.strict.url.partition("://")[2])
    with bucket.strict.watching() as wire:
        await use(bucket.driver(**FOUND))
    assert wire.operations.count("metadata") == 1


async def test_who_is_anonymous_reads_what_is_public(bucket: Bucket) -> None:
    bucket.put(b"for all", acl=[{"entity": "allUsers", "role": "READER"}])
    bucket.put(b"for some", "private")
    driver = bucket.driver(anonymous=True)
    assert await read(driver) == b"for all"
    with pytest.raises(PermissionDenied):
        await read(driver, "private")


async def test_an_emulator_that_the_environment_names_needs_no_credentials(
    strict_gcs: StrictGcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = strict_gcs.url.partition("://")[2]
    for name in (strict_gcs.url, place):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", name)
        driver = GCSDriver("media")
        assert driver.url("a b") == f"{strict_gcs.url}/media/a%20b"
    assert (
        GCSDriver("media", endpoint_url="https://gcs.test").url("a") == "https://gcs.test/media/a"
    )


async def test_nobody_is_told_how_to_become_somebody(
    bucket: Bucket, each_transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    driver = bucket.driver(**FOUND, transport=each_transport)
    with pytest.raises(PermissionDenied, match="give credentials_path or credentials, set GOOGLE"):
        await driver.stat(KEY)
    with pytest.raises(PermissionDenied, match="there are no credentials"):
        await driver.temporary_url(KEY, 60)


async def test_a_token_is_asked_for_once_and_shared(bucket: Bucket) -> None:
    driver = bucket.driver()
    with bucket.strict.watching() as wire:
        await asyncio.gather(*(driver.write(f"{n}", Body(b"x")) for n in range(10)))
    assert wire.operations.count("token") == 1


async def test_a_token_that_ends_is_replaced_before(bucket: Bucket) -> None:
    bucket.strict.settings(token_lifetime=2)
    driver = bucket.driver()
    with bucket.strict.watching() as wire:
        for _ in range(8):
            await driver.write(KEY, Body(b"x"))
            await asyncio.sleep(0.3)
    assert wire.operations.count("token") >= 2
    assert {seen.status for seen in wire.requests} == {200}


async def test_a_token_that_is_refused_is_replaced_once(
    bucket: Bucket, each_transport: str
) -> None:
    driver = bucket.driver(transport=each_transport)
    await driver.write(KEY, Body(b"x"))
    bucket.strict.expire_tokens()
    with bucket.strict.watching() as wire:
        assert await read(driver) == b"x"
    assert wire.operations == ["xml-get", "token", "xml-get"]
    bucket.fail(Fault("answer", status=401, times=100))
    with bucket.strict.watching() as wire, pytest.raises(PermissionDenied):
        await driver.stat(KEY)
    assert wire.operations == ["get", "token", "get"]


async def test_old_tokens_serve_on_while_no_new_ones_come(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.strict.settings(token_lifetime=3)
    driver = bucket.driver(retries=0)
    await driver.write(KEY, Body(b"x"))
    bucket.strict.fail(Fault("answer", operation="token", status=503, times=100))
    await asyncio.sleep(1.6)
    with caplog.at_level(logging.WARNING, "storeroom"):
        assert await read(driver) == b"x"
    assert "the old credentials serve on" in caplog.text


async def test_a_service_of_tokens_that_is_down_is_no_refusal(bucket: Bucket) -> None:
    bucket.strict.fail(Fault("answer", operation="token", status=503, times=100))
    with pytest.raises(Unavailable, match="no tokens now"):
        await bucket.driver(retries=0).stat(KEY)


async def test_a_token_that_another_renewed_is_not_thrown_away() -> None:
    class Issuer:
        def fetch(self) -> Bearer:
            return Bearer("new")

        def forget(self) -> None: ...

    keys = Keys[Bearer](None, Issuer())
    new = await keys.get()
    assert keys.forget(Bearer("old"))
    assert keys.ready() is new
    assert keys.forget(new)
    assert keys.ready() is None


async def test_a_password_in_netrc_is_shown_to_nobody(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    await use(bucket.driver(transport="sdk"))


async def test_who_issues_tokens_is_asked_again_after_a_failure(bucket: Bucket) -> None:
    bucket.strict.fail(Fault("answer", operation="token", status=503))
    bucket.strict.fail(Fault("close", operation="token"))
    with bucket.strict.watching() as wire:
        await bucket.driver().write(KEY, Body(b"x"))
    assert wire.operations == ["token", "token", "token", "insert"]


async def test_a_key_file_that_was_replaced_is_read_again(bucket: Bucket, tmp_path: Path) -> None:
    file = written(tmp_path / "key.json", bucket.strict.authorized_user())
    driver = bucket.driver(credentials_path=str(file))
    await driver.write(KEY, Body(b"x"))
    written(file, {**bucket.strict.authorized_user(), "refresh_token": "revoked"})
    bucket.strict.expire_tokens()
    with pytest.raises(PermissionDenied, match="status 400, invalid_grant"):
        await read(driver)
    written(file, bucket.strict.service_account())
    assert await read(driver) == b"x"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"credentials": "not json"}, "credentials is no JSON"),
    ({"credentials": "[1]"}, "credentials holds no credentials"),
    ({"credentials": {"type": "nothing"}}, "of no known type: service_account"),
    ({"credentials": {"type": "service_account"}}, "without client_email"),
    (
        {
            "credentials": {
                "type": "external_account",
                "audience": "a",
                "subject_token_type": "b",
                "token_url": "https://sts.test",
                "credential_source": {"environment_id": "aws1"},
            }
        },
        "of AWS or of a program",
    ),
    ({"credentials_path": "a", "credentials": "{}"}, "say the same in two ways"),
    ({"key_file": "a", "credentials_path": "b"}, "say the same in two ways"),
    ({"anonymous": True, "key_file": "a"}, "leave key_file out"),
    ({"endpoint_url": "http://gcs.test"}, "in the clear over http"),
    ({"endpoint_url": "http://10.0.0.1:80"}, "in the clear over http"),
    ({"endpoint_url": "ftp://gcs.test"}, "endpoint_url is a URL"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED, ids=str)
def test_what_cannot_be_is_refused_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        GCSDriver("media", **options)


@pytest.mark.parametrize(
    "place", ["http://localhost:4443", "http://127.0.0.1", "http://[::1]:80", "http://a.localhost"]
)
def test_on_this_machine_a_token_may_go_in_the_clear(place: str) -> None:
    GCSDriver("media", endpoint_url=place)
    GCSDriver("media", endpoint_url="http://gcs.test", anonymous=True)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (None, "there is no credentials file"),
        ("not json: s3cr3t", "is no JSON"),
        ('{"type": "service_account", "client_email": "a@b"}', "without private_key"),
        ('{"type": "service_account", "client_email": "a", "private_key": "s3cr3t"}', "no RSA key"),
    ],
    ids=["missing", "text", "half", "no key"],
)
async def test_a_file_that_is_no_good_says_so_and_is_not_quoted(
    bucket: Bucket, tmp_path: Path, contents: str | None, words: str
) -> None:
    """The SDK would take the machine's own account instead of a file that it cannot read."""
    file = tmp_path / "key.json"
    if contents is not None:
        file.write_text(contents)
    with pytest.raises(ConfigError, match=words) as caught:
        await bucket.driver(credentials_path=str(file)).stat(KEY)
    assert "s3cr3t" not in f"{caught.value} {caught.value.__cause__}"


def written(file: Path, told: object) -> Path:
    file.write_text(json.dumps(told))
    return file
