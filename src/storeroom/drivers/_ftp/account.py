"""Where a server is, who we are there, and how we want to speak to it."""

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Account", "Security"]

Security = Literal["explicit", "implicit", False]


@dataclass(frozen=True, slots=True)
class Account:
    """The options of one disk that are about its connections; the password is in no repr."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    root: str
    tls: Security
    verify: bool | str
    passive: bool
    timeout: float
    encoding: str
    pipelining: bool

    @property
    def origin(self) -> str:
        """The server, for messages."""
        return f"{self.host}:{self.port}"
