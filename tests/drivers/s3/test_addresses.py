"""Addresses: public, signed, forms; opened by a client that knows nothing but them."""

import base64
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from storeroom.contracts import threads
from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, InvalidArgument, Unsupported
from storeroom.contracts.values import Upload
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import KEY, MIB, Bucket, random_bytes
from tests.servers.keys import TEMPORARY

HOUR = timedelta(hours=1)


def fetch(
    url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] = {}
) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, body, dict(headers), method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def post(upload: Upload, name: str, content: bytes, **more: str) -> int:
    """What a browser sends from a form: its fields, and the file last."""
    border = uuid.uuid4().hex
    fields = "".join(
        f'--{border}\r\ncontent-disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in {**upload.fields, **more}.items()
    )
    head = f'--{border}\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = fields.encode() + head.encode() + content + f"\r\n--{border}--\r\n".encode()
    kind = f"multipart/form-data; boundary={border}"
    return fetch(upload.url, "POST", body, {"content-type": kind})[0]


PLACES: list[tuple[dict[str, Any], str]] = [
    ({"region": "eu-west-1"}, "https://media.s3.eu-west-1.amazonaws.com/a%20b%252F.txt"),
    ({}, "https://media.s3.amazonaws.com/a%20b%252F.txt"),
    ({"region": "cn-north-1"}, "https://media.s3.cn-north-1.amazonaws.com.cn/a%20b%252F.txt"),
    (
        {"region": "eu-west-1", "path_style": True},
        "https://s3.eu-west-1.amazonaws.com/media/a%20b%252F.txt",
    ),
    (
        {"endpoint_url": "http://localhost:9000/"},
        "http://localhost:9000/media/a%20b%252F.txt",
    ),
    (
        {"endpoint_url": "https://s3.test", "path_style": False},
        "https://media.s3.test/a%20b%252F.txt",
    ),
    (
        {"provider": "spaces", "region": "fra1"},
        "https://media.fra1.digitaloceanspaces.com/a%20b%252F.txt",
    ),
    (
        {"provider": "spaces", "endpoint_url": "https://media.fra1.digitaloceanspaces.com"},
        "https://media.fra1.digitaloceanspaces.com/a%20b%252F.txt",
    ),
    (
        {"provider": "r2", "account": "abc"},
        "https://abc.r2.cloudflarestorage.com/media/a%20b%252F.txt",
    ),
    (
        {"provider": "b2", "region": "us-west-004"},
        "https://media.s3.us-west-004.backblazeb2.com/a%20b%252F.txt",
    ),
    (
        {"provider": "wasabi", "region": "eu-central-1"},
        "https://media.s3.eu-central-1.wasabisys.com/a%20b%252F.txt",
    ),
    ({"provider": "gcs-interop"}, "https://storage.googleapis.com/media/a%20b%252F.txt"),
    ({"url": "https://cdn.test/files/"}, "https://cdn.test/files/a%20b%252F.txt"),
    (
        {"endpoint_url": "http://minio:9000", "url": "http://minio:9000"},
        "http://minio:9000/media/a%20b%252F.txt",
    ),
    (
        {"endpoint_url": "http://minio:9000", "url": "http://minio:9000/media"},
        "http://minio:9000/media/a%20b%252F.txt",
    ),
]


@pytest.mark.parametrize(("options", "wanted"), PLACES, ids=str)
def test_a_public_address_is_where_the_provider_has_it(
    options: dict[str, Any], wanted: str
) -> None:
    assert S3Driver("media", **options).url("a b%2F.txt") == wanted


def test_a_bucket_with_dots_keeps_out_of_the_host() -> None:
    driver = S3Driver("my.media", region="eu-west-1")
    assert driver.url("a") == "https://s3.eu-west-1.amazonaws.com/my.media/a"


