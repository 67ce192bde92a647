"""Addresses: public, signed, forms; opened by a client that knows nothing but them."""

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from storeroom.contracts import threads
from storeroom.contracts.abilities import PresignPost, PresignRead, PresignWrite, find
from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, InvalidArgument, PermissionDenied, Unsupported
from storeroom.contracts.values import Grant, Upload
from storeroom.drivers.gcs import GCSDriver
from tests.drivers.gcs.bucket import Bucket
from tests.drivers.s3.bucket import KEY, random_bytes
from tests.drivers.s3.test_addresses import fetch, post
from tests.servers import google_keys
from tests.servers.strict_gcs import Fault

HOUR = timedelta(hours=1)
PLACES: list[tuple[dict[str, Any], str]] = [
    ({}, "https://storage.googleapis.com/media/a%20b%252F.txt"),
    ({"endpoint_url": "http://localhost:4443/"}, "http://localhost:4443/media/a%20b%252F.txt"),
    ({"endpoint_url": "https://gcs.test/api"}, "https://gcs.test/api/media/a%20b%252F.txt"),
    ({"url": "https://cdn.test/files/"}, "https://cdn.test/files/a%20b%252F.txt"),
    (
        {"url": "https://storage.googleapis.com"},
        "https://storage.googleapis.com/media/a%20b%252F.txt",
    ),
    (
        {"url": "https://storage.googleapis.com/media"},
        "https://storage.googleapis.com/media/a%20b%252F.txt",
    ),
]


@pytest.mark.parametrize(("options", "wanted"), PLACES, ids=str)
def test_a_public_address_is_where_readers_find_it(options: dict[str, Any], wanted: str) -> None:
    assert GCSDriver("media", **options).url("a b%2F.txt") == wanted


@pytest.fixture(params=["own key", "IAM"])
def signer(
    request: pytest.FixtureRequest, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., GCSDriver]:
    """Drivers that sign with an account's key, or have Google sign for the machine's account."""
    if request.param == "own key":
        return bucket.driver
    monkeypatch.setenv("GCE_METADATA_HOST", bucket.strict.url.partition("://")[2])
    monkeypatch.setattr("storeroom.drivers._gcs.routes.IAM", bucket.strict.url)
    return lambda **options: bucket.driver(credentials=None, **options)


async def test_a_signed_address_reads_with_the_name_and_type_asked_for(
    bucket: Bucket, signer: Callable[..., GCSDriver]
) -> None:
    bucket.put(b"contents")
    name = 'Größe "x"%.txt'
    url = await signer().temporary_url(KEY, HOUR, filename=name, content_type="text/x-odd")
    status, headers, body = await threads.run(fetch, url)
    assert (status, body) == (200, b"contents")
    assert headers["Content-Type"] == "text/x-odd"
    assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%22x%22%25.txt" in headers["Content-Disposition"]


@pytest.mark.parametrize("change", ["path", "expiry", "signature", "type", "method"])
async def test_a_signed_address_that_was_changed_opens_nothing(bucket: Bucket, change: str) -> None:
    bucket.put(b"contents", "a.txt")
    bucket.put(b"other", "b.txt")
    url = await bucket.driver().temporary_url("a.txt", HOUR, content_type="text/plain")
    changed = {
        "path": url.replace("a.txt", "b.txt"),
        "expiry": url.replace("Expires=3600", "Expires=36000"),
        "signature": url[:-8] + ("0" * 8 if url[-8:] != "0" * 8 else "1" * 8),
        "type": url.replace("text%2Fplain", "text%2Fhtml"),
        "method": url,
    }
    method = "PUT" if change == "method" else "GET"
    status, _, body = await threads.run(
        fetch, changed[change], method, b"x" if change == "method" else None
    )
    assert status in (400, 403)
    assert b"other" not in body
    assert bucket.get("a.txt") == b"contents"


async def test_a_signed_address_ends_when_it_says(bucket: Bucket) -> None:
    bucket.put(b"contents")
    url = await bucket.driver().temporary_url(KEY, 60)
    assert (await threads.run(fetch, url))[0] == 200
    bucket.strict.settings(clock=61)
    assert (await threads.run(fetch, url))[0] == 400


async def test_a_signed_upload_stores_with_its_type(
    bucket: Bucket, signer: Callable[..., GCSDriver]
) -> None:
    upload = await signer().temporary_upload_url(KEY, HOUR, content_type="image/png")
    assert upload.method == "PUT"
    wrong = await threads.run(fetch, upload.url, "PUT", b"x", {"content-type": "text/html"})
    assert wrong[0] in (400, 403)
    assert (await threads.run(fetch, upload.url, "PUT", b"contents", upload.headers))[0] == 200
    assert bucket.get() == b"contents"
    assert bucket.resource()["contentType"] == "image/png"


