"""Data connections in the clear: no watch outlives its socket, no byte is lost, and slow is not silent."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from storeroom.drivers._ftp.channel import Channel
from storeroom.drivers._ftp.plain import Plain
from storeroom.drivers._http.wire import Lost
from tests.drivers.ftp.place import KIB, MIB
from tests.drivers.s3.bucket import random_bytes
from tests.servers.process import HOST

DATA = random_bytes(4 * MIB)


class Pair:
    """A data connection and the raw socket at its other end."""

    def __init__(self, plain: Plain, other: socket.socket) -> None:
        self.plain = plain
        self.other = other

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.other, data)

    async def receive(self, count: int) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.other, count)


@pytest.fixture(params=[5.0])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """With the time-out of the parameter."""
    made = await _paired(request.param)
    yield made
    made.plain.drop()
    made.other.close()


async def _paired(timeout: float) -> Pair:
    with socket.create_server((HOST, 0), backlog=1) as listener:
        listener.setblocking(False)
        host, port = listener.getsockname()
        plain = await Plain.reached((host, 0), port, timeout)
        other, _ = await asyncio.get_running_loop().sock_accept(listener)
    other.setblocking(False)
    return Pair(plain, other)


async def _woken(pair: Pair) -> "asyncio.Task[bytes]":
    """A reader that is told that something is here, and does not know it yet."""
    reading = asyncio.create_task(pair.plain.chunk())
    await asyncio.sleep(0)
    waiter = pair.plain._waiter
    assert waiter is not None
    await pair.send(b"x")
    while not waiter.done():  # noqa: ASYNC110
        await asyncio.sleep(0)
    return reading


async def test_no_watch_outlives_a_socket_that_is_closed_when_it_is_ready(pair: Pair) -> None:
    """The next socket has the same number, and nobody could watch it."""
    number = pair.plain._number
    reading = await _woken(pair)
    pair.plain.drop()
    with pytest.raises(Lost):
        await reading
    assert not asyncio.get_running_loop().remove_reader(number)


async def test_what_comes_when_the_time_is_up_is_no_timeout(pair: Pair) -> None:
    """A loop that was held up finds both at once."""
    reading = await _woken(pair)
    pair.plain._late(0)
    assert await reading == b"x"


async def test_a_reader_that_is_cancelled_anywhere_misses_nothing(pair: Pair) -> None:
    sending = asyncio.create_task(pair.send(DATA))
    got = bytearray()
    while len(got) < len(DATA):
        reading = asyncio.create_task(pair.plain.chunk())
        await asyncio.sleep(0)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            got += await reading
    await sending
    assert got == DATA


@pytest.mark.parametrize("pair", [0.3], indirect=True)
async def test_a_side_that_takes_little_at_a_time_is_not_silent(pair: Pair) -> None:
    """The system says that there is room when there is much of it."""
    pair.other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
    sending = asyncio.create_task(pair.plain.send(DATA))
    count = 0
    while not sending.done():
        count += len(await pair.receive(16 * KIB))
        await asyncio.sleep(0.005)
    await sending
    assert count < len(DATA)


async def test_a_loop_may_have_transports_of_its_own() -> None:
    """Those of uvloop are no subclasses of asyncio's."""

    class Transport:
        aborted = False

        def abort(self) -> None:
            self.aborted = True

    transport: Any = Transport()
    channel = Channel(1.0)
    channel.connection_made(transport)
    channel.drop()
    assert transport.aborted


async def test_no_socket_to_be_had_is_a_lost_connection() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(Lost):
            await Plain.reached((HOST, 0), 1, 1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