async def test_a_signed_address_reads_with_the_name_and_type_asked_for(bucket: Bucket) -> None:
    driver = bucket.driver()
    await driver.write(KEY, Body(b"contents"))
    url = await driver.temporary_url(KEY, HOUR, filename="größe ½.pdf", content_type="a/b")
    status, headers, body = await threads.run(fetch, url)
    assert (status, body, headers["Content-Type"]) == (200, b"contents", "a/b")
    assert "filename*=UTF-8''gr%C3%B6%C3%9Fe%20%C2%BD.pdf" in headers["Content-Disposition"]
    assert (await threads.run(fetch, url.replace("X-Amz-Expires=3600", "X-Amz-Expires=9999")))[
        0
    ] == 403
    assert (await threads.run(fetch, url, "PUT", b"x"))[0] == 403


async def test_a_signed_address_is_for_the_host_that_others_reach(bucket: Bucket) -> None:
    driver = bucket.driver(temporary_url="https://files.example.com")
    url = await driver.temporary_url(KEY, HOUR)
    assert url.startswith("https://files.example.com/a%20b/")
    driver = bucket.driver(temporary_url=bucket.server.url)
    assert f"{bucket.server.url}/{bucket.name}/a%20b/" in await driver.temporary_url(KEY, HOUR)


async def test_a_signed_address_lasts_a_week_at_most(bucket: Bucket) -> None:
    driver = bucket.driver()
    await driver.temporary_url("a", timedelta(days=7))
    with pytest.raises(InvalidArgument, match="7 days at most"):
        await driver.temporary_url("a", timedelta(days=7, seconds=5))


async def test_a_signed_upload_is_bound_to_its_type_and_to_creating(bucket: Bucket) -> None:
    driver = bucket.driver()
    upload = await driver.temporary_upload_url(KEY, HOUR, content_type="image/png", overwrite=False)
    assert upload.headers == {"content-type": "image/png", "if-none-match": "*"}
    other = {**upload.headers, "content-type": "text/html"}
    assert (await threads.run(fetch, upload.url, "PUT", b"x", other))[0] == 403
    assert (await threads.run(fetch, upload.url, "PUT", b"first", upload.headers))[0] == 200
    assert (await threads.run(fetch, upload.url, "PUT", b"second", upload.headers))[0] == 412
    assert bucket.get() == b"first"


async def test_a_form_limits_the_size(bucket: Bucket) -> None:
    driver = bucket.driver()
    upload = await driver.temporary_upload_url(KEY, HOUR, max_size=100, content_type="text/plain")
    assert upload.method == "POST"
    assert await threads.run(post, upload, "a.txt", b"x" * 101) == 400
    assert bucket.get() is None
    assert await threads.run(post, upload, "a.txt", b"x" * 100) == 204
    assert bucket.get() == b"x" * 100
    with pytest.raises(Unsupported):
        await driver.temporary_upload_url(KEY, HOUR, max_size=100, overwrite=False)


async def test_a_form_takes_any_name_behind_a_prefix(bucket: Bucket) -> None:
    driver = bucket.driver()
    upload = await driver.presign_form(
        "in/42/", datetime.now(UTC) + HOUR, min_size=2, max_size=10, content_type="image/"
    )
    kind = {"Content-Type": "image/png"}
    assert await threads.run(post, upload, "a b.png", b"12345", **kind) == 204
    assert bucket.get("in/42/a b.png") == b"12345"
    assert await threads.run(post, upload, "a.png", b"1", **kind) == 400
    wrong: dict[str, str] = {"Content-Type": "text/html"}
    assert await threads.run(post, upload, "a.png", b"12345", **wrong) == 403
    elsewhere = Upload(upload.url, "POST", {}, {**upload.fields, "key": "out/a"})
    assert await threads.run(post, elsewhere, "a", b"12345", **kind) == 403