async def test_a_signed_upload_that_creates_only_leaves_what_is_there(bucket: Bucket) -> None:
    upload = await bucket.driver().temporary_upload_url(KEY, HOUR, overwrite=False)
    assert upload.headers["x-goog-if-generation-match"] == "0"
    assert (await threads.run(fetch, upload.url, "PUT", b"first", upload.headers))[0] == 200
    assert (await threads.run(fetch, upload.url, "PUT", b"second", upload.headers))[0] == 412
    assert (await threads.run(fetch, upload.url, "PUT", b"bare"))[0] in (400, 403)
    assert bucket.get() == b"first"


async def test_a_signed_upload_is_no_larger_than_it_may_be(bucket: Bucket) -> None:
    upload = await bucket.driver().temporary_upload_url(KEY, HOUR, max_size=10)
    assert upload.method == "PUT"
    assert (await threads.run(fetch, upload.url, "PUT", b"x" * 11, upload.headers))[0] == 400
    assert (await threads.run(fetch, upload.url, "PUT", b"x" * 11))[0] in (400, 403)
    assert bucket.get() is None
    assert (await threads.run(fetch, upload.url, "PUT", b"x" * 10, upload.headers))[0] == 200
    assert bucket.get() == b"x" * 10


async def test_a_form_stores_one_path_within_its_limits(
    bucket: Bucket, signer: Callable[..., GCSDriver]
) -> None:
    grant = Grant(KEY, "PUT", datetime.now(UTC) + HOUR, content_type="image/png", max_size=10)
    form = await signer().presign_post(grant)
    assert form.method == "POST"
    assert await threads.run(post, form, "x.png", b"x" * 10) == 204
    assert bucket.get() == b"x" * 10
    assert bucket.resource()["contentType"] == "image/png"
    assert await threads.run(post, form, "x.png", b"x" * 11) == 400
    tampered = Upload(form.url, "POST", {}, {**form.fields, "key": "other"})
    assert await threads.run(post, tampered, "x.png", b"x") == 400
    forged = json.loads(base64.b64decode(form.fields["policy"]))
    forged["conditions"] = [{"bucket": bucket.name}]
    encoded = base64.b64encode(json.dumps(forged).encode()).decode()
    tampered = Upload(form.url, "POST", {}, {**form.fields, "policy": encoded})
    assert await threads.run(post, tampered, "x.png", b"x") == 403
    with pytest.raises(Unsupported, match="a form cannot keep"):
        await bucket.driver().presign_post(Grant(KEY, "PUT", grant.expires, overwrite=False))


async def test_a_form_takes_any_name_behind_a_prefix(bucket: Bucket) -> None:
    form = await bucket.driver().presign_form(
        "uploads/42/", datetime.now(UTC) + HOUR, max_size=100, content_type="image/"
    )
    sent = {"Content-Type": "image/gif"}
    assert await threads.run(lambda: post(form, "cat %.gif", b"gif", **sent)) == 204
    assert bucket.get("uploads/42/cat %.gif") == b"gif"
    assert await threads.run(lambda: post(form, "a", b"x", **{"Content-Type": "text/html"})) == 400
    assert await threads.run(lambda: post(form, "a", b"x", **{**sent, "key": "elsewhere"})) == 400
    assert bucket.names() == ["uploads/42/cat %.gif"]


async def test_a_form_has_a_least_size_without_a_largest(bucket: Bucket) -> None:
    form = await bucket.driver().presign_form(
        "a/", datetime.now(UTC) + timedelta(seconds=60), min_size=3
    )
    policy = json.loads(base64.b64decode(form.fields["policy"]))
    assert ["content-length-range", 3, 5 << 40] in policy["conditions"]


async def test_a_form_ends_when_it_says(bucket: Bucket) -> None:
    form = await bucket.driver().presign_form("a/", datetime.now(UTC) + timedelta(seconds=60))
    bucket.strict.settings(clock=120)
    assert await threads.run(post, form, "x", b"x") in (400, 403)


