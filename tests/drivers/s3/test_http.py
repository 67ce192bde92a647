"""Our HTTP client: every framing, however it arrives, and every way a connection can fail."""

import asyncio
import gc
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from storeroom.contracts.errors import PermissionDenied
from storeroom.drivers._http.exchange import HttpReply
from storeroom.drivers._http.http import Http
from storeroom.drivers._http.many import each_alone
from storeroom.drivers._http.service import HttpService
from storeroom.drivers._http.wire import Content, Lost, Request, Transport
from tests.servers.certificates import Certificate

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Serve = Callable[[Reader, Writer], Awaitable[None]]
HEADERS = {"host": "localhost"}
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: "e"\r\n\r\nbody'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'3;x="y"\r\nbod\r\n1 \r\ny\r\n0\r\nTrailer: 1\r\n\r\n'
)


@dataclass
class Served:
    """How many connections came, and what was asked on all of them."""

    connections: int = 0
    asked: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def serving(
    serve: Serve, *, timeout: float = 5.0, tls: Certificate | None = None
) -> AsyncIterator[tuple[Http, Served]]:
    """A client of a server that does as it is told."""
    served = Served()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: Reader, writer: Writer) -> None:
        served.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(Recorded(reader, served), writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.chain, tls.key)
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    scheme = "http" if tls is None else "https"
    trusted = None if tls is None else ssl.create_default_context(cafile=tls.authority)
    http = Http(f"{scheme}://127.0.0.1:{port}", trusted, timeout=timeout)
    try:
        yield http, served
    finally:
        await http.aclose()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Recorded(asyncio.StreamReader):
    """Remembers the heads of requests."""

    def __init__(self, reader: Reader, served: Served) -> None:
        super().__init__()
        self._reader, self._served = reader, served

    async def readuntil(self, separator: bytes = b"\n") -> bytes:  # type: ignore[override]
        found = await self._reader.readuntil(separator)
        self._served.asked.append(found)
        return found

    async def readexactly(self, n: int) -> bytes:
        return await self._reader.readexactly(n)

    async def read(self, n: int = -1) -> bytes:
        return await self._reader.read(n)


def answering(*replies: bytes, close: bool = False) -> Serve:
    """One reply per request on each connection, in turn."""

    async def serve(reader: Reader, writer: Writer) -> None:
        for reply in replies:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
            await writer.drain()
        if not close:
            await reader.read()

    return serve


async def got(http: Http, method: str = "GET") -> tuple[int, bytes]:
    reply = await http.request(method, "/a", HEADERS)
    return reply.status, await reply.read()


async def all_of(reply: HttpReply) -> bytes:
    pieces = []
    while piece := await reply.chunk():
        pieces.append(piece)
    return b"".join(pieces)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - a fact of a plain object, which sets no event
        await asyncio.sleep(0)


async def test_a_request_is_what_was_asked_for() -> None:
    async with serving(answering(OK)) as (http, served):
        reply = await http.request("GET", "/a%20b?x=%2F", {**HEADERS, "x-amz-meta-a": "é"})
        assert (reply.status, reply.headers["etag"]) == (200, '"e"')
        assert await all_of(reply) == b"body"
    assert served.asked == [
        "GET /a%20b?x=%2F HTTP/1.1\r\nhost: localhost\r\nx-amz-meta-a: é\r\n\r\n".encode()
    ]


@pytest.mark.parametrize("reply", [OK, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + OK])
async def test_a_connection_is_kept_for_the_next_request(reply: bytes) -> None:
    async with serving(answering(*[reply] * 3)) as (http, served):
        for _ in range(3):
            assert await got(http) == (200, b"body")
    assert served.connections == 1


@pytest.mark.parametrize("reply", [OK, CHUNKED, b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + CHUNKED])
async def test_a_reply_may_arrive_in_any_two_pieces(reply: bytes) -> None:
    for at in range(1, len(reply)):

        async def serve(reader: Reader, writer: Writer, at: int = at) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply[:at])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(reply[at:])
            await reader.read()

        async with serving(serve) as (http, _):
            assert await got(http) == (200, b"body"), at


