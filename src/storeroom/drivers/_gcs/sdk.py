"""Requests through gcloud-aio-storage's own session: for who needs the environment's proxy.

The SDK's session sends; who asks, where, and what errors mean stay ours, so that the verbs cannot tell
the difference.
"""

import asyncio
import io
import ssl
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from storeroom.contracts import threads
from storeroom.contracts.extras import extra
from storeroom.drivers._gcs.credentials import Bearer
from storeroom.drivers._gcs.direct import headers_of
from storeroom.drivers._gcs.proxy import proxy_of
from storeroom.drivers._gcs.routes import address_of
from storeroom.drivers._gcs.target import Target
from storeroom.drivers._http.renewal import Keys
from storeroom.drivers._http.sockets import Sockets
from storeroom.drivers._http.wire import Content, Lost, Request, Why

__all__ = ["Sdk", "connected"]

# The SDK measures silence itself; this is for what it does not.
_GRACE: Final = 0.5
_PACKAGES: Final = ("aiohttp", "gcloud.aio.storage")
_WITH_BODY: Final = frozenset(("PUT", "POST", "PATCH"))


async def connected(
    target: Target,
    keys: Keys[Bearer],
    tls: ssl.SSLContext,
    abroad: ssl.SSLContext,
    /,
    *,
    timeout: float,
) -> "Sdk":
    """A session for the running loop; the SDK is imported in a thread."""
    await threads.run(_imported)
    return Sdk(target, keys, tls, abroad, timeout=timeout)


class Sdk:
    """One loop's session of gcloud-aio-storage."""

    def __init__(
        self,
        target: Target,
        keys: Keys[Bearer],
        tls: ssl.SSLContext,
        abroad: ssl.SSLContext,
        /,
        *,
        timeout: float,
    ) -> None:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
        from gcloud.aio.storage import Storage

        self._sockets = Sockets()
        session: Any = ClientSession(
            auto_decompress=False,
            connector=TCPConnector(ssl=tls, limit=0, socket_factory=self._sockets.make),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout),
        )
        session._retry_connection = False  # a try that nobody would hear of
        lent: Any = keys  # it wants a token to hold, and is never asked for one
        self._storage: Any = Storage(session=session, token=lent, api_root=target.origin)
        self._session = session
        self._target = target
        self._keys = keys
        self._tls = tls
        self._abroad = abroad
        self._timeout = timeout + _GRACE
        self._proxies: dict[str, str | None] = {}

    async def send(self, request: Request, /) -> "SdkReply":
        origin, path = address_of(self._target, request)
        headers = await headers_of(self._target, self._keys, request)
        try:
            async with asyncio.timeout(self._timeout) as idle:
                proxy = await self._proxy(origin)
                return await self._sent(f"{origin}{path}", request, headers, proxy, idle)
        except TimeoutError as error:
            raise Lost("idle", "nothing went or came") from error

    async def aclose(self) -> None:
        try:
            await self._session.close()
        finally:
            await self._sockets.end()

    async def _proxy(self, origin: str) -> str | None:
        """The environment's proxy, looked up once."""
        if origin not in self._proxies:
            self._proxies[origin] = await threads.run(proxy_of, origin)
        return self._proxies[origin]

    async def _sent(
        self,
        url: str,
        request: Request,
        headers: dict[str, str],
        proxy: str | None,
        idle: asyncio.Timeout,
    ) -> "SdkReply":
        from aiohttp import ClientConnectorCertificateError, ClientConnectorError, ClientError
        from yarl import URL

        data: Any = None
        if request.method in _WITH_BODY:
            loop = asyncio.get_running_loop()
            data = _Watched(
                _joined(request.body), lambda: idle.reschedule(loop.time() + self._timeout)
            )
        request.sent = True
        try:
            reply = await self._storage.session.request(
                request.method,
                URL(url, encoded=True),
                headers,
                auto_raise_for_status=False,
                data=data,
                proxy=proxy,
                allow_redirects=False,
                ssl=self._tls if url.startswith(self._target.origin) else self._abroad,
                skip_auto_headers=("content-type", "accept"),
            )
        except ClientConnectorCertificateError as error:
            raise Lost("certificate", str(error.certificate_error)) from error
        except ClientConnectorError as error:
            raise Lost("unreachable", error.strerror or type(error).__name__) from error
        except (ClientError, OSError) as error:
            raise _lost(error) from error
        return SdkReply(reply)


class _Watched(io.BytesIO):
    """A body that tells whenever more of it is taken, for the SDK never gives up on sending."""

    def __init__(self, content: bytes, taken: Callable[[], None]) -> None:
        super().__init__(content)
        self._taken = taken

    def read(self, size: int | None = -1, /) -> bytes:
        self._taken()
        return super().read(size)


class SdkReply:
    """A reply that the SDK streams."""

    __slots__ = ("_reply", "headers", "status")

    def __init__(self, reply: Any) -> None:
        self._reply = reply
        self.status: int = reply.status
        self.headers: Mapping[str, str] = {
            name.lower(): ", ".join(reply.headers.getall(name)) for name in reply.headers
        }

    async def read(self, most: int | None = None, /) -> bytes:
        parts: list[bytes] = []
        held = 0
        while chunk := await self.chunk():
            parts.append(chunk)
            held += len(chunk)
            if most is not None and held > most:
                self.close()
                raise Lost("dropped", "its body does not end")
        return b"".join(parts)

    async def chunk(self) -> bytes:
        from aiohttp import ClientError

        try:
            chunk: bytes = await self._reply.content.readany()
        except (ClientError, TimeoutError, OSError) as error:
            raise _lost(error) from error
        return chunk

    def close(self) -> None:
        self._reply.close()


def _lost(error: Exception) -> Lost:
    why: Why = "idle" if isinstance(error, TimeoutError) else "dropped"
    return Lost(why, type(error).__name__)


def _joined(content: Content) -> bytes:
    return content if isinstance(content, bytes) else b"".join(content)


def _imported() -> None:
    with extra("gcs", "gcloud-aio-storage"):
        for name in _PACKAGES:
            import_module(name)
