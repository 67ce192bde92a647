"""CloudFront's signed URLs and cookies.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/PrivateContent.html
"""

import json
import math
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from storeroom.contracts.errors import ConfigError, InvalidArgument
from storeroom.contracts.extras import extra

with extra("cloudfront", "cryptography"):
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

__all__ = ["CloudFront", "Window"]

_SAFE = str.maketrans("+=/", "-_~")


@dataclass(frozen=True, slots=True)
class Window:
    """When, and from where, a signature is good: until `expires`, from `starts`, for the network `ip`."""

    expires: datetime
    starts: datetime | None = None
    ip: str | None = None

    def __post_init__(self) -> None:
        if any(time is not None and time.tzinfo is None for time in (self.expires, self.starts)):
            raise InvalidArgument("a time needs its zone; say expires.astimezone()")
        if self.starts is not None and self.starts >= self.expires:
            raise InvalidArgument(f"it starts at {self.starts}, after it expires: {self.expires}")


class CloudFront:
    """Signs for one distribution: `key_id` names the public key there, `private_key` is the RSA key in PEM."""

    __slots__ = ("_key", "key_id")

    def __init__(self, key_id: str, private_key: str | bytes) -> None:
        self.key_id = key_id
        self._key = _loaded(private_key)

    def __repr__(self) -> str:
        return f"CloudFront({self.key_id!r})"

    def signed_url(self, url: str, window: Window, /, *, resource: str | None = None) -> str:
        """The URL with its signature; `resource` widens it by `*` and `?`, which makes a longer URL.

        `url` is percent-encoded already, and may have a query of its own.
        """
        policy = _policy(resource or url, window)
        if resource is None and not _is_custom(url, window):
            said = f"Expires={_seconds(window.expires)}"
        else:
            said = f"Policy={_text(policy)}"
        joint = "&" if "?" in url else "?"
        return f"{url}{joint}{said}&Signature={self._signature(policy)}&Key-Pair-Id={self.key_id}"

    def signed_cookies(self, resource: str, window: Window, /) -> dict[str, str]:
        """The cookies, by name, that open every URL `resource` matches: `https://cdn.example.com/a/*`.

        Send them for the CDN's domain with `Secure`, `HttpOnly` and a path.
        """
        policy = _policy(resource, window)
        cookies = (
            {"CloudFront-Policy": _text(policy)}
            if _is_custom(resource, window)
            else {"CloudFront-Expires": str(_seconds(window.expires))}
        )
        return {
            **cookies,
            "CloudFront-Signature": self._signature(policy),
            "CloudFront-Key-Pair-Id": self.key_id,
        }

    def _signature(self, policy: bytes) -> str:
        # RSA-SHA1 is what CloudFront verifies.
        return _text(self._key.sign(policy, PKCS1v15(), SHA1()))  # noqa: S303


@lru_cache(maxsize=16)
def _loaded(pem: str | bytes) -> RSAPrivateKey:
    try:
        # The tests of the primes would stop the loop for 30 ms, and a key from the configuration is trusted.
        key = load_pem_private_key(
            pem.encode() if isinstance(pem, str) else pem,
            password=None,
            unsafe_skip_rsa_key_validation=True,
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(
            "CloudFront's private key is no unencrypted RSA key in PEM; "
            "it begins with -----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----"
        )
    return key


def _is_custom(resource: str, window: Window) -> bool:
    return window.starts is not None or window.ip is not None or "*" in resource


def _policy(resource: str, window: Window) -> bytes:
    """What is signed: without spaces, and in the order that CloudFront builds a canned policy in."""
    condition: dict[str, dict[str, int | str]] = {
        "DateLessThan": {"AWS:EpochTime": _seconds(window.expires)}
    }
    if window.ip is not None:
        network = window.ip if "/" in window.ip else f"{window.ip}/32"
        condition["IpAddress"] = {"AWS:SourceIp": network}
    if window.starts is not None:
        condition["DateGreaterThan"] = {"AWS:EpochTime": _seconds(window.starts)}
    statement = {"Resource": resource, "Condition": condition}
    return json.dumps({"Statement": [statement]}, separators=(",", ":")).encode()


def _seconds(time: datetime) -> int:
    return math.ceil(time.timestamp())


def _text(content: bytes) -> str:
    return b64encode(content).decode().translate(_SAFE)