async def test_a_reply_may_arrive_byte_by_byte() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            for byte in CHUNKED:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(0)
        await reader.read()

    async with serving(serve) as (http, served):
        assert await got(http) == await got(http) == (200, b"body")
    assert served.connections == 1


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"),
    ],
)
async def test_a_reply_without_a_body_ends_at_once(method: str, reply: bytes) -> None:
    async with serving(answering(reply, reply)) as (http, served):
        assert (await got(http, method))[1] == (await got(http, method))[1] == b""
    assert served.connections == 1


async def test_a_body_of_no_announced_length_goes_to_the_end_of_the_connection() -> None:
    reply = b"HTTP/1.1 200 OK\r\n\r\nall of it"
    async with serving(answering(reply, close=True)) as (http, served):
        assert await got(http) == await got(http) == (200, b"all of it")
    assert served.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody",
        OK + b"surplus",
        CHUNKED + b"\r\n",
        CHUNKED.replace(b"200 OK\r\n", b"200 OK\r\nContent-Length: 1\r\n"),
    ],
)
async def test_a_connection_that_may_hold_something_else_is_not_used_again(reply: bytes) -> None:
    async with serving(answering(reply, reply)) as (http, served):
        assert await got(http) == await got(http) == (200, b"body")
    assert served.connections == 2


async def test_a_connection_that_speaks_unasked_is_not_used_again() -> None:
    told = asyncio.Event()

    async def serve(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await told.wait()
        writer.write(OK)
        await reader.read()

    async with serving(serve) as (http, served):
        await got(http)
        told.set()
        await until(lambda: http._idle[0].closed)
        await got(http)
    assert served.connections == 2


async def test_a_connection_that_was_closed_meanwhile_is_not_used_again() -> None:
    async with serving(answering(OK, close=True)) as (http, served):
        await got(http)
        await until(lambda: http._idle[0].closed)
        assert await got(http) == (200, b"body")
    assert served.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xc2\xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName : value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/2 200 OK\r\n\r\n",
        b"220 ftp.example.com\r\n\r\n",
        b"SSH-2.0-OpenSSH" + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-4\r\nbody\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x4\r\nbody\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbody\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000,
    ],
)
async def test_what_is_not_http_is_lost(reply: bytes) -> None:
    async with serving(answering(reply)) as (http, served):
        for _ in range(2):
            with pytest.raises(Lost, match="not HTTP") as caught:
                await got(http)
            assert caught.value.why == "dropped"
    assert served.connections == 2


@pytest.mark.parametrize("reply", [OK, CHUNKED])
async def test_a_reply_that_is_cut_off_anywhere_is_lost(reply: bytes) -> None:
    for at in range(len(reply)):
        async with serving(answering(reply[:at], close=True)) as (http, _):
            with pytest.raises(Lost) as caught:
                await got(http)
            assert caught.value.why == "dropped", at


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200", OK[:-1], CHUNKED[:-3]])
async def test_a_silence_that_lasts_is_lost(sent: bytes) -> None:
    async with serving(answering(sent), timeout=0.05) as (http, _):
        with pytest.raises(Lost) as caught:
            await got(http)
        assert caught.value.why == "idle"


async def test_the_time_out_is_idle_time_and_not_the_whole() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in OK:
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.01)

    async with serving(serve, timeout=0.25) as (http, _):
        assert len(OK) * 0.01 > 0.25
        assert await got(http) == (200, b"body")


async def test_a_reader_that_takes_its_time_is_not_idle() -> None:
    async with serving(answering(OK[:-4]), timeout=0.05) as (http, _):
        reply = await http.request("GET", "/a", HEADERS)
        await asyncio.sleep(0.15)
        with pytest.raises(Lost) as caught:
            await reply.chunk()
        assert caught.value.why == "idle"


async def test_nobody_there_is_unreachable() -> None:
    async with serving(answering(OK)) as (http, _):
        pass
    with pytest.raises(Lost) as caught:
        await got(http)
    assert caught.value.why == "unreachable"


async def test_tls_works_and_is_verified(certificate: Certificate) -> None:
    async with serving(answering(OK, CHUNKED), tls=certificate) as (http, served):
        assert await got(http) == await got(http) == (200, b"body")
        assert served.connections == 1
        other = Http(f"https://127.0.0.1:{http._port}", None, timeout=5)
        with pytest.raises(Lost) as caught:
            await got(other)
        assert caught.value.why == "certificate"


