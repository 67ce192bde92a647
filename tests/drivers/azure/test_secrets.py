"""Keys, tokens and signatures stay out of messages, logs and reprs, whatever fails."""

import asyncio
import logging
import re
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import StorageError
from storeroom.contracts.values import WriteOptions
from storeroom.drivers.azure import AzureDriver
from tests.drivers.azure.container import SMALL_PARTS, Container, files, read
from tests.drivers.s3.bucket import KEY, MIB, each, outcome, random_bytes, streamed
from tests.drivers.test_azure import signature_of
from tests.servers.azure import KEY as ACCOUNT_KEY
from tests.servers.azure import OTHER_KEY, TOKEN, AsyncBearer
from tests.servers.proxy import Proxy
from tests.servers.strict_azure import AzureFault

SIGNATURE = re.compile(r"SharedKey \w+:|sig=[^*]|Bearer (?!authorization_uri)\w")
BIG = random_bytes(2 * MIB)
FAULTS = [
    *(AzureFault("answer"), AzureFault("answer", code="ServerBusy")),
    *(AzureFault("answer", code=c) for c in ("AuthenticationFailed", "AuthorizationFailure")),
    *(AzureFault("answer", code=c) for c in ("InvalidBlockList", "ConditionNotMet", "InvalidUri")),
    *(AzureFault("close"), AzureFault("lose"), AzureFault("flip", operation="get")),
    *(AzureFault("flip-upload"), AzureFault("cut", operation="get")),
]


async def failures(driver: AzureDriver) -> list[object]:
    """What comes of each verb."""
    verbs = (
        driver.stat(KEY),
        read(driver),
        driver.write(KEY, Body(b"new")),
        driver.write(KEY, streamed(BIG)),
        driver.copy_within(KEY, "copy"),
        driver.extend("log", Body(b"x")),
        driver.remove_many([KEY, "b"]),
        driver.change_tags(KEY, {"a": "b"}),
        driver.change_attributes(KEY, WriteOptions(content_type="a/b")),
        driver.acquire_lease(KEY, timedelta(seconds=15)),
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


def check(texts: list[str], *secrets: str) -> None:
    for text in texts:
        assert not SIGNATURE.search(text), text
        for secret in (ACCOUNT_KEY, OTHER_KEY, TOKEN, *secrets):
            for form in (secret, quote(secret, safe=""), repr(secret)[1:-1]):
                assert form not in text


def records(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{r.getMessage()} {r.args!r} {r.exc_text or ''}" for r in caplog.records]


def shown(driver: AzureDriver) -> list[str]:
    return [repr(driver), repr(vars(driver)), repr(driver._service.access), repr(driver._container)]


@pytest.mark.parametrize("way", ["key", "signature"])
async def test_whatever_fails_no_secret_is_told(
    container: Container, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    caplog.set_level(logging.DEBUG)
    errors: list[StorageError] = []
    secrets: list[str] = []

    async def one(fault: AzureFault) -> None:
        mine = container.sibling()
        mine.put(BIG)
        mine.fail(replace(fault, times=100))
        options: dict[str, Any] = {"retries": 0}
        if way == "signature":
            options["sas_token"] = signature_of(mine.server, mine.name)
            secrets.append(parse_qs(options["sas_token"])["sig"][0])
        driver = mine.driver(**options, **SMALL_PARTS)
        errors.extend(it for it in await failures(driver) if isinstance(it, StorageError))
        check(shown(driver), *secrets)

    await each(FAULTS, one, at_once=len(FAULTS))
    assert len(errors) > 60
    check([text for error in errors for text in told(error)], *secrets)
    check(records(caplog), *secrets)


@pytest.mark.parametrize("way", ["wrong key", "changed signature", "wrong token"])
async def test_who_is_not_let_in_hears_no_secret(
    secure: Container, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    caplog.set_level(logging.DEBUG)
    signature = signature_of(secure.server, secure.name).replace("sp=r", "sp=rr")
    options: dict[str, Any] = {
        "wrong key": {"account_key": OTHER_KEY},
        "changed signature": {"sas_token": signature},
        "wrong token": {"credential": AsyncBearer("a-wrong-token")},
    }[way]
    driver = secure.driver(**options)
    found = [it for it in await failures(driver) if isinstance(it, StorageError)]
    secrets = [parse_qs(signature)["sig"][0], "a-wrong-token"]
    check([text for error in found for text in told(error)], *secrets)
    check([*shown(driver), *records(caplog)], *secrets)
    assert len(found) >= 9


async def test_a_connection_that_fails_tells_no_secret(
    container: Container, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    driver = container.driver(proxy.port, retries=0, timeout=0.2)
    proxy.black_hole()
    found = await failures(driver)
    await proxy.stop()
    found += await failures(driver)
    errors = [it for it in found if isinstance(it, StorageError)]
    assert len(errors) >= 20
    check([text for error in errors for text in told(error)])
    check(records(caplog))


async def test_a_copy_from_another_account_tells_no_signature(
    container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    there = container.neighbour()
    there.put(b"x")
    container.fail(
        AzureFault("answer", code="CannotVerifyCopySource", operation="copy", status=403)
    )
    told_so = await outcome(container.driver().copy_from(there.driver(), KEY, KEY))
    assert isinstance(told_so, StorageError)
    check([*told(told_so), *records(caplog)])
