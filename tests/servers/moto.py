"""moto: nearly every verb of S3, and no judgement of signatures, checksums or keys."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from tests.servers.certificates import Certificate
from tests.servers.process import HOST, Process
from tests.servers.s3 import S3Server


@contextmanager
def moto(certificate: Certificate | None = None, /) -> Generator[S3Server]:
    """A moto server of its own; over https where a certificate is given."""
    with moto_process(certificate) as process:
        yield moto_server(process, certificate)


def moto_process(certificate: Certificate | None = None, /) -> Process:
    """The server as a thing to start and stop."""

    def command(port: int) -> Sequence[object]:
        plain = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", port]
        if certificate is None:
            return plain
        return [*plain, "-s", "-c", certificate.chain, "-k", certificate.key]

    return Process(command)


def moto_server(process: Process, certificate: Certificate | None = None, /) -> S3Server:
    """The running process as its clients see it."""
    if certificate is None:
        return S3Server(f"http://{HOST}:{process.port}")
    return S3Server(f"https://{HOST}:{process.port}", certificate.authority)
