"""Credentials as the SDK's chain finds them, judged by a server that verifies what they sign."""

import hashlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, PermissionDenied
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import KEY, Bucket, files, read
from tests.servers.issuer import Issuer
from tests.servers.keys import OWNER, TEMPORARY
from tests.servers.s3 import S3Server

WHOM = {"access_key": None, "secret_key": None}
ROLE = "arn:aws:iam::123456789012:role/the-role"


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials of whoever runs the tests."""
    setting(
        monkeypatch,
        AWS_CONFIG_FILE=tmp_path / "config",
        AWS_SHARED_CREDENTIALS_FILE=tmp_path / "credentials",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_DEFAULT_REGION="us-east-1",
    )


def setting(monkeypatch: pytest.MonkeyPatch, **variables: object) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))


async def use(bucket: Bucket, **options: Any) -> S3Driver:
    """A driver of the chain that wrote, read and listed."""
    driver = bucket.driver(**{**WHOM, **options})
    await driver.write(KEY, Body(b"by the chain"))
    assert await read(driver) == b"by the chain"
    assert await files(driver) == [KEY]
    return driver


async def test_of_the_environment(
    bucket: Bucket, each_transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting(
        monkeypatch,
        AWS_ACCESS_KEY_ID=TEMPORARY.access,
        AWS_SECRET_ACCESS_KEY=TEMPORARY.secret,
        AWS_SESSION_TOKEN=TEMPORARY.token,
    )
    await use(bucket, transport=each_transport)


@pytest.mark.parametrize("profile", ["default", "work"])
async def test_of_the_shared_files(
    bucket: Bucket, each_transport: str, tmp_path: Path, profile: str
) -> None:
    (tmp_path / "credentials").write_text(
        f"[{profile}]\naws_access_key_id = {TEMPORARY.access}\n"
        f"aws_secret_access_key = {TEMPORARY.secret}\naws_session_token = {TEMPORARY.token}\n"
    )
    named = {} if profile == "default" else {"profile": profile}
    await use(bucket, transport=each_transport, **named)


async def test_of_a_program_that_a_profile_names(bucket: Bucket, tmp_path: Path) -> None:
    told = {
        "Version": 1,
        "AccessKeyId": TEMPORARY.access,
        "SecretAccessKey": TEMPORARY.secret,
        "SessionToken": TEMPORARY.token,
        "Expiration": "2100-01-01T00:00:00Z",
    }
    (tmp_path / "told.json").write_text(json.dumps(told))
    (tmp_path / "config").write_text(
        f"[profile work]\ncredential_process = /bin/cat {tmp_path / 'told.json'}\n"
    )
    await use(bucket, profile="work")


async def test_of_a_container_role(
    bucket: Bucket, each_transport: str, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the container's token")
    await use(bucket, transport=each_transport)
    assert issuer.asked == ["/container"]
    assert issuer.token == "the container's token"


async def test_of_an_instance_role(
    bucket: Bucket, each_transport: str, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", issuer.url)
    await use(bucket, transport=each_transport)
    assert issuer.asked[0] == "/latest/api/token"
    assert len(issuer.asked) == 3


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that an orchestrator mounts."""
    file = tmp_path / "token"
    file.write_text("a web identity")
    setting(monkeypatch, AWS_WEB_IDENTITY_TOKEN_FILE=file, AWS_ROLE_ARN=ROLE)
    return file


