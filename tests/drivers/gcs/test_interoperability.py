"""google-cloud-storage reads what we wrote, and we read what it wrote."""

import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from google.cloud import storage

from storeroom.contracts import threads
from storeroom.contracts.body import Body
from storeroom.contracts.values import ReadOptions, Stat, WriteOptions
from tests.drivers.gcs.bucket import SMALL_PARTS, Bucket, files, read
from tests.drivers.s3.bucket import KEY, MIB, random_bytes, streamed
from tests.servers.gcs import GcsServer
from tests.servers.strict_gcs import StrictGcs

SMALL, BIG = bytes(range(256)), random_bytes(2 * MIB + 11)
METADATA = {"plain": "a value; with=signs", "umlauts": "grün & 🦔 100%41", "empty": ""}
DESCRIBED = WriteOptions(
    content_type="text/x-ugly; charset=utf-8",
    cache_control="max-age=60",
    content_disposition='attachment; filename="a b.txt"',
    content_encoding="x-none",
    content_language="de",
    metadata=METADATA,
    tier="NEARLINE",
)
FACTS = (
    *("content_type", "cache_control", "content_disposition", "content_encoding"),
    *("content_language", "metadata"),
)
NAMES = [
    *("a", "a b", "a/b", "a%2Fb", "a+b", "a&b=c", "ü", "u\N{COMBINING DIAERESIS}", "🦔/🦔"),
    *("'quoted' \"twice\"", "<xml>&amp;", "100%", "~tilde", "(b)[c]{d}", "x" * 900, "#?;:@$,"),
]


