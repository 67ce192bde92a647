"""Addresses on the CDN, headers by pattern, and every change purged, whatever becomes of the purge."""

import asyncio
import pickle
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from storeroom.contracts.abilities import PresignRead, PublicUrl, find
from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    Closed,
    ConfigError,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import Grant, Traits, WriteOptions
from storeroom.disk import Disk
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around
from storeroom.layers._cdn.purging import Busy
from storeroom.layers.cdn import CDN
from storeroom.layers.scoped import Scoped
from storeroom.manager import StorageManager
from storeroom.testing._suite.frame import failing
from tests.layers.cache.inside import Inside
from tests.layers.cdn.edge import Distribution, Edge, Purges
from tests.layers.cdn.edge import edge as run_edge
from tests.layers.everything import METHODS, Bare, Everything, fates
from tests.servers.s3 import S3Server

AT = "https://cdn.example.com"

# Each call that changes what the CDN may hold, with the paths to purge.
CHANGES: dict[str, tuple[Callable[[Any], Any], set[str]]] = {
    "write": (lambda cdn: cdn.write("f/a", Body(b"new")), {"f/a"}),
    "remove": (lambda cdn: cdn.remove("f/a"), {"f/a"}),
    "copy_within": (lambda cdn: cdn.copy_within("b", "f/a"), {"f/a"}),
    "copy_from": (lambda cdn: cdn.copy_from(cdn.origin_inside, "b", "f/a"), {"f/a"}),
    "rename": (lambda cdn: cdn.rename("f/a", "c"), {"f/a", "c"}),
    "remove_many": (lambda cdn: cdn.remove_many(["b", "f/a"]), {"b", "f/a"}),
    "extend": (lambda cdn: cdn.extend("f/a", Body(b"more")), {"f/a"}),
    "change_visibility": (lambda cdn: cdn.change_visibility("f/a", "private"), {"f/a"}),
    "remove_folder": (lambda cdn: cdn.remove_folder("f"), {"f/a", "f/sub/c"}),
    "complete_parts": (
        lambda cdn: cdn.complete_parts("f/a", "upload-0", {1: "part-1"}),
        {"f/a"},
    ),
    "change_attributes": (
        lambda cdn: cdn.change_attributes("f/a", WriteOptions(content_type="text/x")),
        {"f/a"},
    ),
    "restore_version": (lambda cdn: cdn.restore_version("f/a", "m-1"), {"f/a"}),
    "remove_version": (lambda cdn: cdn.remove_version("f/a", "m-1"), {"f/a"}),
}
NOT_SEEN = {
    *("public_url", "presign_read", "presign_write", "presign_post", "verify_url", "origin"),
    *("read_visibility", "has_folder", "make_folder", "digest", "start_parts", "write_part"),
    *("presign_part", "list_parts", "abort_parts", "sweep", "read_tags", "change_tags"),
    *("change_time", "change_tier", "list_versions", "read_version", "acquire_lease"),
    *("renew_lease", "release_lease", "local_path"),
}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"domain": "ftp://cdn"}, "domain is"),
    ({"domain": "https://user:pw@cdn"}, "domain is"),
    ({"domain": "https://cdn?x=1"}, "domain is"),
    ({"domain": "https://cdn?"}, "domain is"),
    ({"domain": "https://cdn#"}, "domain is"),
    ({"domain": "https://cdn\n.example.com"}, "domain is"),
    ({"domain": "https://cdn\\x"}, "domain is"),
    ({"domain": "https://cdn/../x"}, "domain is"),
    ({"domain": "https://bücher.example"}, "xn--"),
    ({"domain": ""}, "domain is"),
    ({"cache_control": {"*": ""}}, "both text"),
    ({"cache_control": {"*": "a\r\nSet-Cookie: x"}}, "cannot"),
    ({"cache_control": ["*"]}, "patterns"),
    ({"purge": "cloudfont"}, "'cloudfront', 'http' or a function"),
    ({"purge": "cloudfront"}, "distribution_id is missing"),
    ({"purge": "cloudfront", "distribution_id": "E1", "access_key": "x"}, "go together"),
    ({"distribution_id": "E1"}, "are for purge = 'cloudfront'"),
    ({"purge_url": "https://x"}, "are for purge = 'http'"),
    ({"purge": "http", "purge_method": "GET"}, "'PURGE' or 'POST'"),
    ({"purge": "http", "purge_method": "POST"}, "purge_url is missing"),
    ({"purge": "http", "purge_url": "file:///x"}, "http or https"),
    ({"purge": "http", "purge_url": "https://x:99999"}, "http or https"),
    ({"purge": "http", "purge_url": "https://x/\r\nHost: y"}, "http or https"),
    ({"purge": "http", "purge_url": "https://user:pw@x"}, "names no user"),
    ({"purge": "http", "purge_url": "https://x/?key=1"}, "has no query"),
    ({"purge": "http", "purge_token": "a\r\nX-More: b"}, "what a header cannot"),
    ({"purge": "http", "purge_headers": {"X\r\nY": "b"}}, "what a header cannot"),
    ({"purge": "http", "purge_headers": {"X": "a\nb"}}, "what a header cannot"),
    ({"purge": "http", "purge_headers": {"X": 1}}, "both text"),
    ({"purge": "http", "purge_url": "http://x", "purge_token": "t"}, "go to https"),
    ({"purge": "http", "domain": "http://x", "purge_token": "t"}, "go to https"),
    ({"batch": 0}, "batch is 1 to 3,000"),
    ({"batch": 3001}, "batch is 1 to 3,000"),
    ({"delay": -1}, "delay is a number"),
    ({"base": float("nan")}, "base is a number"),
    ({"attempts": 0}, "at least 1"),
]