async def test_a_connection_given_up_while_it_is_made_is_closed(certificate: Certificate) -> None:
    several = answering(*[OK] * 50)  # on a fast machine some of the attempts come to their end
    async with serving(several, tls=certificate) as (http, _):
        for turns in range(40):
            work = asyncio.create_task(got(http))
            for _ in range(turns):
                await asyncio.sleep(0)
            work.cancel()
            await asyncio.wait([work])
        gc.collect()
        assert await got(http) == (200, b"body")


async def test_plain_http_where_tls_is_expected_is_said() -> None:
    async with serving(answering(OK)) as (http, _):
        other = Http(f"https://127.0.0.1:{http._port}", None, timeout=1)
        with pytest.raises(Lost) as caught:
            await got(other)
        assert caught.value.why in ("certificate", "unreachable")


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\ny", "a\rb", "\r\n"])
async def test_a_header_cannot_bring_another(value: str) -> None:
    async with serving(answering(OK)) as (http, served):
        with pytest.raises(ValueError, match="line break"):
            await http.request("GET", "/a", {**HEADERS, "x-amz-meta-a": value})
    assert not served.asked


@dataclass
class Mark:
    sent: bool = True


BODY = bytes(range(256)) * (1 << 18)  # 64 MiB: more than any socket holds


