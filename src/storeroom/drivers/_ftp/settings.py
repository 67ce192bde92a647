"""What the options of a disk mean, checked before anything is asked."""

import logging
from typing import Final

from storeroom.contracts.errors import ConfigError, InvalidPath
from storeroom.drivers._ftp.account import Account, Security
from storeroom.drivers._ftp.spelling import spelled

__all__ = ["account_of"]

_PORTS: Final = {"implicit": 990}
_PORT: Final = 21
_NAMELESS: Final = "anonymous"
_COMMANDS: Final = "MFMT 0123456789 /a+-.Z\r\n"

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
    if port is not None and port not in range(1, 1 << 16):
        raise ConfigError(f"port is a number from 1 to 65535, not {port!r}")
    if tls not in ("explicit", "implicit", False):
        raise ConfigError(f"tls is 'explicit', 'implicit' or False, not {tls!r}")
    if not isinstance(verify, (bool, str)):
        raise ConfigError(f"verify is True, False or a file of authorities, not {verify!r}")
    if ".." in root.split("/") or any(ord(letter) < 32 for letter in root):
        raise ConfigError(f"root is a folder such as '/srv/files', without '..', not {root!r}")
    for name, value in (("username", username), ("password", password)):
        if value is not None and not {"\r", "\n", "\0"}.isdisjoint(value):
            raise ConfigError(f"{name} holds a line break, which FTP cannot send")
    if username is not None and password is None:
        raise ConfigError(f"the password of {username!r} is missing; leave both out for anonymous")
    _check_encoding(encoding)
    _check_spelling(encoding, username=username, password=password, root=root)
    if tls is False and username is not None:
        _log.warning(
            "the password for %s and all files are sent in the clear, so anyone on the way can read "
            "them; tls='explicit' protects them",
            host,
        )
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


def _check_encoding(encoding: str) -> None:
    """Commands and their numbers are ASCII, and so is the `/` between names."""
    try:
        is_fit = _COMMANDS.encode(encoding, "surrogateescape") == _COMMANDS.encode()
    except (LookupError, UnicodeError):
        is_fit = False
    if not is_fit:
        raise ConfigError(
            f"encoding is one that Python knows and that keeps ASCII, such as 'latin-1', not {encoding!r}"
        )


def _check_spelling(encoding: str, **texts: str | None) -> None:
    """Never with the text: it may be the password."""
    for name, text in texts.items():
        try:
            spelled(text or "", encoding)
        except InvalidPath as refused:
            raise ConfigError(f"{name} cannot be sent: {refused.reason}") from None


def _check_host(host: str) -> None:
    if not host or any(letter.isspace() or letter in "/@\0" for letter in host):
        raise ConfigError(
            f"host is a name such as 'ftp.example.com', without a scheme, not {host!r}"
        )