def over(inner: Any, purge: Any = None, **options: Any) -> CDN:
    return CDN(inner, purge=purge, **({"domain": AT, "delay": 0, "base": 0} | options))


@pytest.fixture
async def driver() -> Everything:
    driver = Everything()
    for path in ("b", "f/sub/c", "f/a"):
        await driver.put(path, b"old")
    driver.former["f/a", "m-1"] = b"older"
    await driver.start_parts("f/a")
    await driver.write_part("f/a", "upload-0", 1, Body(b"parts"))
    return driver


@pytest.fixture
async def edge() -> AsyncGenerator[Edge]:
    async with run_edge(Edge()) as running:
        yield running


def test_what_becomes_of_every_ability() -> None:
    inner = Everything()
    assert fates(over(inner), inner) == {
        "kept": {
            *("PresignRead", "PresignWrite", "PresignPost", "VerifyUrl", "Origin", "Checksum"),
            *("Sweep", "Times", "Tags", "Tiers", "Leases", "LocalPath"),
        },
        "adapted": {
            *("PublicUrl", "Copy", "CopyFrom", "Move", "BulkRemove", "Append", "Visibility"),
            *("Folders", "Multipart", "Attributes", "Versions"),
        },
    }
    assert over(inner).traits == inner.traits
    assert (set(CHANGES) - {"write", "remove"}) | NOT_SEEN == set(METHODS)


@pytest.mark.parametrize(("options", "why"), WRONG)
def test_options_without_a_meaning_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        CDN(MemoryDriver(), **({"domain": AT} | options))


@pytest.mark.parametrize(
    ("domain", "begins"),
    [
        ("https://cdn.example.com", "https://cdn.example.com/"),
        ("https://cdn.example.com/", "https://cdn.example.com/"),
        ("cdn.example.com/media/", "https://cdn.example.com/media/"),
        ("http://localhost:8080", "http://localhost:8080/"),
    ],
)
def test_addresses_are_on_the_domain_and_encoded_once(domain: str, begins: str) -> None:
    cdn = CDN(MemoryDriver(), domain=domain)
    assert cdn.url("a b/%2F?#é*.png") == f"{begins}a%20b/%252F%3F%23%C3%A9%2A.png"
    with pytest.raises(InvalidPath):
        cdn.public_url("a/../b")
    assert Scoped(cdn, "t 1").url("a") == f"{begins}t%201/a"


def test_a_disk_without_addresses_gets_them() -> None:
    bare: Any = Bare(MemoryDriver())
    assert find(bare, PublicUrl) is None
    assert CDN(bare, domain=AT).url("a") == f"{AT}/a"


