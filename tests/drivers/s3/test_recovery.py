"""Servers and proxies that go and come back, event loops that follow one another, and forks."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Closed, ConfigError, StorageError, Unavailable
from storeroom.contracts.values import Stat
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    client,
    files,
    outcome,
    random_bytes,
    read,
    streamed,
)
from tests.servers.process import Process
from tests.servers.proxy import Proxy
from tests.servers.rclone import rclone_process, rclone_server
from tests.servers.strict_s3 import StrictS3, strict_s3_process, strict_s3_server

BIG = random_bytes(11 * MIB)
SECONDS = -timedelta(minutes=1)
VERBS: dict[str, Callable[[S3Driver], Awaitable[object]]] = {
    "stat": lambda driver: driver.stat(KEY),
    "read": lambda driver: driver.read(KEY),
    "write": lambda driver: driver.write(KEY, Body(b"new")),
    "write in parts": lambda driver: driver.write(KEY, streamed(BIG)),
    "copy": lambda driver: driver.copy_within(KEY, "copy"),
    "remove": lambda driver: driver.remove(KEY),
    "scan": files,
}


@pytest.fixture
def process() -> Iterator[Process]:
    """A strict server of the test's own; it forgets its buckets when it stops."""
    with strict_s3_process() as process:
        yield process


@pytest.fixture
async def mortal(process: Process) -> AsyncIterator[Bucket]:
    server = strict_s3_server(process)
    made = Bucket(server, server.make_bucket())
    yield made
    await made.aclose()


def restarted(process: Process, bucket: Bucket) -> None:
    process.start()
    client(bucket.server).create_bucket(Bucket=bucket.name)


@pytest.mark.parametrize("verb", VERBS)
async def test_every_verb_says_that_the_service_is_down_and_what_to_check(
    bucket: Bucket, proxy: Proxy, transport: str, verb: str
) -> None:
    bucket.put(b"old")
    driver = bucket.driver(proxy.port, transport=transport, retries=0, **SMALL_PARTS)
    await driver.stat(KEY)
    await proxy.stop()
    await outcome(VERBS[verb](driver))  # the kept connection was reset
    error = await outcome(VERBS[verb](driver))
    assert isinstance(error, Unavailable), repr(error)
    assert f"http://127.0.0.1:{proxy.port}" in str(error)
    assert "check endpoint_url, and that the service runs" in str(error)
    assert error.retryable
    assert isinstance(error, ConnectionError)
    assert bucket.get() == b"old"
    await proxy.start()
    assert not isinstance(await outcome(VERBS[verb](driver)), StorageError)


async def test_a_server_that_stops_and_starts(
    process: Process, mortal: Bucket, transport: str
) -> None:
    driver = mortal.driver(transport=transport, retries=1)
    await driver.write(KEY, Body(b"old"))
    process.stop()
    error = await outcome(driver.write(KEY, Body(b"lost")))
    assert isinstance(error, Unavailable), repr(error)
    assert mortal.server.url in str(error)
    restarted(process, mortal)
    await driver.write(KEY, Body(b"new"))
    assert await read(driver) == b"new"


async def test_a_server_that_starts_while_it_is_asked_for(process: Process, mortal: Bucket) -> None:
    """Its tries last until it is back."""
    driver = mortal.driver(retries=8)
    await driver.write(KEY, Body(b"old"))
    process.stop()
    starting = asyncio.get_running_loop().run_in_executor(None, restarted, process, mortal)
    assert isinstance(await outcome(driver.write(KEY, Body(b"new"))), (Stat, ConfigError))
    await starting
    await driver.write(KEY, Body(b"new"))
    assert mortal.get() == b"new"


