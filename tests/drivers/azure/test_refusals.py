"""What the service refuses becomes a kind and a sentence with the way out; what can be mended is."""

import asyncio
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    ConfigError,
    Corrupted,
    InvalidArgument,
    NotFound,
    Obstructed,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import ReadOptions
from storeroom.drivers.azure import AzureDriver
from tests.drivers.azure.container import Container, read
from tests.drivers.s3.bucket import KEY
from tests.drivers.test_azure import signature_of
from tests.servers.process import free_port
from tests.servers.strict_azure import AzureFault

CODES: list[tuple[str, int, type[StorageError]]] = [
    ("BlobNotFound", 404, NotFound),
    ("BlobAlreadyExists", 409, AlreadyExists),
    ("ConditionNotMet", 412, PreconditionFailed),
    ("LeaseIdMissing", 412, PreconditionFailed),
    ("AuthenticationFailed", 403, PermissionDenied),
    ("AuthorizationPermissionMismatch", 403, PermissionDenied),
    ("AuthorizationFailure", 403, PermissionDenied),
    ("KeyBasedAuthenticationNotPermitted", 403, PermissionDenied),
    ("AccountIsDisabled", 403, PermissionDenied),
    ("PublicAccessNotPermitted", 409, PermissionDenied),
    ("BlobImmutableDueToPolicy", 409, PermissionDenied),
    ("BlobArchived", 409, Unsupported),
    ("BlobBeingRehydrated", 409, Unavailable),
    ("InvalidBlobTier", 400, Unsupported),
    ("UnsupportedHeader", 400, Unsupported),
    ("FeatureNotSupportedForAccount", 409, Unsupported),
    ("PathAlreadyExists", 409, Obstructed),
    ("MetadataTooLarge", 400, InvalidArgument),
    ("InvalidMetadata", 400, InvalidArgument),
    ("RequestBodyTooLarge", 413, InvalidArgument),
    ("Md5Mismatch", 400, Corrupted),
    ("AccountLimitExceeded", 409, QuotaExceeded),
    ("ContainerBeingDeleted", 409, Unavailable),
    ("ContainerDisabled", 403, PermissionDenied),
    ("SomethingNew", 418, StorageError),
    ("SomethingNew", 403, PermissionDenied),
    ("SomethingNew", 501, Unsupported),
]


@pytest.mark.parametrize(("code", "status", "kind"), CODES)
async def test_a_code_is_a_kind_with_the_requests_id(
    container: Container, code: str, status: int, kind: type[StorageError]
) -> None:
    driver = container.driver(retries=0)
    container.fail(AzureFault("answer", code=code, status=status, operation="put"))
    with pytest.raises(kind) as caught:
        await driver.write(KEY, Body(b"x"))
    assert type(caught.value) is kind
    assert code in str(caught.value)
    assert "request 00000000-0000-0000-0000-00000fa11700" in str(caught.value)
    assert caught.value.path == KEY


@pytest.mark.parametrize("body", ["", "<html>busy</html>", "<Error>", "<!DOCTYPE x><Error/>"])
async def test_an_error_that_is_no_xml_is_told_by_its_status(
    container: Container, body: str
) -> None:
    container.fail(AzureFault("answer", code="", status=403, body=body))
    with pytest.raises(PermissionDenied):
        await container.driver().get(KEY)


async def test_a_missing_container_is_named(place: Container) -> None:
    missing = Container(place.server, "no-such-container")
    driver = missing.driver()
    verbs: list[Any] = [driver.get, driver.exists, driver.metadata, driver.delete, driver.files]
    for verb in verbs:
        with pytest.raises(ConfigError, match="there is no container 'no-such-container' at http"):
            await verb("a")
    works: list[Any] = [
        lambda: driver.put("a", b"x"),
        lambda: driver.append("a", b"x"),
        lambda: driver.copy("a", "b"),
        lambda: driver.read_tags("a"),
    ]
    for work in works:
        with pytest.raises(ConfigError, match="there is no container"):
            await work()
    answers = await driver.remove_many(["a", "b"])
    assert all(isinstance(answer, ConfigError) for answer in answers.values())
    await missing.aclose()


async def test_a_missing_file_is_one_request(container: Container) -> None:
    driver = container.driver()
    with container.strict.watching() as wire:
        for _ in range(3):
            assert await driver.exists("missing") is False
    assert wire.operations == ["head"] * 3