async def test_a_signed_address_stays_that_of_the_origin(driver: Everything) -> None:
    grant = Grant("b", "GET", datetime(2099, 1, 1, tzinfo=UTC))
    signed = await over(driver).ability(PresignRead).presign_read(grant)
    assert AT not in signed
    assert (await driver.verify_url(signed, "GET")).path == "b"


@pytest.mark.parametrize(
    ("url", "begins"),
    [("https://app.example.com/f", "https://app.example.com/f/"), (None, "/storage/media/")],
)
async def test_so_does_one_that_the_disk_signs(
    tmp_path: Path, url: str | None, begins: str
) -> None:
    disk = Disk(over(LocalDriver(tmp_path, url=url)), name="media", signing_key="k" * 16)
    inside = Disk(
        Scoped(over(Scoped(LocalDriver(tmp_path, url=url), "t 1")), "u"),
        name="media",
        signing_key="k" * 16,
    )
    for one, prefix in ((disk, ""), (inside, "t%201/u/" if url else "")):
        await one.put("a b", b"x")
        signed = await one.temporary_url("a b", 60)
        assert signed.startswith(f"{begins}{prefix}a%20b?")
        assert (await one.verify_temporary_url(signed)).path == "a b"


async def test_files_get_the_header_of_the_first_pattern_they_match(driver: Everything) -> None:
    patterns = {"*.min.css": "immutable", "*.css": "max-age=60", "private/*": "no-store"}
    cdn = over(driver, cache_control=patterns)
    await cdn.put("css/a.min.css", b"x")
    await cdn.put("css/a.css", b"x")
    await cdn.put("private/a", b"x")
    await cdn.put("other", b"x")
    await cdn.put("own.css", b"x", cache_control="max-age=1")
    await cdn.append("new.css", b"x")
    found = {stat.path: stat.cache_control async for stat in driver.scan() if hasattr(stat, "size")}
    assert {path: header for path, header in found.items() if header} == {
        "css/a.min.css": "immutable",
        "css/a.css": "max-age=60",
        "private/a": "no-store",
        "own.css": "max-age=1",
        "new.css": "max-age=60",
    }


async def test_a_copy_gets_the_header_of_its_new_path_unless_one_was_given(
    driver: Everything,
) -> None:
    cdn = over(driver, cache_control={"*.css": "max-age=60", "*.tmp": "no-store"})
    await cdn.put("a.tmp", b"x")
    await cdn.put("b.tmp", b"x", cache_control="max-age=1")
    for verb in (cdn.copy, cdn.move):
        await verb("a.tmp", "a.css")
        assert (await cdn.metadata("a.css")).cache_control == "max-age=60"
        await verb("b.tmp", "b.css")
        assert (await cdn.metadata("b.css")).cache_control == "max-age=1"
    with pytest.raises(NotFound):
        await cdn.copy("missing.tmp", "c.css")


@pytest.mark.parametrize("name", CHANGES)
async def test_every_change_is_purged(driver: Everything, name: str) -> None:
    purges = Purges()
    cdn = over(driver, purges)
    cdn.origin_inside = driver.origin("b")[0]  # type: ignore[attr-defined]
    call, paths = CHANGES[name]
    await call(cdn)
    assert await cdn.flush()
    assert purges.all == {f"{AT}/{path}" for path in paths}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_whose_outcome_is_unknown_is_purged(driver: Everything, name: str) -> None:
    purges, inside = Purges(), Inside(driver)
    cdn = over(inside, purges)
    cdn.origin_inside = driver.origin("b")[0]  # type: ignore[attr-defined]
    call, paths = CHANGES[name]
    expected = {f"{AT}/{path}" for path in paths}
    inside.fail(Unavailable("the reply was lost"), name)
    with pytest.raises(Unavailable):
        await call(cdn)
    await cdn.flush()
    assert purges.all == expected


async def test_a_cancelled_change_is_purged(driver: Everything) -> None:
    purges, inside = Purges(), Inside(driver)
    cdn = over(inside, purges)
    inside.hold("write")
    writing = asyncio.create_task(cdn.put("a", b"x"))
    await inside.reached.wait()
    writing.cancel()
    await asyncio.wait([writing])
    await cdn.flush()
    assert purges.all == {f"{AT}/a"}


