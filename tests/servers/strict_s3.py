"""The strict S3 server: it refuses what Amazon refuses, fails on demand, and tells what it saw."""

import json
import ssl
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.servers._strict_s3.faults import Fault
from tests.servers._strict_s3.wire import Exchange
from tests.servers.certificates import Certificate
from tests.servers.process import HOST, Process
from tests.servers.s3 import S3Server

__all__ = ["Fault", "StrictS3", "Wire", "strict_s3", "strict_s3_process", "strict_s3_server"]


@dataclass(slots=True)
class Wire:
    """What a block of code sent; filled at the end of the block."""

    requests: list[Exchange] = field(default_factory=list[Exchange])

    @property
    def lines(self) -> list[str]:
        """Method and path of each, as `GET /bucket/key`."""
        return [f"{seen.method} {seen.path}" for seen in self.requests]


@dataclass(frozen=True, slots=True)
class StrictS3(S3Server):
    """The server with its levers; `reset()` puts all of them back and forgets no object."""

    def fail(self, fault: Fault, /) -> None:
        """From now on; faults that are met often enough are gone."""
        self._admin("fault", asdict(fault))

    def faults_left(self) -> int:
        left: int = self._admin("faults")
        return left

    def settings(self, **changes: Any) -> None:
        """Change some of `Settings`: `clock`, `expired`, `smallest_part`, `largest_copy` ..."""
        self._admin("settings", changes)

    def reset(self) -> None:
        self._admin("reset")

    def finish_restores(self) -> None:
        """Every restore from an archive that was begun is done."""
        self._admin("restored")

    def open_uploads(self, bucket: str) -> list[str]:
        """The keys of uploads in parts that are neither completed nor aborted."""
        return [key for name, key, _ in self._admin("uploads") if name == bucket]

    @contextmanager
    def watching(self) -> Generator[Wire]:
        """The requests of the block, without their secrets."""
        wire, since = Wire(), self._admin("seen")
        try:
            yield wire
        finally:
            said = self._admin(f"requests?since={since}")
            wire.requests = [Exchange(**seen) for seen in said]

    def _admin(self, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/_admin/{path}", json.dumps(body).encode(), method="POST"
        )
        tls = ssl.create_default_context(cafile=self.authority) if self.authority else None
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            return json.loads(answer.read())


@contextmanager
def strict_s3(certificate: Certificate | None = None, /) -> Generator[StrictS3]:
    """A strict server of its own; over https where a certificate is given."""
    with strict_s3_process(certificate) as process:
        yield strict_s3_server(process, certificate)


def strict_s3_process(certificate: Certificate | None = None, /) -> Process:
    """The server as a thing to start and stop; it forgets everything when it stops."""
    tls = [certificate.chain, certificate.key] if certificate else []
    module = "tests.servers._strict_s3.server"
    return Process(lambda port: [sys.executable, "-m", module, port, *tls])


def strict_s3_server(process: Process, certificate: Certificate | None = None, /) -> StrictS3:
    """The running process as its clients see it."""
    if certificate is None:
        return StrictS3(f"http://{HOST}:{process.port}")
    return StrictS3(f"https://{HOST}:{process.port}", certificate.authority)