async def test_whoever_may_not_list_is_told_so_and_not_that_nothing_is_there(
    container: Container,
) -> None:
    signature = signature_of(container.server, container.name, "w")
    driver = container.driver(sas_token=signature)
    for verb in (driver.stat, driver.read, driver.exists, driver.files):
        with pytest.raises(PermissionDenied):
            await verb("missing")
    await driver.put("a", b"x")


async def test_a_key_of_another_account_is_told_apart(container: Container) -> None:
    driver = container.driver(account_key=container.server.other().key)
    with pytest.raises(
        PermissionDenied, match=r"check account_key.*AuthenticationFailed, request "
    ):
        await driver.get("a")


async def test_an_endpoint_that_is_down_says_so(container: Container) -> None:
    driver = container.driver(free_port(), retries=1)
    with pytest.raises(Unavailable, match=r"does not answer.*check endpoint_url"):
        await driver.get("a")
    with pytest.raises(Unavailable, match="does not answer"):
        await driver.read_tags("a")


async def test_a_certificate_that_is_not_trusted_says_so(secure: Container) -> None:
    with pytest.raises(ConfigError, match=r"certificate.*verify='ca.pem'"):
        await secure.driver(verify=True).get("a")
    await secure.driver(verify=False).put("a", b"x")


async def test_a_clock_that_is_wrong_is_corrected_once(container: Container) -> None:
    container.strict.settings(clock=3600.0)
    driver = container.driver()
    with container.strict.watching() as wire:
        await driver.write(KEY, Body(b"x"))
        assert await read(driver) == b"x"
        await driver.change_tags(KEY, {"a": "b"})
    assert [seen.status for seen in wire.requests] == [403, 201, 200, 204]
    url = await driver.temporary_url(KEY, 5400)
    assert "se=" in url


@pytest.mark.parametrize("code", ["InternalError", "ServerBusy", "OperationTimedOut"])
async def test_a_passing_failure_is_tried_again(container: Container, code: str) -> None:
    driver = container.driver(retries=2)
    container.fail(AzureFault("answer", code=code, times=2))
    await driver.write(KEY, Body(b"x"))
    assert container.get() == b"x"
    container.fail(AzureFault("answer", code=code, times=3))
    with pytest.raises(Unavailable) as caught:
        await driver.stat(KEY)
    assert caught.value.retryable


async def test_throttling_spaces_requests_out_and_success_brings_them_back(
    container: Container,
) -> None:
    driver = container.driver(retries=6)
    await driver.write(KEY, Body(b"x"))
    pace = driver._service._pace
    container.fail(AzureFault("answer", code="ServerBusy", times=5))
    await asyncio.gather(*(driver.stat(KEY) for _ in range(8)))
    assert pace.gap > 0
    for _ in range(30):
        await driver.stat(KEY)
    assert pace.gap == 0


async def test_no_retries_means_one_request(container: Container) -> None:
    driver = container.driver(retries=0)
    container.fail(AzureFault("answer", times=2))
    with container.strict.watching() as wire:
        with pytest.raises(Unavailable):
            await driver.stat(KEY)
        with pytest.raises(Unavailable):
            await driver.read_tags(KEY)
    assert len(wire.requests) == 2


async def test_conditions_on_reads(place: Container) -> None:
    driver = place.driver()
    etag = (await driver.write(KEY, Body(b"x"))).etag or ""
    assert await read(driver) == b"x"
    with pytest.raises(StorageError, match="if_none_match"):
        await driver.read(KEY, ReadOptions(if_none_match=etag))
    with pytest.raises(PreconditionFailed):
        await driver.read(KEY, ReadOptions(if_match='"0x0"'))
    async with await driver.read(KEY, ReadOptions(if_match=etag)) as source:
        assert await source.read() == b"x"


@pytest.mark.parametrize("value", ["ü", "a\x7fb", "a\nb"])
async def test_a_content_header_that_no_header_can_hold_is_refused(
    container: Container, value: str
) -> None:
    driver = container.driver()
    with container.strict.watching() as wire, pytest.raises(InvalidArgument):
        await driver.put(KEY, b"x", content_disposition=f"attachment; filename={value}")
    assert wire.requests == []


async def test_what_is_closed_says_so(container: Container) -> None:
    driver: AzureDriver = container.driver()
    await driver.put(KEY, b"x")
    await driver.read_tags(KEY)
    await driver.aclose()
    await driver.aclose()
    for verb in (driver.get, driver.read_tags, driver.exists):
        with pytest.raises(StorageError, match="was closed"):
            await verb(KEY)
