"""Who speaks to every service with the same words: ours, obstore and opendal.

Each is told how its client of one endpoint is made.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from _contender import DATA, PREFIX, Contender, Making
from _content import Large
from _harness import Work
from _servers import Endpoint
from _service import Streaming
from _stub import MIB

OBSTORE = "obstore"
OPENDAL = "opendal"

Client = Callable[[Endpoint], Any]


def ours(driver: Client, /) -> Making:
    """Our disk."""

    async def make(place: Endpoint, stack: AsyncExitStack) -> Contender:
        disk = await stack.enter_async_context(driver(place))

        async def listing() -> int:
            count = 0
            async for _ in disk.entries(PREFIX, recursive=True):
                count += 1
            return count

        return Contender(lambda p: disk.put(p, DATA), disk.get, disk.metadata, listing)

    return make


def our_upload(driver: Client, /) -> Streaming:
    async def make(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
        disk = await stack.enter_async_context(driver(place))
        return lambda: disk.put(large.key, large.chunks())

    return make


def our_download(driver: Client, /) -> Streaming:
    async def make(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
        disk = await stack.enter_async_context(driver(place))

        async def download() -> int:
            count = 0
            async for chunk in disk.read_stream(large.key):
                count += len(chunk)
            return count

        return download

    return make


def obstore(store_of: Client, /, *, lists: bool = True) -> Making:
    """obstore's client; where it lists in another language than the stub's, it does not."""

    async def make(place: Endpoint, stack: AsyncExitStack) -> Contender:
        import obstore

        store = store_of(place)

        async def get(path: str) -> object:
            return await (await obstore.get_async(store, path)).bytes_async()

        async def listing() -> int:
            count = 0
            async for page in obstore.list(store, PREFIX.rstrip("/"), chunk_size=1000):
                count += len(page)
            return count

        return Contender(
            lambda path: obstore.put_async(store, path, DATA, use_multipart=False),
            get,
            lambda path: obstore.head_async(store, path),
            listing if lists else None,
        )

    return make


def obstore_upload(store_of: Client, /) -> Streaming:
    async def make(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
        import obstore

        store = store_of(place)
        return lambda: obstore.put_async(store, large.key, large.chunks())

    return make


def obstore_download(store_of: Client, /) -> Streaming:
    async def make(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
        import obstore

        store = store_of(place)

        async def download() -> int:
            count = 0
            answer = await obstore.get_async(store, large.key)
            async for chunk in answer.stream(min_chunk_size=MIB):
                count += len(chunk)
            return count

        return download

    return make


def opendal(operator_of: Client, /) -> Making:
    async def make(place: Endpoint, stack: AsyncExitStack) -> Contender:
        files = operator_of(place)

        async def listing() -> int:
            count = 0
            async for _ in await files.list(PREFIX, recursive=True):
                count += 1
            return count

        return Contender(lambda p: files.write(p, DATA), files.read, files.stat, listing)

    return make


def opendal_upload(operator_of: Client, /) -> Streaming:
    async def make(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
        operator = operator_of(place)

        async def upload() -> None:
            async with await operator.open(large.key, "wb", chunk=8 * MIB, concurrent=4) as file:
                async for chunk in large.chunks():
                    await file.write(chunk)

        return upload

    return make


def opendal_download(operator_of: Client, /) -> Streaming:
    async def make(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
        operator = operator_of(place)

        async def download() -> int:
            count = 0
            async with await operator.open(large.key, "rb") as file:
                while chunk := await file.read(MIB):
                    count += len(chunk)
            return count

        return download

    return make