async def test_what_changed_nothing_purges_nothing(driver: Everything) -> None:
    purges = Purges()
    cdn = over(driver, purges)
    failures: list[tuple[type[Exception], Any]] = [
        (AlreadyExists, cdn.put("b", b"x", overwrite=False)),
        (PreconditionFailed, cdn.put("b", b"x", if_match="no")),
        (InvalidPath, cdn.write("../b", Body(b"x"))),
        (NotFound, cdn.copy("missing", "b")),
        (ZeroDivisionError, cdn.write("b", failing(b"x", error=ZeroDivisionError()))),
    ]
    for kind, work in failures:
        with pytest.raises(kind):
            await work
    await cdn.get("b")
    assert await cdn.flush()
    assert purges.batches == []


@pytest.mark.parametrize("name", ["write", "extend"])
async def test_a_body_that_fails_half_way_is_purged_where_half_of_it_may_be_there(
    driver: Everything, name: str
) -> None:
    class InPlace(Around):
        def described(self, inside: Traits, /) -> Traits:
            return replace(inside, atomic=False, atomic_append=False)

    purges = Purges()
    cdn = over(InPlace(driver), purges)
    with pytest.raises(ZeroDivisionError):
        await getattr(cdn, name)("b", failing(b"x", error=ZeroDivisionError()))
    await cdn.flush()
    assert purges.all == {f"{AT}/b"}


@pytest.mark.parametrize("name", ["remove_folder", "remove_many"])
async def test_a_removal_that_is_refused_half_way_is_purged(driver: Everything, name: str) -> None:
    purges = Purges()
    inside = Inside(driver)
    cdn = over(inside, purges)
    inside.fail(PermissionDenied("not the last one"), name)
    change, paths = CHANGES[name]
    with pytest.raises(PermissionDenied):
        await change(cdn)
    await cdn.flush()
    assert purges.all == {f"{AT}/{path}" for path in paths}


async def test_a_folder_is_purged_at_once_where_the_purger_knows_how(driver: Everything) -> None:
    purges = Purges(wildcards=True)
    cdn = over(driver, purges)
    await cdn.remove_folder("f")
    await cdn.flush()
    await cdn.remove_folder("")
    await cdn.flush()
    assert purges.all == {f"{AT}/f/*", f"{AT}/*"}


async def test_changes_are_gathered_and_sent_in_batches(driver: Everything) -> None:
    purges = Purges()
    cdn = over(driver, purges, delay=60, batch=4)
    for number in range(10):
        await cdn.put(f"{number % 5}", b"x")
    assert purges.batches == []
    assert await cdn.flush()
    assert [len(batch) for batch in purges.batches] == [4, 1]
    assert purges.all == {f"{AT}/{number}" for number in range(5)}


async def test_changes_are_gathered_again_after_each_purge(driver: Everything) -> None:
    purges, first = Purges(), asyncio.Event()

    async def purge(addresses: Sequence[str]) -> None:
        if not purges.batches:
            await cdn.put("during", b"x")
        await purges(addresses)
        first.set()

    cdn = over(driver, purge, delay=0.2)
    await cdn.put("before", b"x")
    await first.wait()
    await cdn.put("after", b"x")
    await cdn.aclose()
    assert purges.batches == [[f"{AT}/before"], [f"{AT}/during", f"{AT}/after"]]


async def test_no_more_folders_are_purged_in_one_call_than_cloudfront_takes(
    driver: Everything,
) -> None:
    purges = Purges(wildcards=True)
    cdn = over(driver, purges, delay=60)
    for number in range(20):
        await cdn.put(f"{number}/a", b"x")
        await cdn.remove_folder(f"{number}")
    assert await cdn.flush()
    wild = [[at for at in batch if at.endswith("*")] for batch in purges.batches]
    assert [len(batch) for batch in wild] == [15, 5]
    assert len(purges.all) == 40


async def test_they_are_sent_by_themselves_after_the_delay(driver: Everything) -> None:
    purges = Purges()
    sent = asyncio.Event()

    async def tell() -> None:
        sent.set()

    purges.before = tell
    cdn = over(driver, purges, delay=0.01)
    await cdn.put("a", b"x")
    await sent.wait()


