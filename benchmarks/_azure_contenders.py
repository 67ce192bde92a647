"""Who speaks to Azure Blob Storage from asyncio, one client each as its own page says to make it."""

from contextlib import AsyncExitStack
from typing import Any

from _azure_servers import ACCOUNT, CONTAINER, KEY, NAMED_KEY
from _contender import DATA, OURS, PREFIX, Contender, Making
from _everywhere import OBSTORE, OPENDAL, obstore, opendal, ours
from _servers import Endpoint

SDK = "SDK, shared client"
LITESTAR = "litestar-storages"

PACKAGES = (
    *("storeroom", "aiohttp", "azure-storage-blob", "azure-core", "obstore", "opendal"),
    "litestar-storages",
)


def driver(place: Endpoint, **options: Any) -> Any:
    """Our disk, with nothing but what names it, unless other options are asked for."""
    from storeroom.drivers.azure import AzureDriver

    return AzureDriver(CONTAINER, endpoint_url=place.url, **NAMED_KEY, **options)


async def sdk_client(place: Endpoint, stack: AsyncExitStack, **options: Any) -> Any:
    """Microsoft's client of the container."""
    from azure.storage.blob.aio import ContainerClient

    made: Any = ContainerClient(place.url, CONTAINER, credential=NAMED_KEY, **options)
    return await stack.enter_async_context(made)


async def sdk(place: Endpoint, stack: AsyncExitStack) -> Contender:
    client = await sdk_client(place, stack)

    async def get(path: str) -> object:
        return await (await client.get_blob_client(path).download_blob()).readall()

    async def listing() -> int:
        count = 0
        async for _ in client.list_blobs(PREFIX):
            count += 1
        return count

    return Contender(
        lambda path: client.get_blob_client(path).upload_blob(DATA, overwrite=True),
        get,
        lambda path: client.get_blob_client(path).get_blob_properties(),
        listing,
    )


def store(place: Endpoint) -> Any:
    """obstore's client."""
    from obstore.store import AzureStore

    return AzureStore(
        CONTAINER,
        account_name=ACCOUNT,
        account_key=KEY,
        endpoint=place.url,
        client_options={"allow_http": True},
    )


def operator(place: Endpoint) -> Any:
    """opendal's client."""
    from opendal import AsyncOperator

    return AsyncOperator(
        "azblob",
        container=CONTAINER,
        endpoint=place.url,
        account_name=ACCOUNT,
        account_key=KEY,
    )


async def litestar(place: Endpoint, stack: AsyncExitStack) -> Contender:
    """The SDK again; told by a connection string, since it gives the key no account."""
    from litestar_storages.backends.azure import AzureConfig, AzureStorage

    words = f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={place.url}"
    storage = AzureStorage(
        AzureConfig(CONTAINER, connection_string=f"DefaultEndpointsProtocol=http;{words}")
    )
    stack.push_async_callback(storage.close)
    return Contender(lambda p: storage.put(p, DATA), storage.get_bytes, storage.info)


CONTENDERS: dict[str, Making] = {
    OURS: ours(driver),
    SDK: sdk,
    OBSTORE: obstore(store),
    OPENDAL: opendal(operator),
    LITESTAR: litestar,
}
