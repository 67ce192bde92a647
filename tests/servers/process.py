"""A server in a process of its own, on a free port of loopback."""

import atexit
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Self

HOST = "127.0.0.1"
HERE = Path(__file__).parents[2]
_ATTEMPTS = 3
_POLL = 0.03
_STOPS_WITHIN = 5.0


class DidNotStart(AssertionError):
    """A server that does not start fails its tests; the message has what the server said."""


class Process:
    """A child that listens on `port` between `start()` and `stop()`, which may alternate.

    `command` is given the port. The port stays the same for the life of this object.
    """

    def __init__(
        self, command: Callable[[int], Sequence[object]], /, *, within: float = 20.0
    ) -> None:
        self.port = 0
        self._command = command
        self._within = within
        self._child: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def output(self) -> str:
        """What the child has said since it was started."""
        if self._output is None:
            return ""
        return Path(self._output.name).read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Returns when the child accepts connections, or raises `DidNotStart`."""
        if self._child:
            return
        attempts = 1 if self.port else _ATTEMPTS
        for attempt in range(attempts):
            port = self.port or free_port()
            self._spawn(port)
            try:
                self._wait_until_ready(port)
            except DidNotStart:
                self.stop()
                if attempt + 1 == attempts:
                    raise
            else:
                self.port = port
                return

    def stop(self) -> None:
        """Returns when the child is gone."""
        atexit.unregister(self.stop)
        child, self._child = self._child, None
        if child:
            _end(child)
        if self._output:
            self._output.close()
            self._output = None

    def _spawn(self, port: int) -> None:
        self._output = tempfile.NamedTemporaryFile(prefix="storeroom-server-")  # noqa: SIM115
        atexit.register(self.stop)
        self._child = subprocess.Popen(
            [str(word) for word in self._command(port)],
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def _wait_until_ready(self, port: int) -> None:
        assert self._child
        until = time.monotonic() + self._within
        while time.monotonic() < until:
            if self._child.poll() is not None:
                raise DidNotStart(self._failure(f"ended with {self._child.returncode}"))
            if is_listening(port):
                return
            time.sleep(_POLL)
        raise DidNotStart(self._failure(f"was not ready within {self._within:g} s"))

    def _failure(self, fact: str) -> str:
        assert self._child
        command = " ".join(str(word) for word in self._child.args)  # type: ignore[union-attr]
        return f"{command}\n{fact} and said:\n{self.output[-8000:]}"


def free_port() -> int:
    """A port nobody listens on; another process may take it first, so starting is tried again."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Whether a connection to the port of loopback is accepted."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(_STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
