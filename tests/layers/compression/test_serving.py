"""With `content_encoding`, whoever follows an address gets the plain bytes: over HTTP, from S3."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
import zstandard

from storeroom.contracts.abilities import PresignRead, find
from storeroom.drivers.s3 import S3Driver
from storeroom.layers.compression import Compression
from tests.layers.compression.content import FORMATS, noise, pieces, text
from tests.servers.s3 import S3Server

TOKENS = {"zstd": "zstd", "gzip": "gzip", "brotli": "br"}


@pytest.fixture
async def inner(strict_s3: S3Server) -> AsyncGenerator[S3Driver]:
    driver = S3Driver(
        strict_s3.make_bucket(),
        endpoint_url=strict_s3.url,
        region=strict_s3.region,
        access_key=strict_s3.access_key,
        secret_key=strict_s3.secret_key,
        provider="aws",
        path_style=True,
    )
    yield driver
    await driver.aclose()


async def fetched(url: str) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        return await client.get(url)


def read_by_the_client(answer: httpx2.Response) -> bytes:
    """What the client made of it; it knows no zstd without one more package, so that is done here."""
    if answer.headers["content-encoding"] != "zstd":
        return answer.content
    with zstandard.ZstdDecompressor().stream_reader(
        answer.content, read_across_frames=True
    ) as reader:
        return reader.read()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [500, 20_000, 3_000_000])
async def test_a_client_that_knows_nothing_of_us_gets_the_plain_bytes(
    inner: S3Driver, name: Any, size: int
) -> None:
    layer = Compression(inner, algorithm=name, level=1, content_encoding=True, frame_size=1 << 18)
    data = bytes(500) if size == 500 else text(size)
    await layer.put("folder/a b.txt", pieces(data))
    answer = await fetched(await layer.temporary_url("folder/a b.txt", 60))
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == TOKENS[name]
    assert answer.headers["content-type"] == "text/plain"
    assert int(answer.headers["content-length"]) < size * 0.7
    assert read_by_the_client(answer) == data
    stat = await layer.metadata("folder/a b.txt")
    assert (stat.content_encoding, stat.content_type) == (None, "text/plain")
    assert (stat.size, stat.metadata) == (size, {})
    assert await layer.get("folder/a b.txt", start=100, stop=300) == data[100:300]


async def test_what_does_not_shrink_is_sent_without_an_encoding(inner: S3Driver) -> None:
    layer = Compression(inner, content_encoding=True)
    await layer.put("a.bin", noise(5000))
    answer = await fetched(await layer.temporary_url("a.bin", 60))
    assert "content-encoding" not in answer.headers
    assert answer.content == noise(5000)


async def test_an_encoding_of_the_users_own_comes_before_ours(inner: S3Driver) -> None:
    """Only where the bytes look like a file of ours: they have to be compressed once more."""
    await Compression(inner).put("a.txt", text(20_000))
    ours = await inner.get("a.txt")
    layer = Compression(inner, content_encoding=True)
    await layer.put("b.txt", ours, content_encoding="zstd")
    answer = await fetched(await layer.temporary_url("b.txt", 60))
    assert answer.headers["content-encoding"] == "zstd, zstd"
    assert (await layer.metadata("b.txt")).content_encoding == "zstd"
    assert await layer.get("b.txt") == ours


async def test_an_opaque_layer_gives_no_address(inner: S3Driver) -> None:
    assert find(inner, PresignRead) is not None
    assert find(Compression(inner), PresignRead) is None
