"""Microsoft's synchronous client reads what we wrote, and we read what it wrote."""

import gzip
from dataclasses import replace
from email.header import decode_header, make_header

import pytest
from azure.storage.blob import BlobBlock, ContentSettings, StandardBlobTier

from storeroom.contracts.errors import Corrupted
from storeroom.contracts.values import ReadOptions, WriteOptions
from tests.drivers.azure.container import SMALL_PARTS, Container, files, read
from tests.drivers.s3.bucket import KEY, MIB, random_bytes, streamed
from tests.servers.strict_azure import AzureFault

SMALL, BIG = bytes(range(256)), random_bytes(5 * MIB)
METADATA = {
    "plain": "a value; with=signs",
    "Camel": "Case",
    "umlauts": "grün & 🦔 ",
    "with_x002D_dash": "x",
}
TAGS = {"a b": "c=d+e/f", "plain": "1"}
DESCRIBED = WriteOptions(
    content_type="text/x-ugly; charset=utf-8",
    cache_control="max-age=60",
    content_disposition='attachment; filename="a b.txt"',
    content_encoding="x-none",
    content_language="de",
    metadata={"with-dash" if name.startswith("with") else name: v for name, v in METADATA.items()},
    tags=TAGS,
    tier="Cool",
)
NAMES = [
    *("a", "a b", "a/b", "a%2Fb", "a+b", "a&b=c", "ü", "u\N{COMBINING DIAERESIS}", "🦔/🦔"),
    *("'quoted' \"twice\"", "<xml>&amp;", "100%", "~tilde", "(b)[c]{d}", "x" * 900, "#?;:@$,"),
    *(" outer ", ".hidden", "a..b/...c", "\u00a0x", "%25", "a//b"),
]


@pytest.fixture(params=[SMALL, BIG], ids=["at once", "in blocks"])
def data(request: pytest.FixtureRequest) -> bytes:
    found: bytes = request.param
    return found


async def test_the_sdk_reads_what_we_wrote(place: Container, data: bytes) -> None:
    await place.driver(checksum="md5", **SMALL_PARTS).write(KEY, streamed(data), DESCRIBED)
    blob = place.server.container(place.name).get_blob_client(KEY)
    told = blob.get_blob_properties()
    assert blob.download_blob(decompress=False).readall() == data
    settings = told.content_settings
    assert (settings.content_type, settings.cache_control, settings.content_disposition) == (
        DESCRIBED.content_type,
        DESCRIBED.cache_control,
        DESCRIBED.content_disposition,
    )
    assert (settings.content_encoding, settings.content_language) == ("x-none", "de")
    assert {name: decoded(value) for name, value in told.metadata.items()} == METADATA
    assert (told.blob_tier, told.blob_type.value) == ("Cool", "BlockBlob")
    assert blob.get_blob_tags() == TAGS
    assert settings.content_md5


async def test_we_read_what_the_sdk_wrote(place: Container, data: bytes) -> None:
    data = gzip.compress(data, mtime=0)
    client = place.server.container(place.name, max_single_put_size=MIB, max_block_size=MIB)
    client.upload_blob(
        KEY,
        data,
        metadata={"plain": "a value", "Camel": "Case", "umlauts": "=?UTF-8?B?Z3LDvG4g8J+mlA==?="},
        tags=TAGS,
        content_settings=ContentSettings(
            content_type="text/x-ugly", cache_control="max-age=60", content_encoding="gzip"
        ),
        standard_blob_tier=StandardBlobTier.COOL,
    )
    driver = place.driver()
    async with await driver.read(KEY) as source:
        assert await source.read() == data
        stat = source.stat
    assert stat.tier is None  # only the facts alone have it
    stat = replace(stat, tier="Cool")
    assert await driver.stat(KEY) == stat
    assert (stat.size, stat.content_type, stat.cache_control, stat.content_encoding) == (
        *(len(data), "text/x-ugly", "max-age=60", "gzip"),
    )
    assert stat.metadata == {"plain": "a value", "Camel": "Case", "umlauts": "grün 🦔"}
    assert await driver.read_tags(KEY) == TAGS
    async with await driver.read(KEY, ReadOptions(10, 20)) as source:
        assert await source.read() == data[10:20]


async def test_we_append_to_what_the_sdk_wrote(place: Container, data: bytes) -> None:
    client = place.server.container(place.name, max_single_put_size=MIB, max_block_size=MIB)
    driver = place.driver(**SMALL_PARTS)
    client.upload_blob("block", data)
    client.upload_blob("append", data, blob_type="AppendBlob")
    for name in ("block", "append"):
        await driver.extend(name, streamed(b"ours"))
        assert place.get(name) == data + b"ours"
    client.get_blob_client("append").append_block(b"its")
    assert await read(driver, "append") == data + b"oursits"


async def test_the_sdk_appends_to_what_we_wrote(place: Container) -> None:
    driver = place.driver()
    await driver.append("log", b"ours")
    client = place.server.container(place.name)
    client.get_blob_client("log").append_block(b"its")
    await driver.append("log", b"ours")
    assert place.get("log") == b"oursitsours"


async def test_an_upload_of_the_sdk_is_replaced_by_one_of_ours_and_back(place: Container) -> None:
    client = place.server.container(place.name, max_single_put_size=MIB, max_block_size=MIB)
    driver = place.driver(**SMALL_PARTS)
    for _ in range(2):
        client.upload_blob(KEY, BIG, overwrite=True)
        assert await read(driver) == BIG
        await driver.write(KEY, streamed(BIG[::-1]))
        assert place.get() == BIG[::-1]


async def test_ugly_names_are_the_same_to_both(place: Container) -> None:
    driver = place.driver(paths="service")
    client = place.server.container(place.name)
    for name in NAMES:
        await driver.write(f"ours/{name}", streamed(name.encode()))
        client.upload_blob(f"its/{name}", name.encode())
    for name in NAMES:
        assert place.get(f"ours/{name}") == name.encode()
        assert await read(driver, f"its/{name}") == name.encode()
    listed = [found.name for found in client.list_blobs()]
    assert sorted(listed) == sorted(await files(driver))
    assert len(listed) == 2 * len(NAMES)


async def test_the_md5_of_the_sdk_is_held_against_the_bytes(container: Container) -> None:
    container.put(SMALL, content_settings=ContentSettings(content_md5=bytearray(16)))
    with pytest.raises(Corrupted):
        await container.driver().get(KEY)
    container.put(SMALL)
    container.fail(AzureFault("flip", operation="get"))
    with pytest.raises(Corrupted):
        await container.driver().get(KEY)


async def test_a_file_without_md5_is_read_and_has_no_digest(place: Container) -> None:
    blob = place.server.container(place.name).get_blob_client(KEY)
    blob.stage_block("1", SMALL)
    blob.commit_block_list([BlobBlock("1")])
    driver = place.driver()
    assert await driver.get(KEY) == SMALL
    assert len(await driver.checksum(KEY, "md5")) == 32


def decoded(value: str) -> str:
    return str(make_header(decode_header(value))) if value.startswith("=?") else value
