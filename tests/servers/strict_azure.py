"""The strict Azure server: it refuses what Azure refuses, fails on demand, and tells what it saw."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers._strict.levers import Levers
from tests.servers._strict.wire import Wire
from tests.servers._strict_azure.faults import AzureFault
from tests.servers.azure import ACCOUNT, TOKEN, AzureServer
from tests.servers.certificates import Certificate
from tests.servers.process import HOST, Process

__all__ = [
    "AzureFault",
    "StrictAzure",
    "Wire",
    "strict_azure",
    "strict_azure_process",
    "strict_azure_server",
]


@dataclass(frozen=True, slots=True)
class _Door(Levers):
    url: str
    authority: Path | None


@dataclass(frozen=True, slots=True)
class StrictAzure(Levers, AzureServer):
    """The server with its levers; the first account has versions, `other()` none.

    Settings: `clock`, `versioning`, `pending_copies`, `failing_copies`, `expired`, `page` ...
    """

    def finish_copies(self) -> None:
        """Every copy that pends is done."""
        self._admin("copies")

    def rehydrate(self) -> None:
        """Every blob on its way out of the archive has arrived."""
        self._admin("rehydrated")

    def staged(self, container: str) -> list[str]:
        """The names with blocks that no list has."""
        return [name for bucket, name, _ in self._admin("staged") if bucket == container]

    def _admin(self, path: str, body: object = None) -> Any:
        # The way in is the server's, where `url` is an account's.
        return _Door(self.url.rpartition("/")[0], self.authority)._admin(path, body)


@contextmanager
def strict_azure(certificate: Certificate | None = None, /) -> Generator[StrictAzure]:
    """A strict server of its own; over https where a certificate is given."""
    with strict_azure_process(certificate) as process:
        yield strict_azure_server(process, certificate)


def strict_azure_process(certificate: Certificate | None = None, /) -> Process:
    """The server as a thing to start and stop; it forgets everything when it stops."""
    tls = [certificate.chain, certificate.key] if certificate else []
    module = "tests.servers._strict_azure.server"
    return Process(lambda port: [sys.executable, "-m", module, port, *tls])


def strict_azure_server(process: Process, certificate: Certificate | None = None, /) -> StrictAzure:
    """The running process as its clients see it."""
    if certificate is None:
        return StrictAzure(f"http://{HOST}:{process.port}/{ACCOUNT}", token=TOKEN)
    url = f"https://{HOST}:{process.port}/{ACCOUNT}"
    return StrictAzure(url, certificate.authority, token=TOKEN)