async def test_a_change_during_its_purge_is_purged_again(driver: Everything) -> None:
    purges = Purges()
    cdn = over(driver, purges)

    async def change() -> None:
        purges.before = None
        await cdn.put("a", b"newer")

    purges.before = change
    await cdn.put("a", b"new")
    await cdn.flush()
    await cdn.flush()
    assert purges.batches == [[f"{AT}/a"]] * 2


async def test_flushing_ends_though_changes_do_not(driver: Everything) -> None:
    purges = Purges()
    cdn = over(driver, purges)

    async def change() -> None:
        await cdn.put(f"{len(purges.batches)}", b"x")

    purges.before = change
    await cdn.put("a", b"x")
    async with asyncio.timeout(10):
        assert await cdn.flush()
    assert [f"{AT}/a"] in purges.batches
    purges.before = None
    await cdn.aclose()
    assert purges.all >= {f"{AT}/{number}" for number in range(len(purges.batches) - 1)}


async def test_a_purge_that_fails_is_made_again(driver: Everything) -> None:
    purges = Purges()
    purges.errors = [Unavailable("down"), ZeroDivisionError()]
    cdn = over(driver, purges, attempts=3)
    await cdn.put("a", b"x")
    assert await cdn.flush()
    assert purges.batches == [[f"{AT}/a"]]
    assert cdn.failed() == {}


async def test_a_purge_that_fails_for_good_is_reported_and_loses_no_write(
    driver: Everything, caplog: pytest.LogCaptureFixture
) -> None:
    purges, told = Purges(), list[Any]()
    purges.errors = [Unavailable("with a secret in it")] * 6
    cdn = over(
        driver,
        purges,
        attempts=3,
        on_failure=lambda addresses, error: told.append((addresses, error)),
    )
    await cdn.put("a", b"x")
    await cdn.put("b", b"x")
    assert not await cdn.flush()
    assert await driver.get("a") == b"x"
    assert {address for addresses, _ in told for address in addresses} == {f"{AT}/a", f"{AT}/b"}
    assert set(cdn.failed()) == {f"{AT}/a", f"{AT}/b"}
    assert "secret" not in caplog.text
    assert "more could not be purged (Unavailable)" in caplog.text
    purges.errors.clear()
    assert await cdn.flush()
    assert purges.all == {f"{AT}/a", f"{AT}/b"}
    assert cdn.failed() == {}


async def test_what_cannot_pass_is_not_tried_again(driver: Everything) -> None:
    purges = Purges()
    purges.errors = [PermissionDenied("no"), Unavailable("never reached")]
    cdn = over(driver, purges)
    await cdn.put("a", b"x")
    assert not await cdn.flush()
    assert isinstance(cdn.failed()[f"{AT}/a"], PermissionDenied)
    assert len(purges.errors) == 1


async def test_a_report_that_fails_itself_is_logged(
    driver: Everything, caplog: pytest.LogCaptureFixture
) -> None:
    purges = Purges()
    purges.errors = [PermissionDenied("no")]

    async def report(addresses: Any, error: Exception) -> None:
        raise ZeroDivisionError

    cdn = over(driver, purges, on_failure=report)
    await cdn.put("a", b"x")
    assert not await cdn.flush()
    assert "on_failure failed itself" in caplog.text


async def test_closing_sends_what_waits(driver: Everything) -> None:
    purges = Purges()
    async with over(driver, purges, delay=60) as cdn:
        await cdn.put("a", b"x")
    assert purges.all == {f"{AT}/a"}
    await cdn.aclose()


