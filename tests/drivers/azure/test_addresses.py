"""Addresses: public and signed; opened by a client that knows nothing but them."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from storeroom.contracts import threads
from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidArgument, PermissionDenied, Unsupported
from storeroom.contracts.values import Grant
from storeroom.drivers.azure import AzureDriver
from tests.drivers.azure.container import Container, asked
from tests.drivers.s3.bucket import KEY
from tests.drivers.test_azure import signature_of
from tests.servers.azure import AsyncBearer, Bearer
from tests.servers.strict_azure import StrictAzure

HOUR = timedelta(hours=1)
SECRET: dict[str, Any] = {"account_key": "a2V5"}


def fetch(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] = {},
    authority: Path | None = None,
) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, body, dict(headers), method=method)
    tls = ssl.create_default_context(cafile=authority) if authority else None
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            return answer.status, lowered(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, lowered(error.headers), error.read()


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


async def status(*asked: Any) -> int:
    return (await threads.run(fetch, *asked))[0]


def grant(method: Any = "GET", **more: Any) -> Grant:
    return Grant(KEY, method, datetime.now(UTC) + HOUR, **more)


PLACES: list[tuple[dict[str, Any], str]] = [
    ({"account_name": "acc1"}, "https://acc1.blob.core.windows.net/media/a%20b%252F.txt"),
    (
        {"endpoint_url": "https://acc1.blob.core.chinacloudapi.cn/"},
        "https://acc1.blob.core.chinacloudapi.cn/media/a%20b%252F.txt",
    ),
    (
        {"endpoint_url": "http://127.0.0.1:10000/devstoreaccount1"},
        "http://127.0.0.1:10000/devstoreaccount1/media/a%20b%252F.txt",
    ),
    (
        {"endpoint_url": "http://azurite:10000", "account_name": "acc1"},
        "http://azurite:10000/acc1/media/a%20b%252F.txt",
    ),
    (
        {"account_name": "acc1", "url": "https://cdn.test/files/"},
        "https://cdn.test/files/a%20b%252F.txt",
    ),
    (
        {"account_name": "acc1", "url": "https://acc1.blob.core.windows.net"},
        "https://acc1.blob.core.windows.net/media/a%20b%252F.txt",
    ),
    (
        {"account_name": "acc1", "url": "https://acc1.blob.core.windows.net/media"},
        "https://acc1.blob.core.windows.net/media/a%20b%252F.txt",
    ),
]


@pytest.mark.parametrize(("options", "wanted"), PLACES, ids=str)
def test_a_public_address_is_where_the_account_has_it(options: dict[str, Any], wanted: str) -> None:
    assert AzureDriver("media", **SECRET, **options).url("a b%2F.txt") == wanted


def test_a_connection_string_says_where_the_account_is() -> None:
    for text, wanted in (
        ("AccountName=acc1;AccountKey=a2V5;", "https://acc1.blob.core.windows.net/media/a"),
        (
            (
                "DefaultEndpointsProtocol=https;accountname=acc1;AccountKey=a2V5;"
                "EndpointSuffix=core.usgovcloudapi.net"
            ),
            "https://acc1.blob.core.usgovcloudapi.net/media/a",
        ),
        (
            "BlobEndpoint=https://files.test;SharedAccessSignature=sv=1&sig=x",
            "https://files.test/media/a",
        ),
        ("UseDevelopmentStorage=true", "http://127.0.0.1:10000/devstoreaccount1/media/a"),
    ):
        assert AzureDriver("media", connection_string=text).url("a") == wanted


async def test_a_signed_address_reads_with_the_name_and_type_asked_for(place: Container) -> None:
    driver = place.driver()
    await driver.write(KEY, Body(b"contents"))
    url = await driver.temporary_url(KEY, HOUR, filename="größe ½.pdf", content_type="a/b")
    code, headers, body = await threads.run(fetch, url)
    assert (code, body, headers["content-type"]) == (200, b"contents", "a/b")
    assert "filename*=UTF-8''gr%C3%B6%C3%9Fe%20%C2%BD.pdf" in headers["content-disposition"]


async def test_a_signed_address_is_for_one_use_of_one_file(place: Container) -> None:
    driver = place.driver()
    for name in (KEY, "other"):
        await driver.put(name, b"contents")
    url = await driver.temporary_url(KEY, HOUR)
    assert await status(url) == 200
    expiry = parse_qs(urlsplit(url).query)["se"][0].replace(":", "%3A")
    for changed in (
        url.replace("🦔", "x").replace("%F0%9F%A6%94.bin", "%F0%9F%A6%94.bi"),
        url.replace(expiry, "2099-01-01T00%3A00%3A00Z"),
        url.replace("sp=r", "sp=rw"),
        f"{url.partition('sig=')[0]}sig={'A' * 43}%3D",
        url.partition("?")[0],
    ):
        assert changed != url
        assert await status(changed) in (403, 404)
    assert await status(url, "PUT", b"x", {"x-ms-blob-type": "BlockBlob"}) == 403
    assert await status(url, "DELETE") == 403


async def test_a_signed_address_that_has_expired_is_refused(place: Container) -> None:
    driver = place.driver()
    await driver.put(KEY, b"contents")
    past = datetime.now(UTC) - timedelta(seconds=5)
    assert await status(await driver.presign_read(Grant(KEY, "GET", past))) == 403


async def test_a_signed_upload_stores_one_file(place: Container) -> None:
    driver = place.driver()
    upload = await driver.temporary_upload_url(KEY, HOUR)
    assert upload.headers == {"x-ms-blob-type": "BlockBlob"}
    typed = {**upload.headers, "content-type": "image/png"}
    for data in (b"first", b"second"):
        assert await status(upload.url, "PUT", data, typed) == 201
        assert place.get() == data
    assert (await driver.stat(KEY)).content_type == "image/png"
    assert await status(upload.url, "GET") == 403
    assert await status(upload.url.replace(".bin", ".exe"), "PUT", b"x", typed) == 403


async def test_a_signed_upload_that_creates_only_replaces_nothing(place: Container) -> None:
    driver = place.driver()
    upload = await driver.temporary_upload_url(KEY, HOUR, overwrite=False)
    assert await status(upload.url, "PUT", b"first", upload.headers) == 201
    assert await status(upload.url, "PUT", b"second", upload.headers) in (403, 409)
    assert place.get() == b"first"


@pytest.mark.parametrize("limit", [{"max_size": 100}, {"content_type": "image/png"}], ids=str)
async def test_what_a_signature_cannot_limit_is_unsupported(
    container: Container, limit: dict[str, Any]
) -> None:
    with pytest.raises(Unsupported, match="limits neither size nor type"):
        await container.driver().temporary_upload_url(KEY, HOUR, **limit)


async def test_a_signed_address_serves_the_range_of_addresses_it_names(place: Container) -> None:
    driver = place.driver()
    await driver.put(KEY, b"contents")
    for ip, wanted in (
        ("127.0.0.1", 200),
        ("127.0.0.0-127.0.0.9", 200),
        ("10.0.0.1", 403),
        ("10.0.0.1-10.0.0.9", 403),
    ):
        url = await driver.presign_read(grant(), ip=ip)
        assert await status(url) == wanted or not isinstance(place.server, StrictAzure)
        upload = await driver.presign_write(grant("PUT"), ip=ip)
        assert f"sip={ip}" in upload.url
    for ip in ("", "localhost", "10.0.0.1-", "10.0.0.1&sp=rwd"):
        with pytest.raises(InvalidArgument, match="ip is an address"):
            await driver.presign_read(grant(), ip=ip)


@pytest.mark.parametrize("credential", [Bearer, AsyncBearer])
async def test_whoever_has_a_token_signs_with_a_key_that_is_kept(
    secure: Container, credential: type[Bearer]
) -> None:
    driver = secure.driver(credential=credential(secure.server.token))
    await driver.put(KEY, b"contents")
    with secure.strict.watching() as wire:
        urls = [await driver.temporary_url(KEY, HOUR, filename="a.txt") for _ in range(3)]
        upload = await driver.temporary_upload_url("up", timedelta(hours=20))
    assert len(asked(wire, "key")) == 1
    authority = secure.server.authority
    told = await threads.run(fetch, urls[-1], "GET", None, {}, authority)
    assert (told[0], told[2]) == (200, b"contents")
    assert "spr=https" in urls[0]
    assert "skoid=" in urls[0]
    assert await status(upload.url, "PUT", b"x", upload.headers, authority) == 201
    assert await status(urls[0].replace("sp=r", "sp=rwd"), "GET", None, {}, authority) == 403
    with secure.strict.watching() as wire:
        longest = await driver.temporary_url(KEY, timedelta(days=6))
    assert len(asked(wire, "key")) == 1
    assert await status(longest, "GET", None, {}, authority) == 200
    with pytest.raises(InvalidArgument, match="7 days at most"):
        await driver.temporary_url(KEY, timedelta(days=8))


async def test_whoever_is_let_in_by_a_signature_signs_nothing(container: Container) -> None:
    signature = signature_of(container.server, container.name)
    for options in ({"sas_token": signature}, {"anonymous": True}):
        driver = container.driver(**options)
        with pytest.raises(Unsupported):
            await driver.temporary_url(KEY, HOUR)
        with pytest.raises(PermissionDenied, match="give account_key"):
            await driver.presign_read(grant())
        with pytest.raises(PermissionDenied, match="give account_key"):
            await driver.presign_write(grant("PUT"))


async def test_a_signed_address_is_for_the_host_that_others_reach(container: Container) -> None:
    driver = container.driver(temporary_url="https://files.example.com/m")
    url = await driver.temporary_url(KEY, HOUR)
    assert url.startswith("https://files.example.com/m/a%20b/")
    assert "spr=https" in url
    assert "spr=" not in await container.driver().temporary_url(KEY, HOUR)


async def test_a_signed_address_is_for_https_but_on_this_machine() -> None:
    driver = AzureDriver(
        "media", endpoint_url="http://azurite:10000", account_name="acc1", account_key="a2V5"
    )
    with pytest.raises(Unsupported, match="https temporary_url"):
        await driver.temporary_url("a", 60)
    await driver.aclose()


async def test_a_public_container_is_read_by_anybody(container: Container) -> None:
    name = container.server.make_container(public_access="container")
    public = Container(container.server, name)
    public.put(b"x")
    driver = public.driver(anonymous=True)
    assert await driver.get(KEY) == b"x"
    assert await driver.all_files() == [KEY]
    assert await status(driver.url(KEY)) == 200
    with pytest.raises(PermissionDenied):
        await driver.put("b", b"x")
    await public.aclose()
