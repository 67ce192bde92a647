"""What the options of a disk mean, checked before anything is asked."""

import codecs
import logging
from typing import Final

from storeroom.contracts.errors import ConfigError
from storeroom.drivers._ftp.account import Account, Security

__all__ = ["account_of"]

_PORTS: Final = {"implicit": 990}
_PORT: Final = 21
_NAMELESS: Final = "anonymous"

_log = logging.getLogger("storeroom")


def account_of(
    host: str,
    *,
    port: int | None,
    username: str | None,
    password: str | None,
    root: str,
    tls: Security,
    verify: bool | str,
    passive: bool,
    timeout: float,
    encoding: str,
    pipelining: bool,
) -> Account:
    """The account, or `ConfigError`; an unchecked certificate is warned of."""
    _check_host(host)
    if tls not in ("explicit", "implicit", False):
        raise ConfigError(f"tls is 'explicit', 'implicit' or False, not {tls!r}")
    if ".." in root.split("/") or any(ord(letter) < 32 for letter in root):
        raise ConfigError(f"root is a folder such as '/srv/files', without '..', not {root!r}")
    for name, value in (("username", username), ("password", password)):
        if value is not None and not {"\r", "\n", "\0"}.isdisjoint(value):
            raise ConfigError(f"{name} holds a line break, which FTP cannot send")
    if username is not None and password is None:
        raise ConfigError(f"the password of {username!r} is missing; leave both out for anonymous")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ConfigError(f"encoding is one that Python knows, not {encoding!r}") from None
    if tls is not False and verify is False:
        _log.warning(
            "the certificate of %s is not checked, so anyone on the way can read the password and "
            "all files; verify takes a file of authorities",
            host,
        )
    return Account(
        host,
        port or _PORTS.get(tls or "", _PORT),
        _NAMELESS if username is None else username,
        f"{_NAMELESS}@" if password is None else password,
        root,
        tls,
        verify,
        passive,
        timeout,
        encoding,
        pipelining,
    )


def _check_host(host: str) -> None:
    if not host or any(letter.isspace() or letter in "/@\0" for letter in host):
        raise ConfigError(
            f"host is a name such as 'ftp.example.com', without a scheme, not {host!r}"
        )