async def test_closing_ends_though_nobody_answers(
    driver: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    purges = Purges()
    purges.before = asyncio.Event().wait
    monkeypatch.setattr("storeroom.layers.cdn._CLOSES_WITHIN", 0.05)
    cdn = over(driver, purges)
    await cdn.put("a", b"x")
    await cdn.aclose()
    assert set(cdn.failed()) == {f"{AT}/a"}


def test_what_a_loop_leaves_the_next_one_sends(caplog: pytest.LogCaptureFixture) -> None:
    purges = Purges()
    cdn = over(MemoryDriver(), purges, delay=60)

    async def put(path: str) -> None:
        await cdn.put(path, b"x")

    async def flush() -> None:
        assert await cdn.flush()

    asyncio.run(put("a"))
    asyncio.run(put("b"))
    assert purges.batches == []
    assert "2 addresses wait to be purged" in caplog.text
    asyncio.run(flush())
    assert purges.all == {f"{AT}/a", f"{AT}/b"}


async def test_a_purger_that_never_answers_is_reported(
    driver: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    purges = Purges()
    purges.before = asyncio.Event().wait
    monkeypatch.setattr("storeroom.layers._cdn.purging._ANSWERS_WITHIN", 0.01)
    cdn = over(driver, purges, attempts=2)
    await cdn.put("a", b"x")
    assert not await cdn.flush()
    assert isinstance(cdn.failed()[f"{AT}/a"], TimeoutError)


async def test_closing_that_is_cancelled_closes_what_is_inside(driver: Everything) -> None:
    purges = Purges()
    reached = asyncio.Event()

    async def held() -> None:
        reached.set()
        await asyncio.Event().wait()

    purges.before = held
    inner = MemoryDriver()
    cdn = over(inner, purges)
    await cdn.put("a", b"x")
    closing = asyncio.create_task(cdn.aclose())
    await reached.wait()
    closing.cancel()
    await asyncio.wait([closing])
    with pytest.raises(Closed):
        await inner.get("a")


def test_what_a_loop_leaves_in_the_middle_of_a_purge_the_next_one_sends() -> None:
    purges = Purges()

    sending = asyncio.Event()

    async def purge(addresses: Sequence[str]) -> None:
        await purges(addresses)
        if not sending.is_set():
            sending.set()
            await asyncio.Event().wait()

    cdn = over(MemoryDriver(), purge)

    async def put() -> None:
        await cdn.put("a", b"x")
        await sending.wait()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(put())
    loop.close()  # as few do: nothing is cancelled

    async def flush() -> None:
        assert await cdn.flush()

    asyncio.run(flush())
    assert purges.batches == [[f"{AT}/a"]] * 2


async def test_each_address_is_purged_over_http(driver: Everything, edge: Edge) -> None:
    cdn = over(driver, "http", purge_url=edge.url, purge_token="s3cret", domain=f"{AT}/media")
    edge.answers = [404]
    await cdn.put("é %2F.png", b"x")
    await cdn.put("b", b"x")
    assert await cdn.flush()
    assert sorted(edge.asked) == [
        ("PURGE", "/media/%C3%A9%20%252F.png", None),
        ("PURGE", "/media/b", None),
    ]
    assert {headers["Authorization"] for headers in edge.headers} == {"Bearer s3cret"}


async def test_without_an_address_of_its_own_the_edge_is_the_domain(
    driver: Everything, edge: Edge
) -> None:
    cdn = CDN(driver, domain=edge.url, purge="http", delay=0)
    await cdn.put("a b", b"x")
    assert await cdn.flush()
    assert edge.asked == [("PURGE", "/a%20b", None)]


@pytest.mark.parametrize("field", ["files", None])
async def test_a_batch_is_posted_over_http(
    driver: Everything, edge: Edge, field: str | None
) -> None:
    cdn = over(
        driver,
        "http",
        purge_url=f"{edge.url}/zones/1/purge?a=%20",
        purge_method="POST",
        purge_field=field,
        purge_headers={"X-Key": "k"},
        delay=60,
    )
    await cdn.put("a b", b"x")
    await cdn.put("c", b"x")
    assert await cdn.flush()
    listed = [f"{AT}/a%20b", f"{AT}/c"]
    assert edge.asked == [
        ("POST", "/zones/1/purge?a=%20", listed if field is None else {field: listed})
    ]
    assert edge.headers[0]["X-Key"] == "k"


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([500, 429], None),
        ([403], PermissionDenied),
        ([400], ConfigError),
        ([302], ConfigError),
        ([503] * 3, Unavailable),
    ],
)
async def test_what_the_edge_answers_is_understood(
    driver: Everything, edge: Edge, answers: list[int], kind: Any, caplog: Any
) -> None:
    cdn = over(
        driver, "http", purge_url=edge.url, purge_method="POST", purge_token="s3cret", attempts=3
    )
    edge.answers, fine = [*answers], kind is None
    await cdn.put("a", b"x")
    assert await cdn.flush() is fine
    assert len(edge.asked) == len(answers) + fine
    errors = [*cdn.failed().values()]
    assert [type(error) for error in errors] == ([] if fine else [kind])
    shown = repr(cdn) + caplog.text + "".join(map(str, errors))
    assert "s3cret" not in shown


