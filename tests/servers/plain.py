"""A client without opinions: it sends what it is told, and can sign it before."""

import http.client
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any, cast
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.servers.keys import OWNER, REGION, Key
from tests.servers.s3 import S3Server

_CODE = re.compile(rb"<Code>(?P<code>\w+)</Code>")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def code(self) -> str | None:
        """The code of an S3 error, None where the body is none."""
        found = _CODE.search(self.body)
        return found["code"].decode() if found else None


def send(
    server: S3Server,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """The answer to a request for a target (or whole URL) that goes out as it stands."""
    parts = urlsplit(server.url)
    if server.authority:
        tls = ssl.create_default_context(cafile=server.authority)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.netloc, timeout=10, context=tls
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request(method, target.removeprefix(server.url), body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def signed(
    server: S3Server,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    payload: str | None = None,
    key: Key = OWNER,
    region: str = REGION,
) -> dict[str, str]:
    """The headers with a signature by botocore, to be sent with this very target.

    `payload` is what stands for the body, its hash where None.
    """
    request = AWSRequest(method, f"{server.url}{target}", dict(headers or {}), body)
    credentials = Credentials(key.access, key.secret, key.token)
    _Signer(credentials, "s3", region, payload).add_auth(request)
    return {name: str(value) for name, value in cast("Any", request.headers).items()}


class _Signer(S3SigV4Auth):
    def __init__(
        self, credentials: Credentials, service: str, region: str, payload: str | None
    ) -> None:
        super().__init__(credentials, service, region)
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:
        return self._payload or super().payload(request)
