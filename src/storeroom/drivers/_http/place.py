"""Where a bucket lies: its host, and what stands before a key."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from storeroom.contracts.errors import ConfigError
from storeroom.contracts.paths import quoted

__all__ = ["Place", "attachment", "base_of", "public_address"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket's address: `base` is what stands before `/` and the key, `""` or `/bucket`."""

    scheme: str
    host: str
    base: str = ""

    @property
    def origin(self) -> str:
        """Scheme and host."""
        return f"{self.scheme}://{self.host}"

    def path(self, key: str | None, /) -> str:
        """The path of a key, or of the bucket itself; not encoded."""
        if key is None:
            return self.base or "/"
        return f"{self.base}/{key}"


def public_address(place: Place, path: str, /) -> str:
    """The address of a file for whoever needs no signature."""
    return f"{place.origin}{quoted(place.path(path))}"


def base_of(url: str, key: str, /) -> tuple[str, str, str]:
    """Scheme, host with its port unless that is the usual one, and path of a configured URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigError(f"{key} is no URL: its host is not one") from None
    try:
        port = parts.port
    except ValueError:
        raise ConfigError(f"{key} has a port that is no number") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ConfigError(f"{key} is a URL such as 'https://s3.example.com'; this is none")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(f"{key} holds a user, a '?' or a '#'; give scheme, host and path only")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    return parts.scheme, host, parts.path.rstrip("/")


def attachment(filename: str, /) -> str:
    """A `Content-Disposition` that has a browser save under this name (RFC 6266): for old ones, and true."""
    plain = "".join(
        char if " " <= char < "\x7f" and char not in '"\\%' else "_" for char in filename
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
