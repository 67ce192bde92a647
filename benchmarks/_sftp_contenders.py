"""Who puts, gets and looks at 4 KiB files over SFTP, and streams a large one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from _contender import DATA, OURS, PREFIX, Contender, Making
from _content import Large
from _everywhere import our_download, our_upload, ours
from _harness import Work
from _servers import HOST, Endpoint
from _service import Streaming
from _sftp_server import Server
from _stub import SMALL

PACKAGES = ("storeroom", "asyncssh", "cryptography")
ASYNCSSH = "asyncssh"
STREAMED = "asyncssh, a stream"
EACH = "a connection per operation"
COMMAND = "the sftp command"


def driver(place: Endpoint) -> Any:
    from storeroom.drivers.sftp import SFTPDriver

    return SFTPDriver(HOST, **Server.at(place).options())


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Any]:
    """asyncssh's client, as its documentation makes one."""
    import asyncssh

    async with (
        asyncssh.connect(
            HOST, server.port, username=server.user, client_keys=[server.key], known_hosts=None
        ) as connection,
        connection.start_sftp_client() as client,
    ):
        yield client


async def _put(client: Any, path: str) -> None:
    async with client.open(path, "wb") as file:
        await file.write(DATA)


async def _get(client: Any, path: str) -> bytes:
    async with client.open(path, "rb") as file:
        data: bytes = await file.read(SMALL)
        return data


async def _head(client: Any, path: str) -> object:
    return await client.stat(path)


async def _shared(place: Endpoint, stack: AsyncExitStack) -> Contender:
    server = Server.at(place)
    client = await stack.enter_async_context(connected(server))

    def on(work: Callable[[Any, str], Awaitable[Any]]) -> Callable[[str], Awaitable[Any]]:
        return lambda path: work(client, f"{server.folder}/{path}")

    async def listing() -> int:
        names = [entry.filename async for entry in client.scandir(f"{server.folder}/{PREFIX}")]
        return len(names) - 2  # the folder itself, and the one above

    return Contender(on(_put), on(_get), on(_head), listing)


async def _each(place: Endpoint, stack: AsyncExitStack) -> Contender:
    server = Server.at(place)

    def on(work: Callable[[Any, str], Awaitable[Any]]) -> Callable[[str], Awaitable[Any]]:
        async def alone(path: str) -> Any:
            async with connected(server) as client:
                return await work(client, f"{server.folder}/{path}")

        return alone

    return Contender(on(_put), on(_get), on(_head))


CONTENDERS: dict[str, Making] = {OURS: ours(driver), ASYNCSSH: _shared, EACH: _each}


async def _upload(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    """A file of this machine, which is what asyncssh sends fastest."""
    server, local = Server.at(place), _local(place, large)
    client = await stack.enter_async_context(connected(server))
    return lambda: client.put(str(local), f"{server.folder}/{large.key}")


async def _upload_stream(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    server = Server.at(place)
    client = await stack.enter_async_context(connected(server))

    async def upload() -> None:
        async with client.open(f"{server.folder}/{large.key}", "wb") as file:
            async for chunk in large.chunks():
                await file.write(chunk)

    return upload


async def _download(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    server = Server.at(place)
    client = await stack.enter_async_context(connected(server))
    target = Path(server.folder, "../back").resolve()

    async def download() -> int:
        await client.get(f"{server.folder}/{large.key}", str(target))
        return target.stat().st_size

    return download


async def _download_stream(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    server = Server.at(place)
    client = await stack.enter_async_context(connected(server))

    async def download() -> int:
        count = 0
        async with client.open(f"{server.folder}/{large.key}", "rb") as file:
            while chunk := await file.read(1 << 20):
                count += len(chunk)
        return count

    return download


async def _command_upload(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    server, local = Server.at(place), _local(place, large)
    return lambda: _command(server, f"put {local} {server.folder}/{large.key}")


async def _command_download(place: Endpoint, stack: AsyncExitStack, large: Large) -> Work:
    server = Server.at(place)
    target = Path(server.folder, "../back by command").resolve()

    async def download() -> int:
        await _command(server, f'get {server.folder}/{large.key} "{target}"')
        return target.stat().st_size

    return download


async def _command(server: Server, line: str) -> None:
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
    words = [word for option in options for word in ("-o", option)]
    process = await asyncio.create_subprocess_exec(
        "sftp",
        *("-q", "-b", "-", "-i", server.key, "-P", str(server.port), *words),
        f"{server.user}@{HOST}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    await process.communicate(line.encode())
    if process.returncode:
        raise RuntimeError(f"sftp ended with {process.returncode}")


def _local(place: Endpoint, large: Large) -> Path:
    """A file with the bytes that go up."""
    file = Path(Server.at(place).folder, "../local").resolve()
    if not file.exists() or file.stat().st_size != large.size:
        with file.open("wb") as target, large.blocks() as blocks:
            while block := blocks.read(1 << 20):
                target.write(block)
    return file


UPLOADS: dict[str, Streaming] = {
    OURS: our_upload(driver),
    ASYNCSSH: _upload,
    STREAMED: _upload_stream,
    COMMAND: _command_upload,
}
DOWNLOADS: dict[str, Streaming] = {
    OURS: our_download(driver),
    ASYNCSSH: _download,
    STREAMED: _download_stream,
    COMMAND: _command_download,
}
