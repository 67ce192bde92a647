"""Requests through aioboto3's own client: the way around, should ours ever fail somebody.

The SDK finds the address, signs, sends and speaks of errors; what goes beside the bytes and what comes
back is passed through as it is, by the SDK's events, so that the verbs cannot tell the difference.
https://botocore.amazonaws.com/v1/documentation/api/latest/topics/events.html
"""

import asyncio
import io
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from storeroom.contracts import threads
from storeroom.contracts.errors import PermissionDenied, StorageError
from storeroom.contracts.extras import extra
from storeroom.drivers._http.renewal import Keys
from storeroom.drivers._http.sockets import Sockets
from storeroom.drivers._http.wire import Lost, Request, Why
from storeroom.drivers._s3.direct import guarded
from storeroom.drivers._s3.presets import Checksum
from storeroom.drivers._s3.settings import Account
from storeroom.drivers._s3.signature import Credentials

__all__ = ["Sdk", "connected"]

# What the SDK insists on and an event then replaces.
_STAND_INS: Final[Mapping[str, Any]] = {
    "CopySource": "bucket/key",
    "Delete": {"Objects": []},
    "Tagging": {"TagSet": []},
}
# The SDK measures silence itself; this is for what it does not.
_GRACE: Final = 0.5
_STREAMED: Final = frozenset(("PutObject", "UploadPart"))
_WHY: Final[Mapping[str, Why]] = {
    "EndpointConnectionError": "unreachable",
    "ConnectTimeoutError": "unreachable",
    "ProxyConnectionError": "unreachable",
    "ReadTimeoutError": "idle",
    "AioReadTimeoutError": "idle",
    "SSLError": "certificate",
    "ConnectionClosedError": "dropped",
    "HTTPClientError": "dropped",
    "ResponseStreamingError": "dropped",
    "IncompleteReadError": "dropped",
}


@dataclass(slots=True)
class _Call:
    """One request on its way through the SDK."""

    headers: Mapping[str, str]
    body: bytes
    reply: bytes = b""


_calls: ContextVar[_Call] = ContextVar("storeroom_s3_call")


async def connected(bucket: str, account: Account, keys: Keys[Credentials], /) -> "Sdk":
    """A client for the running loop; made in a thread, for the SDK reads files and its models."""
    context, client, errors = await threads.run(_made, account, keys)
    return Sdk(bucket, account.checksum, context, client, errors, timeout=account.timeout + _GRACE)


