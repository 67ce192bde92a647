"""Who speaks to Google Cloud Storage from asyncio, one client each as its own page says to make it.

Nobody signs in: what is compared is the clients, and the service takes one header more.
"""

from contextlib import AsyncExitStack
from typing import Any

from _contender import DATA, OURS, PREFIX, Contender, Making
from _everywhere import OBSTORE, OPENDAL, obstore, opendal, ours
from _harness import PathWork
from _servers import Endpoint

BUCKET = "bench"
SHARED = "gcloud-aio, shared session"
LITESTAR = "litestar-storages"
EACH = "litestar-storages, session per operation"

PACKAGES = (
    *("storeroom", "aiohttp", "gcloud-aio-storage", "google-crc32c", "obstore", "opendal"),
    "litestar-storages",
)


def driver(place: Endpoint, **options: Any) -> Any:
    """Our disk, with nothing but what names it, unless other options are asked for."""
    from storeroom.drivers.gcs import GCSDriver

    return GCSDriver(BUCKET, anonymous=True, endpoint_url=place.url, **options)


async def gcloud_storage(place: Endpoint, stack: AsyncExitStack) -> Any:
    """gcloud-aio's client on a session of ours."""
    from aiohttp import ClientSession
    from gcloud.aio.storage import Storage

    session = await stack.enter_async_context(ClientSession())
    return Storage(session=session, api_root=place.url)


async def gcloud(place: Endpoint, stack: AsyncExitStack) -> Contender:
    storage = await gcloud_storage(place, stack)

    async def listing() -> int:
        count, token = 0, ""
        while True:
            words = {"prefix": PREFIX, "pageToken": token}
            page = await storage.list_objects(BUCKET, params=words)
            count += len(page["items"])
            token = page.get("nextPageToken", "")
            if not token:
                return count

    return Contender(
        lambda path: storage.upload(BUCKET, path, DATA),
        lambda path: storage.download(BUCKET, path),
        lambda path: storage.download_metadata(BUCKET, path),
        listing,
    )


def store(place: Endpoint) -> Any:
    """obstore's client; it writes with a token alone."""
    from obstore.store import GCSStore

    return GCSStore(
        BUCKET, base_url=place.url, bearer_token="bench", client_options={"allow_http": True}
    )


def operator(place: Endpoint) -> Any:
    """opendal's client."""
    from opendal import AsyncOperator

    return AsyncOperator(
        "gcs",
        bucket=BUCKET,
        endpoint=place.url,
        allow_anonymous="true",
        disable_vm_metadata="true",
        disable_config_load="true",
    )


def _litestar(place: Endpoint) -> Any:
    from litestar_storages.backends.gcs import GCSConfig, GCSStorage

    return GCSStorage(GCSConfig(BUCKET, api_root=place.url))


async def litestar(place: Endpoint, stack: AsyncExitStack) -> Contender:
    """One storage, kept; it lists the first page alone."""
    storage = _litestar(place)
    stack.push_async_callback(storage.close)
    return Contender(lambda p: storage.put(p, DATA), storage.get_bytes, storage.info)


async def litestar_each(place: Endpoint, stack: AsyncExitStack) -> Contender:
    """A storage, and with it a session, for every operation."""
    _litestar(place)

    def calling(verb: str, *data: bytes) -> PathWork:
        async def call(path: str) -> object:
            storage = _litestar(place)
            try:
                return await getattr(storage, verb)(path, *data)
            finally:
                await storage.close()

        return call

    return Contender(calling("put", DATA), calling("get_bytes"), calling("info"))


CONTENDERS: dict[str, Making] = {
    OURS: ours(driver),
    SHARED: gcloud,
    OBSTORE: obstore(store, lists=False),
    OPENDAL: opendal(operator),
    LITESTAR: litestar,
    EACH: litestar_each,
}
