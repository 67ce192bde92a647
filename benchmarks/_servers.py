"""Servers in processes of their own, stopped by who started them."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running server, by name."""

    name: str
    url: str


@contextmanager
def stub(file: str, /) -> Iterator[Endpoint]:
    """A stub of this folder; it does not look at names, so that everything is there."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name(file))],
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
def running(command: Sequence[str], port: int, /) -> Iterator[None]:
    """A program that listens on that port, once it does."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(command[0], port)
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


def _wait(program: str, port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.03)
        else:
            return
    raise TimeoutError(f"{program} did not start within 10 seconds")
