"""Whether the server is the one that is meant: its key is known, given, or not asked for."""

import logging
import os
from dataclasses import dataclass
from typing import Final

import asyncssh

from storeroom.contracts.errors import ConfigError
from storeroom.drivers._sftp.failures import readable

__all__ = ["Guest", "HostRule"]

_log = logging.getLogger("storeroom")

_FINGERPRINT: Final = "SHA256:"
_USERS_FILE: Final = "~/.ssh/known_hosts"
_USUAL_PORT: Final = 22

Keys = list[asyncssh.SSHKey]


@dataclass(frozen=True, slots=True)
class HostRule:
    """Which host keys are trusted: those in a file, one that is given, or any (`verify=False`)."""

    host: str
    port: int
    known_hosts: str | None = None
    host_key: str | None = None
    verify: bool = True

    def __post_init__(self) -> None:
        if not self.verify:
            if self.known_hosts is not None:
                raise ConfigError("verify=False takes any server; leave known_hosts out")
            _log.warning(
                "the host key of %s is not checked (verify=False): whoever stands between can read "
                "and change everything",
                self.host,
            )
        if self.host_key is None:
            return
        if self.known_hosts is not None or not self.verify:
            raise ConfigError("host_key says it all; leave known_hosts and verify out")
        self.given()

    @property
    def place(self) -> str:
        """The server, as messages name it."""
        return f"{self.host}:{self.port}"

    @property
    def file(self) -> str:
        """The file of known hosts."""
        return self.known_hosts or _USERS_FILE

    @property
    def fingerprint(self) -> str | None:
        """The one given as `host_key`."""
        key = self.host_key
        return key.strip().rstrip("=") if key and key.startswith(_FINGERPRINT) else None

    def given(self) -> Keys:
        """The key given as `host_key`, where it is no fingerprint."""
        if self.host_key is None or self.fingerprint is not None:
            return []
        try:
            return [asyncssh.import_public_key(self.host_key)]
        except asyncssh.KeyImportError as error:
            raise ConfigError(
                "host_key is a public key such as 'ssh-ed25519 AAAA...', or a fingerprint such as "
                "'SHA256:...'"
            ) from error

    def guest(self) -> "Guest":
        """Who looks at the key of one connection; reads the file of known hosts, which blocks."""
        is_given = self.host_key is not None or not self.verify
        return Guest(self, None if is_given else self._parsed())

    def _parsed(self) -> asyncssh.SSHKnownHosts | None:
        """What is in the file of known hosts, None where the user has none."""
        lines = self._lines().decode(errors="replace")
        try:
            return asyncssh.import_known_hosts(lines) if lines else None
        except ValueError as error:
            raise ConfigError(
                f"the file of known hosts {self.file!r} cannot be understood: "
                f"{readable(str(error))}"
            ) from error

    def _lines(self) -> bytes:
        file = os.path.expanduser(self.file)
        try:
            with open(file, "rb") as lines:
                return lines.read()
        except FileNotFoundError as error:
            if self.known_hosts is None:
                return b""
            raise ConfigError(f"there is no file of known hosts at {file!r}") from error
        except OSError as error:
            raise ConfigError(f"the file of known hosts {file!r} cannot be read") from error


class Guest(asyncssh.SSHClient):
    """Looks at the key that a server shows; `shown` is its fingerprint then.

    `hosts` are those of a file of known hosts. All keys are compared here: told of trusted ones,
    asyncssh asks for no other kinds, and a server with another kind only drops the connection.
    """

    def __init__(self, rule: HostRule, hosts: asyncssh.SSHKnownHosts | None, /) -> None:
        self.shown: str | None = None
        self._rule = rule
        self._hosts = hosts
        self._connection: asyncssh.SSHClientConnection | None = None

    @property
    def is_greeted(self) -> bool:
        """Whether the server said that it speaks SSH."""
        connection = self._connection
        return connection is not None and connection.get_extra_info("server_version") is not None

    @property
    def known(self) -> tuple[Keys, Keys, Keys] | None:
        """What asyncssh is told: the revoked keys, or None where any key will do."""
        if not self._rule.verify:
            return None
        _, _, revoked = self._matching("")
        return [], [], revoked

    @property
    def algorithms(self) -> str | tuple[()]:
        """The kinds of the known keys, to be asked for first."""
        trusted, _, _ = self._matching("")
        kinds = [kind.decode() for key in trusted for kind in key.sig_algorithms]
        return f"^{','.join(dict.fromkeys(kinds))}" if kinds else ()

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._connection = conn

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        self.shown = key.get_fingerprint("sha256")
        if self._rule.fingerprint is not None:
            return self.shown.rstrip("=") == self._rule.fingerprint
        trusted, _, revoked = self._matching(addr)
        return key in trusted and key not in revoked

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = key.get_fingerprint("sha256")
        _, authorities, revoked = self._matching(addr)
        return key in authorities and key not in revoked

    def refusal(self, error: Exception, /) -> ConfigError:
        """Why this server was not let in."""
        place = self._rule.place
        if "revoked" in str(error):
            return ConfigError(f"the host key of {place} is revoked in the file of known hosts")
        shown = f"the key {self.shown}" if self.shown else "a key"
        if self._rule.host_key is not None:
            return ConfigError(
                f"{place} shows {shown}, which is not the one given as host_key; if the server "
                "got a new key, give that one, else somebody stands between"
            )
        if any(self._matching("")[:2]):
            return ConfigError(
                f"{place} shows {shown}, and another one is known; if the server got a new key, "
                f"replace the line in {self._rule.file}, else somebody stands between"
            )
        return ConfigError(
            f"{place} shows {shown}, and the host is not known; compare it, then add it: "
            f"host_key={self.shown!r}, or a line in {self._rule.file}"
        )

    def _matching(self, addr: str) -> tuple[Keys, Keys, Keys]:
        """The keys of the host, those of authorities for it, and those that are revoked."""
        if self._hosts is None:
            return self._rule.given(), [], []
        port = self._rule.port if self._rule.port != _USUAL_PORT else None
        found = self._hosts.match(self._rule.host, addr, port)
        return list(found[0]), list(found[1]), list(found[2])
