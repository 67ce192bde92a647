"""What the service refuses becomes a kind and a sentence with the way out; what can be mended is."""

import asyncio
import logging
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    ConfigError,
    NotFound,
    PermissionDenied,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import WriteOptions
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import KEY, Bucket, read
from tests.servers.keys import SECRET_KEY, TEMPORARY
from tests.servers.process import free_port
from tests.servers.strict_s3 import Fault, StrictS3


@pytest.fixture(params=["direct", "sdk"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def told(driver: S3Driver, kind: type[StorageError]) -> str:
    with pytest.raises(kind) as caught:
        await driver.get("a")
    text = str(caught.value)
    assert SECRET_KEY not in text
    assert "Signature=" not in text
    return text


async def test_a_missing_bucket_is_named(bucket: Bucket, transport: str) -> None:
    driver = S3Driver(
        "no-such-bucket",
        endpoint_url=bucket.server.url,
        access_key=bucket.server.access_key,
        secret_key=bucket.server.secret_key,
        transport=transport,  # type: ignore[arg-type]
    )
    bucket.drivers.append(driver)
    for verb in (driver.get, driver.exists, driver.metadata, driver.files):
        with pytest.raises(ConfigError, match="there is no bucket 'no-such-bucket'"):
            await verb("a")
    with pytest.raises(ConfigError, match="there is no bucket"):
        await driver.put("a", b"x")


async def test_a_missing_file_costs_one_look_for_the_bucket(bucket: Bucket) -> None:
    driver = bucket.driver()
    with bucket.strict.watching() as wire:
        for _ in range(3):
            assert await driver.exists("missing") is False
    assert [seen.path for seen in wire.requests].count(f"/{bucket.name}") == 1


async def test_bad_credentials_are_told_apart(bucket: Bucket, transport: str) -> None:
    wrong = bucket.driver(access_key="AKIAWRONG", secret_key="wrong", transport=transport)
    assert "does not know this access_key" in await told(wrong, PermissionDenied)
    wrong = bucket.driver(secret_key="wrong", transport=transport)
    text = await told(wrong, PermissionDenied)
    assert "check secret_key" in text
    assert "SignatureDoesNotMatch, request " in text


async def test_an_endpoint_that_is_down_says_so(bucket: Bucket, transport: str) -> None:
    driver = bucket.driver(free_port(), retries=1, transport=transport)
    text = await told(driver, Unavailable)
    assert "does not answer" in text
    assert "check endpoint_url" in text


async def test_a_certificate_that_is_not_trusted_says_so(
    strict_s3_tls: StrictS3, levers: None, transport: str
) -> None:
    bucket = Bucket(strict_s3_tls, strict_s3_tls.make_bucket())
    text = await told(bucket.driver(transport=transport), ConfigError)
    assert "certificate" in text
    assert "verify='ca.pem'" in text
    trusting = bucket.driver(verify=False, transport=transport)
    await trusting.put("a", b"x")
    await bucket.aclose()


async def test_a_bucket_elsewhere_is_followed_once_and_remembered(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    name = bucket.strict.make_bucket(region="eu-central-1")
    there = Bucket(bucket.server, name)
    driver = there.driver()
    caplog.set_level(logging.WARNING, "storeroom")
    with bucket.strict.watching() as wire:
        await driver.put("a", b"x")
        assert await driver.get("a") == b"x"
    assert [seen.status for seen in wire.requests].count(200) == len(wire.requests) - 1
    assert "is in the region 'eu-central-1', not 'us-east-1'; set region" in caplog.text
    await there.aclose()


async def test_a_clock_that_is_wrong_is_corrected_once(bucket: Bucket) -> None:
    bucket.strict.settings(clock=3600.0)
    driver = bucket.driver()
    with bucket.strict.watching() as wire:
        await driver.write(KEY, Body(b"x"))
        assert await read(driver) == b"x"
    assert [seen.status for seen in wire.requests] == [403, 200, 200]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("NoSuchKey", NotFound),
        ("AccessDenied", PermissionDenied),
        ("NotImplemented", Unsupported),
        ("InvalidObjectState", Unsupported),
    ],
)
async def test_a_code_is_a_kind_with_the_requests_id(
    bucket: Bucket, transport: str, code: str, kind: type[StorageError]
) -> None:
    driver = bucket.driver(transport=transport)
    bucket.fail(Fault("answer", code=code, method="GET"))
    assert f"({code}, request " in await told(driver, kind)


@pytest.mark.parametrize("code", ["InternalError", "SlowDown", "ServiceUnavailable"])
async def test_a_passing_failure_is_tried_again(bucket: Bucket, transport: str, code: str) -> None:
    driver = bucket.driver(transport=transport, retries=2)
    bucket.fail(Fault("answer", code=code, times=2))
    await driver.write(KEY, Body(b"x"))
    assert bucket.get() == b"x"
    bucket.fail(Fault("answer", code=code, times=3))
    with pytest.raises(Unavailable) as caught:
        await driver.stat(KEY)
    assert caught.value.retryable


async def test_the_service_says_when_to_come_back(bucket: Bucket) -> None:
    driver = bucket.driver()
    bucket.fail(Fault("answer", code="SlowDown", retry_after=1))
    began = time.monotonic()
    await driver.write(KEY, Body(b"x"))
    assert 1 <= time.monotonic() - began < 3


async def test_throttling_spaces_requests_out_and_success_brings_them_back(bucket: Bucket) -> None:
    driver = bucket.driver(retries=6)
    await driver.write(KEY, Body(b"x"))
    pace = driver._service._pace
    bucket.fail(Fault("answer", code="SlowDown", times=5))
    await asyncio.gather(*(driver.stat(KEY) for _ in range(8)))
    assert pace.gap > 0
    for _ in range(30):
        await driver.stat(KEY)
    assert pace.gap == 0


async def test_no_retries_means_one_request(bucket: Bucket) -> None:
    driver = bucket.driver(retries=0)
    bucket.fail(Fault("answer"))
    with bucket.strict.watching() as wire, pytest.raises(Unavailable):
        await driver.write(KEY, Body(b"x"))
    assert len(wire.requests) == 1


async def test_access_lists_that_are_switched_off_are_told(bucket: Bucket) -> None:
    with pytest.raises(Unsupported, match="access lists switched off"):
        await bucket.driver().put("a", b"x", visibility="public")


async def test_expired_credentials_are_fetched_anew(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a profile gets them from a program, here one that has new ones each time it is asked."""
    counter = tmp_path / "count"
    counter.write_text("0")
    program = tmp_path / "keys.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import json, pathlib
            counter = pathlib.Path({str(counter)!r})
            count = int(counter.read_text())
            counter.write_text(str(count + 1))
            temporary = {[TEMPORARY.access, TEMPORARY.secret, TEMPORARY.token]!r}
            own = {[bucket.server.access_key, bucket.server.secret_key, None]!r}
            key, secret, token = own if count else temporary
            keys = dict(Version=1, AccessKeyId=key, SecretAccessKey=secret)
            print(json.dumps(keys | (dict(SessionToken=token) if token else {{}})))
            """
        )
    )
    config = tmp_path / "config"
    config.write_text(
        f"[profile work]\ncredential_process = python {program}\nregion = us-east-1\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    bucket.strict.settings(expired=[TEMPORARY.access])
    driver = S3Driver(
        bucket.name, provider="aws", path_style=True, endpoint_url=bucket.server.url, profile="work"
    )
    bucket.drivers.append(driver)
    await driver.put("a", b"x")
    assert counter.read_text() == "2"


@pytest.mark.parametrize("transport", ["direct", "sdk"])
async def test_the_environments_credentials_are_found(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, transport: Any
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", TEMPORARY.access)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", TEMPORARY.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TEMPORARY.token or "")
    driver = S3Driver(bucket.name, endpoint_url=bucket.server.url, transport=transport)
    bucket.drivers.append(driver)
    await driver.put("a", b"x")
    assert bucket.get("a") == b"x"


async def test_no_credentials_anywhere_says_what_to_give(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    driver = S3Driver(bucket.name, endpoint_url=bucket.server.url)
    bucket.drivers.append(driver)
    assert "give access_key and secret_key" in await told(driver, PermissionDenied)


async def test_anonymous_reads_what_is_public_and_signs_nothing(bucket: Bucket) -> None:
    name = bucket.strict.make_bucket(owned=False)
    owner = Bucket(bucket.server, name)
    await owner.driver().put("open", b"x", visibility="public")
    await owner.driver().put("shut", b"x")
    for transport in ("direct", "sdk"):
        nobody = S3Driver(
            name,
            endpoint_url=bucket.server.url,
            anonymous=True,
            transport=transport,  # type: ignore[arg-type]
        )
        assert await nobody.get("open") == b"x"
        with pytest.raises(PermissionDenied):
            await nobody.get("shut")
        with pytest.raises(Unsupported):
            await nobody.temporary_url("open", 60)
        await nobody.aclose()
    await owner.aclose()


async def test_conditions_and_data_that_a_provider_lacks_are_unsupported(bucket: Bucket) -> None:
    driver = bucket.driver(provider="custom")
    asked: list[dict[str, Any]] = [
        {"overwrite": False},
        {"if_match": '"x"'},
        {"tags": {"a": "b"}},
        {"tier": "GLACIER"},
        {"visibility": "public"},
    ]
    with bucket.strict.watching() as wire:
        for how in asked:
            with pytest.raises(Unsupported, match="features"):
                await driver.write("a", Body(b"x"), WriteOptions(**how))
    assert wire.requests == []
