"""What goes over the wire, and what does not: the traps that clients of Google fall into."""

import json
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidPath, PermissionDenied
from storeroom.contracts.values import ReadOptions, WriteOptions
from tests.drivers.gcs.bucket import SMALL_PARTS, Bucket, read
from tests.drivers.s3.bucket import KEY, MIB, random_bytes, streamed
from tests.servers.strict_gcs import Fault, StrictGcs

SDK = {"aioboto3", "gcloud", "gcloud.aio.auth", "gcloud.aio.storage", "google.cloud.storage"}


async def test_who_is_anonymous_needs_no_sdk(strict_gcs: StrictGcs) -> None:
    code = (
        "import asyncio, sys\n"
        "from storeroom.drivers.gcs import GCSDriver\n"
        "async def main():\n"
        f"    async with GCSDriver({strict_gcs.make_bucket()!r}, endpoint_url={strict_gcs.url!r},\n"
        "        anonymous=True) as gcs:\n"
        "        try:\n"
        "            await gcs.exists('a')\n"
        "        except PermissionError:\n"
        "            pass\n"
        "asyncio.run(main())\n"
        f"print({SDK!r} & set(sys.modules))\n"
    )
    done = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout == "set()\n", done.stderr


async def test_a_token_needs_no_more_of_the_sdk_than_its_auth(bucket: Bucket) -> None:
    code = (
        "import asyncio, json, sys\n"
        "from storeroom.drivers.gcs import GCSDriver\n"
        "async def main():\n"
        f"    async with GCSDriver({bucket.name!r}, endpoint_url={bucket.server.url!r},\n"
        "        credentials=sys.stdin.read()) as gcs:\n"
        "        await gcs.put('a', b'x')\n"
        "asyncio.run(main())\n"
        "print('gcloud.aio.auth' in sys.modules, 'gcloud.aio.storage' in sys.modules)\n"
    )
    done = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-W", "error", "-c", code],
        input=json.dumps(bucket.strict.service_account()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True False\n", done.stderr


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        (0, ["insert"]),
        (MIB - 1, ["insert"]),
        (MIB, ["insert"]),
        (MIB + 1, ["start", "chunk", "chunk"]),
        (3 * MIB, ["start", "chunk", "chunk", "chunk"]),
    ],
)
async def test_a_stream_is_one_request_until_it_is_more_than_a_part(
    bucket: Bucket, each_transport: str, size: int, wanted: list[str]
) -> None:
    driver = bucket.driver(**SMALL_PARTS, transport=each_transport)
    with bucket.strict.watching() as wire:
        await driver.write(KEY, streamed(random_bytes(size), piece=333_333))
    assert bucket.seen(wire) == wanted
    assert bucket.get() == random_bytes(size)


