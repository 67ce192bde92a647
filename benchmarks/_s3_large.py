"""A large object of S3 up and down: everyone's own way with a stream."""

from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from _contender import OURS
from _content import Counted, Large
from _everywhere import (
    OBSTORE,
    OPENDAL,
    obstore_download,
    obstore_upload,
    opendal_download,
    opendal_upload,
    our_download,
    our_upload,
)
from _harness import Work
from _s3_contenders import KEYS, RAW, SHARED, driver, operator, store
from _s3_raw import Raw
from _s3_servers import BUCKET
from _servers import Endpoint
from _service import Streaming
from _stub import MIB


async def _raw_upload(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    client = await stack.enter_async_context(Raw(place))
    return lambda: client.upload(large.key, large.chunks(), large.size)


async def _boto_upload(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    client = await _boto(place, stack)
    return lambda: client.upload_fileobj(large.blocks(), BUCKET, large.key)


async def _raw_download(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    client = await stack.enter_async_context(Raw(place))
    return lambda: client.download(large.key)


async def _boto_download(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    client = await _boto(place, stack)

    async def download() -> int:
        target = Counted()
        await client.download_fileobj(BUCKET, large.key, target)
        return target.count

    return download


async def _boto_stream(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    client = await _boto(place, stack)

    async def download() -> int:
        count = 0
        answer = await client.get_object(Bucket=BUCKET, Key=large.key)
        async for chunk in answer["Body"].iter_chunks(MIB):
            count += len(chunk)
        return count

    return download


UPLOADS: dict[str, Streaming] = {
    OURS: our_upload(driver),
    f"{OURS}, crc32": our_upload(partial(driver, checksum="crc32")),
    RAW: _raw_upload,
    SHARED: _boto_upload,
    OBSTORE: obstore_upload(store),
    OPENDAL: opendal_upload(operator),
}
DOWNLOADS: dict[str, Streaming] = {
    OURS: our_download(driver),
    RAW: _raw_download,
    SHARED: _boto_download,
    f"{SHARED}, one stream": _boto_stream,
    OBSTORE: obstore_download(store),
    OPENDAL: opendal_download(operator),
}


async def _boto(place: Endpoint, stack: AsyncExitStack) -> Any:
    import aioboto3

    made = aioboto3.Session().client("s3", endpoint_url=place.url, **KEYS)
    return await stack.enter_async_context(made)
