"""The real servers, rclone and moto; each in a process of its own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

from _servers import HOST, Endpoint, free_port, running

BUCKET = "bench"
REGION = "us-east-1"
ACCESS_KEY = "storeroom-bench-access-key"
SECRET_KEY = "storeroom-bench-secret-key"


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
        port = free_port()
        keys = ["--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--config", "/dev/null"]
        command = [str(program), "serve", "s3", "--addr", f"{HOST}:{port}", *keys, folder]
        with running(command, port):
            yield Endpoint("rclone", f"http://{HOST}:{port}")


@contextmanager
def moto() -> Iterator[Endpoint | None]:
    """moto's server with a bucket, None where it is not installed."""
    program = Path(sys.executable).with_name("moto_server")
    if not program.exists():
        yield None
        return
    port = free_port()
    with running([str(program), "-H", HOST, "-p", str(port)], port):
        place = Endpoint("moto", f"http://{HOST}:{port}")
        with urlopen(Request(f"{place.url}/{BUCKET}", method="PUT")):
            pass
        yield place
