"""The CDN's domain: what addresses begin with, and which one a file has."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, cast
from urllib.parse import urlsplit

from storeroom.contracts.errors import ConfigError
from storeroom.contracts.paths import is_readable, quoted

__all__ = ["Domain", "check_patterns", "is_loopback", "matching"]

_STRANGE: Final = re.compile(r"[^!-~]|[?#\\]|/\.\.?(/|$)")
_HERE: Final = frozenset(("localhost", "127.0.0.1", "::1"))


class Domain:
    """`https://cdn.example.com`, or a folder of one; without a scheme it is https.

    CloudFront purges no address with a `~`, so there it is encoded as well: `tilde` is what it becomes.
    """

    __slots__ = ("_tilde", "begins")

    def __init__(self, domain: str, /, *, tilde: str = "~") -> None:
        text = domain if "://" in domain else f"https://{domain}"
        try:
            parts = urlsplit(text)
            _ = parts.port
        except ValueError:
            parts = urlsplit("")
        strange = "@" in parts.netloc or _STRANGE.search(text) is not None
        if parts.scheme not in ("http", "https") or not parts.hostname or strange:
            raise ConfigError(
                "domain is that of the CDN, such as 'https://cdn.example.com', and encoded: a host "
                "in other letters as xn--..., a path as in addresses"
            )
        self.begins = text.rstrip("/")
        self._tilde = tilde

    def address(self, path: str, /) -> str:
        """The address of a file."""
        return f"{self.begins}/{self._quoted(path)}"

    def all_under(self, folder: str, /) -> str:
        """What stands for all addresses under a folder, for who takes a `*` at the end."""
        return f"{self.begins}/{self._quoted(folder)}/*" if folder else f"{self.begins}/*"

    def _quoted(self, path: str) -> str:
        return quoted(path).replace("~", self._tilde)


def check_patterns(given: Mapping[str, str] | None, /) -> tuple[tuple[str, str], ...]:
    """The patterns with their headers, in order."""
    if given is None:
        return ()
    if not isinstance(cast(Any, given), Mapping):
        raise ConfigError("cache_control maps patterns to headers: {'*.css': 'max-age=31536000'}")
    for pattern, header in given.items():
        texts: tuple[object, object] = (pattern, header)
        if not header or not all(isinstance(text, str) for text in texts):
            raise ConfigError("cache_control maps patterns to headers, both text")
        if not is_readable(header) or not header.isascii():
            raise ConfigError(f"the header for {pattern!r} holds what a header cannot")
    return tuple(given.items())


def matching(patterns: tuple[tuple[str, str], ...], path: str, /) -> str | None:
    """The header of the first pattern that a path matches; a `*` also crosses `/`."""
    return next((header for pattern, header in patterns if fnmatchcase(path, pattern)), None)


def is_loopback(host: str | None, /) -> bool:
    """Whether a host is this machine."""
    return host in _HERE
