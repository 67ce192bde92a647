"""The options of a driver, checked and put in order; no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from storeroom.contracts.errors import ConfigError
from storeroom.contracts.values import Traits, Visible, check_visibility
from storeroom.drivers._sftp.hosts import HostRule
from storeroom.drivers._sftp.login import CIPHERS, Login
from storeroom.drivers._sftp.rules import Rules
from storeroom.drivers._sftp.service import Service
from storeroom.drivers._tree.modes import modes_of
from storeroom.drivers._tree.rule import PathRule

__all__ = ["LOOSE", "STRICT", "login_of", "path_rule_of", "rules_of", "service_of"]

_SEGMENT_BYTES: Final = 255

STRICT: Final = Traits(
    "sftp",
    folders="real",
    atomic_append=False,
    ordered=True,
    conditions=frozenset(("overwrite",)),
    keeps=frozenset(("visibility",)),
    segment_bytes=_SEGMENT_BYTES,
)
LOOSE: Final = replace(STRICT, strict_paths=False)


def login_of(
    host: str,
    *,
    port: int,
    username: str | None,
    password: str | None,
    private_key: str | None,
    passphrase: str | None,
    agent: bool | str,
    known_hosts: str | None,
    host_key: str | None,
    verify: bool,
    ciphers: Sequence[str] | None,
    timeout: float,
) -> Login:
    """Who comes in, and where."""
    if not host or any(char in host for char in "/@ \0\r\n"):
        raise ConfigError("host is the name or address of a server, such as 'files.example.com'")
    if not 0 < port < 65536:
        raise ConfigError(f"port is a number from 1 to 65535, not {port}")
    if password is None and private_key is None and not agent:
        raise ConfigError("nothing to come in with: give password, private_key, or agent=True")
    if passphrase is not None and private_key is None:
        raise ConfigError("passphrase opens private_key, and there is none")
    if type(verify) is not bool:
        raise ConfigError(f"verify is True or False, not {verify!r}")
    if ciphers is not None and not ciphers:
        raise ConfigError("ciphers names at least one, or is left out")
    if timeout <= 0:
        raise ConfigError("timeout is more than 0 seconds")
    return Login(
        HostRule(host, port, known_hosts, host_key, verify),
        timeout,
        tuple(ciphers or CIPHERS),
        username,
        password,
        private_key,
        passphrase,
        agent,
    )


def path_rule_of(paths: Literal["strict", "service"]) -> PathRule:
    if paths not in ("strict", "service"):
        raise ConfigError(f"paths is 'strict' or 'service', not {paths!r}")
    return PathRule(strict=paths == "strict", segment_bytes=_SEGMENT_BYTES)


def rules_of(
    visibility: Visible | None,
    directory_visibility: Visible | None,
    permissions: Mapping[str, Mapping[str, int]] | None,
    durability: Literal["none", "file"],
) -> Rules:
    """How files and folders are stored."""
    for visible in (visibility, directory_visibility):
        if visible is not None:
            check_visibility(visible)
    if durability not in ("none", "file"):
        raise ConfigError(f"durability is 'none' or 'file', not {durability!r}")
    files, folders = modes_of(permissions)
    return Rules(
        files, folders, visibility, directory_visibility or visibility, durability == "file"
    )


def service_of(login: Login, connections: int, retries: int) -> Service:
    if connections < 1 or retries < 0:
        raise ConfigError("connections is 1 or more, and retries 0 or more")
    return Service(login.open, connections=connections, retries=retries, timeout=login.timeout)
