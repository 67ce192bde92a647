"""A browser's uploads by form and in parts, against a server that judges policies and signatures."""

import os
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from types import ModuleType

import httpx2
import pytest
from starlette.testclient import TestClient

from tests.servers.s3 import S3Server

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
PART = 8 << 20


@pytest.fixture
def bucket(strict_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket that the examples find in the environment."""
    name = strict_s3.make_bucket()
    for variable, value in {
        "AWS_BUCKET": name,
        "AWS_ENDPOINT_URL": strict_s3.url,
        "AWS_DEFAULT_REGION": strict_s3.region,
        "AWS_ACCESS_KEY_ID": strict_s3.access_key,
        "AWS_SECRET_ACCESS_KEY": strict_s3.secret_key,
    }.items():
        monkeypatch.setenv(variable, value)
    return name


@pytest.fixture
def form_app(example: Callable[[str], ModuleType], bucket: str) -> Iterator[TestClient]:
    with TestClient(example("s3_upload_form").app, follow_redirects=False) as client:
        yield client


@pytest.fixture
def parts_app(example: Callable[[str], ModuleType], bucket: str) -> Iterator[TestClient]:
    with TestClient(example("s3_multipart").app) as client:
        yield client


class Form(HTMLParser):
    """What a browser sends when its user presses the button."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.link = "", ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = found["action"]
        elif tag == "a":
            self.link = found["href"]
        elif found.get("type") == "hidden":
            self.fields[found["name"]] = found["value"]

    def sent(self, content: bytes, fields: Mapping[str, str] | None = None) -> int:
        files = {"file": ("me.png", content, "image/png")}
        data = {**self.fields, **(fields or {})}
        return httpx2.post(self.action, data=data, files=files).status_code


def test_a_photo_goes_up_by_the_form_and_down_by_the_link(form_app: TestClient) -> None:
    form = Form(form_app.get("/").text)
    assert form.sent(PNG) in (200, 201, 204)
    seen = httpx2.get(form_app.get(form.link).headers["location"])
    assert (seen.status_code, seen.content) == (200, PNG)
    assert seen.headers["content-type"] == "image/png"


def test_the_form_takes_no_larger_file_and_no_other_name_or_type(form_app: TestClient) -> None:
    form = Form(form_app.get("/").text)
    assert form.sent(bytes((10 << 20) + 1)) == 400
    assert form.sent(PNG, {"key": "photos/other.png"}) == 403
    assert form.sent(PNG, {"Content-Type": "text/html"}) == 403
    assert form.sent(PNG, {"x-amz-signature": "0" * 64}) == 403
    assert httpx2.get(form_app.get(form.link).headers["location"]).status_code == 404


def test_a_file_goes_up_in_parts(parts_app: TestClient, strict_s3: S3Server, bucket: str) -> None:
    whole = os.urandom(PART + 1000)
    begun = parts_app.post("/uploads").json()
    assert begun["part"] == PART
    for number in (2, 1):
        given = parts_app.post(f"/uploads/{begun['upload']}/parts/{number}").json()
        piece = whole[(number - 1) * PART : number * PART]
        assert httpx2.put(given["url"], headers=given["headers"], content=piece).status_code == 200
    done = parts_app.post(f"/uploads/{begun['upload']}")
    assert done.status_code == 201
    stored = strict_s3.client().get_object(Bucket=bucket, Key=done.json()["path"])
    assert stored["Body"].read() == whole
    assert parts_app.post(f"/uploads/{begun['upload']}").status_code == 404


def test_a_part_s_address_is_for_that_part_alone(parts_app: TestClient) -> None:
    upload = parts_app.post("/uploads").json()["upload"]
    given = parts_app.post(f"/uploads/{upload}/parts/1").json()
    other = given["url"].replace("partNumber=1", "partNumber=2")
    assert httpx2.put(other, headers=given["headers"], content=b"x").status_code == 403


def test_an_upload_with_a_gap_is_not_completed_and_an_aborted_one_is_gone(
    parts_app: TestClient, strict_s3: S3Server, bucket: str
) -> None:
    upload = parts_app.post("/uploads").json()["upload"]
    assert parts_app.post(f"/uploads/{upload}").status_code == 409
    given = parts_app.post(f"/uploads/{upload}/parts/2").json()
    assert httpx2.put(given["url"], headers=given["headers"], content=b"x").status_code == 200
    assert parts_app.post(f"/uploads/{upload}").status_code == 409
    assert parts_app.delete(f"/uploads/{upload}").status_code == 204
    assert "Uploads" not in strict_s3.client().list_multipart_uploads(Bucket=bucket)


def test_the_page_is_a_page(parts_app: TestClient) -> None:
    assert '<input type="file">' in parts_app.get("/").text
