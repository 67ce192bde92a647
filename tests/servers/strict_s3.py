"""The strict S3 server: it refuses what Amazon refuses, fails on demand, and tells what it saw."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.servers._strict.levers import Levers
from tests.servers._strict.wire import Wire
from tests.servers._strict_s3.faults import Fault
from tests.servers.certificates import Certificate
from tests.servers.process import HOST, Process
from tests.servers.s3 import S3Server

__all__ = ["Fault", "StrictS3", "Wire", "strict_s3", "strict_s3_process", "strict_s3_server"]


@dataclass(frozen=True, slots=True)
class StrictS3(Levers, S3Server):
    """The server with its levers; `settings` are `clock`, `expired`, `smallest_part` ..."""

    def finish_restores(self) -> None:
        """Every restore from an archive that was begun is done."""
        self._admin("restored")

    def open_uploads(self, bucket: str) -> list[str]:
        """The keys of uploads in parts that are neither completed nor aborted."""
        return [key for name, key, _ in self._admin("uploads") if name == bucket]


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
