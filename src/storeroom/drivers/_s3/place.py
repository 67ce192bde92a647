"""Where a bucket lies: its host, and what stands before a key."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from storeroom.contracts.errors import ConfigError
from storeroom.drivers._s3.signature import Signer

__all__ = ["Place", "Spot", "aws_place", "base_of", "place_at"]

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


class Spot:
    """Where a bucket is and by which clock it goes, as far as is known; shared by all loops."""

    def __init__(self, place: Place, region: str) -> None:
        self.move(place, region)
        self.skew = timedelta(0)

    def move(self, place: Place, region: str) -> None:
        """The bucket turned out to be elsewhere."""
        self.place = place
        self.region = region
        self.signer = Signer(region)

    def now(self) -> datetime:
        """The time at the service."""
        return datetime.now(UTC) + self.skew


def aws_place(bucket: str, region: str | None, /, *, path_style: bool) -> Place:
    """A bucket of Amazon S3; one whose name has dots keeps out of the host, or TLS would fail.

    Without a region it is the address that leads on from anywhere.
    """
    domain = "amazonaws.com.cn" if (region or "").startswith("cn-") else "amazonaws.com"
    host = f"s3.{region}.{domain}" if region else f"s3.{domain}"
    if path_style or "." in bucket:
        return Place("https", host, f"/{bucket}")
    return Place("https", f"{bucket}.{host}")


def place_at(endpoint: str, bucket: str, /, *, path_style: bool) -> Place:
    """A bucket at an endpoint; an endpoint that names the bucket already, as Spaces shows it, is taken so."""
    scheme, host, base = base_of(endpoint, "endpoint_url")
    if path_style or ("." in bucket and scheme == "https"):
        return Place(scheme, host, f"{base}/{bucket}")
    if host.startswith(f"{bucket}."):
        return Place(scheme, host, base)
    return Place(scheme, f"{bucket}.{host}", base)


def base_of(url: str, key: str, /) -> tuple[str, str, str]:
    """Scheme, host with its port unless that is the usual one, and path of a configured URL."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ConfigError(f"{key} has a port that is no number") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ConfigError(f"{key} is a URL such as 'https://s3.example.com', not {url!r}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(f"{key} holds a user, a '?' or a '#'; give scheme, host and path only")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    return parts.scheme, host, parts.path.rstrip("/")