async def test_a_browser_uploads_in_parts_with_signed_addresses(bucket: Bucket) -> None:
    driver = bucket.driver()
    upload = await driver.start_parts(KEY)
    etags: dict[int, str] = {}
    data = random_bytes(5 * MIB) + b"end"
    for number, part in enumerate((data[: 5 * MIB], data[5 * MIB :]), 1):
        way = await driver.presign_part(KEY, upload, number, datetime.now(UTC) + HOUR)
        status, headers, _ = await threads.run(fetch, way.url, way.method, part, way.headers)
        assert status == 200
        etags[number] = headers["ETag"]
    assert await driver.list_parts(KEY, upload) == etags
    await driver.complete_parts(KEY, upload, etags)
    assert bucket.get() == data


async def test_an_address_of_temporary_credentials_carries_their_token(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    driver = bucket.driver(
        access_key=TEMPORARY.access, secret_key=TEMPORARY.secret, session_token=TEMPORARY.token
    )
    await driver.write(KEY, Body(b"x"))
    url = await driver.temporary_url(KEY, HOUR)
    assert (await threads.run(fetch, url))[2] == b"x"
    assert "X-Amz-Security-Token" in url
    assert caplog.text == ""


def _pem() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    ).decode()


async def test_a_cdn_signs_addresses_and_cookies() -> None:
    driver = S3Driver(
        "media",
        url="https://cdn.example.com/m",
        cdn_key_id="K1",
        cdn_private_key=_pem(),
        access_key="a",
        secret_key="b",
    )
    assert driver.url("a b") == "https://cdn.example.com/m/a%20b"
    url = await driver.temporary_url("a b", HOUR, content_type="a/b")
    query = parse_qs(urlsplit(url).query)
    assert url.startswith("https://cdn.example.com/m/a%20b?")
    assert query["Key-Pair-Id"] == ["K1"]
    assert query["response-content-type"] == ["a/b"]
    cookies = driver.signed_cookies("videos/*", datetime.now(UTC) + HOUR)
    policy = cookies["CloudFront-Policy"].translate(str.maketrans("-_~", "+=/"))
    resource = json.loads(base64.b64decode(policy))["Statement"][0]["Resource"]
    assert resource == "https://cdn.example.com/m/videos/*"
    assert (await driver.temporary_upload_url("a", HOUR)).url.startswith("https://media.s3.")
    await driver.aclose()


def test_a_cdn_needs_its_parts_together() -> None:
    with pytest.raises(ConfigError, match="go together"):
        S3Driver("media", cdn_key_id="K1")


@pytest.mark.parametrize(
    ("options", "url", "wanted"),
    [
        ({"region": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com", "/media/a%20b"),
        ({"region": "eu-west-1"}, "https://s3.amazonaws.com", "/media/a%20b"),
        ({"region": "eu-west-1"}, "https://s3.amazonaws.com/media", "/media/a%20b"),
        ({"region": "eu-west-1"}, "https://media.s3.eu-west-1.amazonaws.com", "/a%20b"),
        ({"region": "eu-west-1", "path_style": True}, "https://s3.amazonaws.com", "/media/a%20b"),
        (
            {"endpoint_url": "https://media.example.com"},
            "https://media.example.com",
            "/media/a%20b",
        ),
        (
            {"endpoint_url": "https://s3.example.com/x"},
            "https://s3.example.com/x",
            "/x/media/a%20b",
        ),
        (
            {"provider": "spaces", "region": "fra1"},
            "https://fra1.digitaloceanspaces.com",
            "/media/a%20b",
        ),
        (
            {"provider": "spaces", "region": "fra1"},
            "https://media.fra1.digitaloceanspaces.com",
            "/a%20b",
        ),
        ({"region": "eu-west-1"}, "https://cdn.example.com/x", "/x/a%20b"),
    ],
)
def test_the_services_own_host_gets_the_bucket_in_its_path(
    options: dict[str, Any], url: str, wanted: str
) -> None:
    assert (
        S3Driver("media", url=url, **options).url("a b")
        == f"{url.removesuffix('/media').removesuffix('/x')}{wanted}"
    )
