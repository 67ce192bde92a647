"""The proxy passes everything on, until it is told what shall go wrong."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.servers.process import HOST, is_listening
from tests.servers.proxy import Ending, Proxy
from tests.servers.s3 import S3Server
from tests.servers.strict_s3 import StrictS3

SIZE = 1 << 20


class Echo:
    """A server that answers every line with its length of bytes, and remembers the lines."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.ended: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.lines.append(line)
                writer.write(b"x" * int(line) if line.strip().isdigit() else line)
                await writer.drain()
            self.ended.append("fin")
        except ConnectionResetError:
            self.ended.append("rst")
        finally:
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    server = Echo()
    listener = await asyncio.start_server(server.serve, HOST, 0)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    async with Proxy(echo.port) as proxy:
        yield proxy


class Client:
    """A connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, size: int) -> bytes:
        self.writer.write(b"%d\n" % size)
        return await self.reader.readexactly(size)


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    yield Client(reader, writer)
    writer.transport.abort()


async def test_everything_passes_both_ways(proxy: Proxy, client: Client) -> None:
    assert await client.ask(SIZE) == b"x" * SIZE
    assert await client.ask(3) == b"xxx"
    assert (proxy.connections, proxy.requests) == (1, 2)
    assert proxy.passed == {"up": len("1048576\n3\n"), "down": SIZE + 3}


async def test_the_end_of_a_side_is_passed_on(client: Client, echo: Echo) -> None:
    await client.ask(1)
    client.writer.write_eof()
    assert await client.reader.read() == b""
    assert echo.ended == ["fin"]


async def test_latency_is_paid_by_turns(proxy: Proxy, client: Client) -> None:
    proxy.latency = 0.2
    began = time.monotonic()
    await client.ask(SIZE)
    assert 0.4 <= time.monotonic() - began < 2  # by pieces it would be 3


async def test_bandwidth_is_a_limit(proxy: Proxy, client: Client) -> None:
    proxy.bandwidth = SIZE * 5
    began = time.monotonic()
    await client.ask(SIZE)
    assert time.monotonic() - began >= 0.15


@pytest.mark.parametrize("after", [0, 1, 70_000, SIZE - 1])
@pytest.mark.parametrize("ending", ["fin", "rst"])
async def test_what_comes_down_is_cut(
    proxy: Proxy, client: Client, after: int, ending: Ending
) -> None:
    proxy.cut("down", after=after, ending=ending)
    error = asyncio.IncompleteReadError if ending == "fin" else ConnectionResetError
    with pytest.raises(error):
        await client.ask(SIZE)
    assert proxy.passed["down"] == after
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    assert await Client(reader, writer).ask(SIZE)
    writer.transport.abort()


@pytest.mark.parametrize("ending", ["fin", "rst"])
async def test_what_goes_up_is_cut(
    proxy: Proxy, client: Client, echo: Echo, ending: Ending
) -> None:
    proxy.cut("up", after=12, ending=ending)
    assert await client.ask(5) == b"xxxxx"
    client.writer.write(b"hello, world\n")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await client.reader.readexactly(1)
    assert proxy.passed["up"] == 12
    assert echo.lines[0] == b"5\n"
    assert b"hello, world\n" not in echo.lines


async def test_a_cut_counts_from_when_it_is_asked_for(proxy: Proxy, client: Client) -> None:
    await client.ask(100)
    proxy.cut("down", after=100)
    await client.ask(100)
    with pytest.raises(ConnectionResetError):
        await client.ask(1)


@pytest.mark.parametrize("ending", ["fin", "rst"])
async def test_a_reply_is_lost_after_its_request_was_done(
    proxy: Proxy, client: Client, echo: Echo, ending: Ending
) -> None:
    proxy.lose_reply(2, ending=ending)
    await client.ask(1)
    error = asyncio.IncompleteReadError if ending == "fin" else ConnectionResetError
    with pytest.raises(error):
        await client.ask(2)
    assert echo.lines == [b"1\n", b"2\n"]
    assert proxy.passed["down"] == 1


async def test_a_black_hole_swallows_until_it_ends(proxy: Proxy, client: Client) -> None:
    await client.ask(1)
    proxy.black_hole()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.ask(2)
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    asked = asyncio.create_task(Client(reader, writer).ask(3))
    await asyncio.sleep(0.05)
    assert not asked.done()
    proxy.let_pass()
    assert await asked == b"xxx"
    writer.transport.abort()


async def test_the_end_of_a_side_may_come_late(proxy: Proxy, client: Client) -> None:
    proxy.slow_close = 0.1
    client.writer.write_eof()
    began = time.monotonic()
    assert await client.reader.read() == b""
    assert time.monotonic() - began >= 0.2  # up, and down again


async def test_connections_are_reset_and_taken_again(proxy: Proxy, client: Client) -> None:
    await client.ask(1)
    await proxy.reset()
    with pytest.raises(ConnectionResetError):
        await client.ask(1)
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    assert await Client(reader, writer).ask(1) == b"x"
    writer.transport.abort()


async def test_a_stopped_proxy_refuses_and_starts_on_its_port(proxy: Proxy) -> None:
    port = proxy.port
    await proxy.stop()
    assert not is_listening(port)
    await proxy.start()
    assert proxy.port == port
    reader, writer = await asyncio.open_connection(HOST, port)
    assert await Client(reader, writer).ask(1) == b"x"
    writer.transport.abort()


async def test_a_server_that_is_down_resets() -> None:
    async with Proxy(1) as proxy:
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        writer.close()


async def test_healing_takes_everything_back(proxy: Proxy, client: Client) -> None:
    proxy.latency, proxy.bandwidth = 10.0, 1.0
    proxy.cut("down", after=0)
    proxy.lose_reply()
    proxy.black_hole()
    proxy.heal()
    assert await client.ask(SIZE)


@pytest.mark.parametrize("name", ["strict_s3", "strict_s3_tls", "rclone", "moto"])
async def test_it_stands_before_a_real_server(name: str, request: pytest.FixtureRequest) -> None:
    server: S3Server = request.getfixturevalue(name)
    bucket = server.make_bucket()
    async with Proxy(int(server.url.rpartition(":")[2])) as proxy:
        client = server.at(proxy.port).client(retries={"max_attempts": 2})
        body = b"x" * 100_000
        proxy.cut("up", after=50_000)
        await asyncio.to_thread(client.put_object, Bucket=bucket, Key="x", Body=body)
        told = await asyncio.to_thread(client.get_object, Bucket=bucket, Key="x")
        assert await asyncio.to_thread(told["Body"].read) == body
        assert proxy.connections > 1


async def test_a_reply_of_s3_is_lost(strict_s3: StrictS3) -> None:
    bucket = strict_s3.make_bucket()
    async with Proxy(int(strict_s3.url.rpartition(":")[2])) as proxy:
        client = strict_s3.at(proxy.port).client(retries={"max_attempts": 2})
        proxy.lose_reply()
        with strict_s3.watching() as wire:
            await asyncio.to_thread(client.delete_object, Bucket=bucket, Key="x")
        assert [seen.status for seen in wire.requests] == [204, 204]
