"""Which container, where: nothing here waits or asks anybody."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from storeroom.contracts.errors import ConfigError
from storeroom.drivers._http.place import Place, base_of

__all__ = ["Account", "Target", "account_in", "is_here", "target_of"]

_CONTAINER: Final = re.compile(r"\$root|\$web|\$logs|(?=.{3,63}$)[a-z0-9](?:-?[a-z0-9])*")
_ACCOUNT: Final = re.compile(r"[a-z0-9]{3,24}")
_SUFFIX: Final = "core.windows.net"
_TOLD: Final = "what connection_string makes of DefaultEndpointsProtocol and EndpointSuffix"


@dataclass(frozen=True, slots=True)
class Account:
    """An account: its name where that is known, and its address."""

    name: str | None
    scheme: str
    host: str
    base: str

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"{self.scheme}://{self.host}{self.base}"


@dataclass(frozen=True, slots=True)
class Target:
    """A container of an account."""

    container: str
    account: Account

    @property
    def place(self) -> Place:
        """The container's own address."""
        account = self.account
        return Place(account.scheme, account.host, f"{account.base}/{self.container}")

    def public(self, url: str | None, key: str, /) -> Place | None:
        """Where the configured `url` leads: to a domain of the container's own, or to the account's host.

        That host has many containers, and then the container goes into the path.
        """
        if url is None:
            return None
        scheme, host, base = base_of(url, key)
        account = self.account
        if host == account.host and base in ("", account.base):
            base = f"{account.base}/{self.container}"
        return Place(scheme, host, base)


def target_of(container: str, account: Account, /) -> Target:
    """The container, if it can be one's name."""
    if not _CONTAINER.fullmatch(container):
        raise ConfigError(
            f"container is a container's name, 3 to 63 small letters, digits and single dashes, "
            f"not {container!r}"
        )
    return Target(container, account)


def account_in(
    name: str | None, endpoint: str | None, /, *, suffix: str = _SUFFIX, scheme: str = "https"
) -> Account:
    """The account by its name, by its address, or by both."""
    if endpoint is None:
        if name is None:
            raise ConfigError(
                "account_name is missing, or connection_string, or endpoint_url: where is the account?"
            )
        if not _ACCOUNT.fullmatch(name):
            raise ConfigError(
                f"account_name is an account's name, 3 to 24 small letters and digits, not {name!r}"
            )
        return Account(name, *base_of(f"{scheme}://{name}.blob.{suffix}", _TOLD))
    scheme, host, base = base_of(endpoint, "endpoint_url")
    if _is_shared(host) and not base and name is not None:
        base = f"/{name}"
    return Account(name or _named(host, base), scheme, host, base)


def is_here(host: str, /) -> bool:
    """Whether a host is this machine's loopback."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _is_shared(host: str) -> bool:
    """Whether a host has many accounts, told apart by their paths, as emulators' do."""
    name = urlsplit(f"//{host}").hostname or ""
    if "." not in name:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _named(host: str, base: str) -> str | None:
    if _is_shared(host):
        return base.strip("/").partition("/")[0] or None
    name, _, domain = host.partition(".")
    return name.removesuffix("-secondary") if "blob." in domain else None