async def test_what_was_purged_is_not_reported_with_what_was_not(
    driver: Everything, edge: Edge
) -> None:
    cdn = over(driver, "http", purge_url=edge.url, delay=60)
    for path in "abc":
        await cdn.put(path, b"x")
    edge.answers = [400]
    assert not await cdn.flush()
    assert len(cdn.failed()) == 1
    assert len(edge.asked) == 3
    assert await cdn.flush()
    assert len(edge.asked) == 4


async def test_an_edge_that_says_when_to_come_again_is_left_alone_until_then(
    driver: Everything, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    cdn = over(driver, "http", purge_url=edge.url)
    edge.answers = [429, 503, 429]
    edge.after = ["7", "no number", "3600"]
    await cdn.put("a", b"x")
    monkeypatch.setattr("storeroom.layers._cdn.purging.asyncio.sleep", sleep)
    assert await cdn.flush()
    assert paused == [7, 0, 60]


def test_a_failure_can_be_copied() -> None:
    error = pickle.loads(pickle.dumps(Busy.told("busy", 30)))
    assert isinstance(error, Unavailable)
    assert str(error) == "busy"


async def test_an_edge_that_does_not_answer_is_not_asked_for_each_address(
    driver: Everything, edge: Edge
) -> None:
    edge.answers = [0] * 100
    cdn = over(driver, "http", purge_url=edge.url, delay=60, attempts=1)
    for number in range(100):
        await cdn.put(f"{number}", b"x")
    assert not await cdn.flush()
    assert len(cdn.failed()) == 100
    assert len(edge.asked) <= 16


async def test_an_edge_that_is_not_there_fails_no_write(driver: Everything) -> None:
    async with run_edge(Edge()) as gone:
        url = gone.url
    cdn = over(driver, "http", purge_url=url, attempts=2)
    await cdn.put("a", b"x")
    assert not await cdn.flush()
    assert isinstance(cdn.failed()[f"{AT}/a"], Unavailable)


@pytest.fixture
async def picky() -> AsyncGenerator[Distribution]:
    async with run_edge(Distribution()) as running:
        yield running


def over_cloudfront(inner: Any, service: Distribution, **options: Any) -> CDN:
    keys = {"access_key": "x", "secret_key": "y", "endpoint_url": service.url}
    return over(inner, "cloudfront", distribution_id="E1", **keys, **options)


@pytest.fixture
def distribution(moto: S3Server) -> Iterator[tuple[Any, str]]:
    client: Any = boto3.client(
        "cloudfront",
        endpoint_url=moto.url,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
    )
    origin = {
        "Id": "o",
        "DomainName": "media.s3.amazonaws.com",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    behaviour = {
        "TargetOriginId": "o",
        "ViewerProtocolPolicy": "allow-all",
        "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
        "MinTTL": 0,
    }
    made = client.create_distribution(
        DistributionConfig={
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": behaviour,
        }
    )
    yield client, made["Distribution"]["Id"]
    client.close()


async def test_cloudfront_is_told_in_batches(
    driver: Everything, moto: S3Server, distribution: tuple[Any, str]
) -> None:
    client, name = distribution
    cdn = over(
        driver,
        "cloudfront",
        distribution_id=name,
        access_key="x",
        secret_key="y",
        endpoint_url=moto.url,
        batch=2,
        delay=60,
    )
    for path in ("é %2F", "b"):
        await cdn.put(path, b"x")
    await cdn.delete_directory("f")
    assert await cdn.flush()
    listed = client.list_invalidations(DistributionId=name)["InvalidationList"]["Items"]
    batches = [
        client.get_invalidation(DistributionId=name, Id=one["Id"])["Invalidation"][
            "InvalidationBatch"
        ]
        for one in listed
    ]
    assert sorted(path for batch in batches for path in batch["Paths"]["Items"])[:2] == [
        "/%C3%A9%20%252F",
        "/b",
    ]
    assert all(batch["Paths"]["Quantity"] <= 2 for batch in batches)
    assert len({batch["CallerReference"] for batch in batches}) == len(batches) >= 2


async def test_one_path_that_cloudfront_refuses_takes_no_other_with_it(
    driver: Everything, picky: Distribution
) -> None:
    cdn = over_cloudfront(driver, picky, delay=60)
    for number in range(20):
        await cdn.put("bad" if number == 13 else f"{number}", b"x")
    assert not await cdn.flush()
    assert {at: type(error) for at, error in cdn.failed().items()} == {f"{AT}/bad": ConfigError}
    taken = [path for _, _, paths in picky.asked for path in paths if "/bad" not in paths]
    assert sorted(taken) == sorted(f"/{number}" for number in range(20) if number != 13)


async def test_all_paths_that_cloudfront_refuses_are_refused_in_a_few_calls(
    driver: Everything, picky: Distribution
) -> None:
    cdn = over_cloudfront(driver, picky, delay=60)
    for number in range(200):
        await cdn.put(f"bad {number}", b"x")
    assert not await cdn.flush()
    assert len(cdn.failed()) == 200
    assert len(picky.asked) <= 100


async def test_a_tilde_is_encoded_for_cloudfront_in_addresses_too(
    driver: Everything, picky: Distribution
) -> None:
    cdn = over_cloudfront(driver, picky)
    await cdn.put("runtime~main (1).js", b"x")
    assert cdn.url("runtime~main (1).js") == f"{AT}/runtime%7Emain%20%281%29.js"
    assert await cdn.flush()
    assert [paths for _, _, paths in picky.asked] == [["/runtime%7Emain%20%281%29.js"]]


async def test_what_is_too_much_at_once_for_cloudfront_waits_until_it_is_not(
    driver: Everything, picky: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storeroom.layers._cdn.cloudfront._BUSY_FOR", 0.01)
    cdn = over_cloudfront(driver, picky, base=60)
    picky.busy = 1
    await cdn.put("a", b"x")
    assert await cdn.flush()
    assert len(picky.asked) == 2


async def test_what_cloudfront_refuses_is_reported(driver: Everything, moto: S3Server) -> None:
    keys = {"access_key": "x", "secret_key": "s3cret", "endpoint_url": moto.url}
    cdn = over(driver, "cloudfront", distribution_id="none", **keys)
    await cdn.put("a", b"x")
    assert not await cdn.flush()
    [error] = cdn.failed().values()
    assert isinstance(error, ConfigError)
    assert "NoSuchDistribution" in str(error)
    assert "s3cret" not in repr(cdn) + str(error)


async def test_nobody_to_purge_as_is_told_at_once(
    driver: Everything, moto: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    cdn = over(driver, "cloudfront", distribution_id="E1", endpoint_url=moto.url, base=60)
    await cdn.put("a", b"x")
    assert not await cdn.flush()
    [error] = cdn.failed().values()
    assert isinstance(error, ConfigError)
    assert "give access_key and secret_key" in str(error)


def test_it_is_configured_by_name() -> None:
    layer = {
        "layer": "cdn",
        "domain": AT,
        "cache_control": {"*.css": "max-age=60"},
        "purge": "http",
        "purge_token": "s3cret",
        "purge_url": "https://api.example.com/purge",
    }
    manager = StorageManager.isolated(
        {"default": "a", "disks": {"a": {"driver": "memory", "prefix": "t", "layers": [layer]}}}
    )
    assert manager.url("b") == f"{AT}/t/b"
    assert "s3cret" not in repr(manager.driver)


async def test_nothing_is_lost_without_a_purger(driver: Everything) -> None:
    cdn = over(driver)
    await cdn.put("a", b"x")
    assert await cdn.flush()
    assert cdn.failed() == {}
    with pytest.raises(Unsupported):
        cdn.layer(Scoped)