class Sdk:
    """One loop's client of aioboto3."""

    def __init__(
        self,
        bucket: str,
        checksum: Checksum,
        context: Any,  # the SDK is untyped
        client: Any,
        errors: tuple[type[Exception], type[Exception]],
        /,
        *,
        timeout: float,
    ) -> None:
        self._timeout = timeout
        self._bucket = bucket
        self._checksum: Checksum = checksum
        self._context = context
        self._client = client
        self._answered, self._failed = errors
        self._inputs = lru_cache(maxsize=64)(self._input)

    async def send(self, request: Request, /) -> "SdkReply":
        headers = request.headers
        if request.body:
            headers, _ = await guarded(self._checksum, request)
        content = request.body if isinstance(request.body, bytes) else b"".join(request.body)
        call = _Call(headers, content)
        token = _calls.set(call)
        try:
            async with asyncio.timeout(self._timeout) as idle:
                return await self._sent(request, call, idle)
        except TimeoutError as error:
            raise Lost("idle", "nothing went or came") from error
        finally:
            _calls.reset(token)

    async def aclose(self) -> None:
        await self._context.__aexit__(None, None, None)

    async def _sent(self, request: Request, call: _Call, idle: asyncio.Timeout) -> "SdkReply":
        method, locations = self._inputs(request.operation)
        parameters = self._parameters(request, locations)
        if request.operation in _STREAMED:
            loop = asyncio.get_running_loop()
            parameters["Body"] = _Watched(
                call.body, lambda: idle.reschedule(loop.time() + self._timeout)
            )
        request.sent = True
        try:
            parsed = await method(**parameters)
        except self._answered as error:
            parsed = getattr(error, "response", {})
            if "HTTPStatusCode" not in parsed.get("ResponseMetadata", {}):
                raise Lost("dropped", type(error).__name__) from error
        except self._failed as error:
            raise _translated(error) from error
        facts = parsed["ResponseMetadata"]
        stream = parsed.get("Body") if request.operation == "GetObject" else None
        return SdkReply(
            facts["HTTPStatusCode"], facts["HTTPHeaders"], call.reply, stream, self._failed
        )

    def _parameters(self, request: Request, locations: Mapping[str, tuple[str, str]]) -> Any:
        """The SDK's parameters; all headers and most bodies go by the event instead."""
        parameters: dict[str, Any] = {"Bucket": self._bucket}
        if request.key is not None:
            parameters["Key"] = request.key
        query = dict(request.query)
        for name, (wire_name, kind) in locations.items():
            if name in _STAND_INS:
                parameters[name] = _STAND_INS[name]
            elif wire_name in query:
                value = query[wire_name]
                parameters[name] = int(value) if kind == "integer" else value
        return parameters

    def _input(self, operation: str) -> tuple[Callable[..., Any], Mapping[str, tuple[str, str]]]:
        """The client's method, and what it calls the parts of a query and what it cannot do without."""
        from botocore import xform_name

        shape = self._client.meta.service_model.operation_model(operation).input_shape
        found: dict[str, tuple[str, str]] = {}
        for name, member in shape.members.items():
            queried = member.serialization.get("location") == "querystring"
            if queried or (name in _STAND_INS and name in shape.required_members):
                found[name] = (member.serialization.get("name", name), member.type_name)
        return getattr(self._client, xform_name(operation)), found


class _Watched(io.BytesIO):
    """A body that tells whenever more of it is taken, for the SDK never gives up on sending."""

    def __init__(self, content: bytes, taken: Callable[[], None]) -> None:
        super().__init__(content)
        self._taken = taken

    def read(self, size: int | None = -1, /) -> bytes:
        self._taken()
        return super().read(size)


class SdkReply:
    """A reply that the SDK has read, or a body that it streams."""

    __slots__ = ("_body", "_failed", "_stream", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        stream: Any,
        failed: type[Exception],
    ) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._stream = stream
        self._failed = failed

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
        if self._stream is None:
            body, self._body = self._body, b""
            return body
        from aiohttp import ClientError

        try:
            chunk: bytes = await self._stream.content.readany()
        except (ClientError, TimeoutError, OSError) as error:
            why: Why = "idle" if isinstance(error, TimeoutError) else "dropped"
            raise Lost(why, type(error).__name__) from error
        return chunk

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


def _made(
    account: Account, keys: Keys[Credentials]
) -> tuple[Any, Any, tuple[type[Exception], type[Exception]]]:
    with extra("s3", "aioboto3"):
        import aioboto3  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
        from aiobotocore.session import AioSession  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
        from botocore.exceptions import BotoCoreError, ClientError
    inner: Any = AioSession()
    inner.register_component("data_loader", _loader())
    inner.register_component("credential_provider", _Lending(keys))
    session: Any = aioboto3.Session(botocore_session=inner, profile_name=account.profile)
    try:
        context = session.client(
            "s3",
            region_name=account.region,
            endpoint_url=account.endpoint,
            verify=None if account.verify is True else account.verify,
            config=_config(account),
        )
        client = asyncio.run(context.__aenter__())
    except BotoCoreError as error:
        raise _refusing(error) from error
    client.meta.events.register("before-call.s3", _before_call)
    client.meta.events.register("before-parse.s3", _before_parse)
    return context, client, (ClientError, BotoCoreError)


class _Lending:
    """Our credentials in the place of the SDK's, so that one place renews them, and not on the loop."""

    def __init__(self, keys: Keys[Credentials]) -> None:
        self._keys = keys

    async def load_credentials(self) -> Any:
        return _lent()(self._keys)