@pytest.fixture(params=["strict_gcs", "fake_gcs"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Bucket]:
    server: GcsServer = request.getfixturevalue(request.param)
    made = Bucket(server, server.make_bucket())
    yield made
    await made.aclose()


@pytest.fixture(params=[SMALL, BIG], ids=["at once", "in chunks"])
def data(request: pytest.FixtureRequest) -> bytes:
    found: bytes = request.param
    return found


def theirs(place: Bucket, name: str = KEY) -> storage.Blob:
    return place.server.client().bucket(place.name).blob(name)


async def test_theirs_reads_what_we_wrote(place: Bucket, each_transport: str, data: bytes) -> None:
    driver = place.driver(transport=each_transport, **SMALL_PARTS)
    stat = await driver.write(KEY, streamed(data), DESCRIBED)

    def look() -> tuple[bytes, storage.Blob]:
        blob = theirs(place)
        content = blob.download_as_bytes(raw_download=True, checksum="crc32c")
        blob.reload()
        return content, blob

    content, blob = await threads.run(look)
    assert content == data
    for name in FACTS:
        assert getattr(blob, name) == getattr(DESCRIBED, name), name
    assert str(blob.generation) == stat.etag
    if data is SMALL or isinstance(place.server, StrictGcs):  # the other forgets it in a session
        assert blob.storage_class == "NEARLINE"


async def test_we_read_what_theirs_wrote(place: Bucket, each_transport: str, data: bytes) -> None:
    def write() -> None:
        blob = theirs(place)
        blob.chunk_size = MIB
        for name in FACTS:
            if name != "content_type":
                setattr(blob, name, getattr(DESCRIBED, name))
        blob.upload_from_string(data, content_type=DESCRIBED.content_type, checksum="crc32c")

    await threads.run(write)
    driver = place.driver(transport=each_transport, **SMALL_PARTS)
    stat = await driver.stat(KEY)
    for name in FACTS:
        assert getattr(stat, name) == getattr(DESCRIBED, name), name
    for how in (ReadOptions(), ReadOptions(if_none_match="1")):
        async with await driver.read(KEY, how) as source:
            assert source.stat.metadata == METADATA
            assert await source.read() == data
    assert await driver.get(KEY, start=3, stop=200) == data[3:200]


@pytest.mark.parametrize("transport", ["direct", "sdk"])
async def test_gzip_of_one_is_gzip_to_the_other(place: Bucket, transport: str) -> None:
    zipped = gzip.compress(b"many words " * 500, mtime=0)
    driver = place.driver(transport=transport)

    def write() -> None:
        blob = theirs(place)
        blob.content_encoding = "gzip"
        blob.upload_from_string(zipped, content_type="text/plain")

    await threads.run(write)
    assert await read(driver) == zipped
    assert await driver.get(KEY, start=5, stop=50) == zipped[5:50]
    await driver.write(KEY, Body(zipped), WriteOptions(content_encoding="gzip"))
    raw = await threads.run(lambda: theirs(place).download_as_bytes(raw_download=True))
    assert raw == zipped
    assert await threads.run(lambda: theirs(place).download_as_bytes()) == gzip.decompress(zipped)


async def test_every_name_is_the_same_name_to_both(place: Bucket) -> None:
    driver = place.driver()
    for name in NAMES:
        await driver.write(f"ours/{name}", Body(name.encode()))
        await threads.run(
            lambda name=name: theirs(place, f"theirs/{name}").upload_from_string(name)
        )

    def listed() -> dict[str, bytes]:
        blobs = place.server.client().list_blobs(place.name)
        return {blob.name: blob.download_as_bytes() for blob in blobs}

    wanted = {f"{whose}/{name}": name.encode() for whose in ("ours", "theirs") for name in NAMES}
    assert await threads.run(listed) == wanted
    assert sorted(await files(driver)) == sorted(wanted)
    for path, content in wanted.items():
        assert await read(driver, path) == content
    assert set((await driver.remove_many(list(wanted))).values()) == {True}
    assert await threads.run(listed) == {}


async def test_capitals_in_metadata_of_others_are_kept(bucket: Bucket) -> None:
    driver = bucket.driver()
    bucket.put(b"x", KEY, metadata={"Author": " Ada ", "Title": "1"})
    assert (await driver.stat(KEY)).metadata == {"Author": " Ada ", "Title": "1"}
    await driver.copy_within(KEY, "copy", WriteOptions(cache_control="no-store"))
    assert (await driver.stat("copy")).metadata == {"Author": " Ada ", "Title": "1"}
    told = await driver.change_attributes(KEY, WriteOptions(metadata={"title": "2"}))
    assert told.metadata == {"title": "2"}


async def test_our_listing_tells_what_theirs_does(place: Bucket) -> None:
    driver = place.driver()
    for name in ("a/1", "a/2", "b"):
        await driver.write(name, Body(name.encode()), WriteOptions(tier="NEARLINE"))
    ours: dict[str, Stat] = {
        entry.path: entry async for entry in driver.scan() if isinstance(entry, Stat)
    }
    blobs = await threads.run(lambda: list(place.server.client().list_blobs(place.name)))
    for blob in blobs:
        stat = ours[blob.name]
        assert (stat.size, stat.etag, stat.tier) == (blob.size, str(blob.generation), "NEARLINE")
        assert stat.modified == blob.updated


async def test_our_signature_is_that_of_theirs(
    strict_gcs: StrictGcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same request at the same moment, byte for byte."""
    bucket = Bucket(strict_gcs, strict_gcs.make_bucket())
    driver = bucket.driver()
    for name in (KEY, "a b/~c", "plain"):
        expires = datetime.now(UTC) + timedelta(hours=1)
        url = await driver.temporary_url(name, expires, content_type="text/plain")
        parts = urlsplit(url)
        query = {key: found[0] for key, found in parse_qs(parts.query).items()}
        moment = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ")
        wanted = await threads.run(_signed_by_them, bucket, name, query, moment, monkeypatch)
        assert urlsplit(wanted).path == parts.path
        assert parse_qs(urlsplit(wanted).query) == parse_qs(parts.query)
    await bucket.aclose()


def _signed_by_them(
    bucket: Bucket,
    name: str,
    query: dict[str, str],
    moment: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    stamps = (query["X-Goog-Date"], query["X-Goog-Date"][:8])
    monkeypatch.setattr("google.cloud.storage._signing.get_v4_now_dtstamps", lambda: stamps)
    blob: Any = theirs(bucket, name)
    signed: str = blob.generate_signed_url(
        version="v4",
        expiration=timedelta(seconds=int(query["X-Goog-Expires"])),
        method="GET",
        response_type="text/plain",
        api_access_endpoint=bucket.server.url,
        credentials=bucket.server.credentials(),
    )
    assert moment
    return signed
