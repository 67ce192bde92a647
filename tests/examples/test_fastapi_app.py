"""The FastAPI application: uploads, downloads with ranges, and what hostile clients send."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fastapi.testclient import TestClient

from storeroom import Storage

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1200
HTML = b"<!doctype html><script>alert(1)</script>"


@pytest.fixture
def module(example: Callable[[str], ModuleType]) -> ModuleType:
    return example("fastapi_app")


@pytest.fixture
def client(module: ModuleType) -> Iterator[TestClient]:
    with TestClient(module.app) as client:
        yield client


@pytest.fixture
def photo(client: TestClient) -> str:
    answer = client.post("/photos", files={"file": ("me.png", PNG)})
    assert answer.status_code == 201, answer.text
    path: str = answer.json()["path"]
    return path


def stored() -> list[Path]:
    return [file for file in Path("storage").rglob("*") if file.is_file()]


def test_an_upload_comes_back(client: TestClient, photo: str) -> None:
    answer = client.get(f"/photos/{photo}")
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(PNG))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/photos").json() == [photo]


def test_the_name_is_ours(photo: str) -> None:
    assert photo.endswith(".png")
    assert len(photo) == 40 + len(".png")
    assert [file.name for file in stored()] == [photo]


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, len(PNG)),
        ("bytes=-100", len(PNG) - 100, len(PNG)),
        ("bytes=5-999999999", 5, len(PNG)),
        ("bytes=-999999999", 0, len(PNG)),
    ],
)
def test_a_range_is_a_part(
    client: TestClient, photo: str, asked: str, start: int, stop: int
) -> None:
    answer = client.get(f"/photos/{photo}", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, PNG[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(PNG)}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=9-5",
        "bytes=" + "9" * 5000 + "-",
        "bytes=a-b",
        "bytes=-",
        "lines=1-2",
        "bytes=1-2,4-5",
    ],
)
def test_a_range_that_means_nothing_is_ignored(client: TestClient, photo: str, asked: str) -> None:
    answer = client.get(f"/photos/{photo}", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, PNG)


@pytest.mark.parametrize("asked", [f"bytes={len(PNG)}-", "bytes=999999999-999999999", "bytes=-0"])
def test_a_range_behind_the_end_is_416(client: TestClient, photo: str, asked: str) -> None:
    answer = client.get(f"/photos/{photo}", headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(PNG)}"


def test_a_photo_that_the_browser_has_is_not_sent_again(client: TestClient, photo: str) -> None:
    etag = client.get(f"/photos/{photo}").headers["etag"]
    answer = client.get(f"/photos/{photo}", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert client.get(f"/photos/{photo}", headers={"If-None-Match": '"x"'}).status_code == 200


def test_a_deleted_photo_is_gone(client: TestClient, photo: str) -> None:
    assert client.delete(f"/photos/{photo}").status_code == 204
    assert client.delete(f"/photos/{photo}").status_code == 204
    assert client.get(f"/photos/{photo}").status_code == 404


def test_a_file_that_is_too_large_is_refused(
    client: TestClient, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", len(PNG) - 1)
    assert client.post("/photos", files={"file": ("me.png", PNG)}).status_code == 413
    monkeypatch.setattr(module, "LARGEST", len(PNG))
    assert client.post("/photos", files={"file": ("me.png", PNG)}).status_code == 201


@pytest.mark.parametrize(
    "data", [HTML, b"", b"PNG", b"GIF", b"%PDF-1.7", b"PK\x03\x04", b"MZ" * 99]
)
def test_what_is_no_photo_is_refused_whatever_it_says(client: TestClient, data: bytes) -> None:
    answer = client.post("/photos", files={"file": ("me.png", data, "image/png")})
    assert answer.status_code == 415
    assert not stored()


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/cron.d/x",
        "..\\..\\x.png",
        "/etc/passwd",
        "a\x00.png",
        "x" * 2000,
        "shell.php",
        ".png",
    ],
)
def test_a_hostile_name_has_no_effect(client: TestClient, name: str) -> None:
    answer = client.post("/photos", files={"file": (name, PNG, "text/html")})
    assert answer.status_code == 201, answer.text
    assert [file.parent.as_posix() for file in stored()] == ["storage/app/photos"]
    assert client.get(f"/photos/{answer.json()['path']}").headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("..%2F..%2F..%2Fsecret.txt", 400),
        ("%2e%2e/%2e%2e/secret.txt", 400),
        ("..%5Csecret.txt", 400),
        ("%2Fetc%2Fpasswd", 400),
        ("a%00b", 400),
        ("a//b", 400),
        ("%E2%80%AEgpj.exe", 400),
        (".storeroom-tmp-1", 400),
        ("x" * 2000, 400),
        ("missing.png", 404),
        ("missing/a.png", 404),
    ],
)
def test_a_hostile_path_reads_nothing(client: TestClient, path: str, status: int) -> None:
    Path("storage/app").mkdir(parents=True)
    Path("secret.txt").write_text("secret")
    Path("storage/secret.txt").write_text("secret")
    for answer in (client.get(f"/photos/{path}"), client.request("DELETE", f"/photos/{path}")):
        assert answer.status_code in (status, 204 if status == 404 else status), answer.text
        assert "secret" not in answer.text.replace("secret.txt", "")
    assert Path("secret.txt").exists()


def test_an_upload_that_is_no_form_is_refused(client: TestClient) -> None:
    assert client.post("/photos", content=PNG).status_code == 422
    assert client.post("/photos", data={"file": "text"}).status_code == 422


def test_it_runs_on_any_disk(module: ModuleType) -> None:
    with Storage.fake() as disk, TestClient(module.app) as client:
        path = client.post("/photos", files={"file": ("me.png", PNG)}).json()["path"]
        disk.assert_exists(f"photos/{path}", PNG)
    assert not stored()
