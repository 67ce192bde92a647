"""Redis: a server with nothing in it, which keeps nothing on disk."""

import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.servers.process import HOST, DidNotStart, Process


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A Redis that runs, or can be stopped and started again on the same port, empty."""

    process: Process

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.process.port}/0"

    def start(self) -> None:
        """Returns when it answers."""
        self.process.start()
        self.command("PING", answer="+PONG")

    def stop(self) -> None:
        """Returns when it is gone."""
        self.process.stop()

    def command(self, *words: str, answer: str = "") -> str:
        """The first line of the answer to one command, over a connection of its own."""
        text = f"*{len(words)}\r\n" + "".join(f"${len(w.encode())}\r\n{w}\r\n" for w in words)
        with socket.create_connection((HOST, self.process.port), timeout=5) as wire:
            wire.sendall(text.encode())
            line = wire.makefile("rb").readline().decode().strip()
        if answer and line != answer:
            raise DidNotStart(f"{words} was answered by {line!r}")
        return line


@contextmanager
def redis() -> Generator[RedisServer]:
    """A server of its own."""
    server = RedisServer(Process(_command))
    try:
        server.start()
        yield server
    finally:
        with suppress(ProcessLookupError):
            server.stop()


def _command(port: int) -> Sequence[object]:
    quiet = ("--save", "", "--appendonly", "no", "--daemonize", "no")
    return ["redis-server", "--bind", HOST, "--port", port, *quiet]