async def test_a_server_that_stops_in_the_middle_of_an_upload(
    process: Process, mortal: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    driver = mortal.driver(retries=1, **SMALL_PARTS)

    async def chunks() -> AsyncIterator[bytes]:
        yield BIG
        await asyncio.to_thread(process.stop)
        yield BIG

    error = await outcome(driver.write(KEY, Body(chunks)))
    assert isinstance(error, Unavailable), repr(error)
    assert "left behind" in caplog.text
    restarted(process, mortal)
    assert mortal.get() is None
    await driver.write(KEY, streamed(BIG))
    assert mortal.get() == BIG


async def test_a_server_that_restarts_in_the_middle_of_a_download(tmp_path: Path) -> None:
    """rclone keeps its files; what is read goes on where it stopped."""
    with rclone_process(tmp_path) as process:
        server = rclone_server(process)
        bucket = Bucket(server, server.make_bucket())
        async with Proxy(bucket.port) as proxy:
            driver = bucket.driver(proxy.port, retries=8)
            await driver.write(KEY, Body(BIG))
            async with await driver.read(KEY) as source:
                got = await source.read(MIB)
                await proxy.reset()  # a server waits for its connections
                process.stop()
                process.start()
                assert got + await source.read() == BIG
        await bucket.aclose()


async def test_a_proxy_that_goes_away_in_the_middle(bucket: Bucket, proxy: Proxy) -> None:
    driver = bucket.driver(proxy.port, retries=1, **SMALL_PARTS)

    async def chunks() -> AsyncIterator[bytes]:
        yield BIG
        await proxy.stop()
        yield BIG

    error = await outcome(driver.write(KEY, Body(chunks)))
    assert isinstance(error, Unavailable), repr(error)
    await proxy.start()
    assert bucket.get() is None
    await driver.write(KEY, streamed(BIG))
    assert bucket.get() == BIG
    assert await driver.sweep(SECONDS) == 1  # the service was gone when they were to be cleared
    assert bucket.open_uploads() == []


def test_event_loops_follow_one_another(strict_s3: StrictS3, transport: str) -> None:
    bucket = Bucket(strict_s3, strict_s3.make_bucket())
    driver = bucket.driver(transport=transport)
    for number in range(3):
        asyncio.run(_written_and_read(bucket, number))
    asyncio.run(driver.aclose())
    with pytest.raises(Closed):
        asyncio.run(read(driver))


def test_event_loops_that_were_never_closed_down(strict_s3: StrictS3, each_transport: str) -> None:
    """As a framework does that does not care: the loop is closed, and nothing on it."""
    bucket = Bucket(strict_s3, strict_s3.make_bucket())
    bucket.driver(transport=each_transport)
    for number in range(2):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(_written_and_read(bucket, number))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    asyncio.run(bucket.aclose())


def test_event_loops_side_by_side(strict_s3: StrictS3, transport: str) -> None:
    bucket = Bucket(strict_s3, strict_s3.make_bucket())
    bucket.driver(transport=transport)

    def run(number: int) -> None:
        for _ in range(5):
            asyncio.run(_written_and_read(bucket, number))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(run, range(4)))
    asyncio.run(bucket.aclose())


async def _written_and_read(bucket: Bucket, number: int) -> None:
    driver = bucket.drivers[0]
    await driver.write(f"{number}", Body(b"%d" % number))
    assert await read(driver, f"{number}") == b"%d" % number
    assert f"{number}" in await files(driver)


FORKING = """
import asyncio, os, sys
from storeroom.contracts.body import Body
from storeroom.drivers.s3 import S3Driver

async def used(name):
    for _ in range(3):
        await driver.write(name, Body(name.encode()))
        async with await driver.read(name) as source:
            assert await source.read() == name.encode()

def in_a_child(run):
    child = os.fork()
    if child == 0:
        try:
            run()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

async def forked_under_a_loop():
    await used("parent")
    def run():
        asyncio._set_running_loop(None)
        asyncio.run(used("child"))
    code = in_a_child(run)
    await used("parent")
    return code

driver = S3Driver(sys.argv[1], endpoint_url=sys.argv[2], access_key=sys.argv[3],
                  secret_key=sys.argv[4], region="us-east-1", transport=sys.argv[5])
asyncio.run(used("parent"))
between = in_a_child(lambda: asyncio.run(used("child")))
asyncio.run(used("parent"))
print(between, asyncio.run(forked_under_a_loop()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_goes_on_by_itself(strict_s3: StrictS3, transport: str) -> None:
    """Between two loops, and while one runs with open connections."""
    bucket = strict_s3.make_bucket()
    words = [bucket, strict_s3.url, strict_s3.access_key, strict_s3.secret_key, transport]
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING, *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert told.stdout == "0 0\n", told.stdout + told.stderr
