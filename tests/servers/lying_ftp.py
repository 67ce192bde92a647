"""A small FTP server that can lie, be silent, leave, and lack any command: in the loop of its test."""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any, Self

from storeroom.drivers.ftp import FTPDriver
from tests.servers._lying_ftp.session import Session
from tests.servers._lying_ftp.state import Lies, State
from tests.servers.process import HOST

__all__ = ["Lies", "LyingFtp"]


@dataclass(slots=True)
class LyingFtp(State):
    """`async with LyingFtp() as server:` serves `files` and `folders` as `lies` says."""

    port: int = 0
    connections: int = 0
    sessions: set[Session] = field(default_factory=set[Session])
    _drivers: list[FTPDriver] = field(default_factory=list[FTPDriver])
    _listener: asyncio.Server | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for driver in self._drivers:
            await driver.aclose()
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before."""
        if self.certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            load = self.context.load_cert_chain
            await asyncio.to_thread(load, self.certificate.chain, self.certificate.key)
        self._listener = await asyncio.start_server(self._accept, HOST, self.port, ssl=self.context)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End all sessions without a word."""
        if self._listener is not None:
            self._listener.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(5):  # connections that were accepted just now reach whom they are for
            await asyncio.sleep(0)

    def driver(self, **options: Any) -> FTPDriver:
        """A driver of it, closed with it."""
        tls: dict[str, Any] = {"tls": False}
        if self.certificate is not None:
            tls = {"tls": "implicit", "verify": str(self.certificate.authority)}
        made = FTPDriver(HOST, **{**tls, "port": self.port, "timeout": 5.0, **options})
        self._drivers.append(made)
        return made

    async def deserted(self) -> None:
        """Returns when no session is left, which is soon."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=5)
            assert not late

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        session = Session(self, reader, writer)
        self.sessions.add(session)
        try:
            if self.lies.most is not None and len(self.sessions) > self.lies.most:
                await session.say("421 Too many connections.")
            else:
                await session.serve()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.sessions.discard(session)
            self._tasks.discard(task)
            await session.close()
