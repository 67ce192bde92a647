"""Who comes in: user, password, key, agent; and the way a connection is opened."""

import asyncio
import getpass
import os
from dataclasses import dataclass, field
from typing import Any, Final

import asyncssh

from storeroom.contracts import threads
from storeroom.contracts.errors import (
    ConfigError,
    MissingPackage,
    PermissionDenied,
    StorageError,
    Timeout,
)
from storeroom.drivers._sftp.channel import Channel
from storeroom.drivers._sftp.failures import Lost, readable
from storeroom.drivers._sftp.hosts import Guest, HostRule
from storeroom.drivers._sftp.session import Session
from storeroom.drivers._sftp.together import Together

__all__ = ["CIPHERS", "Login"]

CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
"""The fastest first, where processors have instructions for AES."""

_ALIVE: Final = 30
_WINDOW: Final = 4 << 20
_PACKET: Final = 32 << 10
_TOO_MANY: Final = "authentication failures"
_TOO_LATE: Final = "timeout expired"


class _AgentsOnly(list[Any]):
    """Keys of which there are none: an empty list of another kind brings in those of ~/.ssh."""

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Login:
    """What is needed for a connection; no secret shows in its repr."""

    rule: HostRule
    timeout: float
    ciphers: tuple[str, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    agent: bool | str = False

    def user(self) -> str:
        """Who comes in. Without a name, who runs the program: asyncssh asks for that one anyhow."""
        try:
            local = getpass.getuser()
        except (KeyError, OSError) as error:
            raise ConfigError(
                "the user who runs this program has no name, and SSH wants one; set the environment "
                "variable LOGNAME"
            ) from error
        return self.username or local

    async def open(self) -> Session:
        """A session on the running loop."""
        guest, options = await threads.run(self._prepared)
        try:
            return await self._opened(guest, options)
        except StorageError:
            raise
        except (asyncssh.Error, OSError, ValueError) as error:
            if self.agent and isinstance(error, asyncssh.PermissionDenied):
                await self._check_agent()
            raise self._failure(guest, error) from error

    async def _opened(self, guest: Guest, options: asyncssh.SSHClientConnectionOptions) -> Session:
        connection = await asyncssh.connect(
            self.rule.host, self.rule.port, options=options, config=None, tunnel=Together()
        )
        try:
            async with asyncio.timeout(self.timeout):
                return await self._begun(connection)
        except BaseException:
            connection.abort()
            raise

    async def _begun(self, connection: asyncssh.SSHClientConnection) -> Session:
        channel = Channel(asyncio.get_running_loop(), self.timeout)
        await connection.create_session(  # pyright: ignore[reportUnknownMemberType]
            lambda: channel,
            subsystem="sftp",
            encoding=None,
            window=_WINDOW,
            max_pktsize=_PACKET,
        )
        session = Session(connection, channel)
        await session.begin()
        return session

    def _prepared(self) -> tuple[Guest, asyncssh.SSHClientConnectionOptions]:
        """All that reads files, in a worker thread."""
        guest, username = self.rule.guest(), self.user()
        known, algorithms = guest.known, guest.algorithms
        key = None if self.private_key is None else self._key(self.private_key)
        agent: Any = None if not self.agent else () if self.agent is True else self.agent
        keys: Any = [key] if key is not None else _AgentsOnly() if self.agent else None
        try:
            options = asyncssh.SSHClientConnectionOptions(
                config=None,
                client_factory=lambda: guest,
                known_hosts=known,
                server_host_key_algs=algorithms,
                x509_trusted_certs=None,  # those of ~/.ssh would do for any host key
                x509_trusted_cert_paths=[],
                username=username,
                password=self.password,
                client_keys=keys,
                agent_path=agent,
                encryption_algs=list(self.ciphers),
                compression_algs=None,
                gss_kex=False,
                gss_auth=False,
                host_based_auth=False,
                connect_timeout=self.timeout,
                login_timeout=self.timeout,
                keepalive_interval=_ALIVE,
            )
        except ValueError as error:
            raise ConfigError(f"ciphers: {error}") from error
        return guest, options

    def _key(self, given: str) -> asyncssh.SSHKey:
        try:
            if "PRIVATE KEY" in given:
                return asyncssh.import_private_key(given, self.passphrase)
            return asyncssh.read_private_key(os.path.expanduser(given), self.passphrase)
        except asyncssh.KeyEncryptionError as error:
            if "bcrypt" in str(error):
                raise MissingPackage(
                    "bcrypt is not installed, and opens this private_key; run: pip install bcrypt"
                ) from error
            raise ConfigError("passphrase does not open private_key") from error
        except asyncssh.KeyImportError as error:
            raise ConfigError(
                "private_key is no private key that can be read; an encrypted one needs passphrase"
            ) from error
        except (OSError, ValueError):  # whose words have the "path", which may be the key itself
            raise ConfigError(
                "private_key names no file that can be read; give a path, or the key itself (PEM)"
            ) from None

    async def _check_agent(self) -> None:
        """Refuse an agent that is not there: asyncssh takes it for one that has no keys."""
        path = self._agent_path()
        try:
            async with asyncssh.connect_agent(path):
                pass
        except OSError as error:
            where = f"at {path!r}" if path else "as SSH_AUTH_SOCK is not set"
            raise ConfigError(
                f"there is no SSH agent {where}; start one with ssh-agent, and check agent"
            ) from error

    def _agent_path(self) -> str:
        return os.path.expanduser(
            os.environ.get("SSH_AUTH_SOCK", "") if self.agent is True else str(self.agent)
        )

    def _failure(self, guest: Guest, error: Exception) -> Exception:
        """What kept the connection from being opened; nothing of a login is told."""
        is_late = isinstance(error, TimeoutError) or _TOO_LATE in str(error)
        if is_late and not guest.is_greeted:  # further tries would only last as long again
            return Timeout(
                f"no SSH server greets at {self.rule.place} within {self.timeout:g} s; check host "
                "and port, and whether something on the way drops what is sent"
            )
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            return guest.refusal(error)
        if isinstance(error, asyncssh.PermissionDenied):
            return PermissionDenied(
                "the server does not let this user in; check username, and password, private_key "
                "or agent"
            )
        if isinstance(error, asyncssh.KeyExchangeFailed):
            return ConfigError(
                f"{self.rule.host} and this side share no way to encrypt: {readable(error.reason)}; "
                "it may want another one in ciphers"
            )
        if isinstance(error, asyncssh.ChannelOpenError):
            return Lost("unreachable", "it opens no SFTP session")
        if isinstance(error, asyncssh.DisconnectError):
            if _TOO_MANY in error.reason:  # trying again would get this address banned
                return PermissionDenied(
                    "the server gave up on this user after too many wrong keys; check username and "
                    "private_key, which is also the way out where an agent has many"
                )
            when = "" if guest.is_greeted else f", before an SSH server greeted ({self.rule.place})"
            return Lost("dropped", f"{error.reason}{when}")
        if isinstance(error, TimeoutError):
            return Lost("idle", "the connection took longer than the time-out")
        said = getattr(error, "strerror", None) or str(error)
        return Lost("unreachable", f"{said} ({self.rule.place})")
