"""pyftpdlib: MLSD, MFMT and SITE CHMOD; in the clear, under explicit and under implicit TLS."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.servers.certificates import Certificate
from tests.servers.ftp import FtpServer
from tests.servers.process import Process

Tls = Literal["explicit", "implicit", False]


@contextmanager
def pyftpd(
    folder: Path,
    certificate: Certificate | None = None,
    /,
    *,
    tls: Tls = False,
    passive: range = range(0),
) -> Generator[FtpServer]:
    """A server of the folder; with a certificate under TLS."""
    with pyftpd_process(folder, certificate, tls=tls) as process:
        authority = certificate.authority if certificate else None
        yield FtpServer(process.port, folder, tls, authority)


def pyftpd_process(
    folder: Path,
    certificate: Certificate | None = None,
    /,
    *,
    tls: Tls = False,
    passive: range = range(0),
) -> Process:
    """The server as a thing to start and stop."""

    def command(port: int) -> Sequence[object]:
        secure = [certificate.chain, certificate.key] if certificate else []
        module = "tests.servers.pyftpd_process"
        return [sys.executable, "-m", module, port, folder, tls or "", *secure]

    return Process(command)
