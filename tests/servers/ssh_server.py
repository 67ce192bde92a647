"""asyncssh's own server, in a process of its own: passwords, and extensions that can be left out.

`python -m tests.servers.ssh_server PORT FOLDER KEY [EXTENSION ...]` leaves the extensions out. The
folder is the root of all that a client can name.
"""

import asyncio
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

import asyncssh
from asyncssh import sftp

from tests.servers.process import HOST, Process
from tests.servers.sftp import SftpServer

__all__ = ["PASSWORD", "USER", "Guard", "ssh_server"]

USER = "ada"
PASSWORD = 'a pässword\'s "secret" %2F'
POSIX_RENAME, HARD_LINKS = "posix-rename@openssh.com", "hardlink@openssh.com"


class Guard(asyncssh.SSHServer):
    """Lets one user in, with a password."""

    def __init__(self, password: str = PASSWORD) -> None:
        self._password = password

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, self._password)


@contextmanager
def ssh_server(folder: Path, /, *, without: Iterable[str] = ()) -> Generator[SftpServer]:
    """A running one, without these extensions."""
    files, key = folder / "files", folder / "host_key"
    files.mkdir(parents=True)
    made = asyncssh.generate_private_key("ssh-ed25519")
    key.write_bytes(made.export_private_key())

    def command(port: int) -> list[object]:
        return [sys.executable, "-m", "tests.servers.ssh_server", port, files, key, *without]

    with Process(command) as process:
        public = made.export_public_key().decode().strip()
        yield SftpServer(process.port, USER, files, "", public, password=PASSWORD)


async def _serve(port: int, folder: str, key: str, without: list[str]) -> None:
    offered = sftp.SFTPServerHandler._extensions
    offered[:] = [pair for pair in offered if pair[0].decode() not in without]
    await asyncssh.listen(
        HOST,
        port,
        server_factory=Guard,
        server_host_keys=[key],
        sftp_factory=lambda chan: asyncssh.SFTPServer(chan, chroot=folder.encode()),
        encoding=None,
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]))