async def test_chunks_are_all_of_one_size_but_the_last(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    with bucket.strict.watching() as wire:
        await driver.write(KEY, streamed(random_bytes(2 * MIB + 17), piece=77_777))
    chunks = [seen for seen in wire.requests if seen.operation == "chunk"]
    assert [seen.headers["content-range"] for seen in chunks] == [
        f"bytes 0-{MIB - 1}/*",
        f"bytes {MIB}-{2 * MIB - 1}/*",
        f"bytes {2 * MIB}-{2 * MIB + 16}/{2 * MIB + 17}",
    ]
    assert [seen.headers.get("x-goog-hash", "")[:7] for seen in chunks] == ["", "", "crc32c="]
    assert not [seen for seen in chunks if "authorization" in seen.headers]


async def test_a_known_size_is_told_at_the_start(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    with bucket.strict.watching() as wire:
        await driver.write(KEY, Body(random_bytes(2 * MIB)))
    start = next(seen for seen in wire.requests if seen.operation == "start")
    assert start.headers["x-upload-content-length"] == f"{2 * MIB}"


@pytest.mark.parametrize(
    ("verb", "wanted"),
    [
        ("stat", ["get"]),
        ("read", ["xml-get"]),
        ("range", ["xml-get"]),
        ("if_none_match", ["media", "get"]),
        ("write", ["insert"]),
        ("remove", ["delete"]),
        ("copy", ["rewrite"]),
        ("move", ["get", "rewrite", "delete"]),
        ("attributes", ["patch"]),
        ("visibility", ["insert-acl"]),
    ],
)
async def test_each_verb_makes_few_requests(bucket: Bucket, verb: str, wanted: list[str]) -> None:
    driver = bucket.driver(uniform_access=False)
    bucket.put(b"contents")
    verbs = {
        "stat": lambda: driver.stat(KEY),
        "read": lambda: read(driver),
        "range": lambda: driver.get(KEY, start=1, stop=3),
        "if_none_match": lambda: driver.read(KEY, ReadOptions(if_none_match="1")),
        "write": lambda: driver.write(KEY, Body(b"x")),
        "remove": lambda: driver.remove(KEY),
        "copy": lambda: driver.copy_within(KEY, "to"),
        "move": lambda: driver.rename(KEY, "to"),
        "attributes": lambda: driver.change_attributes(KEY, WriteOptions(cache_control="no-store")),
        "visibility": lambda: driver.change_visibility(KEY, "public"),
    }
    with bucket.strict.watching() as wire:
        await verbs[verb]()
    assert bucket.seen(wire) == wanted


async def test_a_read_under_if_none_match_tells_all_facts_too(bucket: Bucket) -> None:
    driver = bucket.driver()
    how = WriteOptions(
        content_type="a/b", cache_control="no-store", metadata={"title": "Größe %41"}
    )
    await driver.write(KEY, Body(b"x"), how)
    stat = await driver.stat(KEY)
    for conditions in (ReadOptions(if_none_match="1"), ReadOptions()):
        async with await driver.read(KEY, conditions) as source:
            assert source.stat == stat
            assert await source.read() == b"x"
    assert stat.metadata == {"title": "Größe %41"}


async def test_no_access_list_is_sent_or_read_unless_asked_for(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS, uniform_access=False)
    with bucket.strict.watching() as wire:
        await driver.put("a", b"x")
        await driver.write("big", streamed(random_bytes(2 * MIB)))
        await driver.copy("a", "b")
        await driver.move("b", "c")
        await driver.metadata("c")
        await driver.set_attributes("c", cache_control="no-store")
        await driver.all_files()
    assert not [seen for seen in wire.requests if "acl" in (seen.path + seen.query).lower()]


async def test_a_range_of_an_empty_object_is_empty(bucket: Bucket) -> None:
    bucket.put(b"")
    driver = bucket.driver()
    with bucket.strict.watching() as wire:
        assert await read(driver) == b""
        assert await driver.get(KEY, start=0, stop=5) == b""
    assert Counter(bucket.seen(wire)) == {"xml-get": 2, "xml-head": 1}


async def test_who_pays_is_said_with_every_request(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS, user_project="a-project")
    with bucket.strict.watching() as wire:
        await driver.write(KEY, streamed(random_bytes(2 * MIB)))
        await read(driver)
        await driver.copy(KEY, "b")
        await driver.remove_many([KEY])
    asked = [seen for seen in wire.requests if seen.operation not in ("chunk", "token")]
    assert {seen.headers.get("x-goog-user-project") for seen in asked} == {"a-project"}


@pytest.mark.parametrize("name", ["a/../b", "../a", ".", "a/./b", "..", ".storeroom-parts/0/1"])
async def test_what_leads_elsewhere_or_is_ours_is_never_asked_for(
    bucket: Bucket, name: str
) -> None:
    driver = bucket.driver(paths="service")
    with bucket.strict.watching() as wire:
        for verb in (driver.stat, driver.read, driver.remove):
            with pytest.raises(InvalidPath):
                await verb(name)
        with pytest.raises(InvalidPath):
            driver.url(name)
    assert wire.requests == []


async def test_names_of_the_service_are_reached_by_both_apis(bucket: Bucket) -> None:
    driver = bucket.driver(paths="service")
    for name in ("a//b", "/a", "a/", "\\", "..a/b..", "\t"):
        await driver.write(name, Body(name.encode()))
        assert await read(driver, name) == name.encode()
        assert (await driver.stat(name)).size == len(name.encode())
        await driver.copy_within(name, "copy")
        assert await driver.remove(name) is True
    assert bucket.names() == ["copy"]


async def test_memory_is_that_of_two_chunks(bucket: Bucket) -> None:
    driver = bucket.driver(**SMALL_PARTS)
    piece = bytes(MIB)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield piece

    await driver.write("warm", streamed(piece))
    tracemalloc.start()
    try:
        await driver.write(KEY, Body(chunks))
        up = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        async with await driver.read(KEY) as source:
            assert sum([len(chunk) async for chunk in source]) == 40 * MIB
        down = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert up < 8 * MIB
    assert down < 8 * MIB


async def test_what_is_missing_may_be_the_bucket(bucket: Bucket, each_transport: str) -> None:
    bucket.strict.settings(lists=True)
    driver = bucket.driver(transport=each_transport)
    with bucket.strict.watching() as wire:
        assert await driver.exists(KEY) is False
        assert await driver.exists(KEY) is False
    assert bucket.seen(wire) == ["get", "list", "get"]  # it is looked for once


async def test_who_may_not_list_is_denied_and_not_told_that_there_is_none(bucket: Bucket) -> None:
    bucket.strict.settings(lists=False)
    driver = bucket.driver()
    for verb in (driver.stat, driver.read):
        with pytest.raises(PermissionDenied):
            await verb(KEY)


async def test_a_request_that_is_turned_away_is_told_with_its_id(bucket: Bucket) -> None:
    bucket.fail(Fault("answer", status=400, reason="invalid"))
    with pytest.raises(Exception, match=r"invalid: A fault on demand\., request \S{20}"):
        await bucket.driver().stat(KEY)
