"""Which bucket, and at which service."""

import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Final

from storeroom.contracts.errors import ConfigError
from storeroom.drivers._http.place import Place, base_of

__all__ = ["GOOGLE", "Target", "target_of"]

GOOGLE: Final = "https://storage.googleapis.com"
"""Where Google Cloud Storage is."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_EMULATOR: Final = "STORAGE_EMULATOR_HOST"


@dataclass(frozen=True, slots=True)
class Target:
    """A bucket and the service it is at; `user_project` is who pays for the requests."""

    bucket: str
    scheme: str
    host: str
    base: str
    user_project: str | None

    @property
    def origin(self) -> str:
        """Scheme and host."""
        return f"{self.scheme}://{self.host}"

    @property
    def place(self) -> Place:
        """Where the files are for a reader."""
        return Place(self.scheme, self.host, f"{self.base}/{self.bucket}")

    @property
    def is_open(self) -> bool:
        """Whether others on the way can listen."""
        return self.scheme == "http" and not _is_loopback(self.host)

    def public(self, url: str | None, key: str, /) -> Place | None:
        """Where the configured `url` leads: to a domain of the bucket's own, or to the service's host.

        That host has many buckets, and then the bucket goes into the path.
        """
        if url is None:
            return None
        scheme, host, base = base_of(url, key)
        if host == self.host and not base.endswith(f"/{self.bucket}"):
            base = f"{base}/{self.bucket}"
        return Place(scheme, host, base)


def target_of(
    bucket: str, endpoint_url: str | None, user_project: str | None, /
) -> tuple[Target, bool]:
    """The bucket's place, and whether that is an emulator which the environment names."""
    if not _NAME.fullmatch(bucket):
        raise ConfigError(f"bucket is a bucket's name, not {bucket!r}")
    emulator = None if endpoint_url else os.environ.get(_EMULATOR)
    if emulator and "://" not in emulator:
        emulator = f"http://{emulator}"
    known = _EMULATOR if emulator else "endpoint_url"
    scheme, host, base = base_of(endpoint_url or emulator or GOOGLE, known)
    return Target(bucket, scheme, host, base, user_project), bool(emulator)


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
