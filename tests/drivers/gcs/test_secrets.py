"""Keys, tokens, sessions and signatures stay out of messages, logs and reprs, whatever fails."""

import asyncio
import logging
import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import StorageError
from storeroom.drivers.gcs import GCSDriver
from tests.drivers.gcs.bucket import SMALL_PARTS, Bucket, files, read
from tests.drivers.s3.bucket import KEY, MIB, each, outcome, random_bytes, streamed
from tests.drivers.s3.test_secrets import told
from tests.servers import google_keys
from tests.servers.proxy import Proxy
from tests.servers.strict_gcs import Fault

BIG = random_bytes(2 * MIB)
TOKEN = re.compile(r"ya29\.|Signature=[0-9a-f]{16}|upload_id|eyJ[A-Za-z0-9_-]{10}")
SECRETS = (
    *(google_keys.CLIENT_SECRET, google_keys.REFRESH_TOKEN, google_keys.SUBJECT_TOKEN),
    *google_keys.pem(google_keys.private_key()).split("\n")[1:4],
)
SDK = ("gcloud", "aiohttp", "jwt", "asyncio")
FAULTS = [
    *(Fault("answer", status=503), Fault("answer", status=400), Fault("answer", status=403)),
    *(Fault("answer", status=401), Fault("answer", status=404), Fault("answer", status=412)),
    *(Fault("close"), Fault("lose"), Fault("flip", operation="xml-get"), Fault("flip-upload")),
    *(Fault("cut", operation="xml-get"), Fault("answer", status=410, operation="chunk")),
]


async def failures(driver: GCSDriver) -> list[object]:
    """What comes of each verb."""
    verbs = (
        *(driver.stat(KEY), read(driver), driver.write(KEY, Body(b"new"))),
        *(driver.write(KEY, streamed(BIG)), driver.copy_within(KEY, "copy")),
        *(driver.remove_many([KEY]), files(driver), driver.temporary_url(KEY, 60)),
    )
    return await asyncio.gather(*map(outcome, verbs))


def check(texts: Iterable[str]) -> None:
    for text in texts:
        assert not TOKEN.search(text), text
        for secret in SECRETS:
            for form in (secret, quote(secret, safe=""), b64encode(secret.encode()).decode()):
                assert form not in text


def records(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        f"{record.getMessage()} {record.args!r} {record.exc_text or ''}"
        for record in caplog.records
        if record.levelno > logging.DEBUG or not record.name.startswith(SDK)
    ]


async def test_whatever_fails_no_secret_is_told(
    bucket: Bucket, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    errors: list[StorageError] = []

    async def one(fault: Fault) -> None:
        mine = bucket.sibling()
        mine.put(BIG)
        mine.fail(replace(fault, times=100))
        driver = mine.driver(transport=transport, retries=0, **SMALL_PARTS)
        errors.extend(it for it in await failures(driver) if isinstance(it, StorageError))
        check([repr(driver), repr(vars(driver))])

    await each(FAULTS, one, at_once=len(FAULTS))
    assert len(errors) > 30
    check(text for error in errors for text in told(error))
    check(records(caplog))


def spoiled(bucket: Bucket, which: str) -> dict[str, Any]:
    """Credentials that nobody accepts."""
    account, person = bucket.strict.service_account(), bucket.strict.authorized_user()
    return {
        "account": {**account, "client_email": "nobody@test.iam.gserviceaccount.com"},
        "key": {**account, "private_key": account["private_key"].replace("A", "B")},
        "place": {**account, "token_uri": "http://127.0.0.1:1/token"},
        "person": {**person, "refresh_token": person["refresh_token"] + "x"},
        "client": {**person, "client_id": "nobody"},
    }[which]


@pytest.mark.parametrize("which", ["account", "key", "place", "person", "client"])
async def test_who_is_not_let_in_hears_no_secret(
    bucket: Bucket, each_transport: str, caplog: pytest.LogCaptureFixture, which: str
) -> None:
    caplog.set_level(logging.DEBUG)
    given = spoiled(bucket, which)
    driver = bucket.driver(transport=each_transport, credentials=given, retries=0)
    found = [it for it in await failures(driver) if isinstance(it, StorageError)]
    assert len(found) >= 7
    texts = [text for error in found for text in told(error)]
    check([*texts, repr(driver), repr(vars(driver)), *records(caplog)])
    for secret in ("private_key", "client_secret", "refresh_token"):
        value = str(given.get(secret, "no such secret"))
        assert not any(value in text or value[40:80] in text for text in texts if value[40:80])


async def test_a_connection_that_fails_tells_no_secret(
    bucket: Bucket, proxy: Proxy, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    driver = bucket.driver(proxy.port, transport=transport, retries=0, timeout=0.2)
    proxy.black_hole()
    found = await failures(driver)
    await proxy.stop()
    found += await failures(driver)
    errors = [it for it in found if isinstance(it, StorageError)]
    assert len(errors) >= 12
    check(text for error in errors for text in told(error))
    check(records(caplog))


async def test_what_is_shown_of_credentials_holds_none(bucket: Bucket) -> None:
    from storeroom.drivers._gcs.credentials import Bearer
    from storeroom.drivers._gcs.identity import account_in
    from storeroom.drivers._gcs.settings import known_of
    from storeroom.drivers._gcs.target import target_of

    given = bucket.strict.service_account()
    target, _ = target_of("media", None, None)
    known = known_of(None, given, None, target, anonymous=False, emulated=False)
    check([repr(account_in(given)), repr(Bearer("ya29.secret")), repr(known)])
