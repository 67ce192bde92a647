"""Azurite: Microsoft's own emulator of Blob Storage, without versions and with some ways of its own."""

import base64
import json
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from tests.servers.azure import ACCOUNT, KEY, OTHER_ACCOUNT, OTHER_KEY, AzureServer
from tests.servers.certificates import Certificate
from tests.servers.process import HERE, HOST, Process

_PROGRAM = HERE / "node_modules/azurite/dist/src/blob/main.js"
_ACCOUNTS = f"AZURITE_ACCOUNTS={ACCOUNT}:{KEY};{OTHER_ACCOUNT}:{OTHER_KEY}"
_QUIET = ("--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry")


@contextmanager
def azurite(certificate: Certificate | None = None, /) -> Generator[AzureServer]:
    """An Azurite of its own; over https, and with bearer tokens, where a certificate is given."""
    with azurite_process(certificate) as process:
        yield azurite_server(process, certificate)


def azurite_process(certificate: Certificate | None = None, /) -> Process:
    """The server as a thing to start and stop; it forgets everything when it stops."""

    def command(port: int) -> Sequence[object]:
        plain = [
            "env",
            _ACCOUNTS,
            "node",
            _PROGRAM,
            "--blobHost",
            HOST,
            "--blobPort",
            port,
            *_QUIET,
        ]
        if certificate is None:
            return plain
        tls = ["--cert", certificate.chain, "--key", certificate.key]
        return [*plain, *tls, "--oauth", "basic"]

    return Process(command, within=40.0)


def azurite_server(process: Process, certificate: Certificate | None = None, /) -> AzureServer:
    """The running process as its clients see it."""
    if certificate is None:
        return AzureServer(f"http://{HOST}:{process.port}/{ACCOUNT}")
    url = f"https://{HOST}:{process.port}/{ACCOUNT}"
    return AzureServer(url, certificate.authority, token=bearer_token())


def bearer_token(
    *,
    lasting: float = 86400.0,
    audience: str = "https://storage.azure.com",
    issuer: str = "https://sts.windows.net/storeroom/",
) -> str:
    """A token as Entra ID makes it; Azurite looks at these claims and never at the signature."""
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": issuer,
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + int(lasting),
        "oid": "11111111-2222-3333-4444-555555555555",
        "tid": "66666666-7777-8888-9999-000000000000",
    }
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}.{_part({})}"


def _part(said: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
