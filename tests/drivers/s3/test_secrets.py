"""Keys, tokens and signatures stay out of messages, logs and reprs, whatever fails."""

import asyncio
import logging
import re
import traceback
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import StorageError
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    each,
    files,
    outcome,
    random_bytes,
    read,
    streamed,
)
from tests.servers.keys import OWNER, TEMPORARY
from tests.servers.proxy import Proxy
from tests.servers.strict_s3 import Fault

SIGNATURE = re.compile(r"Signature=[0-9a-fA-F]{16}|\b[0-9a-f]{64}\b")
BIG = random_bytes(6 * MIB)
CUSTOMER = b64encode(b"a customer's key of 32 bytes ...").decode()
SECRETS = [TEMPORARY.secret, TEMPORARY.token or "", OWNER.secret, CUSTOMER, "a wrong secret key"]
SDK = ("botocore", "boto3", "aiobotocore", "aioboto3")
FAULTS = [
    *(Fault("answer"), Fault("answer", code="SlowDown")),
    *(Fault("answer", code=code) for code in ("AccessDenied", "InvalidRequest", "NoSuchUpload")),
    *(Fault("answer", code=code) for code in ("PreconditionFailed", "InvalidObjectState")),
    *(Fault("close"), Fault("lose"), Fault("flip", method="GET"), Fault("flip-upload")),
    Fault("cut", method="GET"),
]


async def failures(driver: S3Driver) -> list[object]:
    """What comes of each verb."""
    verbs = (
        driver.stat(KEY),
        read(driver),
        driver.write(KEY, Body(b"new")),
        driver.write(KEY, streamed(BIG)),
        driver.copy_within(KEY, "copy"),
        driver.remove_many([KEY]),
        files(driver),
    )
    return await asyncio.gather(*map(outcome, verbs))


def told(error: BaseException | None) -> Iterator[str]:
    """Everything that an error and those behind it say."""
    while error is not None:
        yield f"{error} {error!r} {error.args!r}"
        if type(error).__module__.startswith("storeroom"):
            yield repr(vars(error))
        yield "".join(traceback.format_exception_only(error))
        error = error.__cause__ or error.__context__


def check(texts: list[str]) -> None:
    for text in texts:
        assert not SIGNATURE.search(text), text
        for secret in SECRETS:
            for form in (secret, quote(secret, safe=""), repr(secret)[1:-1]):
                assert form not in text


def records(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Of the SDK only what it says by itself: at DEBUG it tells whoever asks what it signs."""
    return [
        f"{record.getMessage()} {record.args!r} {record.exc_text or ''}"
        for record in caplog.records
        if record.levelno > logging.DEBUG or not record.name.startswith(SDK)
    ]


async def test_whatever_fails_no_secret_is_told(
    bucket: Bucket, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    options = {"transport": transport, "retries": 0, "session_token": TEMPORARY.token}
    errors: list[StorageError] = []

    async def one(fault: Fault) -> None:
        mine = bucket.sibling()
        mine.put(BIG)
        mine.fail(replace(fault, times=100))
        driver = mine.driver(**options, **keys(TEMPORARY), **SMALL_PARTS)
        errors.extend(it for it in await failures(driver) if isinstance(it, StorageError))
        check([repr(driver), repr(vars(driver))])

    await each(FAULTS, one, at_once=len(FAULTS))
    assert len(errors) > 40
    check([text for error in errors for text in told(error)])
    check(records(caplog))


@pytest.mark.parametrize(
    "options",
    [
        {"secret_key": "a wrong secret key"},
        {"access_key": "NOBODYKNOWSTHISKEY00"},
        {"access_key": TEMPORARY.access, "secret_key": TEMPORARY.secret, "session_token": "x"},
        {"region": "eu-north-1"},
        {"customer_key": CUSTOMER},
    ],
    ids=["wrong secret", "unknown key", "wrong token", "wrong region", "customer key"],
)
async def test_who_is_not_let_in_hears_no_secret(
    bucket: Bucket, each_transport: str, caplog: pytest.LogCaptureFixture, options: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    driver = bucket.driver(transport=each_transport, **options)
    found = [it for it in await failures(driver) if isinstance(it, StorageError)]
    check([text for error in found for text in told(error)])
    check([repr(driver), repr(vars(driver)), *records(caplog)])
    assert len(found) >= 5 or "region" in options  # the driver finds the right one by itself


async def test_a_connection_that_fails_tells_no_secret(
    bucket: Bucket, proxy: Proxy, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    options = {"transport": transport, "retries": 0, "timeout": 0.2}
    driver = bucket.driver(proxy.port, session_token=TEMPORARY.token, **keys(TEMPORARY), **options)
    proxy.black_hole()
    found = await failures(driver)
    await proxy.stop()
    found += await failures(driver)
    errors = [it for it in found if isinstance(it, StorageError)]
    assert len(errors) >= 12
    check([text for error in errors for text in told(error)])
    check(records(caplog))


def keys(key: Any) -> dict[str, str]:
    return {"access_key": key.access, "secret_key": key.secret}