async def test_a_signed_part_becomes_part_of_the_file(
    bucket: Bucket, signer: Callable[..., GCSDriver]
) -> None:
    """Whoever put it there knows its ETag, as from S3; both that and ours name it."""
    driver = signer()
    upload = await driver.start_parts(KEY)
    etags: dict[int, str] = {}
    for number in (1, 2):
        signed = await driver.presign_part(KEY, upload, number, datetime.now(UTC) + HOUR)
        status, headers, _ = await threads.run(
            fetch, signed.url, "PUT", b"%d" % number, signed.headers
        )
        assert status == 200
        etags[number] = headers["ETag"]
    listed = await driver.list_parts(KEY, upload)
    await driver.complete_parts(KEY, upload, {1: etags[1], 2: listed[2]})
    assert bucket.get() == b"12"
    assert bucket.names() == [KEY]


async def test_the_longest_is_seven_days(bucket: Bucket) -> None:
    driver = bucket.driver()
    bucket.put(b"x")
    url = await driver.temporary_url(KEY, timedelta(days=7))
    assert (await threads.run(fetch, url))[0] == 200
    with pytest.raises(InvalidArgument, match="7 days"):
        await driver.temporary_url(KEY, timedelta(days=7, minutes=1))


async def test_signed_addresses_begin_with_the_host_that_was_given(bucket: Bucket) -> None:
    driver = bucket.driver(temporary_url="https://cdn.test/base", url="https://public.test")
    assert (await driver.temporary_url("a b", HOUR)).startswith("https://cdn.test/base/a%20b?")
    assert driver.url("a b") == "https://public.test/a%20b"
    other = bucket.driver(temporary_url=bucket.server.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(ConfigError):
        GCSDriver("media", temporary_url="cdn.test")
    assert "localhost" in await other.temporary_url("a", HOUR)


async def test_who_pays_is_signed_for(bucket: Bucket) -> None:
    bucket.put(b"x")
    url = await bucket.driver(user_project="a-project").temporary_url(KEY, HOUR)
    assert parse_qs(urlsplit(url).query)["userProject"] == ["a-project"]
    assert (await threads.run(fetch, url))[0] == 200


async def test_an_own_key_signs_without_asking_anybody(bucket: Bucket) -> None:
    driver = bucket.driver(credentials=google_keys.service_account("http://127.0.0.1:1"))
    with bucket.strict.watching() as wire:
        await asyncio.gather(*(driver.temporary_url(f"{n}", HOUR) for n in range(5)))
    assert wire.requests == []


async def test_an_impersonated_account_signs_by_iam(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket.put(b"contents")
    monkeypatch.setattr("storeroom.drivers._gcs.routes.IAM", bucket.strict.url)
    given = bucket.strict.external_account(tmp_path / "subject", impersonates=True)
    with bucket.strict.watching() as wire:
        url = await bucket.driver(credentials=given).temporary_url(KEY, HOUR)
    assert "signBlob" in wire.operations
    assert (await threads.run(fetch, url))[2] == b"contents"


async def test_a_person_is_told_that_only_accounts_sign(bucket: Bucket) -> None:
    driver = bucket.driver(credentials=bucket.strict.authorized_user())
    assert find(driver, PresignRead)
    with pytest.raises(PermissionDenied, match="only one can sign"):
        await driver.temporary_url(KEY, HOUR)


async def test_who_may_not_sign_is_told_which_role_is_missing(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", bucket.strict.url.partition("://")[2])
    monkeypatch.setattr("storeroom.drivers._gcs.routes.IAM", bucket.strict.url)
    bucket.strict.fail(Fault("answer", operation="signBlob", status=403, times=2))
    with pytest.raises(PermissionDenied, match="Service Account Token Creator"):
        await bucket.driver(credentials=None).temporary_url(KEY, HOUR)


def test_who_is_anonymous_offers_no_signature() -> None:
    driver = GCSDriver("media", anonymous=True)
    for kind in (PresignRead, PresignWrite, PresignPost):
        assert find(driver, kind) is None


async def test_a_key_that_is_none_signs_nothing_and_is_not_quoted(bucket: Bucket) -> None:
    given = {**bucket.strict.service_account(), "private_key": "s3cr3t"}
    with pytest.raises(ConfigError, match="no RSA key") as caught:
        await bucket.driver(credentials=given).temporary_url(KEY, HOUR)
    assert "s3cr3t" not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_large_bodies_go_to_signed_addresses_too(bucket: Bucket) -> None:
    data = random_bytes(1 << 20)
    upload = await bucket.driver().temporary_upload_url(KEY, HOUR)
    assert (await threads.run(fetch, upload.url, "PUT", data, upload.headers))[0] == 200
    assert await bucket.driver().get(KEY) == data
    await bucket.driver().write(KEY, Body(b"x"))