async def test_of_a_web_identity(
    bucket: Bucket,
    each_transport: str,
    issuer: Issuer,
    identity: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", issuer.url)
    await use(bucket, transport=each_transport)
    assert issuer.asked == ["/"]
    assert issuer.token == "a web identity"


async def test_of_a_web_identity_by_the_sts_of_moto(
    moto: S3Server, identity: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.url)
    bucket = Bucket(moto, moto.make_bucket())
    driver = await use(bucket)
    assert "X-Amz-Security-Token=" in await driver.temporary_url(KEY, 60)
    await bucket.aclose()


SIGNED_ON = """
import asyncio, sys
from storeroom.contracts.body import Body
from storeroom.drivers.s3 import S3Driver

async def main():
    driver = S3Driver(sys.argv[1], endpoint_url=sys.argv[2], region="us-east-1", profile="work")
    await driver.write("a", Body(b"x"))
    print((await driver.stat("a")).size)
    await driver.aclose()

asyncio.run(main())
"""


def test_of_a_single_sign_on(bucket: Bucket, issuer: Issuer, tmp_path: Path) -> None:
    """In a process of its own, for the SDK looks for the home folder once."""
    start = "https://the-company.awsapps.com/start"
    (tmp_path / "config").write_text(
        f"[profile work]\nsso_start_url = {start}\nsso_region = us-east-1\n"
        "sso_account_id = 123456789012\nsso_role_name = the-role\n"
    )
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    token = {"startUrl": start, "accessToken": "signed on", "expiresAt": "2100-01-01T00:00:00Z"}
    (cache / f"{hashlib.sha1(start.encode()).hexdigest()}.json").write_text(json.dumps(token))
    outside = {"HOME": str(tmp_path), "AWS_ENDPOINT_URL_SSO": issuer.url}
    assert run(SIGNED_ON, bucket.name, bucket.server.url, **outside) == "1\n"
    assert issuer.asked == ["/federation/credentials"]
    assert issuer.token == "signed on"


async def test_nobody_is_told_how_to_become_somebody(bucket: Bucket, each_transport: str) -> None:
    driver = bucket.driver(**WHOM, transport=each_transport)
    with pytest.raises(PermissionDenied, match="give access_key and secret_key, a profile, or"):
        await driver.stat(KEY)
    with pytest.raises(PermissionDenied, match="there are no credentials"):
        await driver.temporary_url(KEY, 60)


@pytest.mark.parametrize("options", [{}, {"region": None}], ids=["with region", "without region"])
async def test_a_profile_that_is_not_there(bucket: Bucket, options: Mapping[str, Any]) -> None:
    driver = bucket.driver(**WHOM, profile="nobody's", **options)
    with pytest.raises(ConfigError, match=r"nobody's.*could not be found; name one of"):
        await driver.stat(KEY)


async def test_a_token_file_that_is_not_there(
    bucket: Bucket, each_transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting(monkeypatch, AWS_WEB_IDENTITY_TOKEN_FILE="/not/there", AWS_ROLE_ARN=ROLE)
    with pytest.raises(PermissionDenied, match="FileNotFoundError: /not/there"):
        await bucket.driver(**WHOM, transport=each_transport).stat(KEY)


async def test_a_role_that_is_not_given_to_whoever_asks(
    bucket: Bucket,
    issuer: Issuer,
    identity: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", issuer.url)
    issuer.refuses = True
    with pytest.raises(PermissionDenied, match=r"\(ClientError: AccessDenied\)") as refused:
        await bucket.driver(**WHOM).stat(KEY)
    assert "a web identity" not in f"{refused.value!r}"


async def test_an_issuer_that_gives_no_credentials(bucket: Bucket, issuer: Issuer) -> None:
    issuer.refuses = True
    with pytest.raises(PermissionDenied, match="finds no credentials that work") as refused:
        await bucket.driver(**WHOM).stat(KEY)
    assert TEMPORARY.secret not in f"{refused.value!r} {refused.value.__cause__!r}"


async def test_what_the_chain_finds_is_told_to_nobody(
    bucket: Bucket, each_transport: str, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    driver = await use(bucket, transport=each_transport)
    told = f"{driver!r} {vars(driver)!r} {vars(driver._service.keys)!r} {caplog.text}"
    assert TEMPORARY.secret not in told
    assert TEMPORARY.token not in told


async def test_given_keys_win_over_the_chain(bucket: Bucket, issuer: Issuer) -> None:
    await use(bucket, access_key=OWNER.access, secret_key=OWNER.secret)
    assert issuer.asked == []


def run(program: str, /, *words: str, **outside: str) -> str:
    """What the program says, in this environment and more."""
    told = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, **outside},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return told.stdout + told.stderr
