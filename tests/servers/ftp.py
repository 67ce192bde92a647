"""What a test knows of an FTP server."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from storeroom.drivers.ftp import FTPDriver
from tests.servers.process import HOST

USERNAME = "storeroom"
PASSWORD = "a secret: ü 50% #1"


@dataclass(frozen=True, slots=True)
class FtpServer:
    """A server of `folder`; `authority` is whom clients trust where it speaks TLS.

    `passive` are the ports of its data connections, where they are known.
    """

    port: int
    folder: Path
    tls: Literal["explicit", "implicit", False] = False
    authority: Path | None = None
    username: str | None = USERNAME
    password: str | None = PASSWORD
    passive: range = range(0)

    def driver(self, root: str = "", /, *, host: str = HOST, **options: Any) -> FTPDriver:
        """A driver of a folder on it, by another address where one is given."""
        given = {
            "port": self.port,
            "username": self.username,
            "password": self.password,
            "tls": self.tls,
            "verify": str(self.authority) if self.authority else True,
        }
        return FTPDriver(host, root=root, **{**given, **options})
