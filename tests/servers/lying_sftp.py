"""An SFTP server in this process that does as a test tells it: asyncssh's, with parts replaced."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import asyncssh

from tests.servers.process import HOST
from tests.servers.sftp import SftpServer
from tests.servers.ssh_server import PASSWORD, USER, Guard

__all__ = ["Honest", "host_key", "serving"]


class Honest(asyncssh.SFTPServer):
    """Serves `folder`; those who lie say in which answers."""

    folder: Path

    def __init__(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
        super().__init__(chan, chroot=str(self.folder).encode())


@asynccontextmanager
async def serving(
    folder: Path,
    server: type[Honest] = Honest,
    /,
    *,
    password: str = PASSWORD,
    certificate: asyncssh.SSHCertificate | None = None,
    **options: Any,
) -> AsyncIterator[SftpServer]:
    """A running one, with options of `asyncssh.listen`; it may show a certificate for its key."""
    made: Callable[..., Honest] = type(server.__name__, (server,), {"folder": folder})
    key = host_key()
    acceptor = await asyncssh.listen(
        HOST,
        0,
        server_factory=lambda: Guard(password),
        server_host_keys=[key if certificate is None else (key, certificate)],
        sftp_factory=made,
        encoding=None,
        **options,
    )
    public = key.export_public_key().decode().strip()
    try:
        yield SftpServer(acceptor.get_port(), USER, folder, "", public, password=password)
    finally:
        acceptor.close()
        await acceptor.wait_closed()


@cache
def host_key() -> asyncssh.SSHKey:
    """The one that all of them show."""
    return asyncssh.generate_private_key("ssh-ed25519")
