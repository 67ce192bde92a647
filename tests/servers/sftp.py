"""An SFTP server as its clients see it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.servers.process import HOST

__all__ = ["SftpServer"]


@dataclass(frozen=True, slots=True)
class SftpServer:
    """Where it listens, who may come in, and the folder on this machine that it serves.

    `base` is that folder as the server names it; `host_key` the public key that it shows.
    """

    port: int
    username: str
    folder: Path
    base: str
    host_key: str
    private_key: Path | None = None
    password: str | None = None
    host: str = HOST

    def at(self, port: int, /) -> "SftpServer":
        """The same, through another port."""
        return replace(self, port=port)

    def options(self, root: str = "", /, **others: Any) -> dict[str, Any]:
        """What a driver of a folder in it needs to know."""
        login: dict[str, Any] = {
            "port": self.port,
            "username": self.username,
            "host_key": self.host_key,
            "root": f"{self.base}/{root}" if root else self.base,
        }
        if self.private_key is not None:
            login["private_key"] = str(self.private_key)
        if self.password is not None:
            login["password"] = self.password
        return login | others
