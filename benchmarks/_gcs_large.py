"""A large object of GCS up and down: everyone's own way with a stream."""

from contextlib import AsyncExitStack
from functools import partial

from _contender import OURS
from _content import Large
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
from _gcs_contenders import BUCKET, SHARED, driver, gcloud_storage, operator, store
from _harness import Work
from _servers import Endpoint
from _service import Streaming
from _stub import MIB


async def _gcloud_upload(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    """It takes no stream: a file whose size is known, in one request."""
    storage = await gcloud_storage(place, stack)
    return lambda: storage.upload(BUCKET, large.key, large.blocks(), timeout=600)


async def _gcloud_download(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    storage = await gcloud_storage(place, stack)

    async def download() -> int:
        count = 0
        answer = await storage.download_stream(BUCKET, large.key, timeout=600)
        while chunk := await answer.read(MIB):
            count += len(chunk)
        return count

    return download


UPLOADS: dict[str, Streaming] = {
    OURS: our_upload(driver),
    SHARED: _gcloud_upload,
    OBSTORE: obstore_upload(store),
    OPENDAL: opendal_upload(operator),
}
DOWNLOADS: dict[str, Streaming] = {
    OURS: our_download(driver),
    f"{OURS}, not verified": our_download(partial(driver, verify_content=False)),
    SHARED: _gcloud_download,
    OBSTORE: obstore_download(store),
    OPENDAL: opendal_download(operator),
}
