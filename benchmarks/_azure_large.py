"""A large blob up and down: everyone's own way with a stream."""

from contextlib import AsyncExitStack
from functools import partial

from _azure_contenders import SDK, driver, operator, sdk_client, store
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
from _servers import Endpoint
from _service import Streaming
from _stub import MIB


async def _sdk_upload(
    place: Endpoint, stack: AsyncExitStack, large: Large, *, block: int = 4, side_by_side: int = 1
) -> Work:
    """Blocks of 4 MiB, one after another, unless told otherwise."""
    client = await sdk_client(place, stack, max_block_size=block * MIB)
    blob = client.get_blob_client(large.key)
    return lambda: blob.upload_blob(large.chunks(), overwrite=True, max_concurrency=side_by_side)


async def _sdk_file_upload(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    """A file whose length is told: up to 64 MiB go in one request, from memory."""
    client = await sdk_client(place, stack)
    blob = client.get_blob_client(large.key)
    return lambda: blob.upload_blob(large.blocks(), length=large.size, overwrite=True)


async def _sdk_download(
    place: Endpoint, stack: AsyncExitStack, large: Large, *, piece: int | None = None
) -> Work:
    """A first piece of 32 MiB and then of 4, unless told otherwise."""
    words = {} if piece is None else dict.fromkeys(_PIECES, piece * MIB)
    client = await sdk_client(place, stack, **words)
    blob = client.get_blob_client(large.key)

    async def download() -> int:
        count = 0
        async for chunk in (await blob.download_blob()).chunks():
            count += len(chunk)
        return count

    return download


async def _sdk_into(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    client = await sdk_client(place, stack)
    blob = client.get_blob_client(large.key)

    async def download() -> int:
        target = Counted()
        await (await blob.download_blob()).readinto(target)
        return target.count

    return download


_PIECES = ("max_single_get_size", "max_chunk_get_size")

UPLOADS: dict[str, Streaming] = {
    OURS: our_upload(driver),
    SDK: _sdk_upload,
    f"{SDK}, of a file": _sdk_file_upload,
    f"{SDK}, 4 blocks of 8 MiB": partial(_sdk_upload, block=8, side_by_side=4),
    OBSTORE: obstore_upload(store),
    OPENDAL: opendal_upload(operator),
}
DOWNLOADS: dict[str, Streaming] = {
    OURS: our_download(driver),
    f"{OURS}, not verified": our_download(partial(driver, verify_content=False)),
    SDK: _sdk_download,
    f"{SDK}, into a file": _sdk_into,
    f"{SDK}, pieces of 8 MiB": partial(_sdk_download, piece=8),
    OBSTORE: obstore_download(store),
    OPENDAL: opendal_download(operator),
}
