"""The strict Google server's listings: order, prefixes, pages."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.servers.plain import send
from tests.servers.strict_gcs import StrictGcs

NAMES = ("Z", "a", "a/", "a/b", "a/c/d", "b/x", "foo", "foobar/x", "ü", "\uffff", "🗄")


@pytest.fixture
def bucket(strict_gcs: StrictGcs, levers: None) -> str:
    name = strict_gcs.make_bucket()
    for one in NAMES:
        target = f"/upload/storage/v1/b/{name}/o?uploadType=media&name={quote(one, safe='')}"
        send(strict_gcs, "POST", target, headers=strict_gcs.bearer, body=b"")
    return name


def page(server: StrictGcs, bucket: str, **query: Any) -> dict[str, Any]:
    told: dict[str, Any] = server.call("GET", f"/storage/v1/b/{bucket}/o?{urlencode(query)}")
    return told


def names(told: dict[str, Any]) -> list[str]:
    return [item["name"] for item in told.get("items", [])]


def test_names_come_in_the_order_of_their_utf8(strict_gcs: StrictGcs, bucket: str) -> None:
    assert names(page(strict_gcs, bucket)) == list(NAMES)


def test_a_bucket_without_objects_has_no_items(strict_gcs: StrictGcs) -> None:
    assert page(strict_gcs, strict_gcs.make_bucket()) == {"kind": "storage#objects"}


@pytest.mark.parametrize(
    ("query", "items", "prefixes"),
    [
        ({"delimiter": "/"}, ["Z", "a", "foo", "ü", "\uffff", "🗄"], ["a/", "b/", "foobar/"]),
        ({"delimiter": "/", "prefix": "a/"}, ["a/", "a/b"], ["a/c/"]),
        ({"delimiter": "/", "prefix": "a"}, ["a"], ["a/"]),
        ({"delimiter": "oo", "prefix": "f"}, [], ["foo"]),
        ({"prefix": "foo"}, ["foo", "foobar/x"], None),
        ({"startOffset": "b", "endOffset": "foobar"}, ["b/x", "foo"], None),
        (
            {"delimiter": "/", "includeTrailingDelimiter": "true", "prefix": "a"},
            ["a", "a/"],
            ["a/"],
        ),
        ({"prefix": "none"}, [], None),
    ],
)
@pytest.mark.parametrize("most", [1, 2, 1000])
def test_pages_have_together_what_one_has(
    strict_gcs: StrictGcs,
    bucket: str,
    query: dict[str, str],
    items: list[str],
    prefixes: list[str] | None,
    most: int,
) -> None:
    strict_gcs.settings(page=most)
    found: list[str] = []
    folders: list[str] = []
    token: dict[str, str] = {}
    while True:
        told = page(strict_gcs, bucket, **query, **token)
        found += names(told)
        folders += told.get("prefixes", [])
        if "nextPageToken" not in told:
            break
        assert len(told.get("items", [])) + len(told.get("prefixes", [])) >= most
        token = {"pageToken": told["nextPageToken"]}
    # The object of a prefix's own name comes with the prefix, on the same page or the next.
    assert list(dict.fromkeys(found)) == (items or [])
    assert list(dict.fromkeys(folders)) == (prefixes or [])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"maxResults": "x"}, 400),
        ({"maxResults": "0"}, 400),
        ({"pageToken": "no token"}, 400),
        ({"matchGlob": "*"}, 501),
        ({"ifGenerationMatch": "1"}, 501),
    ],
)
def test_what_a_listing_does_not_know_is_refused(
    strict_gcs: StrictGcs, bucket: str, query: dict[str, str], status: int
) -> None:
    target = f"/storage/v1/b/{bucket}/o?{urlencode(query)}"
    assert send(strict_gcs, "GET", target, headers=strict_gcs.bearer).status == status


def test_generations_are_listed_on_request(strict_gcs: StrictGcs) -> None:
    bucket = strict_gcs.make_bucket(versioned=True)
    for body in (b"1", b"22"):
        target = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name=x"
        send(strict_gcs, "POST", target, headers=strict_gcs.bearer, body=body)
    old, new = page(strict_gcs, bucket, versions="true")["items"]
    assert [old["size"], new["size"]] == ["1", "2"]
    assert ["timeDeleted" in it for it in (old, new)] == [True, False]
    first = page(strict_gcs, bucket, versions="true", maxResults=1)
    second = page(strict_gcs, bucket, versions="true", pageToken=first["nextPageToken"])
    assert first["items"] + second["items"] == [old, new]
    assert page(strict_gcs, bucket)["items"] == [new]


def test_a_bucket_that_is_not_there_is_said_so(strict_gcs: StrictGcs) -> None:
    answer = send(strict_gcs, "GET", "/storage/v1/b/no-such-bucket/o", headers=strict_gcs.bearer)
    assert answer.status == 404
    assert b"The specified bucket does not exist." in answer.body
