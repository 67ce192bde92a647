"""Who puts, gets and looks at 4 KiB files over FTP, and streams a large one."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from _contender import DATA, OURS, PREFIX, Contender, Making
from _content import Large
from _everywhere import our_download, our_upload, ours
from _ftp_server import port_of
from _harness import Work
from _servers import HOST, Endpoint
from _service import Streaming

PACKAGES = ("storeroom", "aioftp")
ONE = "one aioftp connection"
EACH = "a connection per operation"
AIOFTP = "aioftp"
CURL = "curl"

_BLOCK = 256 << 10


def driver(place: Endpoint) -> Any:
    from storeroom.drivers.ftp import FTPDriver

    return FTPDriver(HOST, port=port_of(place), tls=False)


@asynccontextmanager
async def connected(place: Endpoint) -> AsyncIterator[Any]:
    """aioftp's client, as its documentation makes one."""
    import aioftp

    async with aioftp.Client.context(HOST, port_of(place)) as client:
        yield client


async def _put(client: Any, path: str) -> None:
    """The steps of ours: to another name, compared in size, renamed."""
    beside = f"{path}.{token_hex(8)}"
    async with client.upload_stream(beside) as stream:
        await stream.write(DATA)
    _, told = await client.command(f"SIZE {beside}", "213")
    if int(told[-1]) != len(DATA):
        raise AssertionError(told)
    await client.rename(beside, path)


async def _get(client: Any, path: str) -> bytes:
    await _head(client, path)
    async with client.download_stream(path) as stream:
        data: bytes = await stream.read(-1)
        return data


async def _head(client: Any, path: str) -> object:
    await client.command(f"SIZE {path}", "213")
    return await client.command(f"MDTM {path}", "213")


async def _shared(place: Endpoint, stack: AsyncExitStack) -> Contender:
    client = await stack.enter_async_context(connected(place))
    turn = asyncio.Lock()

    def on(work: Callable[[Any, str], Awaitable[Any]]) -> Callable[[str], Awaitable[Any]]:
        async def alone(path: str) -> Any:
            async with turn:
                return await work(client, path)

        return alone

    async def listing() -> int:
        return len(await client.list(PREFIX.rstrip("/"), raw_command="LIST"))

    return Contender(on(_put), on(_get), on(_head), listing)


async def _each(place: Endpoint, stack: AsyncExitStack) -> Contender:
    def on(work: Callable[[Any, str], Awaitable[Any]]) -> Callable[[str], Awaitable[Any]]:
        async def alone(path: str) -> Any:
            async with connected(place) as client:
                return await work(client, path)

        return alone

    return Contender(on(_put), on(_get), on(_head))


CONTENDERS: dict[str, Making] = {OURS: ours(driver), ONE: _shared, EACH: _each}


async def _upload(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    client = await stack.enter_async_context(connected(place))

    async def upload() -> None:
        async with client.upload_stream(large.key) as stream:
            async for chunk in large.chunks():
                await stream.write(chunk)

    return upload


async def _download(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    client = await stack.enter_async_context(connected(place))

    async def download() -> int:
        count = 0
        async with client.download_stream(large.key) as stream:
            async for chunk in stream.iter_by_block(_BLOCK):
                count += len(chunk)
        return count

    return download


async def _curl_upload(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    """A file of this machine, in memory if that is where the server's are."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = stack.enter_context(tempfile.TemporaryDirectory(dir=memory))
    local = Path(folder, "local")
    with local.open("wb") as target, large.blocks() as blocks:
        while block := blocks.read(1 << 20):
            target.write(block)
    return lambda: _curl("-T", str(local), f"{place.url}/{large.key}")


async def _curl_download(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    async def download() -> int:
        await _curl("-o", "/dev/null", f"{place.url}/{large.key}")
        return large.size

    return download


async def _curl(*words: str) -> None:
    process = await asyncio.create_subprocess_exec("curl", "-sS", "--fail", *words)
    if await process.wait():
        raise RuntimeError(f"curl ended with {process.returncode}")


UPLOADS: dict[str, Streaming] = {
    OURS: our_upload(driver),
    CURL: _curl_upload,
    AIOFTP: _upload,
}
DOWNLOADS: dict[str, Streaming] = {
    OURS: our_download(driver),
    CURL: _curl_download,
    AIOFTP: _download,
}
