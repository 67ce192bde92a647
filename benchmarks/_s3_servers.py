"""The two servers: a stub with canned replies, and rclone; each in a process of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

BUCKET = "bench"
REGION = "us-east-1"
ACCESS_KEY = "storeroom-bench-access-key"
SECRET_KEY = "storeroom-bench-secret-key"
HOST = "127.0.0.1"
STUB = Path(__file__).with_name("_s3_stub.py")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running server, by name."""

    name: str
    url: str


@contextmanager
def stub(mebibytes: int) -> Iterator[Endpoint]:
    """The canned replies; they do not look at names, so that everything is there."""
    process = subprocess.Popen(
        [sys.executable, str(STUB), str(mebibytes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Endpoint("stub", f"http://{HOST}:{int(process.stdout.readline())}")
    finally:
        process.communicate()


@contextmanager
def rclone() -> Iterator[Endpoint | None]:
    """`rclone serve s3` over a folder in memory, None where the program is not installed."""
    program = Path(sys.executable).with_name("rclone")
    if not program.exists():
        yield None
        return
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with TemporaryDirectory(dir=memory, prefix="storeroom-bench-") as folder:
        Path(folder, BUCKET).mkdir()
        port = _free_port()
        keys = ["--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--config", "/dev/null"]
        process = subprocess.Popen(
            [str(program), "serve", "s3", "--addr", f"{HOST}:{port}", *keys, folder],
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(port)
            yield Endpoint("rclone", f"http://{HOST}:{port}")
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


def _wait(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.03)
        else:
            return
    raise TimeoutError("rclone did not start within 10 seconds")