@lru_cache(maxsize=1)
def _lent() -> type[Any]:
    from aiobotocore.credentials import (  # type: ignore[import-untyped]
        AioCredentials,  # pyright: ignore[reportUnknownVariableType]
    )
    from botocore.credentials import ReadOnlyCredentials

    class Lent(AioCredentials):  # type: ignore[misc]  # the SDK is untyped
        def __init__(self, keys: Keys[Credentials]) -> None:
            super().__init__("", "")
            self._keys = keys

        async def get_frozen_credentials(self) -> Any:
            found = self._keys.ready() or await self._keys.get()
            if found is None:
                return None
            return ReadOnlyCredentials(found.access_key, found.secret_key, found.token)

    return Lent


@lru_cache(maxsize=1)
def _loader() -> Any:
    """The SDK's models, read once and not for every client."""
    from botocore.loaders import create_loader

    return create_loader()


def _config(account: Account) -> Any:
    from aiobotocore.config import AioConfig  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
    from botocore import UNSIGNED

    return AioConfig(
        signature_version=UNSIGNED if account.anonymous else "s3v4",
        s3={
            "addressing_style": "path" if account.path_style else "virtual",
            "payload_signing_enabled": account.checksum == "sha256",
        },
        retries={"max_attempts": 0},
        connect_timeout=account.timeout,
        read_timeout=account.timeout,
        max_pool_connections=1000,
        http_session_cls=_sending_once(),
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


@lru_cache(maxsize=1)
def _sending_once() -> type[Any]:
    """The SDK's HTTP client, without aiohttp's second try, whose first nobody would hear of, or leaks."""
    from aiobotocore.httpsession import (  # type: ignore[import-untyped]
        AIOHTTPSession,  # pyright: ignore[reportUnknownVariableType]
    )

    class SendingOnce(AIOHTTPSession):  # type: ignore[misc]  # the SDK is untyped
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)  # pyright: ignore[reportUnknownMemberType]
            self._sockets = Sockets()
            given: dict[str, Any] = vars(self)["_connector_args"] or {}
            self._connector_args = {**given, "socket_factory": self._sockets.make}

        async def __aexit__(self, *error: object) -> None:
            try:
                await super().__aexit__(*error)  # pyright: ignore[reportUnknownMemberType]
            finally:
                await self._sockets.end()

        async def _get_session(self, proxy_url: str | None) -> Any:
            session: Any = await super()._get_session(proxy_url)  # pyright: ignore[reportUnknownMemberType]
            session._retry_connection = False
            return session

    return SendingOnce


def _before_call(params: dict[str, Any], **_: Any) -> None:
    """Our headers and body in the place of what the SDK made of the stand-ins."""
    call = _calls.get(None)
    if call is None:
        return
    for name in call.headers:
        for known in [known for known in params["headers"] if known.lower() == name]:
            del params["headers"][known]
    params["headers"].update(call.headers)
    if call.body and not hasattr(params["body"], "read"):
        params["body"] = call.body


def _before_parse(response_dict: dict[str, Any], **_: Any) -> None:
    """The body as it came."""
    call = _calls.get(None)
    body = response_dict.get("body")
    if call is not None and isinstance(body, bytes):
        call.reply = body


def _translated(error: Exception) -> Exception:
    why = _WHY.get(type(error).__name__)
    if why is not None:
        return Lost(why, str(getattr(error, "kwargs", {}).get("error", "")) or type(error).__name__)
    return _refusing(error)


def _refusing(error: Exception) -> StorageError:
    """The SDK would not even try; its text may hold values, so only its name is told."""
    name = type(error).__name__
    if "Credential" in name or "Token" in name or "Profile" in name:
        return PermissionDenied(f"the SDK finds no credentials that work ({name})")
    return StorageError(f"the SDK refuses the request ({name}); use transport='direct'")