@pytest.mark.parametrize(
    "body", [BODY, [BODY], [BODY[:7], b"", memoryview(BODY)[7:300_000], BODY[300_000:], b""]]
)
async def test_a_large_body_arrives_whole_and_its_leaving_is_told(body: Content) -> None:
    arrived: list[bytes] = []
    mark = Mark()

    async def serve(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        assert not mark.sent
        arrived.append(await reader.readexactly(len(BODY)))
        writer.write(OK)
        await reader.read()

    headers = {**HEADERS, "content-length": str(len(BODY))}
    async with serving(serve) as (http, served):
        reply = await http.request("PUT", "/a", headers, body, mark)
        assert (reply.status, await reply.read(), mark.sent) == (200, b"body", True)
    assert arrived == [BODY]
    assert served.connections == 1


async def test_a_small_body_may_come_in_pieces() -> None:
    arrived: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.append(await reader.readexactly(4))
        writer.write(OK)
        await reader.read()

    async with serving(serve) as (http, _):
        headers = {**HEADERS, "content-length": "4"}
        await http.request("PUT", "/a", headers, [b"ab", b"", memoryview(b"cd")])
    assert arrived == [b"abcd"]


async def test_nothing_has_left_before_the_greeting_is_over() -> None:
    """Who cancels then need not wait for what the service may do."""

    async def serve(_: Reader, __: Writer) -> None:
        await asyncio.Event().wait()

    async with serving(serve) as (plain, _):

        async def connect() -> Transport:
            return Carrier(Http(f"https://127.0.0.1:{plain._port}", None, timeout=5))

        service = HttpService(connect, retries=0, timeout=5)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await service.commit(Request("put", "PUT", "a"))
        assert time.monotonic() - began < 2
        await service.aclose()


@dataclass
class Carrier:
    """A transport that is nothing but the client."""

    http: Http

    async def send(self, request: Request, /) -> HttpReply:
        return await self.http.request("PUT", "/a", HEADERS, request.body, request)

    async def aclose(self) -> None:
        await self.http.aclose()


async def test_a_cancellation_goes_on_after_what_it_waited_for() -> None:
    service = HttpService(asyncio.Event().wait, retries=0, timeout=5)  # type: ignore[arg-type]
    work = asyncio.create_task(asyncio.sleep(0.2))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await service.ended(work)
    assert work.done()
    assert not work.cancelled()


async def test_a_connection_that_is_being_opened_ends_with_its_client() -> None:
    async with serving(answering(OK)) as (http, _):
        asked = asyncio.create_task(got(http))
        await asyncio.sleep(0)
        await http.aclose()
        with pytest.raises(Lost, match="the driver was closed"):
            await asked


async def test_a_body_of_an_error_that_does_not_end_is_dropped() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 No\r\n\r\n")
        while True:
            writer.write(bytes(1 << 16))
            await writer.drain()

    async with serving(serve) as (http, _):
        reply = await http.request("GET", "/a", HEADERS)
        with pytest.raises(Lost, match="does not end"):
            await reply.read(1 << 20)


@pytest.mark.parametrize("target", ["/a b", "/a\r\nx: y", "/a\n"])
async def test_an_address_breaks_no_line(target: str) -> None:
    async with serving(answering(OK)) as (http, served):
        with pytest.raises(ValueError, match="line break or a space"):
            await http.request("GET", target, HEADERS)
    assert served.connections == 0


async def test_who_speaks_no_tls_is_no_bad_certificate() -> None:
    async def serve(_: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 400 No\r\n\r\n")
        await writer.drain()

    async with serving(serve) as (plain, _):
        http = Http(f"https://127.0.0.1:{plain._port}", None, timeout=5)
        with pytest.raises(Lost) as caught:
            await http.request("GET", "/a", HEADERS)
        assert caught.value.why == "unreachable"
        await http.aclose()


async def test_one_key_that_fails_leaves_the_others_their_answers() -> None:
    async def remove(key: str) -> bool:
        if key == "b":
            raise PermissionDenied("no new credentials")
        return True

    answers = await each_alone(["a", "b", "c"], remove, lambda _: None)
    assert (answers["a"], answers["c"]) == (True, True)
    assert isinstance(answers["b"], PermissionDenied)
    assert answers["b"].path == "b"


async def test_an_answer_before_the_body_has_left_is_the_answer() -> None:
    refused = OK.replace(b"200 OK", b"403 No")
    mark = Mark()

    async def serve(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refused)
        await writer.drain()
        await asyncio.Event().wait()

    headers = {**HEADERS, "content-length": str(64 << 20)}
    async with serving(serve) as (http, served):
        for _ in range(2):
            reply = await http.request("PUT", "/a", headers, bytes(64 << 20), mark)
            assert (reply.status, await reply.read()) == (403, b"body")
            assert not mark.sent
    assert served.connections == 2


async def test_a_peer_that_takes_nothing_of_a_body_is_given_up() -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await asyncio.Event().wait()

    async with serving(serve, timeout=0.05) as (http, _):
        with pytest.raises(Lost) as caught:
            await http.request("PUT", "/a", HEADERS, bytes(64 << 20))
        assert caught.value.why == "idle"


async def test_what_is_not_read_is_not_fetched() -> None:
    size = 64 << 20
    written = 0

    async def serve(reader: Reader, writer: Writer) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        while written < size:
            writer.write(bytes(1 << 20))
            written += 1 << 20
            await writer.drain()
        await reader.read()

    async with serving(serve) as (http, served):
        reply = await http.request("GET", "/a", HEADERS)
        before = -1
        while before != written:
            before = written
            await asyncio.sleep(0.02)
        assert written < size / 2
        assert len(await all_of(reply)) == size
        await until(lambda: bool(http._idle))
    assert served.connections == 1


async def test_a_reply_that_is_closed_early_takes_its_connection_with_it() -> None:
    async with serving(answering(OK[:-1], OK)) as (http, served):
        reply = await http.request("GET", "/a", HEADERS)
        reply.close()
        with pytest.raises(Lost):
            await reply.read()
        assert not http._idle
        whole = await http.request("GET", "/a", HEADERS)
        whole.close()
    assert served.connections == 2


@pytest.mark.parametrize("body", [b"", b"small", bytes(64 << 20)])
async def test_a_cancelled_request_leaves_no_connection_behind(body: bytes) -> None:
    async def serve(reader: Reader, writer: Writer) -> None:
        await asyncio.Event().wait()

    async with serving(serve) as (http, served):
        task = asyncio.create_task(http.request("PUT", "/a", HEADERS, body))
        await until(lambda: served.connections == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not http._all)
        assert not http._idle


async def test_closing_ends_what_is_under_way() -> None:
    async with serving(answering(OK[:-1])) as (http, _):
        reply = await http.request("GET", "/a", HEADERS)
        waiting = asyncio.create_task(reply.read())
        await asyncio.sleep(0)
        await http.aclose()
        with pytest.raises(Lost, match="closed"):
            await waiting
        assert not http._all


async def test_many_requests_at_once_each_have_a_connection_and_share_them_later() -> None:
    async with serving(answering(*[OK] * 20)) as (http, served):
        for _ in range(3):
            answers = await asyncio.gather(*[got(http) for _ in range(20)])
            assert answers == [(200, b"body")] * 20
    assert served.connections == 20
